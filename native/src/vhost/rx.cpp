// Receive from a vhost device: takes what the guest's driver sent (its tx ring, odd index) and copies it into
// mbufs of our pool. rx: the caller owns what is returned.
#include <algorithm>

#include "ethdev/packet_stats.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "offload/virtio_net.hpp"
#include "offload/vlan_strip.hpp"
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

// As many mbufs as the pool has, at most `count`.
PW_INLINE std::uint32_t allocUpTo(Mempool& pool, Handle* out, std::uint32_t count) noexcept {
  if (PW_LIKELY(pool.allocBulk(out, count) == count)) return count;
  std::uint32_t got = 0;
  while (got < count && pool.allocBulk(out + got, 1) == 1) got++;
  return got;
}

PW_INLINE void readOffload(Queue& queue, Mbuf& packet, const virtio::NetHdr& header) noexcept {
  if (PW_LIKELY(offload::fromHeader(packet, header, offload::acceptedByDevice(queue.features)))) return;
  queue.counters->add(kRX_BAD_OFFLOAD, 1);
}

// Any chain: several descriptors, indirect tables, several regions, packets larger than one mbuf. The packet
// is built in `first`, which stays the caller's when the result is false (the chain is dropped and counted).
template <class Ring, bool kOffload>
PW_NOINLINE bool receiveChain(Queue& queue, const Ring& ring, const Head& head, Handle first) noexcept {
  PieceList pieces;
  const ChainVerdict verdict = ring.walk(head, Access::kRead, queue.space, pieces);
  if (verdict != ChainVerdict::kGood) {
    queue.counters->add(verdict == ChainVerdict::kBadAddress ? kRX_BAD_ADDRESS : kRX_BAD_CHAIN, 1);
    return false;
  }
  if (pieces.bytes() < queue.headerLen + kMinFrame || pieces.bytes() > queue.headerLen + kMaxFrame) {
    queue.counters->add(kRX_BAD_LENGTH, 1);
    return false;
  }
  PieceCursor cursor(pieces);
  virtio::NetHdr header{};
  for (std::uint32_t at = 0; at < queue.headerLen;) {
    const Piece piece = cursor.take(queue.headerLen - at);
    std::memcpy(reinterpret_cast<std::byte*>(&header) + at, piece.data, piece.length);
    at += piece.length;
  }
  std::uint32_t left = static_cast<std::uint32_t>(pieces.bytes()) - queue.headerLen;
  const std::uint32_t room = queue.pool->segmentRoom();
  if (queue.linear && left > room) {
    queue.counters->add(kRX_BAD_LENGTH, 1);
    return false;
  }

  Mbuf* packet = mbufOf(first);
  resetForRx(packet, queue.port, 0);
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
      return false;
    }
    segment->next = next;
    segment = mbufOf(next);
    resetForRx(segment, queue.port, 0);
    segments++;
  }
  packet->nbSegs = segments;
  if constexpr (kOffload) readOffload(queue, *packet, header);
  return true;
}

// What a chunk did: heads taken from the ring, packets made of them.
struct Chunk {
  std::uint32_t heads;
  std::uint32_t received;
};

