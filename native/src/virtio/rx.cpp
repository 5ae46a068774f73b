// Receive on a virtio-net driver: takes the buffers that the device filled, hands them on as mbufs and posts
// fresh ones. Nothing is copied: the posted buffer is the mbuf. rx: the caller owns what is returned.
#include <algorithm>
#include <type_traits>
#include <vector>

#include "ethdev/packet_stats.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "offload/virtio_net.hpp"
#include "offload/vlan_strip.hpp"
#include "virtio/stopped_packets.hpp"
#include "virtio/virtio_queue.hpp"

namespace pollwire::virtio {

namespace {

constexpr std::uint32_t kChunk = 64;
constexpr std::uint32_t kMinFrame = 14;
// The largest IP packet behind Ethernet and a VLAN tag.
constexpr std::uint32_t kMaxFrame = 65535 + 18;
// Not a drop counter: nothing is wrong.
constexpr Counter kNoFault = kPACKETS;

// Posts mbufs of the pool for all free descriptors, and shows them to the device. The header goes into the
// headroom, so that the packet begins where every packet begins.
template <class Ring, bool kInOrder>
PW_INLINE void refill(Queue& queue, Ring& ring) noexcept {
  Handle fresh[kChunk];
  bool posted = false;
  while (ring.free() != 0) {
    const std::uint32_t want = std::min(ring.free(), kChunk);
    std::uint32_t got = queue.pool->allocBulk(fresh, want);
    if (PW_UNLIKELY(got < want)) {
      while (got < want && queue.pool->allocBulk(fresh + got, 1) == 1) got++;
    }
    const std::uint32_t length = queue.bufferLen;
    // Its own buffer follows each header; a free mbuf's bufAddr says the same, at the price of a look.
    const std::uint64_t first =
        reinterpret_cast<std::uintptr_t>(arenaBase()) + kMbufHeader + kHeadroom - queue.headerLen;
    ring.template post<kInOrder>(got, kDescWrite, [&](std::uint32_t i, DriverBuffer& buffer) noexcept {
      buffer = DriverBuffer{first + (static_cast<std::uint64_t>(fresh[i]) << kHandleShift), length, fresh[i]};
      return true;
    });
    posted |= got != 0;
    if (PW_UNLIKELY(got < want)) {
      queue.counters->add(kRX_NO_MBUF, want - got);
      break;
    }
  }
  if (posted) queue.publish(ring);
}

// Used buffers, taken from the ring a chunk at a time.
template <class Ring, bool kInOrder>
class UsedBuffers {
 public:
  UsedBuffers(Queue& queue, Ring& ring) noexcept : ring_(ring), longest_(queue.bufferLen) {}

  // At most `want` more, once all earlier ones are taken. Returns how many there are.
  PW_INLINE std::uint32_t collect(std::uint32_t want) noexcept {
    at_ = 0;
    have_ = ring_.template collect<kInOrder>(handles_, lengths_, std::min(want, kChunk));
    if (PW_UNLIKELY(have_ == Ring::kBroken)) {
      broken_ = true;
      have_ = 0;
    }
    for (std::uint32_t i = 0; i < have_; i++) {
      PW_PREFETCH_WRITE(mbufOf(handles_[i]));
      PW_PREFETCH(ownBuffer(mbufOf(handles_[i])) + kHeadroom);
    }
    return have_;
  }

  struct Buffer {
    Handle handle;
    std::uint32_t length;
  };

  bool empty() const noexcept { return at_ == have_; }
  bool broken() const noexcept { return broken_; }
  PW_INLINE Buffer next() noexcept {
    const std::uint32_t i = at_++;
    const std::uint32_t length = lengths_[i];
    return Buffer{handles_[i], PW_UNLIKELY(length == kWholeBuffer) ? longest_ : length};
  }

