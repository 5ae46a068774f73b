// Transmit on a virtio-net driver: posts mbufs as they are and frees them when the device has used them.
// Nothing is copied. tx: the driver owns the first n that are returned; the caller still owns the rest.
#include <algorithm>
#include <cstring>
#include <vector>

#include "ethdev/packet_stats.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "offload/segment.hpp"
#include "offload/virtio_net.hpp"
#include "virtio/virtio_queue.hpp"

namespace pollwire::virtio {

namespace {

constexpr std::uint32_t kChunk = 64;
constexpr std::uint32_t kMinFrame = 14;
constexpr std::uint32_t kMaxFrame = 65535 + 18;
// More segments than any packet needs; denser copies are made of longer ones.
constexpr std::uint32_t kMaxElements = 256;

// A cookie is the handle, which has 26 bits, below the pool that a plain mbuf goes back to: freeing it does
// not look at it.
constexpr std::uint32_t kHandleBits = 26;
constexpr std::uint32_t kHandleMask = (1u << kHandleBits) - 1;
// In place of the pool: not plain, freed by looking.
constexpr std::uint32_t kNotPlain = 63;
static_assert(Arena::kMaxBytes >> kHandleShift <= 1ull << kHandleBits && kMaxPools - 1 <= kNotPlain);

PW_INLINE std::uint32_t cookieOf(Handle handle, std::uint32_t pool) noexcept {
  return handle | pool << kHandleBits;
}

void freeCookies(std::uint32_t* cookies, std::uint32_t count) noexcept {
  for (std::uint32_t i = 0; i < count;) {
    const std::uint32_t pool = cookies[i] >> kHandleBits;
    const std::uint32_t from = i;
    for (; i < count && cookies[i] >> kHandleBits == pool; i++) cookies[i] &= kHandleMask;
    if (PW_LIKELY(pool != kNotPlain)) Mempool::byId(pool)->putBulk(cookies + from, i - from);
    else freeBurst(cookies + from, i - from);
  }
}

// Frees what the device has used. False: the device broke a rule.
template <class Ring, bool kInOrder>
PW_INLINE bool reclaim(Ring& ring) noexcept {
  std::uint32_t cookies[kChunk];
  for (;;) {
    const std::uint32_t count = ring.template reclaim<kInOrder>(cookies, kChunk);
    if (PW_UNLIKELY(count == Ring::kBroken)) return false;
    freeCookies(cookies, count);
    if (count < kChunk) return true;
  }
}

// A packet that goes out as it is: one segment of its own, room for the header, nothing asked for.
PW_INLINE bool isSimple(const Mbuf& mbuf, std::uint32_t headerLen) noexcept {
  const std::uint32_t length = mbuf.pktLen;
  return mbuf.refcnt == 1 && mbuf.nbSegs == 1 && mbuf.flags == 0 && mbuf.dataLen == length &&
         length >= kMinFrame && mbuf.dataOff >= headerLen &&
         static_cast<std::uint32_t>(mbuf.dataOff) + length <= mbuf.bufLen && !offload::wantsHeader(mbuf);
}

enum class Sent : std::uint8_t { kSent, kDropped, kRingFull };

// The elements of one packet: its header, when that is not in the headroom, and its segments.
struct Elements {
  Element list[kMaxElements];
  std::uint32_t count = 0;

