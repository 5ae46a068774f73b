// Transmit to a vhost device: copies mbufs into the buffers that the guest's driver posted (its rx ring, even
// index). tx: the device owns the first n that are returned and has freed them; the caller still owns the
// rest. Included by one file for each kind of address space, so that what one needs does not change the code
// of the other.
#pragma once

#include <algorithm>

#include "ethdev/packet_stats.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "offload/virtio_net.hpp"
#include "vhost/copy.hpp"
#include "vhost/tx_slow.hpp"
#include "vhost/vhost_queue.hpp"

namespace pollwire::vhost {

namespace {

// Buffers that are looked at ahead of the copies into them.
constexpr std::uint32_t kWindow = 32;

// The packets that go as they are, one segment each with nothing asked for, into single buffers that have
// room for them: most packets there are. Stops at the first other packet or buffer; returns how many went.
// All of `count` heads after `progress` are available.
//
// The counters of these loops must stay in registers. The stores of a burst wait for lines that the peer's
// core holds, and a counter that was spilled in two halves would be loaded only behind them.
template <class Ring, class Space>
PW_INLINE std::uint32_t sendRun(Queue& queue, Ring& ring, const Handle* handles, std::uint32_t count,
                                Progress& progress, std::uint32_t pool, std::uint32_t& irregular,
                                BurstStats& stats) noexcept {
  const std::uint32_t headerLen = queue.headerLen;
  Space& space = queue.spaceAs<Space>();
  Single buffers[kWindow];
  // Drivers put the header before data that begins a cache line: two lines even for the smallest packet.
  const std::uint32_t have = ring.template singles<Access::kWrite>(
      buffers, progress.taken.entry, std::min(count, kWindow), space, [&](std::byte* data) noexcept {
        PW_PREFETCH_WRITE(data);
        PW_PREFETCH_WRITE(data + headerLen);
      });
  const std::uint32_t answered = progress.answered;
  std::uint32_t shared = 0;
  std::uint32_t sent = 0;
  for (; sent < have; sent++) {
    if (sent + 4 < count) PW_PREFETCH(mbufOf(handles[sent + 4]));
    const Mbuf* const mbuf = mbufOf(handles[sent]);
    const std::uint32_t length = mbuf->pktLen;
    const Single& buffer = buffers[sent];
    const bool fits = static_cast<std::uint64_t>(length) + headerLen <= buffer.len;
    const bool simple = ((mbuf->nbSegs ^ 1u) | (mbuf->dataLen ^ length) | mbuf->next) == 0 &&
                        mbuf->dataOff + length <= mbuf->bufLen;
    if (PW_UNLIKELY(!fits || !simple)) break;
    if (PW_UNLIKELY(mbuf->olFlags != 0) && offload::wantsHeader(*mbuf)) break;
    shared |= (loadAcquire(mbuf->refcnt) ^ 1u) | mbuf->flags | (mbuf->pool ^ pool);
    // The header: all zero except for num_buffers = 1, which exists when it is 12 bytes long.
    std::byte* const target = buffer.data;
    const std::uint64_t zero = 0;
    std::memcpy(target, &zero, 8);
    if (PW_LIKELY(headerLen == 12)) {
      const std::uint32_t one = 1u << 16;
      std::memcpy(target + 8, &one, 4);
    } else {
      std::memcpy(target + 8, &zero, 2);
    }
    const std::byte* const data = dataOf(mbuf);
    copyBytes(target + headerLen, data, length);
    space.wrote(target, length + headerLen);
    ring.putUsed(answered + sent, buffer.id, length + headerLen);
    stats.add(data, length);
  }
  irregular |= shared;
  progress.taken.head += sent;
  progress.taken.entry += sent;
  progress.answered = answered + sent;
  return sent;
}

template <class Ring, class Space, bool kMergeable>
std::uint32_t txBurst(void* context, Handle* handles, std::uint32_t count) noexcept {
  Queue& queue = *static_cast<Queue*>(context);
  Ring& ring = queue.ringAs<Ring>();
  queue.counters->add(kPOLLS, 1);
  const std::uint32_t ready = ring.available();
  if (queue.lostMemory()) return 0;
  if (PW_UNLIKELY(ready == Ring::kBroken)) {
    queue.breakRing("AVAIL_JUMP");
    return 0;
  }
  if (ready == 0 || count == 0) {
    queue.counters->add(kTX_RING_FULL, count);
    return 0;
  }
  setAllocSite("vhost tx");
  ring.prefetchUsed(std::min(ready, count));
  Progress progress;
  std::uint32_t done = 0;
  // Whether there are packets that cannot go back to `pool` by their handles alone.
  std::uint32_t irregular = 0;
  const std::uint32_t pool = mbufOf(handles[0])->pool;
  {
    BurstStats stats(*queue.counters);
    while (done < count && progress.taken.head < ready) {
      const std::uint32_t most = std::min(count - done, ready - progress.taken.head);
      const std::uint32_t sent =
          sendRun<Ring, Space>(queue, ring, handles + done, most, progress, pool, irregular, stats);
      done += sent;
      if (PW_LIKELY(sent == most) || sent == kWindow) continue;
      // A copy, so that the burst's own counters keep their registers.
      Progress slow = progress;
      Mbuf* const mbuf = mbufOf(handles[done]);
      const Sent outcome = sendSlow<Ring, Space, kMergeable>(queue, ring, mbuf, ready, slow);
      progress = slow;
      if (outcome == Sent::kRingFull) break;
      irregular = 1;
      done++;
      if (outcome == Sent::kSent) stats.add(dataOf(mbuf), mbuf->pktLen);
    }
  }
  if (progress.taken.entry != 0) {
    queue.publish<Space>(ring, progress.taken.entry, progress.answered);
  }
  if constexpr (Space::kMisses) queue.reportMisses();
  if (PW_UNLIKELY(done < count)) queue.counters->add(kTX_RING_FULL, count - done);
  if (PW_LIKELY(irregular == 0)) Mempool::byId(pool)->putBulk(handles, done);
  else freeBurst(handles, done);
  return done;
}

// The burst function for the ring's layout, on one kind of address space.
template <class Space>
BurstFn txOn(const Queue& queue) noexcept {
  const bool mergeable = (queue.features & virtio::kNetMrgRxbuf) != 0;
  return std::visit(
      [mergeable]<class Ring>(const Ring&) -> BurstFn {
        return mergeable ? txBurst<Ring, Space, true> : txBurst<Ring, Space, false>;
      },
      queue.ring);
}

}  // namespace
}  // namespace pollwire::vhost
