// One ring of a virtio-net driver as the data path sees it. The control plane changes it only while its slot
// is closed or held; rx.cpp and tx.cpp are its only users in between.
#pragma once

#include <atomic>
#include <cstdint>
#include <variant>
#include <vector>

#include "base/counters.hpp"
#include "ethdev/burst_slot.hpp"
#include "mbuf/mempool.hpp"
#include "net/rx_filter.hpp"
#include "virtio/vring_memory.hpp"
#include "virtqueue/features.hpp"
#include "virtqueue/net_hdr.hpp"

namespace pollwire::virtio {

struct Queue {
  // Hot: read by every burst.
  DriverRing ring;
  Counters* counters = nullptr;
  // rx: where buffers come from.
  Mempool* pool = nullptr;
  std::uint32_t headerLen = 12;
  // rx: bytes of each posted buffer, header included.
  std::uint32_t bufferLen = 0;
  // rx: free descriptors that are worth posting buffers for. tx: below this many, used ones are reclaimed.
  std::uint32_t threshold = 1;
  std::uint16_t port = kNoPort;
  // rx: take VLAN tags out. Read when the burst function is chosen.
  bool stripVlan = false;
  // tx: the device accepts header and data in one descriptor.
  bool anyLayout = false;
  // tx: device-visible room per buffer id, for a header that does not fit before the data, and an indirect
  // table.
  std::byte* slots = nullptr;
  std::uint32_t slotBytes = 0;
  int kickFd = -1;
  std::uint64_t features = 0;
  // rx: the device's, never null. Changed only under the slot's gate; whether it filters is asked when the
  // burst function is chosen.
  const RxFilter* filter = nullptr;

  // Cold.
  BurstSlot* slot = nullptr;
  std::uint32_t device = 0;
  std::uint32_t index = 0;
  // Why the data path gave the ring up; nullptr while it is in order.
  std::atomic<const char*> broken{nullptr};

  bool inOrder() const noexcept { return (features & kInOrder) != 0; }

  // From inside a burst: stops this ring for good, until it is reset.
  void breakRing(const char* reason) noexcept;

  // The ring as the layout that the running burst function was chosen for.
  template <class Ring>
  PW_INLINE Ring& ringAs() noexcept {
    Ring* const found = std::get_if<Ring>(&ring);
    if (found == nullptr) __builtin_unreachable();
    return *found;
  }

  // Shows what was posted to the device, and kicks it if it wants to hear of that.
  template <class Ring>
  PW_INLINE void publish(Ring& posted) noexcept {
    posted.publish();
    if (kickFd < 0) return;
    if (!posted.wantsKick()) {
      counters->add(kNOTIFICATIONS_SUPPRESSED, 1);
      return;
    }
    kick();
  }
  void kick() noexcept;
};

// tx slots: a header, and the longest indirect table that fits behind it.
inline constexpr std::uint32_t kTableAt = 16;
inline constexpr std::uint32_t kTableEntries = 15;
inline constexpr std::uint32_t kSlotWithTable = kTableAt + 16 * kTableEntries;
static_assert(sizeof(NetHdr) <= kTableAt && sizeof(NetHdr) <= kHeadroom && kSlotWithTable == 256);

// Burst functions for this ring, chosen once at start from the negotiated features.
BurstFn selectRx(const Queue& queue) noexcept;
BurstFn selectTx(const Queue& queue) noexcept;

// Posts as many rx buffers as the pool and the ring allow; what start does before the first burst.
void fillRx(Queue& queue) noexcept;

// Gives back every mbuf that the device still has (a reset device, or one that is gone): each goes to `sink`
// as a packet. The ring is unusable afterwards.
void abandonRx(Queue& queue, std::vector<Handle>& sink);
void abandonTx(Queue& queue, std::vector<Handle>& sink);

}  // namespace pollwire::virtio
