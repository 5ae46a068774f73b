// Receive from a vhost device: takes what the guest's driver sent (its tx ring, odd index) and copies it into
// mbufs of our pool. rx: the caller owns what is returned. Included by one file for each kind of address
// space, so that what one needs does not change the code of the other.
#pragma once

#include <algorithm>

#include "ethdev/packet_stats.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "offload/legacy_flags.hpp"
#include "offload/virtio_net.hpp"
#include "offload/vlan_strip.hpp"
#include "vhost/chain_walk.hpp"
#include "vhost/copy.hpp"
#include "vhost/vhost_queue.hpp"

namespace pollwire::vhost {

namespace {

constexpr std::uint32_t kChunk = 64;
constexpr std::uint32_t kMinFrame = 14;
// The largest IP packet behind Ethernet and a VLAN tag.
constexpr std::uint32_t kMaxFrame = 65535 + 18;

// Hands out frames that the control plane queued; rare, so it may lock and copy.
PW_NOINLINE std::uint32_t takeInjected(Queue& queue, Handle* out, std::uint32_t count) noexcept {
  setAllocSite("vhost rx, injected frame");
  BurstStats stats(*queue.counters);
  std::uint32_t taken = 0;
  while (taken < count && !queue.injected.empty()) {
    const Handle handle = queue.pool->alloc();
    if (handle == kNoHandle) break;
    resetForRx(mbufOf(handle), queue.port, 0);
    if (!appendPacket(handle, queue.injected.front())) {
      freeChain(handle);
      break;
    }
    queue.injected.pop_front();
    stats.add(dataOf(mbufOf(handle)), mbufOf(handle)->pktLen);
    out[taken++] = handle;
  }
  queue.hasInjected.store(!queue.injected.empty());
  return taken;
}

// As many mbufs as the pool has, at most `count`; what is missing is counted.
PW_INLINE std::uint32_t allocUpTo(Queue& queue, Handle* out, std::uint32_t count) noexcept {
  Mempool& pool = *queue.pool;
  if (PW_LIKELY(pool.allocBulk(out, count) == count)) return count;
  std::uint32_t got = 0;
  while (got < count && pool.allocBulk(out + got, 1) == 1) got++;
  queue.counters->add(kRX_NO_MBUF, count - got);
  return got;
}

PW_INLINE void readOffload(Queue& queue, Mbuf& packet, const virtio::NetHdr& header) noexcept {
  if (PW_LIKELY(offload::fromHeader(packet, header, offload::acceptedByDevice(queue.features)))) return;
  queue.counters->add(kRX_BAD_OFFLOAD, 1);
}

// What became of a chain. kNothing: it stays where it is, for lack of it or of what it needs.
enum class Odd : std::uint8_t { kReceived, kDropped, kNothing };

// Any chain: several descriptors, indirect tables, several regions, packets larger than one mbuf. The packet
// is built in `first`, which stays the caller's when there is none.
template <class Ring, class Space, bool kOffload>
PW_NOINLINE Odd receiveChain(Queue& queue, const Ring& ring, const Head& head, Handle first) noexcept {
  PieceList pieces;
  const ChainVerdict verdict = walkChain(ring, head, Access::kRead, queue.spaceAs<Space>(), pieces);
  if (verdict == ChainVerdict::kWaits) return Odd::kNothing;
  if (verdict != ChainVerdict::kGood) {
    queue.counters->add(verdict == ChainVerdict::kBadAddress ? kRX_BAD_ADDRESS : kRX_BAD_CHAIN, 1);
    return Odd::kDropped;
  }
  if (pieces.bytes() < queue.headerLen + kMinFrame || pieces.bytes() > queue.headerLen + kMaxFrame) {
    queue.counters->add(kRX_BAD_LENGTH, 1);
    return Odd::kDropped;
  }
  PieceCursor cursor(pieces);
  virtio::NetHdr header{};
  for (std::uint32_t at = 0; at < queue.headerLen;) {
    const Piece piece = cursor.take(queue.headerLen - at);
    std::memcpy(reinterpret_cast<std::byte*>(&header) + at, piece.data, piece.length);
    at += piece.length;
  }
  std::uint32_t left = static_cast<std::uint32_t>(pieces.bytes()) - queue.headerLen;
  std::uint32_t room = queue.pool->segmentRoom();
  Mbuf* packet = mbufOf(first);
  resetForRx(packet, queue.port, 0);
  if (left > room) {
    const bool lent = queue.buffers != nullptr && left <= queue.buffers->segmentRoom();
    if (lent && borrowBuffer(first, *queue.buffers)) {
      room = queue.buffers->segmentRoom();
    } else if (queue.linear) {
      queue.counters->add(lent ? kRX_NO_MBUF : kRX_BAD_LENGTH, 1);
      return Odd::kDropped;
    }
  }
  Mbuf* segment = packet;
  packet->pktLen = left;
  std::uint16_t segments = 1;
  for (;;) {
    const std::uint32_t fill = std::min(left, room);
    for (std::uint32_t at = 0; at < fill;) {
      const Piece piece = cursor.take(fill - at);
      std::memcpy(dataOf(segment) + at, piece.data, piece.length);
      at += piece.length;
    }
    segment->dataLen = static_cast<std::uint16_t>(fill);
    left -= fill;
    if (left == 0) break;
    const Handle next = queue.pool->alloc();
    if (next == kNoHandle) {
      if (packet->next != kNoHandle) freeChain(packet->next);
      packet->next = kNoHandle;
      queue.counters->add(kRX_NO_MBUF, 1);
      return Odd::kDropped;
    }
    segment->next = next;
    segment = mbufOf(next);
    resetForRx(segment, queue.port, 0);
    segments++;
  }
  packet->nbSegs = segments;
  if constexpr (kOffload) readOffload(queue, *packet, header);
  return Odd::kReceived;
}

// Progress of one burst through the ring, in ring entries.
struct Progress {
  std::uint32_t taken = 0;
  std::uint32_t answered = 0;
  // The pool had fewer mbufs than chains waited.
  bool starved = false;
};

// The chains that are single buffers with a packet that fits one mbuf: most there are. Stops at the first
// other one, or when the pool is empty. Returns how many packets are in `out`.
template <class Ring, class Space, bool kOffload>
PW_INLINE std::uint32_t receiveRun(Queue& queue, Ring& ring, Handle* out, std::uint32_t want,
                                   Progress& progress, BurstStats& stats) noexcept {
  const std::uint32_t headerLen = queue.headerLen;
  Single buffers[kChunk];
  const std::uint32_t have =
      ring.template singles<Access::kRead>(buffers, progress.taken, want, queue.spaceAs<Space>(),
                                           [&](std::byte* data) noexcept { PW_PREFETCH(data + headerLen); });
  if (have == 0) return 0;
  const std::uint32_t count = allocUpTo(queue, out, have);
  progress.starved = count < have;
  for (std::uint32_t i = 0; i < count; i++) {
    PW_PREFETCH_WRITE(mbufOf(out[i]));
    PW_PREFETCH_WRITE(ownBuffer(mbufOf(out[i])) + kHeadroom);
  }
  const std::uint32_t shortest = headerLen + kMinFrame;
  const std::uint32_t longest = headerLen + queue.pool->segmentRoom();
  const std::uint16_t port = queue.port;
  const std::uint32_t answered = progress.answered;
  std::uint32_t received = 0;
  for (; received < count; received++) {
    const Single& buffer = buffers[received];
    if (PW_UNLIKELY(buffer.len < shortest || buffer.len > longest)) break;
    const std::uint32_t length = buffer.len - headerLen;
    Mbuf* const mbuf = mbufOf(out[received]);
    std::byte* const data = ownBuffer(mbuf) + kHeadroom;
    resetForRx(mbuf, port, length);
    copyBytes(data, buffer.data + headerLen, length);
    if constexpr (kOffload) readOffload(queue, *mbuf, offload::copyHeader(buffer.data));
    ring.putUsed(answered + received, buffer.id, 0);
    stats.add(data, length);
  }
  progress.taken += received;
  progress.answered = answered + received;
  if (PW_UNLIKELY(received < count)) queue.pool->putBulk(out + received, count - received);
  return received;
}

// The next chain, whatever it is.
template <class Ring, class Space, bool kOffload>
PW_NOINLINE Odd receiveOdd(Queue& queue, Ring& ring, Handle* out, Progress& progress) noexcept {
  Head head{};
  const std::uint32_t gathered = ring.gather(&head, progress.taken, 1);
  if (PW_UNLIKELY(gathered == Ring::kBroken)) queue.breakRing("ENDLESS_LIST");
  if (gathered != 1) return Odd::kNothing;
  if (PW_UNLIKELY(head.bad)) {
    queue.counters->add(kRX_BAD_CHAIN, 1);
    progress.taken += head.count;
    return Odd::kDropped;
  }
  if (allocUpTo(queue, out, 1) == 0) return Odd::kNothing;
  const Odd outcome = receiveChain<Ring, Space, kOffload>(queue, ring, head, *out);
  if (PW_UNLIKELY(outcome != Odd::kReceived)) queue.pool->putBulk(out, 1);
  if (PW_UNLIKELY(outcome == Odd::kNothing)) return Odd::kNothing;
  ring.putUsed(progress.answered, head, 0);
  progress.taken += head.count;
  progress.answered += head.count;
  return outcome;
}

template <class Ring, class Space, bool kOffload>
std::uint32_t rxBurst(void* context, Handle* out, std::uint32_t count) noexcept {
  Queue& queue = *static_cast<Queue*>(context);
  Ring& ring = queue.ringAs<Ring>();
  queue.counters->add(kPOLLS, 1);
  std::uint32_t received = 0;
  if (PW_UNLIKELY(queue.hasInjected.load())) received = takeInjected(queue, out, count);
  std::uint32_t ready = ring.available();
  if (queue.lostMemory() || ready == 0) return received;
  if (PW_UNLIKELY(ready == Ring::kBroken)) {
    queue.breakRing("AVAIL_JUMP");
    return received;
  }
  setAllocSite("vhost rx");
  Progress progress;
  {
    BurstStats stats(*queue.counters);
    // One burst of chains, good or bad, of those that were ready at the start: a driver that keeps adding, or
    // adds nothing but rubbish, cannot hold the lcore here.
    ready = std::min(ready, count - received);
    ring.prefetchUsed(ready);
    while (ready > 0) {
      const std::uint32_t want = std::min(ready, kChunk);
      const std::uint32_t got =
          receiveRun<Ring, Space, kOffload>(queue, ring, out + received, want, progress, stats);
      received += got;
      ready -= got;
      if (PW_LIKELY(got == want)) continue;
      if (PW_UNLIKELY(progress.starved)) break;
      // A copy, so that the burst's own counters keep their registers.
      Progress slow = progress;
      const Odd odd = receiveOdd<Ring, Space, kOffload>(queue, ring, out + received, slow);
      progress = slow;
      if (odd == Odd::kNothing) {
        if constexpr (Space::kMisses)
          lookAhead(ring, progress.taken, ready, Access::kRead, queue.spaceAs<Space>());
        break;
      }
      ready--;
      if (odd == Odd::kDropped) continue;
      const Mbuf* const mbuf = mbufOf(out[received++]);
      stats.add(dataOf(mbuf), mbuf->pktLen);
    }
  }
  if (progress.taken != 0) {
    queue.publish<Space>(ring, progress.taken, progress.answered);
  }
  if constexpr (Space::kMisses) queue.reportMisses();
  return received;
}

// The same burst with something done to each packet afterwards, so that the loop above need not ask: VLAN
// tags taken out, flags as they once were.
template <BurstFn kBurst, void (*kChange)(Mbuf&) noexcept>
std::uint32_t rxChanged(void* context, Handle* out, std::uint32_t count) noexcept {
  const std::uint32_t received = kBurst(context, out, count);
  for (std::uint32_t i = 0; i < received; i++) kChange(*mbufOf(out[i]));
  return received;
}

template <BurstFn kBurst>
BurstFn stripIf(bool strip) noexcept {
  return strip ? rxChanged<kBurst, offload::stripVlan> : kBurst;
}

template <class Ring, class Space>
BurstFn rxFor(const Queue& queue, bool offload) noexcept {
  const bool strip = queue.stripVlan;
  if (!offload) return stripIf<rxBurst<Ring, Space, false>>(strip);
  return queue.legacyFlags ? stripIf<rxChanged<rxBurst<Ring, Space, true>, offload::toTxRequests>>(strip)
                           : stripIf<rxBurst<Ring, Space, true>>(strip);
}

// The burst function for the ring's layout and options, on one kind of address space.
template <class Space>
BurstFn rxOn(const Queue& queue) noexcept {
  // Without these bits the driver must leave the header zero, so there is nothing to read (virtio 1.2
  // §5.1.6.2).
  constexpr std::uint64_t kHeaderBits = virtio::kNetCsum | virtio::kNetHostTso4 | virtio::kNetHostTso6 |
                                        virtio::kNetHostUfo | virtio::kNetHostEcn;
  const bool offload = (queue.features & kHeaderBits) != 0;
  return std::visit([&]<class Ring>(const Ring&) { return rxFor<Ring, Space>(queue, offload); }, queue.ring);
}

}  // namespace
}  // namespace pollwire::vhost
