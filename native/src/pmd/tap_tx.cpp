// Transmit into a TUN/TAP queue: every packet is handed to the kernel's stack before the burst ends. tx: the
// port owns the first n that are returned and has freed them; the caller still owns the rest.
#include <sys/uio.h>

#include <array>

#include "ethdev/packet_stats.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "offload/virtio_net.hpp"
#include "pmd/tap_port.hpp"

namespace pollwire::pmd {

namespace {

constexpr std::uint32_t kHeader = 10;
constexpr std::uint32_t kMaxSegments = 1023;

// The kernel takes every offload without having been asked (it segments and completes as its receivers need
// it).
constexpr offload::Accepted kAccepted{true, false, true, true, true, false};

struct TapTx final : QueueEnd {
  TapTx(BurstSlot& where, int queue) : slot(where), counters(*where.counters()), fd(queue) {}

  BurstSlot& slot;
  Counters& counters;
  int fd;
  std::array<iovec, 1 + kMaxSegments> pieces;
};

enum class Sent : std::uint8_t { kSent, kDropped, kNotNow };

Sent refused(TapTx& queue) noexcept {
  switch (errno) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
    case EINTR:
      queue.counters.add(kTX_RING_FULL, 1);
      return Sent::kNotNow;
    case EIO:
      // The interface is down.
      return Sent::kNotNow;
    case EBADFD:
      queue.counters.add(kBROKEN, 1);
      queue.slot.closeFromInside(kSlotBroken);
      return Sent::kNotNow;
    default:
      queue.counters.add(kTX_BAD_MBUF, 1);
      return Sent::kDropped;
  }
}

PW_INLINE Sent sendOne(TapTx& queue, Mbuf& packet) noexcept {
  virtio::NetHdr header{};
  if (PW_UNLIKELY(!isConsistent(&packet) ||
                  (offload::wantsHeader(packet) && !offload::toHeader(packet, header, kAccepted)))) {
    queue.counters.add(kTX_BAD_MBUF, 1);
    return Sent::kDropped;
  }
  if (PW_UNLIKELY(packet.nbSegs > kMaxSegments)) {
    queue.counters.add(kTX_TOO_BIG, 1);
    return Sent::kDropped;
  }
  queue.pieces[0] = iovec{&header, kHeader};
  std::uint32_t count = 1;
  const Mbuf* segment = &packet;
  for (;;) {
    queue.pieces[count++] = iovec{dataOf(segment), segment->dataLen};
    if (PW_LIKELY(segment->next == kNoHandle)) break;
    segment = mbufOf(segment->next);
  }
  if (PW_LIKELY(::writev(queue.fd, queue.pieces.data(), static_cast<int>(count)) >= 0)) return Sent::kSent;
  return refused(queue);
}

template <bool kTun>
std::uint32_t tapTx(void* context, Handle* handles, std::uint32_t count) noexcept {
  TapTx& queue = *static_cast<TapTx*>(context);
  queue.counters.add(kPOLLS, 1);
  BurstStats stats(queue.counters);
  std::uint32_t taken = 0;
  for (; taken < count; taken++) {
    Mbuf& packet = *mbufOf(handles[taken]);
    const Sent sent = sendOne(queue, packet);
    if (PW_UNLIKELY(sent == Sent::kNotNow)) break;
    static constexpr std::byte kNoAddress[6] = {};
    if (PW_LIKELY(sent == Sent::kSent)) stats.add(kTun ? kNoAddress : dataOf(&packet), packet.pktLen);
  }
  freeBurst(handles, taken);
  return taken;
}

}  // namespace

std::unique_ptr<QueueEnd> bindTapTx(BurstSlot& slot, int fd, bool tun) {
  auto queue = std::make_unique<TapTx>(slot, fd);
  slot.bind(tun ? tapTx<true> : tapTx<false>, queue.get());
  return queue;
}

}  // namespace pollwire::pmd
