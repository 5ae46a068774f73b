// Transmit to a vhost device: copies mbufs into the buffers that the guest's driver posted (its rx ring, even index).
// tx: the device owns the first n that are returned and has freed them; the caller still owns the rest.
#include <algorithm>

#include "ethdev/packet_stats.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "offload/virtio_net.hpp"
#include "vhost/copy.hpp"
#include "vhost/vhost_queue.hpp"

namespace pollwire::vhost {

namespace {

constexpr std::uint32_t kWindow = 64;

// The available heads of this burst, gathered a window at a time, with their translation where they are single buffers.
class HeadWindow {
 public:
  HeadWindow(Queue& queue, std::uint32_t ready) noexcept : queue_(queue), ready_(ready) {}

  // nullptr when nothing is left.
  PW_INLINE const Head* at(std::uint32_t position) noexcept {
    if (PW_UNLIKELY(position >= base_ + have_)) {
      if (position >= ready_) return nullptr;
      fill(position);
    }
    return &heads_[position - base_];
  }

  // Where the single buffer of the head at `position` (seen by at() before) begins; nullptr when it is not one.
  PW_INLINE std::byte* target(std::uint32_t position) const noexcept { return target_[position - base_]; }

 private:
  PW_INLINE void fill(std::uint32_t position) noexcept {
    base_ = position;
    have_ = std::min(ready_ - position, kWindow);
    queue_.ring.gather(heads_, base_, have_);
    for (std::uint32_t i = 0; i < have_; i++) {
      target_[i] = nullptr;
      if (PW_UNLIKELY(!SplitDevice::isSingle(heads_[i], Access::kWrite))) continue;
      target_[i] = queue_.space.translate(heads_[i].addr, heads_[i].len, Access::kWrite);
      if (PW_LIKELY(target_[i] != nullptr)) PW_PREFETCH_WRITE(target_[i]);
    }
  }

