// Bounded readers of tunnel headers: each asks for the bytes before it reads them, options included.
#include "net/tunnel.hpp"

#include "net/ip.hpp"
#include "net/ptype.hpp"
#include "net/udp.hpp"

namespace pollwire {
namespace {

constexpr TunnelHeader kNoTunnel{0, 0, 0};

//   0             2          4
//   | C..K.S..ver | protocol | checksum (C) | key (K) | sequence (S) |
TunnelHeader parseGre(Bytes gre) noexcept {
  if (!gre.holds(0, 4)) return kNoTunnel;
  const std::uint16_t flags = gre.be16(0);
  const std::uint16_t protocol = gre.be16(2);
  // Version 1 is PPTP; source routing (R) is obsolete and has no fixed length.
  if ((flags & 0x4007) != 0) return kNoTunnel;
  std::uint16_t length = 4;
  for (const unsigned present : {0x8000u, 0x2000u, 0x1000u}) {
    if ((flags & present) != 0) length = static_cast<std::uint16_t>(length + 4);
  }
  if (!gre.holds(0, length)) return kNoTunnel;
  switch (protocol) {
    case kEtherTeb:
      return {PTYPE_TUNNEL_NVGRE, length, kEtherTeb};
    case kEtherMpls:
    case kEtherMplsMulticast:
      return {PTYPE_TUNNEL_MPLS_IN_GRE, length, 0};
    default:
      return {PTYPE_TUNNEL_GRE, length, protocol};
  }
}

//   0       1          4     7
//   | flags | reserved | VNI | reserved |
TunnelHeader parseVxlan(Bytes vxlan) noexcept {
  if (!vxlan.holds(0, 8) || (vxlan.u8(0) & 0x08) == 0) return kNoTunnel;  // I: the VNI is valid
  return {PTYPE_TUNNEL_VXLAN, 8, kEtherTeb};
}

//   0       1          3      4     7
//   | flags | reserved | next | VNI | reserved |
TunnelHeader parseVxlanGpe(Bytes vxlan) noexcept {
  if (!vxlan.holds(0, 8)) return kNoTunnel;
  constexpr std::uint16_t kNext[] = {0, kEtherIpv4, kEtherIpv6, kEtherTeb};
  const std::uint8_t next = vxlan.u8(3);
  return {PTYPE_TUNNEL_VXLAN_GPE, 8, next < 4 ? kNext[next] : std::uint16_t{0}};
}

//   0                     1       2          4     7
//   | version:2, optlen:6 | flags | protocol | VNI | reserved | options …
TunnelHeader parseGeneve(Bytes geneve) noexcept {
  if (!geneve.holds(0, 8) || geneve.u8(0) >> 6 != 0) return kNoTunnel;
  const auto length = static_cast<std::uint16_t>(8 + (geneve.u8(0) & 0x3f) * 4);
  if (!geneve.holds(0, length)) return kNoTunnel;
  return {PTYPE_TUNNEL_GENEVE, length, geneve.be16(2)};
}

}  // namespace

TunnelHeader parseIpTunnel(std::uint8_t protocol, Bytes after) noexcept {
  switch (protocol) {
    case kIpGre:
      return parseGre(after);
    case kIpIpv4:
      return {PTYPE_TUNNEL_IP, 0, kEtherIpv4};
    case kIpIpv6:
      return {PTYPE_TUNNEL_IP, 0, kEtherIpv6};
    default:
      return kNoTunnel;
  }
}

TunnelHeader parseUdpTunnel(std::uint16_t port, Bytes payload) noexcept {
  switch (port) {
    case kUdpVxlan:
      return parseVxlan(payload);
    case kUdpVxlanGpe:
      return parseVxlanGpe(payload);
    case kUdpGeneve:
      return parseGeneve(payload);
    default:
      return kNoTunnel;
  }
}

}  // namespace pollwire
