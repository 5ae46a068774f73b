// The offload flags that DPDK's vhost gave received packets before 21.11
// (RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS not set): what is left open is asked for again as a transmit
// request. Called by vhost/ after a burst, on queues of ports with legacy-ol-flags=1.
#pragma once

#include <cstdint>

#include "mbuf/mbuf.hpp"
#include "net/ptype.hpp"

namespace pollwire::offload {

// RX_L4_CKSUM_NONE becomes TX_TCP_CKSUM or TX_UDP_CKSUM, RX_LRO becomes TX_TCP_SEG, with TX_IPV4 or TX_IPV6.
// Header lengths and tsoSegsz are there already (virtio_net.hpp), and packets without either flag stay as
// they are.
PW_INLINE void toTxRequests(Mbuf& mbuf) noexcept {
  const std::uint32_t flags = mbuf.olFlags;
  if (PW_LIKELY((flags & (kRxL4CksumNone | kRxLro)) == 0)) return;
  const bool tcp = (mbuf.packetType & PTYPE_L4_MASK) == PTYPE_L4_TCP;
  std::uint32_t asked = (mbuf.packetType & PTYPE_L3_MASK) == PTYPE_L3_IPV4 ? kTxIpv4 : kTxIpv6;
  if ((flags & kRxL4CksumNone) == kRxL4CksumNone) asked |= tcp ? kTxTcpCksum : kTxUdpCksum;
  if ((flags & kRxLro) != 0) asked |= tcp ? kTxTcpSeg : kTxUdpSeg;
  mbuf.olFlags = (flags & ~static_cast<std::uint32_t>(kRxL4CksumNone | kRxLro)) | asked;
}

}  // namespace pollwire::offload
