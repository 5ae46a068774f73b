// Transmit to a vhost device: copies mbufs into the buffers that the guest's driver posted (its rx ring, even
// index). tx: the device owns the first n that are returned and has freed them; the caller still owns the
// rest.
#include <algorithm>

#include "ethdev/packet_stats.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "offload/virtio_net.hpp"
#include "vhost/copy.hpp"
#include "vhost/vhost_queue.hpp"

namespace pollwire::vhost {

namespace {

// Buffers that are looked at ahead of the copies into them.
constexpr std::uint32_t kWindow = 32;

// A place among the available chains: how many come before it, and how many ring entries those take.
struct Place {
  std::uint32_t head = 0;
  std::uint32_t entry = 0;
};

PW_INLINE Place after(Place place, const Head& head) noexcept {
  return Place{place.head + 1, place.entry + head.count};
}

// Progress of one burst through the ring.
struct Progress {
  Place taken;                 // what was consumed from the available side
  std::uint32_t answered = 0;  // ring entries whose used element is written
};

enum class Sent : std::uint8_t { kSent, kDropped, kRingFull };

PW_INLINE void prepareHeader(Queue& queue, Mbuf& mbuf, virtio::NetHdr& header, bool& possible) noexcept {
  possible = PW_LIKELY(!offload::wantsHeader(mbuf)) ||
             offload::toHeader(mbuf, header, offload::acceptedByDriver(queue.features));
}

void copyOut(const Mbuf* mbuf, const virtio::NetHdr& header, std::uint32_t headerLen,
             PieceCursor& cursor) noexcept {
  const auto put = [&cursor](const std::byte* from, std::uint32_t length) {
    while (length > 0) {
      const Piece piece = cursor.take(length);
      std::memcpy(piece.data, from, piece.length);
      from += piece.length;
      length -= piece.length;
    }
  };
  put(reinterpret_cast<const std::byte*>(&header), headerLen);
  for (;; mbuf = mbufOf(mbuf->next)) {
    put(dataOf(mbuf), mbuf->dataLen);
    if (mbuf->next == kNoHandle) break;
  }
}

// The buffers collected for one packet. Used elements are written when it is complete: on a packed ring they
// replace descriptors that would still be needed if it turned out not to fit.
class Collected {
 public:
  PW_INLINE void push(const Head& head, std::uint32_t part) noexcept {
    heads_[count_].id = head.id;
    heads_[count_].count = head.count;
    parts_[count_++] = part;
  }
  bool full() const noexcept { return count_ == PieceList::kMax; }
  std::uint16_t count() const noexcept { return static_cast<std::uint16_t>(count_); }

  template <class Ring>
  void answer(Ring& ring, Progress& progress, bool written) const noexcept {
    for (std::uint32_t i = 0; i < count_; i++) {
      ring.putUsed(progress.answered, heads_[i], written ? parts_[i] : 0);
      progress.answered += heads_[i].count;
    }
  }

