// Transmit through a packet socket's ring: mbufs are copied into free frames, and one call sends them all.
// tx: the port owns the first n that are returned and has freed them; the caller still owns the rest.
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cstring>

#include "ethdev/packet_stats.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "offload/virtio_net.hpp"
#include "pmd/packet_port.hpp"

namespace pollwire::pmd {

namespace {

constexpr std::uint32_t kHeader = 10;
// Where the kernel looks for the data of a frame that is to be sent.
constexpr std::uint32_t kData = TPACKET2_HDRLEN - sizeof(sockaddr_ll);
// The kernel segments and completes what the device cannot.
constexpr offload::Accepted kAccepted{true, false, true, true, true, false};

struct PacketTx final : QueueEnd {
  PacketTx(BurstSlot& where, std::shared_ptr<PacketSocket> to)
      : slot(where), socket(std::move(to)), counters(*where.counters()) {
    longest = socket->frameSize() - kData - kHeader;
  }

  BurstSlot& slot;
  std::shared_ptr<PacketSocket> socket;
  Counters& counters;
  std::uint32_t longest;
  std::uint32_t next = 0;
};

bool isFree(const tpacket2_hdr& frame) noexcept {
  // Pairs with the kernel's barrier before it gives the frame back.
  const std::uint32_t status = loadAcquire(frame.tp_status);
  return status == TP_STATUS_AVAILABLE || (status & TP_STATUS_WRONG_FORMAT) != 0;
}

// False: the packet is to be dropped, and was counted.
PW_INLINE bool copyIn(PacketTx& queue, tpacket2_hdr& frame, Mbuf& packet) noexcept {
  virtio::NetHdr header{};
  if (PW_UNLIKELY(!isConsistent(&packet) ||
                  (offload::wantsHeader(packet) && !offload::toHeader(packet, header, kAccepted)))) {
    queue.counters.add(kTX_BAD_MBUF, 1);
    return false;
  }
  if (PW_UNLIKELY(packet.pktLen > queue.longest)) {
    queue.counters.add(kTX_TOO_BIG, 1);
    return false;
  }
  auto* to = reinterpret_cast<std::byte*>(&frame) + kData;
  std::memcpy(to, &header, kHeader);
  to += kHeader;
  for (const Mbuf* segment = &packet;; segment = mbufOf(segment->next)) {
    std::memcpy(to, dataOf(segment), segment->dataLen);
    to += segment->dataLen;
    if (PW_LIKELY(segment->next == kNoHandle)) break;
  }
  frame.tp_len = packet.pktLen + kHeader;
  frame.tp_snaplen = frame.tp_len;
  storeRelease(frame.tp_status, std::uint32_t{TP_STATUS_SEND_REQUEST});
  return true;
}

// Sends what is ready in the ring. What the device has no room for stays there for the next call.
void kick(PacketTx& queue) noexcept {
  if (::sendto(queue.socket->fd(), nullptr, 0, MSG_DONTWAIT, nullptr, 0) >= 0) return;
  if (errno != ENXIO && errno != ENODEV) return;
  queue.counters.add(kBROKEN, 1);
  queue.slot.closeFromInside(kSlotBroken);
}

std::uint32_t packetTx(void* context, Handle* handles, std::uint32_t count) noexcept {
  PacketTx& queue = *static_cast<PacketTx*>(context);
  PacketSocket& socket = *queue.socket;
  queue.counters.add(kPOLLS, 1);
  BurstStats stats(queue.counters);
  std::uint32_t taken = 0;
  bool ready = false;
  for (; taken < count; taken++) {
    auto& frame = *reinterpret_cast<tpacket2_hdr*>(socket.txFrame(queue.next));
    if (PW_UNLIKELY(!isFree(frame))) {
      kick(queue);
      if (!isFree(frame)) break;
    }
    Mbuf& packet = *mbufOf(handles[taken]);
    if (PW_UNLIKELY(!copyIn(queue, frame, packet))) continue;
    stats.add(dataOf(&packet), packet.pktLen);
    ready = true;
    if (++queue.next == socket.frames()) queue.next = 0;
  }
  if (taken < count) queue.counters.add(kTX_RING_FULL, count - taken);
  if (ready) kick(queue);
  freeBurst(handles, taken);
  return taken;
}

}  // namespace

std::unique_ptr<QueueEnd> bindPacketTx(BurstSlot& slot, std::shared_ptr<PacketSocket> socket) {
  auto queue = std::make_unique<PacketTx>(slot, std::move(socket));
  slot.bind(packetTx, queue.get());
  return queue;
}

}  // namespace pollwire::pmd
