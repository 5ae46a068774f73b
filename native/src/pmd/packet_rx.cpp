// Receive from a packet socket's ring: frames are copied into mbufs and given back to the kernel at once. rx:
// the caller owns what is returned.
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "ethdev/packet_stats.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "net/vlan.hpp"
#include "offload/virtio_net.hpp"
#include "pmd/packet_port.hpp"

namespace pollwire::pmd {

namespace {

constexpr std::uint32_t kHeader = 10;
constexpr std::uint32_t kMinFrame = 14;
constexpr std::uint32_t kAddresses = 12;
constexpr offload::Accepted kAccepted{true, true, true, true, true, false};

struct PacketRx final : QueueEnd {
  PacketRx(BurstSlot& slot, std::shared_ptr<PacketSocket> from, Mempool& source,
           const PacketRxOptions& options)
      : socket(std::move(from)), pool(source), counters(*slot.counters()), port(options.port) {
    pool.retain();
  }
  ~PacketRx() override { pool.release(); }

  std::shared_ptr<PacketSocket> socket;
  Mempool& pool;
  Counters& counters;
  std::uint16_t port;
  std::uint32_t next = 0;
};

// Appends bytes to a packet that is being made, with more segments as it grows.
class PacketWriter {
 public:
  PacketWriter(Mempool& pool, Mbuf& first, std::uint16_t port) noexcept
      : pool_(pool), first_(first), last_(&first), room_(pool.segmentRoom()) {
    resetForRx(&first, port, 0);
  }

  // False when the pool is empty.
  PW_INLINE bool append(const std::byte* from, std::uint32_t length) noexcept {
    while (length > 0) {
      if (PW_UNLIKELY(last_->dataLen == room_) && !grow()) return false;
      const std::uint32_t piece = std::min<std::uint32_t>(length, room_ - last_->dataLen);
      std::memcpy(dataOf(last_) + last_->dataLen, from, piece);
      last_->dataLen = static_cast<std::uint16_t>(last_->dataLen + piece);
      first_.pktLen += piece;
      from += piece;
      length -= piece;
    }
    return true;
  }

 private:
  bool grow() noexcept {
    const Handle fresh = pool_.alloc();
    if (fresh == kNoHandle) return false;
    resetForRx(mbufOf(fresh), first_.port, 0);
    last_->next = fresh;
    last_ = mbufOf(fresh);
    first_.nbSegs++;
    return true;
  }

  Mempool& pool_;
  Mbuf& first_;
  Mbuf* last_;
  std::uint32_t room_;
};

// The kernel takes the outermost tag out of the frame and into the frame's header; here it goes back, or into
// the mbuf.
template <bool kStrip>
PW_INLINE bool fill(PacketRx& queue, const tpacket2_hdr& frame, std::uint32_t status, Mbuf& packet) noexcept {
  const auto* bytes = reinterpret_cast<const std::byte*>(&frame) + frame.tp_mac;
  virtio::NetHdr header = offload::copyHeader(bytes - kHeader);
  PacketWriter writer(queue.pool, packet, queue.port);
  const std::uint32_t length = frame.tp_snaplen;
  const bool tagged = (status & TP_STATUS_VLAN_VALID) != 0;
  if (PW_LIKELY(!tagged)) {
    if (PW_UNLIKELY(!writer.append(bytes, length))) return false;
  } else {
    const std::uint16_t type = (status & TP_STATUS_VLAN_TPID_VALID) != 0 ? frame.tp_vlan_tpid : kEtherVlan;
    if (kStrip && type == kEtherVlan) {
      if (!writer.append(bytes, length)) return false;
      packet.vlanTci = frame.tp_vlan_tci;
      packet.olFlags |= kRxVlan | kRxVlanStripped;
    } else {
      std::byte tag[kVlanTagLength];
      storeBe16(tag, type);
      storeBe16(tag + 2, frame.tp_vlan_tci);
      if (!writer.append(bytes, kAddresses) || !writer.append(tag, kVlanTagLength) ||
          !writer.append(bytes + kAddresses, length - kAddresses))
        return false;
      header.csumStart = static_cast<std::uint16_t>(header.csumStart + kVlanTagLength);
    }
  }
  if (PW_UNLIKELY(!offload::fromHeader(packet, header, kAccepted))) queue.counters.add(kRX_BAD_OFFLOAD, 1);
  return true;
}

template <bool kStrip>
std::uint32_t packetRx(void* context, Handle* out, std::uint32_t count) noexcept {
  PacketRx& queue = *static_cast<PacketRx*>(context);
  PacketSocket& socket = *queue.socket;
  queue.counters.add(kPOLLS, 1);
  setAllocSite("af_packet rx");
  BurstStats stats(queue.counters);
  std::uint32_t received = 0;
  for (std::uint32_t turn = 0; turn < count; turn++) {
    auto& frame = *reinterpret_cast<tpacket2_hdr*>(socket.rxFrame(queue.next));
    // Pairs with the kernel's barrier before it sets the status (packet(7)).
    const std::uint32_t status = loadAcquire(frame.tp_status);
    if ((status & TP_STATUS_USER) == 0) break;
    const bool whole = frame.tp_snaplen == frame.tp_len && frame.tp_snaplen >= kMinFrame;
    if (PW_LIKELY(whole)) {
      const Handle handle = queue.pool.alloc();
      if (PW_UNLIKELY(handle == kNoHandle)) {
        // The frame stays where it is.
        queue.counters.add(kRX_NO_MBUF, 1);
        break;
      }
      Mbuf& packet = *mbufOf(handle);
      if (PW_UNLIKELY(!fill<kStrip>(queue, frame, status, packet))) {
        queue.counters.add(kRX_NO_MBUF, 1);
        freeChain(handle);
        break;
      }
      stats.add(dataOf(&packet), packet.pktLen);
      out[received++] = handle;
    } else {
      // Longer than a frame of the ring: framesz.
      queue.counters.add(kRX_BAD_LENGTH, 1);
    }
    storeRelease(frame.tp_status, std::uint32_t{TP_STATUS_KERNEL});
    if (++queue.next == socket.frames()) queue.next = 0;
  }
  return received;
}

// Frames that are waiting make the socket readable. An error that waits there (the interface went down) would
// too, for ever: asking for it takes it away.
bool armPacket(void* context, bool wanted) noexcept {
  if (!wanted) return false;
  const auto& queue = *static_cast<const PacketRx*>(context);
  int error = 0;
  socklen_t length = sizeof error;
  (void)::getsockopt(queue.socket->fd(), SOL_SOCKET, SO_ERROR, &error, &length);
  return false;
}

}  // namespace

Result<std::unique_ptr<QueueEnd>> bindPacketRx(BurstSlot& slot, std::shared_ptr<PacketSocket> socket,
                                               const PacketRxOptions& options) {
  Mempool* pool = Mempool::byId(options.pool);
  if (pool == nullptr)
    return Status(StatusCode::kNotFound, "af_packet port: there is no pool " + std::to_string(options.pool));
  const int fd = socket->fd();
  auto queue = std::make_unique<PacketRx>(slot, std::move(socket), *pool, options);
  slot.bind(options.stripVlan ? packetRx<true> : packetRx<false>, queue.get());
  slot.setWait(fd, armPacket, BurstSlot::WaitKind::kSource);
  return std::unique_ptr<QueueEnd>(std::move(queue));
}

}  // namespace pollwire::pmd
