// virtio-net header ↔ mbuf offload fields (virtio 1.2 §5.1.6), the same for both sides of a ring. Called per
// packet by vhost/ and virtio/ when a checksum or segmentation feature was negotiated. Mbuf flags have
// ethdev's meaning; the checksum of a packet received with RX_L4_CKSUM_NONE is completed, or handed on as
// incomplete, when the packet is transmitted again.
#pragma once

#include <cstdint>

#include "mbuf/mbuf.hpp"
#include "virtqueue/features.hpp"
#include "virtqueue/net_hdr.hpp"

namespace pollwire::offload {

// What the reader of a header may be asked to do, from the negotiated features and the direction of the
// packet.
struct Accepted {
  bool csum = false;
  // DATA_VALID counts. Towards a device it does not (§5.1.6.2.2).
  bool dataValid = false;
  bool tso4 = false;
  bool tso6 = false;
  bool ecn = false;
  bool ufo = false;
};

// Packets from the driver to the device: vhost rx, virtio tx.
constexpr Accepted acceptedByDevice(std::uint64_t features) noexcept {
  return Accepted{(features & virtio::kNetCsum) != 0,     false,
                  (features & virtio::kNetHostTso4) != 0, (features & virtio::kNetHostTso6) != 0,
                  (features & virtio::kNetHostEcn) != 0,  (features & virtio::kNetHostUfo) != 0};
}

// Packets from the device to the driver: vhost tx, virtio rx.
constexpr Accepted acceptedByDriver(std::uint64_t features) noexcept {
  const bool csum = (features & virtio::kNetGuestCsum) != 0;
  return Accepted{csum,
                  csum,
                  (features & virtio::kNetGuestTso4) != 0,
                  (features & virtio::kNetGuestTso6) != 0,
                  (features & virtio::kNetGuestEcn) != 0,
                  (features & virtio::kNetGuestUfo) != 0};
}

// A header copied out of the peer's memory, once: the compiler cannot go back there for a second look.
PW_INLINE virtio::NetHdr copyHeader(const std::byte* from) noexcept {
  std::uint64_t front;
  std::uint16_t csumOffset;
  __builtin_memcpy(&front, from, 8);
  __builtin_memcpy(&csumOffset, from + 8, 2);
  asm("" : "+r"(front), "+r"(csumOffset));
  virtio::NetHdr header;
  __builtin_memcpy(&header, &front, 8);
  header.csumOffset = csumOffset;
  header.numBuffers = 0;
  return header;
}

namespace detail {
bool readHeader(Mbuf& mbuf, const virtio::NetHdr& header, const Accepted& accepted) noexcept;
}

// Reads a received header, a private copy, into the mbuf; nothing in it is trusted. The packet is complete
// and belongs to the caller alone. Sets RX_L4_CKSUM_NONE (integrity is known, the checksum field holds only
// the pseudo header's sum) or RX_L4_CKSUM_GOOD, RX_LRO with tsoSegsz, packetType and the header lengths;
// computes checksums that mbuf flags cannot describe. False: the header asks for something impossible or not
// negotiated; that part of it is ignored.
PW_INLINE bool fromHeader(Mbuf& mbuf, const virtio::NetHdr& header, const Accepted& accepted) noexcept {
  if (PW_LIKELY((header.flags | header.gsoType) == 0)) return true;
  return detail::readHeader(mbuf, header, accepted);
}

// Whether toHeader has work to do for this packet; without it the header is all zero. A partial checksum
// shows as two neighbouring bits, both set.
PW_INLINE bool wantsHeader(const Mbuf& mbuf) noexcept {
  static_assert(kRxL4CksumGood == kRxL4CksumBad << 1);
  constexpr std::uint32_t kAsked =
      kTxIpCksum | kTxTcpCksum | kTxUdpCksum | kTxTcpSeg | kTxUdpSeg | kTxVlan | kRxLro;
  const std::uint32_t flags = mbuf.olFlags;
  return ((flags & kAsked) | (flags & (flags >> 1) & kRxL4CksumBad)) != 0;
}

// Fills the header for a packet that is about to be handed to a peer, from what the application asked for
// (TX_*) or what came with the packet (RX_L4_CKSUM_NONE, RX_LRO), and what the peer accepts. l2Len, l3Len
// and, for segmentation, l4Len are set. Checksum fields are written here, whatever they held: the pseudo
// header's sum where the peer completes it, the whole checksum where it does not. VLAN tags are inserted in
// software, into the headroom. What was done in software is taken out of olFlags, so that a packet that did
// not fit can be sent again. The packet is consistent (isConsistent). The payload of clones is written too:
// equal requests give equal bytes, so clones may be sent one after the other. False: it cannot be done:
// segmentation that the peer does not accept, lengths outside the packet, UDP segmentation, a tag for a
// packet that is shared or has no headroom. The packet is to be dropped.
bool toHeader(Mbuf& mbuf, virtio::NetHdr& header, const Accepted& accepted) noexcept;

}  // namespace pollwire::offload