  bool push(const std::byte* data, std::uint32_t length) noexcept {
    if (length == 0) return true;
    if (count == kMaxElements) return false;
    list[count++] = Element{reinterpret_cast<std::uintptr_t>(data), length, 0};
    return true;
  }
};

bool hasHeaderRoom(const Queue& queue, const Mbuf& mbuf) noexcept {
  // A clone's headroom is its owner's.
  return queue.anyLayout && mbuf.refcnt == 1 && mbuf.flags == 0 && mbuf.dataOff >= queue.headerLen;
}

// False: more segments than fit.
bool listElements(const Queue& queue, Mbuf* mbuf, const NetHdr& header, std::byte* slot,
                  Elements& elements) noexcept {
  if (hasHeaderRoom(queue, *mbuf)) {
    std::byte* const at = dataOf(mbuf) - queue.headerLen;
    std::memcpy(at, &header, queue.headerLen);
    elements.push(at, queue.headerLen + mbuf->dataLen);
  } else {
    std::memcpy(slot, &header, queue.headerLen);
    elements.push(slot, queue.headerLen);
    elements.push(dataOf(mbuf), mbuf->dataLen);
  }
  while (mbuf->next != kNoHandle) {
    mbuf = mbufOf(mbuf->next);
    if (!elements.push(dataOf(mbuf), mbuf->dataLen)) return false;
  }
  return true;
}

bool inArena(const Mbuf* mbuf) noexcept {
  for (;; mbuf = mbufOf(mbuf->next)) {
    if ((mbuf->flags & kMbufExternal) != 0) return false;
    if (mbuf->next == kNoHandle) return true;
  }
}

template <class Ring, bool kInOrder>
Sent postPacket(Queue& queue, Ring& ring, Handle handle, const NetHdr& header) noexcept {
  if (ring.free() == 0) return Sent::kRingFull;
  std::byte* const slot =
      queue.slots + static_cast<std::size_t>(ring.template nextId<kInOrder>()) * queue.slotBytes;
  // A table is no longer than the ring either (§2.7.5.3.1, §2.8.19).
  const std::uint32_t tableLimit =
      queue.slotBytes == kSlotWithTable ? std::min(ring.size(), kTableEntries) : 0;
  Elements elements;
  Handle packet = handle;
  bool fits = inArena(mbufOf(handle)) && listElements(queue, mbufOf(handle), header, slot, elements) &&
              elements.count <= ring.size();
  if (PW_UNLIKELY(!fits)) {
    // A copy lies in the arena, and is as dense as can be.
    packet = copyPacket(handle, *Mempool::byId(mbufOf(handle)->pool));
    if (packet == kNoHandle) return Sent::kRingFull;
    elements.count = 0;
    fits = listElements(queue, mbufOf(packet), header, slot, elements) && elements.count <= ring.size();
  }
  Sent outcome = Sent::kSent;
  const std::uint32_t cookie = cookieOf(packet, kNotPlain);
  if (!fits) {
    queue.counters->add(kTX_TOO_BIG, 1);
    outcome = Sent::kDropped;
  } else if (elements.count > 1 && elements.count <= tableLimit) {
    Ring::writeTable(slot + kTableAt, elements.list, elements.count);
    ring.template postIndirect<kInOrder>(reinterpret_cast<std::uintptr_t>(slot + kTableAt), elements.count,
                                         cookie);
  } else if (elements.count <= ring.free()) {
    ring.template postList<kInOrder>(elements.list, elements.count, cookie);
  } else {
    outcome = Sent::kRingFull;
  }
  // Of the original and its copy, one goes: the caller keeps the original when the ring is full.
  if (packet != handle) freeChain(outcome == Sent::kSent ? handle : packet);
  return outcome;
}

template <class Ring, bool kInOrder>
Sent sendCut(Queue& queue, Ring& ring, Handle packet) noexcept;

// Any packet: several segments, shared ones, without headroom, with offload requests. On kSent and kDropped
// the driver owns the packet, or has freed it.
template <class Ring, bool kInOrder>
PW_NOINLINE Sent sendSlow(Queue& queue, Ring& ring, Handle handle) noexcept {
  Mbuf* const mbuf = mbufOf(handle);
  NetHdr header{};
  const bool sound = isConsistent(mbuf) && mbuf->pktLen >= kMinFrame;
  const bool small = mbuf->pktLen <= kMaxFrame;
  bool possible = sound && small;
  if (possible && offload::wantsHeader(*mbuf)) {
    const offload::Accepted accepted = offload::acceptedByDevice(queue.features);
    if (PW_UNLIKELY(offload::mustBeCut(*mbuf, accepted))) return sendCut<Ring, kInOrder>(queue, ring, handle);
    possible = offload::toHeader(*mbuf, header, accepted);
  }
  if (!possible) {
    queue.counters->add(sound && !small ? kTX_TOO_BIG : kTX_BAD_MBUF, 1);
    freeChain(handle);
    return Sent::kDropped;
  }
  // The packet is the device's, and perhaps freed, once it is posted.
  const std::uint32_t length = mbuf->pktLen;
  std::byte start[6];
  readPacket(mbuf, 0, start);
  Sent outcome = postPacket<Ring, kInOrder>(queue, ring, handle, header);
  // One that takes several descriptors may find them among the used ones. A device that breaks a rule is
  // found out by the next burst.
  if (outcome == Sent::kRingFull && ring.waiting() != 0 && reclaim<Ring, kInOrder>(ring)) {
    outcome = postPacket<Ring, kInOrder>(queue, ring, handle, header);
  }
  if (outcome == Sent::kSent) BurstStats(*queue.counters).add(start, length);
  if (outcome == Sent::kDropped) freeChain(handle);
  return outcome;
}

// Descriptors that the segments of a packet take, at most.
std::uint32_t descriptorsFor(const Queue& queue, const offload::Segmenter& segments) noexcept {
  const std::uint32_t elements = segments.mbufsEach() + (queue.anyLayout ? 0 : 1);
  const bool table = queue.slotBytes == kSlotWithTable && elements <= kTableEntries;
  return segments.count() * (table ? 1 : elements);
}

// A large TCP packet for a device that takes none: its segments, all of them or, when they are more than the
// whole ring takes, as many as that.
template <class Ring, bool kInOrder>
PW_NOINLINE Sent sendCut(Queue& queue, Ring& ring, Handle packet) noexcept {
  offload::Segmenter segments(*mbufOf(packet));
  if (!segments.valid()) {
    queue.counters->add(kTX_BAD_MBUF, 1);
    freeChain(packet);
    return Sent::kDropped;
  }
  const std::uint32_t wanted = std::min(descriptorsFor(queue, segments), ring.size());
  if (ring.free() < wanted && (!reclaim<Ring, kInOrder>(ring) || ring.free() < wanted))
    return Sent::kRingFull;
  queue.counters->add(kTX_SEGMENTED, 1);
  for (std::uint32_t i = 0; i < segments.count(); i++) {
    const Handle segment = segments.next();
    if (segment == kNoHandle) {
      queue.counters->add(kTX_NO_MBUF, 1);
      break;
    }
    if (sendSlow<Ring, kInOrder>(queue, ring, segment) == Sent::kRingFull) {
      queue.counters->add(kTX_TOO_BIG, 1);
      freeChain(segment);
      break;
    }
  }
  freeChain(packet);
  return Sent::kSent;
}

// Posts simple packets until one is not, or the ring is full.
template <class Ring, bool kInOrder>
PW_INLINE std::uint32_t postSimple(const Queue& queue, Ring& ring, const Handle* handles,
                                   std::uint32_t count) noexcept {
  if (PW_UNLIKELY(!queue.anyLayout)) return 0;
  const std::uint32_t headerLen = queue.headerLen;
  BurstStats stats(*queue.counters);
  return ring.template post<kInOrder>(count, 0, [&](std::uint32_t i, DriverBuffer& buffer) noexcept {
    if (i + 4 < count) PW_PREFETCH(mbufOf(handles[i + 4]));
    const Mbuf* const mbuf = mbufOf(handles[i]);
    if (PW_UNLIKELY(!isSimple(*mbuf, headerLen))) return false;
    const std::uint32_t length = mbuf->pktLen;
    std::byte* const data = dataOf(mbuf);
    buffer = DriverBuffer{reinterpret_cast<std::uintptr_t>(data) - headerLen, length + headerLen,
                          cookieOf(handles[i], mbuf->pool)};
    // §5.1.6.2: without offloads, flags and gso_type are 0; num_buffers is 0 on the way to the device. 10 or
    // 12 bytes.
    const std::uint64_t zero = 0;
    std::memcpy(data - headerLen, &zero, 8);
    std::memcpy(data - 8, &zero, 8);
    stats.add(data, length);
    return true;
  });
}

template <class Ring, bool kInOrder>
std::uint32_t txBurst(void* context, Handle* handles, std::uint32_t count) noexcept {
  Queue& queue = *static_cast<Queue*>(context);
  Ring& ring = queue.ringAs<Ring>();
  queue.counters->add(kPOLLS, 1);
  setAllocSite("virtio tx");
  if (ring.free() < std::max(queue.threshold, count)) {
    const bool sound = reclaim<Ring, kInOrder>(ring);
    if (PW_UNLIKELY(!sound)) {
      queue.breakRing("BAD_USED");
      return 0;
    }
  }
  std::uint32_t done = 0;
  while (done < count) {
    done += postSimple<Ring, kInOrder>(queue, ring, handles + done, count - done);
    if (PW_LIKELY(done == count)) break;
    if (sendSlow<Ring, kInOrder>(queue, ring, handles[done]) == Sent::kRingFull) break;
    done++;
  }
  if (PW_LIKELY(done != 0)) queue.publish(ring);
  if (PW_UNLIKELY(done < count)) queue.counters->add(kTX_RING_FULL, count - done);
  return done;
}

template <class Ring>
BurstFn txFor(bool inOrder) noexcept {
  return inOrder ? txBurst<Ring, true> : txBurst<Ring, false>;
}

}  // namespace

BurstFn selectTx(const Queue& queue) noexcept {
  return std::holds_alternative<PackedDriver>(queue.ring) ? txFor<PackedDriver>(queue.inOrder())
                                                          : txFor<SplitDriver>(queue.inOrder());
}

void abandonTx(Queue& queue, std::vector<Handle>& sink) {
  const auto keep = [&sink](std::uint32_t cookie) { sink.push_back(cookie & kHandleMask); };
  std::visit(
      [&](auto& ring) {
        if (queue.inOrder()) ring.template abandon<true>(keep);
        else ring.template abandon<false>(keep);
      },
      queue.ring);
}

}  // namespace pollwire::virtio
