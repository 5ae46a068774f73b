// virtio-net header ↔ mbuf offload fields (virtio 1.2 §5.1.6), the same for both sides of a ring.
// Called per packet by vhost/ and virtio/ when a checksum or segmentation feature was negotiated.
#pragma once

#include <cstdint>

#include "mbuf/mbuf.hpp"
#include "virtqueue/net_hdr.hpp"

namespace pollwire::offload {

// Reads a received header into the mbuf. The header is a private copy; nothing in it is trusted. False: the header asks
// for something impossible (a checksum outside the packet, an unknown or not negotiated segmentation); the packet is then
// delivered without offload information.
bool fromHeader(Mbuf& mbuf, const virtio::NetHdr& header, std::uint64_t features) noexcept;

// Fills the header for a packet that is about to be handed to the peer, from what the application asked for and what the
// peer accepts. Computes checksums in software where the peer did not negotiate them, so the payload may change.
// False: the packet asks for something that cannot be done (segmentation that the peer does not accept).
bool toHeader(Mbuf& mbuf, virtio::NetHdr& header, std::uint64_t features) noexcept;

// Features of the peer under which toHeader has work to do even for packets without offload requests: none.
constexpr bool wantsHeader(const Mbuf& mbuf) noexcept {
  constexpr std::uint32_t kAsked = kTxIpCksum | kTxTcpCksum | kTxUdpCksum | kTxTcpSeg | kTxUdpSeg | kTxVlan;
  return (mbuf.olFlags & kAsked) != 0;
}

}  // namespace pollwire::offload
