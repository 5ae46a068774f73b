// Receive from a TUN/TAP queue: each packet is read into mbufs that wait for it, chained as far as it
// reaches. rx: the caller owns what is returned.
#include <sys/uio.h>

#include <algorithm>
#include <string>
#include <vector>

#include "ethdev/packet_stats.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "offload/virtio_net.hpp"
#include "offload/vlan_strip.hpp"
#include "pmd/tap_port.hpp"

namespace pollwire::pmd {

namespace {

constexpr std::uint32_t kHeader = 10;
constexpr std::uint32_t kMinFrame = 14;
// The largest IP packet behind Ethernet and a VLAN tag.
constexpr std::uint32_t kMaxFrame = 65535 + 18;
// Of the kernel's 1024: one is the header, one the spill.
constexpr std::uint32_t kMaxSegments = 1022;

constexpr offload::Accepted kAccepted{true, true, true, true, true, false};

struct TapRx final : QueueEnd {
  TapRx(BurstSlot& where, Mempool& source, int queue, const TapRxOptions& options)
      : slot(where), pool(source), counters(*where.counters()), fd(queue), port(options.port) {
    room = pool.segmentRoom();
    held.resize(std::min((kMaxFrame + room - 1) / room, kMaxSegments));
    pieces.resize(held.size() + 2);
    pieces[0] = iovec{&header, kHeader};
    pool.retain();
  }
  ~TapRx() override {
    if (have != 0) pool.putBulk(held.data(), have);
    pool.release();
  }

  // Mbufs for one largest packet, or as many of them as the pool has. The spill behind them shows that a
  // packet was longer.
  PW_INLINE void post() noexcept {
    while (PW_LIKELY(have < held.size())) {
      const Handle fresh = pool.alloc();
      if (PW_UNLIKELY(fresh == kNoHandle)) break;
      held[have++] = fresh;
      pieces[have] = iovec{ownBuffer(mbufOf(fresh)) + kHeadroom, room};
    }
    pieces[have + 1] = iovec{&spill, 1};
  }

  // The first `count` of the posted mbufs go; the last ones take their places.
  PW_INLINE void take(std::uint32_t count) noexcept {
    const std::uint32_t left = have - count;
    const std::uint32_t moved = std::min(count, left);
    for (std::uint32_t i = 0; i < moved; i++) {
      held[i] = held[have - moved + i];
      pieces[1 + i] = pieces[1 + have - moved + i];
    }
    have = left;
  }

  BurstSlot& slot;
  Mempool& pool;
  Counters& counters;
  int fd;
  std::uint16_t port;
  std::uint32_t room;
  std::uint32_t have = 0;
  virtio::NetHdr header{};
  std::byte spill{};
  std::vector<Handle> held;
  std::vector<iovec> pieces;
};

// The first mbufs that are posted become a packet of `length` bytes.
PW_INLINE Handle assemble(TapRx& queue, std::uint32_t length) noexcept {
  const Handle first = queue.held[0];
  Mbuf* const packet = mbufOf(first);
  resetForRx(packet, queue.port, std::min(length, queue.room));
  std::uint32_t segments = 1;
  Mbuf* last = packet;
  for (std::uint32_t left = length - packet->dataLen; PW_UNLIKELY(left > 0); segments++) {
    const std::uint32_t piece = std::min(left, queue.room);
    last->next = queue.held[segments];
    last = mbufOf(last->next);
    resetForRx(last, queue.port, piece);
    left -= piece;
  }
  packet->pktLen = length;
  packet->nbSegs = static_cast<std::uint16_t>(segments);
  queue.take(segments);
  return first;
}

template <bool kTun, bool kStrip>
std::uint32_t tapRx(void* context, Handle* out, std::uint32_t count) noexcept {
  TapRx& queue = *static_cast<TapRx*>(context);
  queue.counters.add(kPOLLS, 1);
  setAllocSite("tap rx");
  BurstStats stats(queue.counters);
  std::uint32_t received = 0;
  // What is dropped counts against the burst too: rubbish cannot hold the lcore here.
  for (std::uint32_t turn = 0; turn < count; turn++) {
    queue.post();
    if (PW_UNLIKELY(queue.have == 0)) {
      queue.counters.add(kRX_NO_MBUF, 1);
      break;
    }
    const ssize_t read = ::readv(queue.fd, queue.pieces.data(), static_cast<int>(queue.have) + 2);
    if (read < 0) {
      // The interface was deleted under us; the control plane hears of it from the kernel.
      if (PW_UNLIKELY(errno == EBADFD)) {
        queue.counters.add(kBROKEN, 1);
        queue.slot.closeFromInside(kSlotBroken);
      }
      break;
    }
    const auto length = static_cast<std::uint32_t>(read) - kHeader;
    if (PW_UNLIKELY(read < static_cast<ssize_t>(kHeader + (kTun ? 1 : kMinFrame)))) {
      queue.counters.add(kRX_BAD_LENGTH, 1);
      continue;
    }
    if (PW_UNLIKELY(length > queue.have * queue.room)) {
      queue.counters.add(queue.have < queue.held.size() ? kRX_NO_MBUF : kRX_BAD_LENGTH, 1);
      continue;
    }
    const Handle handle = assemble(queue, length);
    Mbuf& packet = *mbufOf(handle);
    if constexpr (!kTun) {
      if (PW_UNLIKELY(!offload::fromHeader(packet, queue.header, kAccepted)))
        queue.counters.add(kRX_BAD_OFFLOAD, 1);
      if constexpr (kStrip) offload::stripVlan(packet);
    }
    static constexpr std::byte kNoAddress[6] = {};
    stats.add(kTun ? kNoAddress : dataOf(&packet), packet.pktLen);
    out[received++] = handle;
  }
  return received;
}

// The descriptor itself says when there is something to read.
bool armTap(void*, bool) noexcept { return false; }

}  // namespace

Result<std::unique_ptr<QueueEnd>> bindTapRx(BurstSlot& slot, int fd, const TapRxOptions& options) {
  Mempool* pool = Mempool::byId(options.pool);
  if (pool == nullptr)
    return Status(StatusCode::kNotFound, "tap port: there is no pool " + std::to_string(options.pool));
  auto queue = std::make_unique<TapRx>(slot, *pool, fd, options);
  const BurstFn burst = options.tun         ? tapRx<true, false>
                        : options.stripVlan ? tapRx<false, true>
                                            : tapRx<false, false>;
  slot.bind(burst, queue.get());
  slot.setWait(fd, armTap, BurstSlot::WaitKind::kSource);
  return std::unique_ptr<QueueEnd>(std::move(queue));
}

}  // namespace pollwire::pmd