  Queue& queue_;
  std::uint32_t ready_;
  std::uint32_t base_ = 0;
  std::uint32_t have_ = 0;
  Head heads_[kWindow];
  std::byte* target_[kWindow];
};

// Progress of one burst through the ring.
struct Progress {
  std::uint32_t taken = 0;     // heads consumed from the available side
  std::uint32_t answered = 0;  // used elements written
};

enum class Sent : std::uint8_t { kSent, kDropped, kRingFull };

PW_INLINE void prepareHeader(Queue& queue, Mbuf& mbuf, virtio::NetHdr& header, bool& possible) noexcept {
  possible = PW_LIKELY(!offload::wantsHeader(mbuf)) || offload::toHeader(mbuf, header, queue.features);
}

void copyOut(const Mbuf* mbuf, const virtio::NetHdr& header, std::uint32_t headerLen, PieceCursor& cursor) noexcept {
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

// Any packet into any buffers: several segments, several descriptors, several heads when mergeable.
template <bool kMergeable>
PW_NOINLINE Sent sendSlow(Queue& queue, Mbuf* mbuf, HeadWindow& window, Progress& progress) noexcept {
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
  std::uint32_t position = progress.taken;
  std::uint32_t answered = progress.answered;
  std::uint16_t buffers = 0;
  while (pieces.bytes() < need) {
    const Head* head = window.at(position);
    if (head == nullptr) {
      // Everything the guest ever posts at once is not enough: waiting would block the queue for good.
      if (position - progress.taken < queue.ring.size()) return Sent::kRingFull;
      queue.counters->add(kTX_TOO_BIG, 1);
      return Sent::kDropped;
    }
    if (PW_UNLIKELY(head->bad)) {
      queue.counters->add(kTX_BAD_CHAIN, 1);
      position++;
      if (buffers == 0) progress.taken = position;
      continue;
    }
    const std::uint64_t before = pieces.bytes();
    const ChainVerdict verdict = queue.ring.walk(*head, Access::kWrite, queue.space, pieces);
    const std::uint64_t room = pieces.bytes() - before;
    if (verdict != ChainVerdict::kGood || room == 0) {
      // The packet goes, and what was collected for it returns empty: used elements of one packet must be neighbours.
      queue.counters->add(verdict == ChainVerdict::kBadAddress ? kTX_BAD_ADDRESS : kTX_BAD_CHAIN, 1);
      for (std::uint32_t at = progress.taken; at <= position; at++) {
        const Head* back = window.at(at);
        if (!back->bad) queue.ring.putUsed(progress.answered++, *back, 0);
      }
      progress.taken = position + 1;
      return Sent::kDropped;
    }
    const std::uint64_t part = std::min(room, need - before);
    if (!kMergeable && part + before < need) {
      queue.counters->add(kTX_TOO_BIG, 1);
      return Sent::kDropped;
    }
    queue.ring.putUsed(answered++, *head, static_cast<std::uint32_t>(part));
    position++;
    buffers++;
  }
  header.numBuffers = buffers;
  PieceCursor cursor(pieces);
  copyOut(mbuf, header, queue.headerLen, cursor);
  progress.taken = position;
  progress.answered = answered;
  return Sent::kSent;
}

template <bool kMergeable>
PW_INLINE Sent sendOne(Queue& queue, Mbuf* mbuf, HeadWindow& window, Progress& progress) noexcept {
  const Head* head = window.at(progress.taken);
  if (PW_UNLIKELY(head == nullptr)) return Sent::kRingFull;
  const std::uint32_t length = mbuf->pktLen;
  std::byte* target = window.target(progress.taken);
  const bool fits = target != nullptr && head->len >= length + queue.headerLen && length <= 0xffff;
  const bool simple = mbuf->nbSegs == 1 && mbuf->dataLen == length &&
                      static_cast<std::uint32_t>(mbuf->dataOff) + length <= mbuf->bufLen;
  if (PW_UNLIKELY(!fits || !simple || offload::wantsHeader(*mbuf))) {
    return sendSlow<kMergeable>(queue, mbuf, window, progress);
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
  queue.ring.putUsed(progress.answered++, *head, length + queue.headerLen);
  progress.taken++;
  return Sent::kSent;
}

template <bool kMergeable>
std::uint32_t txBurst(void* context, Handle* handles, std::uint32_t count) noexcept {
  Queue& queue = *static_cast<Queue*>(context);
  queue.counters->add(kPOLLS, 1);
  const std::uint32_t ready = queue.ring.available();
  if (PW_UNLIKELY(ready == SplitDevice::kBroken)) {
    queue.breakRing("AVAIL_JUMP");
    return 0;
  }
  if (ready == 0) {
    queue.counters->add(kTX_RING_FULL, count);
    return 0;
  }
  setAllocSite("vhost tx");
  HeadWindow window(queue, ready);
  Progress progress;
  std::uint32_t done = 0;
  std::uint32_t sent = 0;
  std::uint64_t bytes = 0;
  for (; done < count; done++) {
    if (done + 4 < count) PW_PREFETCH(mbufOf(handles[done + 4]));
    Mbuf* mbuf = mbufOf(handles[done]);
    const Sent outcome = sendOne<kMergeable>(queue, mbuf, window, progress);
    if (PW_UNLIKELY(outcome == Sent::kRingFull)) break;
    if (PW_UNLIKELY(outcome == Sent::kDropped)) continue;
    countFrame(*queue.counters, dataOf(mbuf), mbuf->pktLen);
    bytes += mbuf->pktLen;
    sent++;
  }
  if (progress.taken != 0) {
    queue.ring.publish(progress.taken, progress.answered);
    queue.notify();
  }
  if (PW_UNLIKELY(done < count)) queue.counters->add(kTX_RING_FULL, count - done);
  queue.counters->add(kPACKETS, sent);
  queue.counters->add(kBYTES, bytes);
  freeBurst(handles, done);
  return done;
}

}  // namespace

BurstFn selectTx(const Queue& queue) noexcept {
  return (queue.features & virtio::kNetMrgRxbuf) != 0 ? txBurst<true> : txBurst<false>;
}

}  // namespace pollwire::vhost
