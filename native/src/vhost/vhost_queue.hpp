// One ring of a vhost device as the data path sees it. The control plane changes it only while its slot is
// closed or held; rx.cpp and tx.cpp are its only readers in between.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <variant>
#include <vector>

#include "base/counters.hpp"
#include "ethdev/burst_slot.hpp"
#include "guest/address_space.hpp"
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
  bool breakIfFaulted() noexcept;
};

// Burst functions for this ring, chosen once at start from the negotiated features.
BurstFn selectRx(const Queue& queue) noexcept;
BurstFn selectTx(const Queue& queue) noexcept;

}  // namespace pollwire::vhost