 private:
  std::uint32_t count_ = 0;
  Head heads_[PieceList::kMax];
  std::uint32_t parts_[PieceList::kMax];
};

// Any packet into any buffers: several segments, several descriptors, several heads when mergeable. `ready`
// heads are available in all.
template <class Ring, bool kMergeable>
PW_NOINLINE Sent sendSlow(Queue& queue, Ring& ring, Mbuf* mbuf, std::uint32_t ready,
                          Progress& progress) noexcept {
  Head found{};
  bool first = true;
  std::uint32_t gathered = ring.gather(&found, progress.taken.entry, 1);
  if (gathered == 0) return Sent::kRingFull;
  if (!isConsistent(mbuf)) {
    queue.counters->add(kTX_BAD_MBUF, 1);
    return Sent::kDropped;
  }
  virtio::NetHdr header{};
  bool possible = true;
  prepareHeader(queue, *mbuf, header, possible);
  if (!possible) {
    queue.counters->add(kTX_BAD_MBUF, 1);
    return Sent::kDropped;
  }
  const std::uint64_t need = static_cast<std::uint64_t>(mbuf->pktLen) + queue.headerLen;
  PieceList pieces;
  Collected buffers;
  Place place = progress.taken;
  while (pieces.bytes() < need) {
    if (!first) gathered = place.head < ready ? ring.gather(&found, place.entry, 1) : 0;
    first = false;
    if (PW_UNLIKELY(gathered == Ring::kBroken)) {
      queue.breakRing("ENDLESS_LIST");
      return Sent::kRingFull;
    }
    const Head* const head = &found;
    if (gathered == 0) {
      // Everything the guest ever posts at once is not enough: waiting would block the queue for good.
      if (place.entry - progress.taken.entry < ring.size()) return Sent::kRingFull;
      queue.counters->add(kTX_TOO_BIG, 1);
      return Sent::kDropped;
    }
    const Place next = after(place, *head);
    if (PW_UNLIKELY(head->bad)) {
      queue.counters->add(kTX_BAD_CHAIN, 1);
      if (buffers.count() == 0) progress.taken = next;
      place = next;
      continue;
    }
    const std::uint64_t before = pieces.bytes();
    const ChainVerdict verdict =
        buffers.full() ? ChainVerdict::kTooLong : ring.walk(*head, Access::kWrite, queue.space, pieces);
    const std::uint64_t room = pieces.bytes() - before;
    if (PW_UNLIKELY(verdict == ChainVerdict::kTooLong && buffers.count() != 0)) {
      // Too many small buffers for this packet; a smaller one may fit.
      queue.counters->add(kTX_TOO_BIG, 1);
      return Sent::kDropped;
    }
    // virtio 1.2 §5.1.6.3.1: a buffer has room for the header.
    const std::uint32_t least = buffers.count() == 0 ? queue.headerLen : 1;
    if (verdict != ChainVerdict::kGood || room < least) {
      // The packet goes, and what was collected for it returns empty: used elements of one packet must be
      // neighbours.
      queue.counters->add(verdict == ChainVerdict::kBadAddress ? kTX_BAD_ADDRESS : kTX_BAD_CHAIN, 1);
      buffers.answer(ring, progress, false);
      ring.putUsed(progress.answered, *head, 0);
      progress.answered += head->count;
      progress.taken = next;
      return Sent::kDropped;
    }
    const std::uint64_t part = std::min(room, need - before);
    if (!kMergeable && part + before < need) {
      queue.counters->add(kTX_TOO_BIG, 1);
      return Sent::kDropped;
    }
    buffers.push(*head, static_cast<std::uint32_t>(part));
    place = next;
  }
  header.numBuffers = buffers.count();
  PieceCursor cursor(pieces);
  copyOut(mbuf, header, queue.headerLen, cursor);
  buffers.answer(ring, progress, true);
  progress.taken = place;
  return Sent::kSent;
}

// The packets that go as they are, one segment each with nothing asked for, into single buffers that have
// room for them: most packets there are. Stops at the first other packet or buffer; returns how many went.
// All of `count` heads after `progress` are available.
//
// The counters of these loops must stay in registers. The stores of a burst wait for lines that the peer's
// core holds, and a counter that was spilled in two halves would be loaded only behind them.
template <class Ring>
PW_INLINE std::uint32_t sendRun(Queue& queue, Ring& ring, const Handle* handles, std::uint32_t count,
                                Progress& progress, std::uint32_t& irregular, BurstStats& stats) noexcept {
  const std::uint32_t headerLen = queue.headerLen;
  Single buffers[kWindow];
  // Drivers put the header before data that begins a cache line: two lines even for the smallest packet.
  const std::uint32_t have = ring.template singles<Access::kWrite>(
      buffers, progress.taken.entry, std::min(count, kWindow), queue.space, [&](std::byte* data) noexcept {
        PW_PREFETCH_WRITE(data);
        PW_PREFETCH_WRITE(data + headerLen);
      });
  const std::uint32_t answered = progress.answered;
  const std::uint32_t pool = mbufOf(handles[0])->pool;
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
    ring.putUsed(answered + sent, buffer.id, length + headerLen);
    stats.add(data, length);
  }
  irregular |= shared;
  progress.taken.head += sent;
  progress.taken.entry += sent;
  progress.answered = answered + sent;
  return sent;
}

template <class Ring, bool kMergeable>
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
  // Packets that cannot all go back to one pool by their handles alone.
  std::uint32_t irregular = 0;
  {
    BurstStats stats(*queue.counters);
    while (done < count && progress.taken.head < ready) {
      const std::uint32_t most = std::min(count - done, ready - progress.taken.head);
      const std::uint32_t sent = sendRun<Ring>(queue, ring, handles + done, most, progress, irregular, stats);
      done += sent;
      if (PW_LIKELY(sent == most) || sent == kWindow) continue;
      // A copy, so that the burst's own counters keep their registers.
      Progress slow = progress;
      Mbuf* const mbuf = mbufOf(handles[done]);
      const Sent outcome = sendSlow<Ring, kMergeable>(queue, ring, mbuf, ready, slow);
      progress = slow;
      if (outcome == Sent::kRingFull) break;
      irregular = 1;
      done++;
      if (outcome == Sent::kSent) stats.add(dataOf(mbuf), mbuf->pktLen);
    }
  }
  if (progress.taken.entry != 0) {
    ring.publish(progress.taken.entry, progress.answered);
    queue.notify(ring);
  }
  if (PW_UNLIKELY(done < count)) queue.counters->add(kTX_RING_FULL, count - done);
  if (PW_LIKELY(irregular == 0 && done != 0)) Mempool::byId(mbufOf(handles[0])->pool)->putBulk(handles, done);
  else freeBurst(handles, done);
  return done;
}

template <class Ring>
BurstFn txFor(bool mergeable) noexcept {
  return mergeable ? txBurst<Ring, true> : txBurst<Ring, false>;
}

}  // namespace

BurstFn selectTx(const Queue& queue) noexcept {
  const bool mergeable = (queue.features & virtio::kNetMrgRxbuf) != 0;
  return std::holds_alternative<PackedDevice>(queue.ring) ? txFor<PackedDevice>(mergeable)
                                                          : txFor<SplitDevice>(mergeable);
}

}  // namespace pollwire::vhost
