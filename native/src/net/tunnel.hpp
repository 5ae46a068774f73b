// Tunnel headers between an outer and an inner packet: GRE and NVGRE (RFC 2784, 2890, 7637), VXLAN (RFC
// 7348), VXLAN-GPE, GENEVE (RFC 8926), IP in IP (RFC 2003, 4213). Called by the packet parser.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "net/ether.hpp"

namespace pollwire {

struct TunnelHeader {
  std::uint32_t type;    // PTYPE_TUNNEL_*, 0 = none of ours
  std::uint16_t length;  // bytes
  std::uint16_t
      innerEtherType;  // kEtherTeb: a whole frame follows; kEtherIpv4, kEtherIpv6: a packet; 0: unknown
};

// `after`: what follows the IP header of this protocol.
TunnelHeader parseIpTunnel(std::uint8_t protocol, Bytes after) noexcept;

// `payload`: what follows a UDP header with this destination port.
TunnelHeader parseUdpTunnel(std::uint16_t port, Bytes payload) noexcept;

}  // namespace pollwire
