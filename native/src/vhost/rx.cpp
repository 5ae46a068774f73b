// Receive from a vhost device: takes what the guest's driver sent (its tx ring, odd index) and copies it into mbufs of our
// pool. rx: the caller owns what is returned.
#include <algorithm>

#include "ethdev/packet_stats.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "offload/virtio_net.hpp"
#include "vhost/copy.hpp"
#include "vhost/vhost_queue.hpp"

namespace pollwire::vhost {

namespace {

constexpr std::uint32_t kChunk = 64;
constexpr std::uint32_t kMinFrame = 14;
// The largest IP packet behind Ethernet and a VLAN tag.
constexpr std::uint32_t kMaxFrame = 65535 + 18;

// Hands out frames that the control plane queued; rare, so it may lock and copy.
std::uint32_t takeInjected(Queue& queue, Handle* out, std::uint32_t count) noexcept {
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

// Any chain: several descriptors, indirect tables, several regions, packets larger than one mbuf. The packet is built in
// `first`, which stays the caller's when the result is false (the chain is dropped and counted).
template <bool kOffload>
PW_NOINLINE bool receiveChain(Queue& queue, const Head& head, Handle first) noexcept {
  PieceList pieces;
  const ChainVerdict verdict = queue.ring.walk(head, Access::kRead, queue.space, pieces);
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
  if constexpr (kOffload) {
    if (!offload::fromHeader(*packet, header, queue.features)) queue.counters->add(kRX_BAD_OFFLOAD, 1);
  }
  return true;
}

template <bool kOffload>
PW_INLINE std::uint32_t receiveChunk(Queue& queue, Handle* out, std::uint32_t want) noexcept {
  const std::uint32_t count = allocUpTo(*queue.pool, out, want);
  if (PW_UNLIKELY(count < want)) queue.counters->add(kRX_NO_MBUF, want - count);
  if (count == 0) return 0;

  Head heads[kChunk];
  std::byte* source[kChunk];
  queue.ring.gather(heads, 0, count);
  for (std::uint32_t i = 0; i < count; i++) {
    source[i] = nullptr;
    PW_PREFETCH_WRITE(mbufOf(out[i]));
    PW_PREFETCH_WRITE(ownBuffer(mbufOf(out[i])) + kHeadroom);
    if (PW_UNLIKELY(!SplitDevice::isSingle(heads[i], Access::kRead))) continue;
    source[i] = queue.space.translate(heads[i].addr, heads[i].len, Access::kRead);
    if (PW_LIKELY(source[i] != nullptr)) PW_PREFETCH(source[i] + queue.headerLen);
  }

  const std::uint32_t headerLen = queue.headerLen;
  const std::uint32_t shortest = headerLen + kMinFrame;
  const std::uint32_t longest = headerLen + queue.pool->segmentRoom();
  std::uint32_t received = 0;
  std::uint32_t answered = 0;
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < count; i++) {
    const Head& head = heads[i];
    bool good = false;
    if (PW_LIKELY(source[i] != nullptr && head.len >= shortest && head.len <= longest)) {
      Mbuf* mbuf = mbufOf(out[received]);
      resetForRx(mbuf, queue.port, head.len - headerLen);
      copyBytes(dataOf(mbuf), source[i] + headerLen, head.len - headerLen);
      if constexpr (kOffload) {
        virtio::NetHdr header{};
        std::memcpy(&header, source[i], 10);
        if (PW_UNLIKELY(!offload::fromHeader(*mbuf, header, queue.features))) queue.counters->add(kRX_BAD_OFFLOAD, 1);
      }
      good = true;
    } else if (PW_UNLIKELY(head.bad)) {
      queue.counters->add(kRX_BAD_CHAIN, 1);
      continue;
    } else {
      good = receiveChain<kOffload>(queue, head, out[received]);
    }
    queue.ring.putUsed(answered++, head, 0);
    if (PW_LIKELY(good)) {
      const Mbuf* mbuf = mbufOf(out[received]);
      countFrame(*queue.counters, dataOf(mbuf), mbuf->pktLen);
      bytes += mbuf->pktLen;
      received++;
    }
  }
  queue.ring.publish(count, answered);
  if (PW_UNLIKELY(received < count)) queue.pool->putBulk(out + received, count - received);
  queue.counters->add(kPACKETS, received);
  queue.counters->add(kBYTES, bytes);
  return received;
}

template <bool kOffload>
std::uint32_t rxBurst(void* context, Handle* out, std::uint32_t count) noexcept {
  Queue& queue = *static_cast<Queue*>(context);
  queue.counters->add(kPOLLS, 1);
  std::uint32_t received = 0;
  if (PW_UNLIKELY(queue.hasInjected.load())) received = takeInjected(queue, out, count);
  std::uint32_t ready = queue.ring.available();
  if (ready == 0) return received;
  if (PW_UNLIKELY(ready == SplitDevice::kBroken)) {
    queue.breakRing("AVAIL_JUMP");
    return received;
  }
  setAllocSite("vhost rx");
  // Only what was ready at the start: a driver that keeps adding cannot hold the lcore here.
  while (ready > 0 && received < count) {
    const std::uint32_t want = std::min({ready, count - received, kChunk});
    const std::uint32_t before = queue.ring.nextAvail();
    received += receiveChunk<kOffload>(queue, out + received, want);
    const std::uint32_t consumed = wrap16::distance(queue.ring.nextAvail(), static_cast<std::uint16_t>(before));
    if (consumed == 0) break;
    ready -= consumed;
  }
  queue.notify();
  return received;
}

}  // namespace

BurstFn selectRx(const Queue& queue) noexcept {
  // Without these bits the driver must leave the header zero, so there is nothing to read (virtio 1.2 §5.1.6.2).
  constexpr std::uint64_t kHeaderBits =
      virtio::kNetCsum | virtio::kNetHostTso4 | virtio::kNetHostTso6 | virtio::kNetHostUfo | virtio::kNetHostEcn;
  return (queue.features & kHeaderBits) != 0 ? rxBurst<true> : rxBurst<false>;
}

}  // namespace pollwire::vhost
