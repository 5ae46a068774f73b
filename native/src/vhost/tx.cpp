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

constexpr std::uint32_t kWindow = 64;
// Heads that are gathered at a time for packets that take more of them than one each.
constexpr std::uint32_t kMore = 8;

// A place among the available chains: how many come before it, and how many ring entries those take.
struct Place {
  std::uint32_t head = 0;
  std::uint32_t entry = 0;
};

PW_INLINE Place after(Place place, const Head& head) noexcept {
  return Place{place.head + 1, place.entry + head.count};
}

// The available heads of this burst, gathered a window at a time, with their translation where they are
// single buffers.
template <class Ring>
class HeadWindow {
 public:
  // `count` packets are to be sent: more heads than that are looked at only when a packet takes several.
  HeadWindow(Queue& queue, Ring& ring, std::uint32_t ready, std::uint32_t count) noexcept
      : queue_(queue), ring_(ring), ready_(ready), count_(count) {}

  // nullptr when nothing is left. The head stays where it is until a place outside the window is asked for.
  PW_INLINE const Head* at(Place place) noexcept {
    if (PW_UNLIKELY(place.head - base_.head >= have_)) {
      if (place.head >= ready_ || !fill(place)) return nullptr;
    }
    return &heads_[place.head - base_.head];
  }

  // Where the single buffer of the head at `place` (seen by at() just before) begins; nullptr when it is not
  // one.
  PW_INLINE std::byte* target(Place place) const noexcept { return target_[place.head - base_.head]; }

  bool broken() const noexcept { return broken_; }

 private:
  PW_INLINE bool fill(Place place) noexcept {
    base_ = place;
    const std::uint32_t wanted = place.head < count_ ? std::min(count_ - place.head, kWindow) : kMore;
    have_ = ring_.gather(heads_, place.entry, std::min(ready_ - place.head, wanted));
    if (PW_UNLIKELY(have_ == Ring::kBroken)) {
      broken_ = true;
      have_ = 0;
    }
    for (std::uint32_t i = 0; i < have_; i++) {
      target_[i] = nullptr;
      if (PW_UNLIKELY(!isSingle(heads_[i], Access::kWrite))) continue;
      target_[i] = queue_.space.translate(heads_[i].addr, heads_[i].len, Access::kWrite);
      if (PW_UNLIKELY(target_[i] == nullptr)) continue;
      // Drivers put the header before data that begins a cache line: two lines even for the smallest packet.
      PW_PREFETCH_WRITE(target_[i]);
      PW_PREFETCH_WRITE(target_[i] + queue_.headerLen);
    }
    return have_ != 0;
  }

  Queue& queue_;
  Ring& ring_;
  std::uint32_t ready_;
  std::uint32_t count_;
  Place base_;
  std::uint32_t have_ = 0;
  bool broken_ = false;
  Head heads_[kWindow];
  std::byte* target_[kWindow];
};

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

// Any packet into any buffers: several segments, several descriptors, several heads when mergeable.
template <class Ring, bool kMergeable>
PW_NOINLINE Sent sendSlow(Queue& queue, Ring& ring, Mbuf* mbuf, HeadWindow<Ring>& window,
                          Progress& progress) noexcept {
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
    const Head* head = window.at(place);
    if (head == nullptr) {
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

// `progress` must stay in registers here: the stores of a burst wait for lines that the peer's core holds, and a load of
// a spilled pair of counters would wait behind them. Hence the copy around the slow path.
template <class Ring, bool kMergeable>
PW_INLINE Sent sendOne(Queue& queue, Ring& ring, Mbuf* mbuf, HeadWindow<Ring>& window,
                       Progress& progress) noexcept {
  const Head* head = window.at(progress.taken);
  if (PW_UNLIKELY(head == nullptr)) return Sent::kRingFull;
  const std::uint32_t length = mbuf->pktLen;
  std::byte* target = window.target(progress.taken);
  const bool fits = target != nullptr && head->len >= length + queue.headerLen && length <= 0xffff;
  const bool simple = mbuf->nbSegs == 1 && mbuf->dataLen == length &&
                      static_cast<std::uint32_t>(mbuf->dataOff) + length <= mbuf->bufLen;
  if (PW_UNLIKELY(!fits || !simple || offload::wantsHeader(*mbuf))) {
    Progress copy = progress;
    const Sent outcome = sendSlow<Ring, kMergeable>(queue, ring, mbuf, window, copy);
    progress = copy;
    return outcome;
  }
  // The header: all zero except for num_buffers = 1, which exists when it is 12 bytes long.
  std::uint64_t zero = 0;
  std::memcpy(target, &zero, 8);
  if (PW_LIKELY(queue.headerLen == 12)) {
    const std::uint32_t one = 1u << 16;
    std::memcpy(target + 8, &one, 4);
  } else {
    std::memcpy(target + 8, &zero, 2);
  }
  copyBytes(target + queue.headerLen, dataOf(mbuf), length);
  ring.putUsed(progress.answered, *head, length + queue.headerLen);
  progress.answered += head->count;
  progress.taken = after(progress.taken, *head);
  return Sent::kSent;
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
  if (ready == 0) {
    queue.counters->add(kTX_RING_FULL, count);
    return 0;
  }
  if constexpr (requires { ring.prefetchUsed(1); }) ring.prefetchUsed(std::min(ready, count));
  setAllocSite("vhost tx");
  HeadWindow<Ring> window(queue, ring, ready, count);
  Progress progress;
  std::uint32_t done = 0;
  {
    BurstStats stats(*queue.counters);
    for (; done < count; done++) {
      if (done + 4 < count) PW_PREFETCH(mbufOf(handles[done + 4]));
      Mbuf* mbuf = mbufOf(handles[done]);
      const Sent outcome = sendOne<Ring, kMergeable>(queue, ring, mbuf, window, progress);
      if (PW_UNLIKELY(outcome == Sent::kRingFull)) break;
      if (PW_UNLIKELY(outcome == Sent::kDropped)) continue;
      stats.add(dataOf(mbuf), mbuf->pktLen);
    }
  }
  if (progress.taken.entry != 0) {
    ring.publish(progress.taken.entry, progress.answered);
    queue.notify(ring);
  }
  if (PW_UNLIKELY(window.broken())) queue.breakRing("ENDLESS_LIST");
  if (PW_UNLIKELY(done < count)) queue.counters->add(kTX_RING_FULL, count - done);
  freeBurst(handles, done);
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
