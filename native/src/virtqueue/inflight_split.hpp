// A split ring whose device notes in a shared region what it has taken and not answered (vhost-user,
// "Inflight I/O tracking"), so that its successor loses nothing and answers nothing twice, wherever this
// process ended. Another alternative of DeviceRing; opened by vhost/inflight_area.
//
// A device that answers in the burst in which it takes uses it as any ring. One that answers later and in
// any order takes with publish(n, 0) and answers with putUsed() and publish(0, n).
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "virtqueue/inflight_slice.hpp"
#include "virtqueue/layout_inflight.hpp"
#include "virtqueue/split_device.hpp"

namespace pollwire {

class InflightSplit : public SplitDevice {
 public:
  InflightSplit() = default;

  // Begins with a region that nobody has used, or goes on where its last user ended: chains that were taken
  // come first again, in their old order, and the next available one follows from the used index and their
  // number. `keepBase`: the ring's own index is right, because this device has answered with it itself.
  // Fails when what the region says is impossible.
  static Result<InflightSplit> open(const SplitDevice& ring, const InflightSlice& slice, bool keepBase);

  // The same state on a ring that lies elsewhere now.
  InflightSplit movedTo(const SplitDevice& elsewhere) const {
    InflightSplit moved = *this;
    static_cast<SplitDevice&>(moved) = elsewhere;
    return moved;
  }

  // Chains that the last user had taken and that were not taken again yet.
  std::uint32_t pending() const noexcept {
    return static_cast<std::uint32_t>(state_->pending.size()) - state_->nextPending;
  }

  PW_INLINE std::uint32_t available() const noexcept {
    const std::uint32_t fresh = SplitDevice::available();
    return PW_UNLIKELY(fresh == kBroken) ? kBroken : fresh + pending();
  }
  std::uint32_t waiting() const noexcept { return SplitDevice::waiting() + pending(); }

  PW_INLINE std::uint32_t gather(Head* heads, std::uint32_t from, std::uint32_t count) const noexcept {
    const std::uint32_t old = pending();
    std::uint32_t found = 0;
    for (; found < count && from < old; found++, from++) {
      loadHead(heads[found], state_->pending[state_->nextPending + from]);
    }
    return found == count ? count : found + SplitDevice::gather(heads + found, from - old, count - found);
  }

  // None among chains that come again: gather() has those.
  template <Access kAccess, typename Space, typename Touch>
  PW_INLINE std::uint32_t singles(Single* out, std::uint32_t from, std::uint32_t count, Space& space,
                                  Touch&& touch) const noexcept {
    const std::uint32_t old = pending();
    if (PW_UNLIKELY(from < old)) return 0;
    return SplitDevice::singles<kAccess>(out, from - old, count, space, std::forward<Touch>(touch));
  }

  PW_INLINE void putUsed(std::uint32_t position, std::uint16_t id, std::uint32_t len) noexcept {
    State& state = *state_;
    take(id);
    const std::uint16_t before = state.answered == 0 ? state.lastBatchHead : state.batch[state.answered - 1];
    storeRelaxed(state.entries[id].next, before);
    state.batch[state.answered++] = id;
    SplitDevice::putUsed(position, id, len);
  }
  PW_INLINE void putUsed(std::uint32_t position, const Head& head, std::uint32_t len) noexcept {
    putUsed(position, head.id, len);
  }

  PW_INLINE void publish(std::uint32_t consumed, std::uint32_t answered) noexcept {
    State& state = *state_;
    if (answered == 0 && consumed != 0) takeNext(consumed);
    const std::uint32_t again = std::min(consumed, pending());
    state.nextPending += again;
    if (state.answered != 0) {
      state.lastBatchHead = state.batch[state.answered - 1];
      storeRelease(state.queue->lastBatchHead, state.lastBatchHead);
    }
    SplitDevice::publish(consumed - again, answered);
    for (std::uint32_t i = 0; i < state.answered; i++) {
      const std::uint16_t id = state.batch[i];
      state.taken[id] = 0;
      storeRelease(state.entries[id].inflight, 0);
    }
    state.answered = 0;
    storeRelease(state.queue->usedIdx, usedIdx());
  }

 private:
  // Everything that a burst asks is private: the region is the peer's to change.
  struct State {
    inflight::SplitQueue* queue = nullptr;
    inflight::SplitEntry* entries = nullptr;
    std::shared_ptr<const void> memory;
    std::vector<std::uint8_t> taken;
    // Heads answered since the last publish().
    std::vector<std::uint16_t> batch;
    std::uint32_t answered = 0;
    std::vector<std::uint16_t> pending;
    std::uint32_t nextPending = 0;
    std::uint16_t lastBatchHead = 0;
    std::uint64_t counter = 0;
  };

  PW_INLINE void take(std::uint16_t id) noexcept {
    State& state = *state_;
    if (state.taken[id] != 0) return;
    state.taken[id] = 1;
    storeRelaxed(state.entries[id].counter, state.counter++);
    storeRelease(state.entries[id].inflight, 1);
  }

  // Notes the next chains as taken, to be answered later.
  PW_NOINLINE void takeNext(std::uint32_t count) noexcept {
    Head head{};
    for (std::uint32_t i = 0; i < count; i++) {
      gather(&head, i, 1);
      if (!head.bad) take(head.id);
    }
  }

  std::shared_ptr<State> state_;
};

}  // namespace pollwire
