#include "virtqueue/inflight_packed.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace pollwire {

namespace {

Status contradiction(const std::string& what) {
  return Status(StatusCode::kBadState, "the in-flight region " + what + "; give a new one");
}

}  // namespace

Result<InflightPacked> InflightPacked::open(const PackedDevice& ring, const InflightSlice& slice) {
  const std::uint32_t size = ring.size();
  if (slice.entries < size) {
    return Status(StatusCode::kOutOfRange, "the in-flight region has room for " +
                                               std::to_string(slice.entries) + " descriptors, the ring has " +
                                               std::to_string(size));
  }
  InflightPacked opened;
  static_cast<PackedDevice&>(opened) = ring;
  opened.state_ = std::make_shared<State>();
  State& state = *opened.state_;
  state.memory = slice.memory;
  state.queue = reinterpret_cast<inflight::PackedQueue*>(slice.data);
  state.entries = reinterpret_cast<inflight::PackedEntry*>(slice.data + sizeof(inflight::PackedQueue));
  state.count = slice.entries;
  state.next.assign(slice.entries, static_cast<std::uint16_t>(slice.entries));
  state.last.assign(slice.entries, 0);
  state.entryOf.assign(kIds, kNone);
  state.batch.assign(size, kNone);
  const std::uint16_t version = loadAcquire(state.queue->version);
  if (version == 0) {
    std::memset(state.entries, 0, slice.entries * sizeof *state.entries);
    for (std::uint32_t i = 0; i < slice.entries; i++) {
      state.next[i] = state.entries[i].next = static_cast<std::uint16_t>(i + 1);
    }
    inflight::PackedQueue& queue = *state.queue;
    queue.features = 0;
    queue.entries = static_cast<std::uint16_t>(slice.entries);
    queue.freeHead = queue.oldFreeHead = 0;
    queue.used = usedWord(opened.usedCursor(), opened.usedCursor());
    storeRelease(queue.version, inflight::kVersion);
    return opened;
  }
  if (version != inflight::kVersion) {
    return contradiction("has version " + std::to_string(version) + ", this is 1");
  }
  PW_RETURN_IF_ERROR(opened.recover());
  return opened;
}

Status InflightPacked::recover() {
  const std::uint16_t entries = loadRelaxed(state_->queue->entries);
  if (entries != state_->count) {
    return contradiction("has " + std::to_string(entries) + " entries, not the " +
                         std::to_string(state_->count) + " that it was announced with");
  }
  PW_RETURN_IF_ERROR(settleLastBatch());
  std::vector<bool> seen(state_->count, false);
  PW_RETURN_IF_ERROR(walkFree(seen));
  PW_RETURN_IF_ERROR(walkTaken(seen));
  restore();
  return {};
}

// The last batch was shown to the driver, wholly, or it was not: its first descriptor says which.
Status InflightPacked::settleLastBatch() {
  inflight::PackedQueue& queue = *state_->queue;
  const std::uint64_t word = loadRelaxed(queue.used);
  const auto at = [word](unsigned shift, unsigned wrapShift) {
    return Cursor{static_cast<std::uint16_t>(word >> shift), (word >> wrapShift & 1) != 0};
  };
  Cursor used = at(0, 32);
  Cursor old = at(16, 40);
  if (used.position >= size() || old.position >= size()) {
    return contradiction("ends at descriptor " + std::to_string(std::max(used.position, old.position)) +
                         " of a ring of " + std::to_string(size()));
  }
  std::uint16_t freeHead = loadRelaxed(queue.oldFreeHead);
  if (used.position != old.position || used.wrap != old.wrap) {
    const bool shown = !isAvailable(loadAcquire(descAt(old).word), old.wrap);
    if (shown) {
      freeHead = loadRelaxed(queue.freeHead);
      // In this order: between the two the outcome is still the same.
      storeRelease(queue.oldFreeHead, freeHead);
      old = used;
    }
    storeRelease(queue.used, usedWord(old, old));
  }
  storeRelease(queue.freeHead, freeHead);
  state_->freeHead = freeHead;
  resumeAt(old);
  return {};
}

Status InflightPacked::walkFree(std::vector<bool>& seen) {
  State& state = *state_;
  for (std::uint16_t entry = state.freeHead; entry != state.count;) {
    if (entry > state.count || seen[entry]) {
      return contradiction("links its free entries to " + std::to_string(entry));
    }
    seen[entry] = true;
    if (loadRelaxed(state.entries[entry].inflight) != 0) storeRelease(state.entries[entry].inflight, 0);
    state.next[entry] = loadRelaxed(state.entries[entry].next);
    entry = state.next[entry];
  }
  return {};
}

Status InflightPacked::walkTaken(std::vector<bool>& seen) {
  State& state = *state_;
  std::vector<std::pair<std::uint64_t, std::uint16_t>> heads;
  std::uint32_t total = 0;
  for (std::uint32_t i = 0; i < state.count; i++) {
    if (seen[i] || loadRelaxed(state.entries[i].inflight) == 0) continue;
    heads.emplace_back(loadRelaxed(state.entries[i].counter), static_cast<std::uint16_t>(i));
  }
  std::sort(heads.begin(), heads.end());
  for (const auto& [counter, head] : heads) {
    const std::uint16_t num = loadRelaxed(state.entries[head].num);
    total += num;
    if (num == 0 || total > size()) {
      return contradiction("holds chains of " + std::to_string(total) + " descriptors for a ring of " +
                           std::to_string(size()));
    }
    std::uint16_t entry = head;
    for (std::uint16_t i = 0; i < num; i++) {
      if (entry >= state.count || seen[entry]) {
        return contradiction("links a chain to entry " + std::to_string(entry));
      }
      seen[entry] = true;
      state.last[head] = entry;
      if (i + 1 == num) break;
      state.next[entry] = loadRelaxed(state.entries[entry].next);
      entry = state.next[entry];
    }
    state.pending.push_back(head);
    state.counter = counter + 1;
  }
  const auto known = static_cast<std::uint32_t>(std::count(seen.begin(), seen.end(), true));
  if (known != state.count) {
    return contradiction("has lost " + std::to_string(state.count - known) + " of its entries");
  }
  return {};
}

// The driver knows what it posted by id and looks at used descriptors only: the chains that were taken are
// laid out again from the used position on, which is as much room as they took.
void InflightPacked::restore() {
  const State& state = *state_;
  Cursor at = usedCursor();
  for (const std::uint16_t head : state.pending) {
    const std::uint16_t num = loadRelaxed(state.entries[head].num);
    std::uint16_t entry = head;
    for (std::uint16_t i = 0; i < num; i++, at = stepped(at, 1)) {
      const inflight::PackedEntry& element = state.entries[entry];
      const std::uint32_t flags =
          (loadRelaxed(element.flags) & ~std::uint32_t{packed::kOwnerBits}) | packed::availBits(at.wrap);
      storeRelaxed(descAt(at).addr, loadRelaxed(element.addr));
      storeRelease(descAt(at).word,
                   packed::makeWord(loadRelaxed(element.len), loadRelaxed(element.id), flags));
      entry = state.next[entry];
    }
  }
}

}  // namespace pollwire
