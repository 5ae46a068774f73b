// One ring of a vhost device as the data path sees it. The control plane changes it only while its slot is
// closed or held; rx_burst.hpp and tx_burst.hpp are its only readers in between.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/counters.hpp"
#include "ethdev/burst_slot.hpp"
#include "guest/address_space.hpp"
#include "guest/guest_space.hpp"
#include "guest/iova_space.hpp"
#include "mbuf/mempool.hpp"
#include "sys/eventfd.hpp"
#include "vhost/ring_setup.hpp"
#include "virtqueue/features.hpp"

namespace pollwire::vhost {

struct Queue {
  // Hot: read by every burst.
  DeviceRing ring;
  DirectSpace space;
  Counters* counters = nullptr;
  Mempool* pool = nullptr;
  // rx: lends its larger buffers to packets that do not fit into one mbuf of `pool`; nullptr: nobody does.
  Mempool* buffers = nullptr;
  std::uint32_t headerLen = 12;
  std::uint16_t port = kNoPort;
  bool linear = false;
  // rx: take VLAN tags out. Read when the burst function is chosen.
  bool stripVlan = false;
  // rx: offload flags as DPDK had them before 21.11. Read when the burst function is chosen.
  bool legacyFlags = false;
  int callFd = -1;
  std::uint64_t features = 0;
  // FaultGuard::faults() when this ring's memory was last known to be in order.
  std::uint32_t faultsSeen = 0;

  // Cold.
  BurstSlot* slot = nullptr;
  std::uint32_t device = 0;
  std::uint32_t index = 0;
  // Why the data path gave the ring up; nullptr while it is in order.
  std::atomic<const char*> broken{nullptr};
  // Frames that the control plane wants returned by the next rx burst (RARP after a migration).
  std::atomic<bool> hasInjected{false};
  std::deque<std::vector<std::byte>> injected;
  // Whether bursts work on `guest` instead of `space`. Read when the burst function is chosen.
  bool logged = false;
  GuestSpace guest;
  // Postcopy: pages of guest memory may be absent, so that only bursts may touch it.
  std::atomic<bool> absent{false};
  // Nothing of the ring was read yet: the first burst does. Read when the burst function is chosen.
  std::atomic<bool> untouched{false};
  // Whether they work on `iova`, logged or not.
  bool iommu = false;
  IovaSpace iova;

  // From inside a burst: stops this ring for good, until it is set up anew.
  void breakRing(const char* reason) noexcept;

  // True when the peer took memory away; the ring is broken then. Asked once per burst, after the first
  // access.
  PW_INLINE bool lostMemory() noexcept {
    return PW_UNLIKELY(FaultGuard::faults() != faultsSeen) && breakIfFaulted();
  }

  // The ring as the layout that the running burst function was chosen for.
  template <class Ring>
  PW_INLINE Ring& ringAs() noexcept {
    Ring* const found = std::get_if<Ring>(&ring);
    if (found == nullptr) __builtin_unreachable();
    return *found;
  }

  // The address space that the running burst function was chosen for.
  template <class Space>
  PW_INLINE Space& spaceAs() noexcept {
    if constexpr (std::is_same_v<Space, DirectSpace>) return space;
    else if constexpr (std::is_same_v<Space, IovaSpace>) return iova;
    else return guest;
  }

  // The space that logs.
  GuestSpace& tracked() noexcept { return iommu ? iova : guest; }

  // The end of a burst: shows what was answered to the driver, and calls it.
  template <class Space, class Ring>
  PW_INLINE void publish(Ring& answering, std::uint32_t taken, std::uint32_t answered) noexcept {
    if constexpr (!Space::kLogs) answering.publish(taken, answered);
    else if (spaceAs<Space>().logs()) publishLogged(spaceAs<Space>(), answering, taken, answered);
    else answering.publish(taken, answered);
    notify(answering);
  }

  // The end of a burst on `iova`: counts, and tells the control plane of addresses to be asked for.
  void reportMisses() noexcept;

  // After the ring's event index or flags were written.
  void logEvent() noexcept;

  // Signals the call eventfd if the driver wants to hear of what was just published.
  template <class Ring>
  PW_INLINE void notify(Ring& published) noexcept {
    if (callFd < 0) return;
    if (!published.wantsCall()) {
      counters->add(kNOTIFICATIONS_SUPPRESSED, 1);
      return;
    }
    call();
  }
  void call() noexcept;

 private:
  // Everything is in the log before the driver can see it, and what makes it visible right after.
  template <class Ring>
  PW_NOINLINE void publishLogged(GuestSpace& log, Ring& answering, std::uint32_t taken,
                                 std::uint32_t answered) noexcept {
    const RingWrites answers = answering.answers(answered);
    const RingWrite shown = answering.shown();
    if (answered != 0) {
      log.wroteRing(answers.data, answers.bytes);
      log.wroteRing(answers.wrapped, answers.wrappedBytes);
    }
    flushLog(log);
    answering.publish(taken, answered);
    log.wroteRing(shown);
    flushLog(log);
  }
  void flushLog(GuestSpace& log) noexcept;
  bool breakIfFaulted() noexcept;
};

// Burst functions for this ring, chosen once at start from the negotiated features.
BurstFn selectRx(const Queue& queue) noexcept;
BurstFn selectTx(const Queue& queue) noexcept;
// Those of rings with a dirty log, which the two above choose.
BurstFn selectRxLogged(const Queue& queue) noexcept;
BurstFn selectTxLogged(const Queue& queue) noexcept;
// Those of rings whose memory has still to arrive: the first burst reads where the ring stands.
BurstFn selectRxUntouched(const Queue& queue) noexcept;
BurstFn selectTxUntouched(const Queue& queue) noexcept;
// Those of rings behind an IOMMU.
BurstFn selectRxIova(const Queue& queue) noexcept;
BurstFn selectTxIova(const Queue& queue) noexcept;

}  // namespace pollwire::vhost
