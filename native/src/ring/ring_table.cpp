#include "ring/ring_table.hpp"

#include <array>
#include <memory>
#include <mutex>

namespace pollwire::rings {

namespace {
std::mutex tableLock;
// Never destroyed at exit: lcores may still be polling.
auto& table = *new std::array<std::unique_ptr<Entry>, kMaxRings>();
}  // namespace

Result<std::uint32_t> add(const std::string& name, void* memory, std::uint64_t offset, std::uint32_t capacity,
                          bool singleProducer, bool singleConsumer) {
  const std::lock_guard<std::mutex> hold(tableLock);
  std::uint32_t id = 0;
  while (id < kMaxRings && table[id] != nullptr) id++;
  if (id == kMaxRings)
    return Status(StatusCode::kNoMemory, "ring " + name + ": there are 4096 rings already");
  auto entry = std::make_unique<Entry>();
  entry->name = name;
  entry->offset = offset;
  entry->ring = AnyRing::create(memory, capacity, singleProducer ? RingSide::kSingle : RingSide::kMulti,
                                singleConsumer ? RingSide::kSingle : RingSide::kMulti);
  if (!entry->ring.valid()) {
    return Status(StatusCode::kOutOfRange,
                  "ring " + name + ": capacity " + std::to_string(capacity) + " is not from 1 to 2^31");
  }
  table[id] = std::move(entry);
  return id;
}

Entry* byId(std::uint32_t id) noexcept { return id < kMaxRings ? table[id].get() : nullptr; }

Result<std::uint64_t> remove(std::uint32_t id) {
  const std::lock_guard<std::mutex> hold(tableLock);
  Entry* entry = byId(id);
  if (entry == nullptr) return Status(StatusCode::kNotFound, "there is no ring " + std::to_string(id));
  if (entry->users != 0) {
    return Status(StatusCode::kBusy,
                  "ring " + entry->name + " is used by " + std::to_string(entry->users) + " port queues");
  }
  const std::uint64_t offset = entry->offset;
  table[id].reset();
  return offset;
}

}  // namespace pollwire::rings
