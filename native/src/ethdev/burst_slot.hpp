// A burst slot: one direction of one queue as lcores see it. Holds the burst function, its context, and the
// gate that lets the control plane change either while lcores keep polling. Slots live for the whole process,
// so a stale id is harmless.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstdint>

#include "base/compiler.hpp"
#include "base/counters.hpp"
#include "base/ids.hpp"
#include "sys/eventfd.hpp"

namespace pollwire {

// Moves at most `count` handles. rx fills `handles` and gives them to the caller; tx takes the first n it
// returns, the caller keeps the rest.
using BurstFn = std::uint32_t (*)(void* context, Handle* handles, std::uint32_t count) noexcept;
// Descriptors in use, for queue-count queries; called under the gate.
using UsedFn = std::uint32_t (*)(void* context) noexcept;
// Asks the other side for notifications (true) or not (false). Returns whether work is waiting already,
// checked after the request became visible, so that a sleeper cannot miss a wake-up. Called under the gate.
using ArmFn = bool (*)(void* context, bool wanted) noexcept;

// Why a slot does not run. It runs when no reason is left.
enum SlotReason : std::uint32_t {
  kSlotUnbound = 1,
  kSlotPortStopped = 2,
  kSlotRingStopped = 4,
  kSlotRingDisabled = 8,
  kSlotPaused = 16,
  kSlotBroken = 32,
};

class alignas(2 * kCacheLine) BurstSlot {
 public:
  // The data path: returns 0 when the slot is closed, or when another thread is inside (a queue has one user
  // at a time; a second one gets nothing instead of corrupting it).
  PW_INLINE std::uint32_t run(Handle* handles, std::uint32_t count) noexcept {
    // G1: acquire pairs with G2 and G3; the exchange is also the store-load fence that the handshake needs.
    if (PW_UNLIKELY(busy_.exchange(1, std::memory_order_acquire) != 0)) return 0;
    std::uint32_t moved = 0;
    if (PW_LIKELY(closed_ == 0)) moved = fn_(context_, handles, count);
    // G2: release pairs with G1 and with Hold's acquire.
    busy_.store(0, std::memory_order_release);
    return moved;
  }

  // Control plane: while it lives, no burst is inside. Waits at most one burst.
  class Hold {
   public:
    explicit Hold(BurstSlot& slot) noexcept : slot_(slot) {
      for (std::uint32_t spins = 0; slot_.busy_.exchange(1, std::memory_order_acquire) != 0; spins++) {
        // The lcore inside may have lost its CPU.
        if (spins % 64 == 63) ::sched_yield();
        else cpuRelax();
      }
    }
    // G3
    ~Hold() { slot_.busy_.store(0, std::memory_order_release); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    BurstSlot& slot_;
  };

  void bind(BurstFn fn, void* context, UsedFn usedFn = nullptr) noexcept {
    const Hold hold(*this);
    fn_ = fn;
    context_ = context;
    used_ = usedFn;
    closed_ &= ~static_cast<std::uint32_t>(kSlotUnbound);
  }

  // With `owner`: only when nobody else's context is bound. What a ring was closed for leaves with it; what
  // the port or the control plane closed it for stays.
  void unbind(const void* owner = nullptr) noexcept {
    const Hold hold(*this);
    if (owner != nullptr && context_ != nullptr && context_ != owner) return;
    closed_ = (closed_ & (kSlotPortStopped | kSlotPaused)) | kSlotUnbound;
    fn_ = nullptr;
    context_ = nullptr;
    used_ = nullptr;
    arm_ = nullptr;
    waitFd_ = -1;
  }

  void close(std::uint32_t reasons) noexcept {
    const Hold hold(*this);
    closed_ |= reasons;
  }

  void open(std::uint32_t reasons) noexcept {
    const Hold hold(*this);
    closed_ &= ~reasons;
  }

  // From inside a burst only, where the gate is already held.
  void closeFromInside(std::uint32_t reasons) noexcept { closed_ |= reasons; }
  void replaceFromInside(BurstFn fn) noexcept { fn_ = fn; }

  std::uint32_t closed() noexcept {
    const Hold hold(*this);
    return closed_;
  }

  // Descriptors in use, or ~0 when the driver does not say.
  std::uint32_t used() noexcept {
    const Hold hold(*this);
    return closed_ == 0 && used_ != nullptr ? used_(context_) : ~0u;
  }

  // What an idle lcore sleeps on: a descriptor that becomes readable with work, and how to arm it. An eventfd
  // is drained after a wake-up; a `source` is read by the burst function and by nobody else.
  enum class WaitKind : std::uint8_t { kEventFd, kSource };
  void setWait(int fd, ArmFn armFn, WaitKind kind = WaitKind::kEventFd) noexcept {
    const Hold hold(*this);
    waitFd_ = fd;
    arm_ = armFn;
    waitKind_ = kind;
  }

  struct Wait {
    int fd;
    bool pending;
  };

  // fd -1: nothing to sleep on (the slot is closed or its driver can only be polled).
  Wait arm(bool wanted) noexcept {
    const Hold hold(*this);
    if (closed_ != 0 || arm_ == nullptr) return Wait{-1, false};
    return Wait{waitFd_, arm_(context_, wanted)};
  }

  // Clears what made `fd`, which arm() returned, readable. Not when the slot sleeps on something else by now:
  // the control plane may have closed the descriptor, and its number may be another's.
  void drain(int fd) noexcept {
    const Hold hold(*this);
    if (closed_ == 0 && waitFd_ == fd && waitKind_ == WaitKind::kEventFd) (void)drainEventFd(fd);
  }

  Counters* counters() const noexcept { return counters_; }

  // Back to the state of a fresh slot; `counters` is this slot's block in the arena.
  void reset(Counters* counters) noexcept {
    const Hold hold(*this);
    closed_ = kSlotUnbound | kSlotPortStopped;
    fn_ = nullptr;
    context_ = nullptr;
    used_ = nullptr;
    arm_ = nullptr;
    waitFd_ = -1;
    counters_ = counters;
  }

 private:
  std::atomic<std::uint32_t> busy_{0};
  std::uint32_t closed_ = kSlotUnbound | kSlotPortStopped;
  BurstFn fn_ = nullptr;
  void* context_ = nullptr;
  UsedFn used_ = nullptr;
  Counters* counters_ = nullptr;
  ArmFn arm_ = nullptr;
  int waitFd_ = -1;
  WaitKind waitKind_ = WaitKind::kEventFd;
};

}  // namespace pollwire
