// A packed ring whose device notes in a shared region what it has taken and not answered (vhost-user,
// "Inflight I/O tracking"): the twin of InflightSplit. The region holds a copy of each descriptor, because
// answers are written over the ring's own. Another alternative of DeviceRing; opened by vhost/inflight_area.
//
// A device that answers in the burst in which it takes uses it as any ring. One that answers later and in
// any order takes with publish(n, 0) and answers with putUsed() and publish(0, n).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.hpp"
#include "virtqueue/inflight_slice.hpp"
#include "virtqueue/layout_inflight.hpp"
#include "virtqueue/packed_device.hpp"

namespace pollwire {

class InflightPacked : public PackedDevice {
 public:
  InflightPacked() = default;

  // Begins with a region that nobody has used, at the position of `ring`, or goes on where its last user
  // ended, whatever that position says: chains that were taken are made available again in front of the
  // others, in their old order. Fails when what the region says is impossible.
  static Result<InflightPacked> open(const PackedDevice& ring, const InflightSlice& slice);

  // The same state on a ring that lies elsewhere now.
  InflightPacked movedTo(const PackedDevice& elsewhere) const {
    InflightPacked moved = *this;
    static_cast<PackedDevice&>(moved) = elsewhere;
    return moved;
  }

  // Chains that the last user had taken and that were not taken again yet.
  std::uint32_t pending() const noexcept {
    return static_cast<std::uint32_t>(state_->pending.size()) - state_->nextPending;
  }

  PW_INLINE void putUsed(std::uint32_t position, std::uint16_t id, std::uint32_t len) noexcept {
    note(position, id, 1);
    PackedDevice::putUsed(position, id, len);
  }
  PW_INLINE void putUsed(std::uint32_t position, const Head& head, std::uint32_t len) noexcept {
    note(position, head.id, head.count);
    PackedDevice::putUsed(position, head.id, len);
  }

  PW_INLINE void publish(std::uint32_t consumed, std::uint32_t answered) noexcept {
    if (answered == 0) {
      if (consumed != 0) takeNext(consumed);
      PackedDevice::publish(consumed, 0);
      return;
    }
    State& state = *state_;
    for (std::uint32_t i = 0; i < state.answered; i++) release(state.batch[i]);
    const Cursor before = usedCursor();
    const Cursor after = stepped(before, answered);
    storeRelease(state.queue->used, usedWord(after, before));
    // From the first descriptor's flags on the batch is the driver's.
    PackedDevice::publish(consumed, answered);
    for (std::uint32_t i = 0; i < state.answered; i++) {
      if (state.batch[i] != kNone) storeRelease(state.entries[state.batch[i]].inflight, 0);
    }
    state.answered = 0;
    storeRelease(state.queue->oldFreeHead, state.freeHead);
    storeRelease(state.queue->used, usedWord(after, after));
  }

 private:
  static constexpr std::uint16_t kNone = 0xffff;
  static constexpr std::uint32_t kIds = 65536;

  // Everything that a burst asks is private: the region is the peer's to change.
  struct State {
    inflight::PackedQueue* queue = nullptr;
    inflight::PackedEntry* entries = nullptr;
    std::uint32_t count = 0;
    std::shared_ptr<const void> memory;
    // Links of free entries and, while taken, of a chain's own; its end is `count`.
    std::vector<std::uint16_t> next;
    std::vector<std::uint16_t> last;
    std::uint16_t freeHead = 0;
    // Entry of each buffer id that was taken to be answered later.
    std::vector<std::uint16_t> entryOf;
    // Entries answered since the last publish().
    std::vector<std::uint16_t> batch;
    std::uint32_t answered = 0;
    std::vector<std::uint16_t> pending;
    std::uint32_t nextPending = 0;
    std::uint64_t counter = 0;
  };

  static std::uint64_t usedWord(Cursor used, Cursor old) noexcept {
    return std::uint64_t{used.position} | std::uint64_t{old.position} << 16 | std::uint64_t{used.wrap} << 32 |
           std::uint64_t{old.wrap} << 40;
  }

  // Before the answer to a chain is written over its descriptors.
  PW_INLINE void note(std::uint32_t position, std::uint16_t id, std::uint32_t count) noexcept {
    State& state = *state_;
    std::uint16_t entry = state.entryOf[id];
    if (entry != kNone) state.entryOf[id] = kNone;
    else entry = takeAt(stepped(availCursor(), position), count);
    if (PW_LIKELY(state.answered < state.batch.size())) state.batch[state.answered++] = entry;
    // I1: the note before the answer, also for a successor that reads them after a crash.
    std::atomic_thread_fence(std::memory_order_release);
  }

  // The entry of the chain of `count` descriptors at `at`: one that its last user made, or a new one. kNone:
  // there are more chains than the driver can have descriptors for.
  PW_NOINLINE std::uint16_t takeAt(Cursor at, std::uint32_t count) noexcept {
    State& state = *state_;
    if (state.nextPending < state.pending.size()) return state.pending[state.nextPending++];
    const std::uint16_t first = state.freeHead;
    if (first >= state.count) return kNone;
    inflight::PackedEntry& head = state.entries[first];
    storeRelaxed(head.num, 0);
    storeRelaxed(head.counter, state.counter++);
    storeRelease(head.inflight, 1);
    std::uint16_t entry = first;
    for (std::uint32_t i = 0; i < count && entry < state.count; i++, at = stepped(at, 1)) {
      const DescCopy copy = copyDesc(&descAt(at));
      state.last[first] = entry;
      if (i + 1 == count) storeRelaxed(head.last, entry);
      storeRelaxed(head.num, i + 1);
      inflight::PackedEntry& element = state.entries[entry];
      storeRelaxed(element.addr, copy.addr);
      storeRelaxed(element.len, packed::lenOf(copy.word));
      storeRelaxed(element.flags, packed::flagsOf(copy.word));
      storeRelaxed(element.id, packed::idOf(copy.word));
      entry = state.next[entry];
      storeRelease(state.queue->freeHead, entry);
    }
    state.freeHead = entry;
    // Taken from here on: what ends before is undone by the next user.
    storeRelease(state.queue->oldFreeHead, entry);
    return first;
  }

  PW_INLINE void release(std::uint16_t entry) noexcept {
    if (PW_UNLIKELY(entry == kNone)) return;
    State& state = *state_;
    const std::uint16_t last = state.last[entry];
    state.next[last] = state.freeHead;
    storeRelaxed(state.entries[last].next, state.freeHead);
    state.freeHead = entry;
    storeRelease(state.queue->freeHead, entry);
  }

  // Notes the chains in the next `entries` descriptors as taken, to be answered later.
  PW_NOINLINE void takeNext(std::uint32_t entries) noexcept {
    Head head{};
    for (std::uint32_t at = 0; at < entries; at += head.count) {
      const std::uint32_t found = gather(&head, at, 1);
      if (found != 1) return;
      state_->entryOf[head.id] = takeAt(stepped(availCursor(), at), head.count);
    }
  }

  // What the last user of the region left, step by step.
  Status recover();
  Status settleLastBatch();
  Status walkFree(std::vector<bool>& seen);
  Status walkTaken(std::vector<bool>& seen);
  void restore();

  std::shared_ptr<State> state_;
};

}  // namespace pollwire