template <class Ring, bool kOffload>
PW_INLINE Chunk receiveChunk(Queue& queue, Ring& ring, Handle* out, std::uint32_t want,
                             BurstStats& stats) noexcept {
  Head heads[kChunk];
  const std::uint32_t gathered = ring.gather(heads, 0, want);
  if (PW_UNLIKELY(gathered == Ring::kBroken)) {
    queue.breakRing("ENDLESS_LIST");
    return Chunk{0, 0};
  }
  const std::uint32_t count = allocUpTo(*queue.pool, out, gathered);
  if (PW_UNLIKELY(count < gathered)) queue.counters->add(kRX_NO_MBUF, gathered - count);
  if (count == 0) return Chunk{0, 0};

  std::byte* source[kChunk];
  for (std::uint32_t i = 0; i < count; i++) {
    source[i] = nullptr;
    PW_PREFETCH_WRITE(mbufOf(out[i]));
    PW_PREFETCH_WRITE(ownBuffer(mbufOf(out[i])) + kHeadroom);
    if (PW_UNLIKELY(!isSingle(heads[i], Access::kRead))) continue;
    source[i] = queue.space.translate(heads[i].addr, heads[i].len, Access::kRead);
    if (PW_LIKELY(source[i] != nullptr)) PW_PREFETCH(source[i] + queue.headerLen);
  }

  const std::uint32_t headerLen = queue.headerLen;
  const std::uint32_t shortest = headerLen + kMinFrame;
  const std::uint32_t longest = headerLen + queue.pool->segmentRoom();
  std::uint32_t received = 0;
  // In ring entries.
  std::uint32_t taken = 0;
  std::uint32_t answered = 0;
  for (std::uint32_t i = 0; i < count; i++) {
    const Head& head = heads[i];
    taken += head.count;
    bool good = false;
    if (PW_LIKELY(source[i] != nullptr && head.len >= shortest && head.len <= longest)) {
      Mbuf* mbuf = mbufOf(out[received]);
      resetForRx(mbuf, queue.port, head.len - headerLen);
      copyBytes(dataOf(mbuf), source[i] + headerLen, head.len - headerLen);
      if constexpr (kOffload) {
        readOffload(queue, *mbuf, offload::copyHeader(source[i]));
      }
      good = true;
    } else if (PW_UNLIKELY(head.bad)) {
      queue.counters->add(kRX_BAD_CHAIN, 1);
      continue;
    } else {
      good = receiveChain<Ring, kOffload>(queue, ring, head, out[received]);
    }
    ring.putUsed(answered, head, 0);
    answered += head.count;
    if (PW_LIKELY(good)) {
      const Mbuf* mbuf = mbufOf(out[received]);
      stats.add(dataOf(mbuf), mbuf->pktLen);
      received++;
    }
  }
  ring.publish(taken, answered);
  if (PW_UNLIKELY(received < count)) queue.pool->putBulk(out + received, count - received);
  return Chunk{count, received};
}

template <class Ring, bool kOffload>
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
  BurstStats stats(*queue.counters);
  bool progress = false;
  // One burst of chains, good or bad, of those that were ready at the start: a driver that keeps adding, or
  // adds nothing but rubbish, cannot hold the lcore here.
  ready = std::min(ready, count - received);
  while (ready > 0) {
    const std::uint32_t want = std::min(ready, kChunk);
    const Chunk chunk = receiveChunk<Ring, kOffload>(queue, ring, out + received, want, stats);
    if (chunk.heads == 0) break;
    progress = true;
    received += chunk.received;
    ready -= chunk.heads;
  }
  if (progress) queue.notify(ring);
  return received;
}

// The same burst with VLAN tags taken out of it afterwards, so that the loop above need not ask.
template <class Ring, bool kOffload>
std::uint32_t rxStripped(void* context, Handle* out, std::uint32_t count) noexcept {
  const std::uint32_t received = rxBurst<Ring, kOffload>(context, out, count);
  for (std::uint32_t i = 0; i < received; i++) offload::stripVlan(*mbufOf(out[i]));
  return received;
}

template <class Ring, bool kOffload>
BurstFn rxFor(bool strip) noexcept {
  return strip ? rxStripped<Ring, kOffload> : rxBurst<Ring, kOffload>;
}

template <class Ring>
BurstFn rxFor(const Queue& queue, bool offload) noexcept {
  return offload ? rxFor<Ring, true>(queue.stripVlan) : rxFor<Ring, false>(queue.stripVlan);
}

}  // namespace

BurstFn selectRx(const Queue& queue) noexcept {
  // Without these bits the driver must leave the header zero, so there is nothing to read (virtio 1.2
  // §5.1.6.2).
  constexpr std::uint64_t kHeaderBits = virtio::kNetCsum | virtio::kNetHostTso4 | virtio::kNetHostTso6 |
                                        virtio::kNetHostUfo | virtio::kNetHostEcn;
  const bool offload = (queue.features & kHeaderBits) != 0;
  return std::holds_alternative<PackedDevice>(queue.ring) ? rxFor<PackedDevice>(queue, offload)
                                                          : rxFor<SplitDevice>(queue, offload);
}

}  // namespace pollwire::vhost