 private:
  Ring& ring_;
  std::uint32_t longest_;
  std::uint32_t at_ = 0;
  std::uint32_t have_ = 0;
  bool broken_ = false;
  Handle handles_[kChunk];
  std::uint32_t lengths_[kChunk];
};

PW_INLINE std::byte* headerOf(const Queue& queue, Handle handle) noexcept {
  return ownBuffer(mbufOf(handle)) + kHeadroom - queue.headerLen;
}

PW_INLINE std::uint16_t buffersOf(const Queue& queue, Handle handle) noexcept {
  std::uint16_t count;
  __builtin_memcpy(&count, headerOf(queue, handle) + offsetof(NetHdr, numBuffers), sizeof count);
  asm("" : "+r"(count));
  return count;
}

PW_INLINE void readOffload(Queue& queue, Handle handle) noexcept {
  const NetHdr header = offload::copyHeader(headerOf(queue, handle));
  if (PW_LIKELY(offload::fromHeader(*mbufOf(handle), header, offload::acceptedByDriver(queue.features))))
    return;
  queue.counters->add(kRX_BAD_OFFLOAD, 1);
}

// A packet of `count` buffers, of which `first` is the one with the header (virtio 1.2 §5.1.6.4). They were
// used together (§5.1.6.4.1), so that all of them are there or the device lies. kNoHandle: dropped and
// counted; its buffers went back to the pool.
template <class Used>
PW_NOINLINE Handle assemble(Queue& queue, Used& used, typename Used::Buffer first,
                            std::uint32_t count) noexcept {
  const bool headed = first.length >= queue.headerLen && first.length <= queue.bufferLen;
  Counter fault = headed ? kNoFault : kRX_BAD_LENGTH;
  Mbuf* const head = mbufOf(first.handle);
  resetForRx(head, queue.port, headed ? first.length - queue.headerLen : 0);
  Mbuf* last = head;
  std::uint32_t segments = 1;
  std::uint32_t total = head->pktLen;
  for (; segments < count; segments++) {
    if (used.empty() && used.collect(count - segments) == 0) {
      fault = kRX_BAD_CHAIN;
      break;
    }
    const typename Used::Buffer more = used.next();
    if (more.length == 0 || more.length > queue.bufferLen) fault = kRX_BAD_LENGTH;
    Mbuf* const segment = mbufOf(more.handle);
    resetForRx(segment, queue.port, 0);
    segment->dataOff = static_cast<std::uint16_t>(kHeadroom - queue.headerLen);
    segment->dataLen = static_cast<std::uint16_t>(std::min(more.length, queue.bufferLen));
    last->next = more.handle;
    last = segment;
    // At most 32,768 buffers of less than 64 KiB.
    total += segment->dataLen;
  }
  if (fault == kNoFault && (total < kMinFrame || total > kMaxFrame)) fault = kRX_BAD_LENGTH;
  if (fault != kNoFault) {
    queue.counters->add(fault, 1);
    freeChain(first.handle);
    return kNoHandle;
  }
  head->nbSegs = static_cast<std::uint16_t>(segments);
  head->pktLen = total;
  return first.handle;
}

struct NothingStopped {
  explicit NothingStopped(Counters&) noexcept {}
};

template <class Ring, bool kInOrder, bool kMergeable, bool kOffload, bool kFilter>
std::uint32_t rxBurst(void* context, Handle* out, std::uint32_t count) noexcept {
  Queue& queue = *static_cast<Queue*>(context);
  Ring& ring = queue.ringAs<Ring>();
  queue.counters->add(kPOLLS, 1);
  setAllocSite("virtio rx");
  const std::uint32_t headerLen = queue.headerLen;
  const std::uint32_t shortest = headerLen + kMinFrame;
  const std::uint32_t longest = queue.bufferLen;
  UsedBuffers<Ring, kInOrder> used(queue, ring);
  std::uint32_t received = 0;
  {
    BurstStats stats(*queue.counters);
    [[maybe_unused]] std::conditional_t<kFilter, StoppedPackets, NothingStopped> stopped(*queue.counters);
    // Good or bad, one burst of them: a device that returns nothing but rubbish cannot hold the lcore here.
    for (std::uint32_t left = count; left > 0;) {
      const std::uint32_t got = used.collect(left);
      if (got == 0) break;
      left -= got;
      while (!used.empty()) {
        const auto buffer = used.next();
        Handle packet = buffer.handle;
        std::uint32_t buffers = 1;
        if constexpr (kMergeable) buffers = buffersOf(queue, packet);
        if (PW_LIKELY(buffers == 1 && buffer.length >= shortest && buffer.length <= longest)) {
          resetForRx(mbufOf(packet), queue.port, buffer.length - headerLen);
        } else if (buffers > 1) {
          packet = assemble(queue, used, buffer, buffers);
          if (packet == kNoHandle) continue;
        } else {
          queue.counters->add(buffers == 0 ? kRX_BAD_CHAIN : kRX_BAD_LENGTH, 1);
          queue.pool->putBulk(&packet, 1);
          continue;
        }
        if constexpr (kFilter) {
          const RxFilter::Verdict verdict = judgePacket(*queue.filter, mbufOf(packet));
          if (PW_UNLIKELY(verdict != RxFilter::Verdict::kPass)) {
            stopped.add(packet, verdict);
            continue;
          }
        }
        if constexpr (kOffload) readOffload(queue, packet);
        const Mbuf* mbuf = mbufOf(packet);
        stats.add(dataOf(mbuf), mbuf->pktLen);
        out[received++] = packet;
      }
      if (got < kChunk) break;
    }
  }
  if (PW_UNLIKELY(used.broken())) {
    queue.breakRing("BAD_USED");
    return received;
  }
  if (ring.free() >= queue.threshold) refill<Ring, kInOrder>(queue, ring);
  return received;
}

// The same burst with VLAN tags taken out of it afterwards, so that the loop above need not ask.
template <BurstFn kBurst>
std::uint32_t rxStripped(void* context, Handle* out, std::uint32_t count) noexcept {
  const std::uint32_t received = kBurst(context, out, count);
  for (std::uint32_t i = 0; i < received; i++) offload::stripVlan(*mbufOf(out[i]));
  return received;
}

template <BurstFn kBurst>
BurstFn stripIf(bool strip) noexcept {
  return strip ? rxStripped<kBurst> : kBurst;
}

template <class Ring, bool kInOrder, bool kFilter>
BurstFn rxFor(const Queue& queue, bool offload) noexcept {
  const bool strip = queue.stripVlan;
  if ((queue.features & kNetMrgRxbuf) != 0) {
    return offload ? stripIf<rxBurst<Ring, kInOrder, true, true, kFilter>>(strip)
                   : stripIf<rxBurst<Ring, kInOrder, true, false, kFilter>>(strip);
  }
  return offload ? stripIf<rxBurst<Ring, kInOrder, false, true, kFilter>>(strip)
                 : stripIf<rxBurst<Ring, kInOrder, false, false, kFilter>>(strip);
}

template <class Ring, bool kInOrder>
BurstFn filterIf(const Queue& queue, bool offload) noexcept {
  return queue.filter->active() ? rxFor<Ring, kInOrder, true>(queue, offload)
                                : rxFor<Ring, kInOrder, false>(queue, offload);
}

template <class Ring>
void fill(Queue& queue) noexcept {
  Ring& ring = queue.ringAs<Ring>();
  if (queue.inOrder()) refill<Ring, true>(queue, ring);
  else refill<Ring, false>(queue, ring);
}

}  // namespace

BurstFn selectRx(const Queue& queue) noexcept {
  // Without these bits the device must leave flags and gso_type zero (virtio 1.2 §5.1.6.4.1).
  constexpr std::uint64_t kHeaderBits =
      kNetGuestCsum | kNetGuestTso4 | kNetGuestTso6 | kNetGuestUfo | kNetGuestEcn;
  const bool offload = (queue.features & kHeaderBits) != 0;
  if (std::holds_alternative<PackedDriver>(queue.ring)) {
    return queue.inOrder() ? filterIf<PackedDriver, true>(queue, offload)
                           : filterIf<PackedDriver, false>(queue, offload);
  }
  return queue.inOrder() ? filterIf<SplitDriver, true>(queue, offload)
                         : filterIf<SplitDriver, false>(queue, offload);
}

void fillRx(Queue& queue) noexcept {
  setAllocSite("virtio rx");
  if (std::holds_alternative<PackedDriver>(queue.ring)) fill<PackedDriver>(queue);
  else fill<SplitDriver>(queue);
}

void abandonRx(Queue& queue, std::vector<Handle>& sink) {
  const auto keep = [&sink](std::uint32_t cookie) { sink.push_back(cookie); };
  std::visit(
      [&](auto& ring) {
        if (queue.inOrder()) ring.template abandon<true>(keep);
        else ring.template abandon<false>(keep);
      },
      queue.ring);
}

}  // namespace pollwire::virtio
