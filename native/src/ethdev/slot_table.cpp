#include "ethdev/slot_table.hpp"

#include <bitset>
#include <cstring>
#include <mutex>
#include <vector>

#include "mem/arena.hpp"

namespace pollwire::slots {

namespace detail {
BurstSlot table[kMaxSlots];
}

namespace {

std::mutex tableLock;
std::bitset<kMaxSlots> taken;
// Counter blocks are allocated with the slot and kept with it: readers of a stale id read zeros, never
// another's memory.
std::uint64_t counterOffsets[kMaxSlots] = {};

}  // namespace

Result<std::uint32_t> allocate() {
  const std::lock_guard<std::mutex> hold(tableLock);
  std::uint32_t id = 0;
  while (id < kMaxSlots && taken[id]) id++;
  if (id == kMaxSlots)
    return Status(StatusCode::kNoMemory, "all " + std::to_string(kMaxSlots) + " queue slots are in use");
  Arena* arena = Arena::get();
  if (arena == nullptr) return Status(StatusCode::kBadState, "create the arena before the first queue");
  if (counterOffsets[id] == 0) {
    auto offset = arena->allocate(sizeof(Counters), 2 * kCacheLine, "queue counters");
    if (!offset) return offset.status();
    counterOffsets[id] = *offset;
  }
  auto* counters = arena->at<Counters>(counterOffsets[id]);
  std::memset(counters, 0, sizeof *counters);
  taken.set(id);
  detail::table[id].reset(counters);
  return id;
}

void release(std::uint32_t id) {
  if (id >= kMaxSlots) return;
  const std::lock_guard<std::mutex> hold(tableLock);
  // Without counters it cannot be bound by somebody who kept the id.
  detail::table[id].reset(nullptr);
  taken.reset(id);
}

void releaseAll() {
  const std::lock_guard<std::mutex> hold(tableLock);
  for (std::uint32_t id = 0; id < kMaxSlots; id++) {
    if (taken[id]) detail::table[id].reset(nullptr);
    counterOffsets[id] = 0;
  }
  taken.reset();
}

std::uint64_t countersOffset(std::uint32_t id) noexcept { return id < kMaxSlots ? counterOffsets[id] : 0; }

}  // namespace pollwire::slots
