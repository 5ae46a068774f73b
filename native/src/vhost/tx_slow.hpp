// What a vhost device's transmit does with packets and buffers that are not the common case: chains,
// segments, offload requests, packets to be cut. Included by tx_burst.hpp only, whose burst calls sendSlow.
#pragma once

#include <algorithm>
#include <cstring>

#include "ethdev/packet_stats.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "offload/segment.hpp"
#include "offload/virtio_net.hpp"
#include "vhost/chain_walk.hpp"
#include "vhost/vhost_queue.hpp"

namespace pollwire::vhost {

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

enum class Sent : std::uint8_t {
  kSent,
  // Taken all the same: counted as dropped, or sent in pieces that were counted.
  kDone,
  kRingFull,
};

inline void copyOut(const Mbuf* mbuf, const virtio::NetHdr& header, std::uint32_t headerLen,
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

// The first `bytes` of `pieces` were written.
template <class Space>
PW_INLINE void noteWrites(Space& space, const PieceList& pieces, std::uint64_t bytes) noexcept {
  if constexpr (Space::kLogs) {
    for (std::uint32_t i = 0; i < pieces.count() && bytes > 0; i++) {
      const std::uint64_t length = std::min<std::uint64_t>(pieces[i].length, bytes);
      space.wrote(pieces[i].data, length);
      bytes -= length;
    }
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

template <class Ring, class Space, bool kMergeable>
Sent sendCut(Queue& queue, Ring& ring, const Mbuf& packet, std::uint32_t ready, Progress& progress) noexcept;

// Any packet into any buffers: several segments, several descriptors, several heads when mergeable. `ready`
// heads are available in all, of which there is at least one more.
template <class Ring, class Space, bool kMergeable>
PW_NOINLINE Sent sendSlow(Queue& queue, Ring& ring, Mbuf* mbuf, std::uint32_t ready,
                          Progress& progress) noexcept {
  Head found{};
  bool first = true;
  std::uint32_t gathered = ring.gather(&found, progress.taken.entry, 1);
  if (gathered == 0) return Sent::kRingFull;
  if (!isConsistent(mbuf)) {
    queue.counters->add(kTX_BAD_MBUF, 1);
    return Sent::kDone;
  }
  virtio::NetHdr header{};
  if (offload::wantsHeader(*mbuf)) {
    const offload::Accepted accepted = offload::acceptedByDriver(queue.features);
    if (PW_UNLIKELY(offload::mustBeCut(*mbuf, accepted)))
      return sendCut<Ring, Space, kMergeable>(queue, ring, *mbuf, ready, progress);
    if (!offload::toHeader(*mbuf, header, accepted)) {
      queue.counters->add(kTX_BAD_MBUF, 1);
      return Sent::kDone;
    }
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
      return Sent::kDone;
    }
    const Place next = after(place, *head);
    if (PW_UNLIKELY(head->bad)) {
      queue.counters->add(kTX_BAD_CHAIN, 1);
      if (buffers.count() == 0) progress.taken = next;
      place = next;
      continue;
    }
    const std::uint64_t before = pieces.bytes();
    const ChainVerdict verdict = buffers.full()
                                     ? ChainVerdict::kTooLong
                                     : walkChain(ring, *head, Access::kWrite, queue.spaceAs<Space>(), pieces);
    if constexpr (Space::kMisses) {
      if (verdict == ChainVerdict::kWaits) {
        lookAhead(ring, place.entry, ready - place.head, Access::kWrite, queue.spaceAs<Space>());
        return Sent::kRingFull;
      }
    }
    const std::uint64_t room = pieces.bytes() - before;
    if (PW_UNLIKELY(verdict == ChainVerdict::kTooLong && buffers.count() != 0)) {
      // Too many small buffers for this packet; a smaller one may fit.
      queue.counters->add(kTX_TOO_BIG, 1);
      return Sent::kDone;
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
      return Sent::kDone;
    }
    const std::uint64_t part = std::min(room, need - before);
    if (!kMergeable && part + before < need) {
      queue.counters->add(kTX_TOO_BIG, 1);
      return Sent::kDone;
    }
    buffers.push(*head, static_cast<std::uint32_t>(part));
    place = next;
  }
  header.numBuffers = buffers.count();
  PieceCursor cursor(pieces);
  copyOut(mbuf, header, queue.headerLen, cursor);
  noteWrites(queue.spaceAs<Space>(), pieces, need);
  buffers.answer(ring, progress, true);
  progress.taken = place;
  return Sent::kSent;
}

// The heads from a place on, looked at and left where they are.
template <class Ring>
class HeadScan {
 public:
  HeadScan(const Ring& ring, Place from, std::uint32_t ready) noexcept
      : ring_(ring), from_(from), place_(from), ready_(ready) {}

  // nullptr when there are no more.
  const Head* next() noexcept {
    if (place_.head >= ready_) return nullptr;
    const std::uint32_t got = ring_.gather(&head_, place_.entry, 1);
    if (got == 0 || got == Ring::kBroken) return nullptr;
    place_ = after(place_, head_);
    return &head_;
  }
  // Ring entries of the heads that next() returned.
  std::uint32_t entries() const noexcept { return place_.entry - from_.entry; }

 private:
  const Ring& ring_;
  Place from_;
  Place place_;
  std::uint32_t ready_;
  Head head_{};
};

template <class Ring, class Space>
std::uint64_t roomOf(Queue& queue, const Ring& ring, const Head& head) noexcept {
  if (isSingle(head, Access::kWrite)) return head.len;
  PieceList pieces;
  return ring.walk(head, Access::kWrite, queue.spaceAs<Space>(), pieces) == ChainVerdict::kGood
             ? pieces.bytes()
             : 0;
}

// Whether what the driver has posted takes all segments, as far as its descriptors can be believed.
template <class Ring, class Space, bool kMergeable>
bool hasRoomFor(Queue& queue, const Ring& ring, const offload::Segmenter& segments, Place from,
                std::uint32_t ready) noexcept {
  if (ready - from.head < segments.count()) return false;
  HeadScan<Ring> heads(ring, from, ready);
  for (std::uint32_t i = 0; i < segments.count(); i++) {
    for (std::uint64_t left = segments.lengthOf(i) + queue.headerLen; left > 0;) {
      const Head* head = heads.next();
      if (head == nullptr) return false;
      if (head->bad) continue;
      if (!kMergeable) break;
      left -= std::min(left, roomOf<Ring, Space>(queue, ring, *head));
    }
  }
  return true;
}

// Whether the driver has posted half of its ring. It need not post more before some of it is used, so that a
// packet whose segments take more must not wait for it.
template <class Ring>
bool isHalfPosted(const Ring& ring, Place from, std::uint32_t ready) noexcept {
  HeadScan<Ring> heads(ring, from, ready);
  while (heads.entries() < (ring.size() + 1) / 2) {
    if (heads.next() == nullptr) return false;
  }
  return true;
}

// A large TCP packet for a driver that takes none: its segments, all of them or, when they are more than the
// ring is good for, as many as there is room for.
template <class Ring, class Space, bool kMergeable>
PW_NOINLINE Sent sendCut(Queue& queue, Ring& ring, const Mbuf& packet, std::uint32_t ready,
                         Progress& progress) noexcept {
  offload::Segmenter segments(packet);
  if (!segments.valid()) {
    queue.counters->add(kTX_BAD_MBUF, 1);
    return Sent::kDone;
  }
  if (!hasRoomFor<Ring, Space, kMergeable>(queue, ring, segments, progress.taken, ready) &&
      !isHalfPosted(ring, progress.taken, ready)) {
    return Sent::kRingFull;
  }
  queue.counters->add(kTX_SEGMENTED, 1);
  BurstStats stats(*queue.counters);
  for (std::uint32_t i = 0; i < segments.count(); i++) {
    Sent outcome = Sent::kRingFull;
    if (progress.taken.head < ready) {
      const Handle handle = segments.next();
      if (handle == kNoHandle) {
        queue.counters->add(kTX_NO_MBUF, 1);
        break;
      }
      Mbuf* const mbuf = mbufOf(handle);
      outcome = sendSlow<Ring, Space, kMergeable>(queue, ring, mbuf, ready, progress);
      if (outcome == Sent::kSent) stats.add(dataOf(mbuf), mbuf->pktLen);
      freeChain(handle);
    }
    if (outcome == Sent::kRingFull) {
      queue.counters->add(kTX_TOO_BIG, 1);
      break;
    }
  }
  return Sent::kDone;
}

}  // namespace pollwire::vhost
