// The packet parser: L2, L3 and L4 once for the outer packet and once for what a tunnel carries.
#include "net/ptype.hpp"

#include "net/ether.hpp"
#include "net/ip.hpp"
#include "net/tcp.hpp"
#include "net/tunnel.hpp"
#include "net/udp.hpp"
#include "net/vlan.hpp"

namespace pollwire {
namespace {

// Headers of one level, with the field values of the outer level (PTYPE_L2_* …).
struct Level {
  std::uint32_t l2 = 0, l3 = 0, l4 = 0;
  std::uint16_t l2Length = 0, l3Length = 0, l4Length = 0;
  std::uint16_t etherType = 0;  // of what follows L2
  std::uint8_t protocol = 0;    // of what follows L3; valid when `transport`
  bool transport = false;       // L3 was read and an L4 header follows
  std::uint16_t udpPort = 0;    // destination, when L4 is UDP
};

constexpr unsigned kMaxMplsLabels = 8;
constexpr std::size_t kMplsLabelLength = 4;
constexpr std::size_t kSctpLength = 12;

std::uint32_t l2Type(std::uint16_t etherType) noexcept {
  switch (etherType) {
    case kEtherArp:
      return PTYPE_L2_ETHER_ARP;
    case kEther1588:
      return PTYPE_L2_ETHER_TIMESYNC;
    case kEtherLldp:
      return PTYPE_L2_ETHER_LLDP;
    case kEtherNsh:
      return PTYPE_L2_ETHER_NSH;
    case kEtherPppoeDiscovery:
    case kEtherPppoeSession:
      return PTYPE_L2_ETHER_PPPOE;
    case kEtherFcoe:
      return PTYPE_L2_ETHER_FCOE;
    default:
      return PTYPE_L2_ETHER;
  }
}

// Skips the label stack (RFC 3032). What is below the last label has no type: IP tells by its version.
void skipMpls(Bytes frame, Level& level) noexcept {
  level.l2 = PTYPE_L2_ETHER_MPLS;
  level.etherType = 0;
  std::size_t at = level.l2Length;
  level.l2Length = 0;  // until the last label is found
  for (unsigned i = 0; i < kMaxMplsLabels && frame.holds(at, kMplsLabelLength); i++) {
    const bool last = (frame.u8(at + 2) & 1) != 0;
    at += kMplsLabelLength;
    if (!last) continue;
    level.l2Length = static_cast<std::uint16_t>(at);
    if (!frame.holds(at, 1)) return;
    const unsigned version = frame.u8(at) >> 4;
    if (version == 4) level.etherType = kEtherIpv4;
    if (version == 6) level.etherType = kEtherIpv6;
    return;
  }
}

void parseL2(Bytes frame, Level& level) noexcept {
  if (!frame.holds(0, EtherView::kLength)) return;
  const auto tags = walkVlanTags(frame);
  if (!tags) {  // cut inside a tag
    level.l2 = PTYPE_L2_ETHER;
    return;
  }
  level.l2Length = tags->l2Length;
  level.etherType = tags->etherType;
  level.l2 = tags->count == 0   ? l2Type(tags->etherType)
             : tags->count == 1 ? PTYPE_L2_ETHER_VLAN
                                : PTYPE_L2_ETHER_QINQ;
  if (tags->etherType == kEtherMpls || tags->etherType == kEtherMplsMulticast) skipMpls(frame, level);
}

// Returns what follows L3, bounded by the packet's own length.
Bytes parseIpv4(Bytes packet, Level& level) noexcept {
  const auto ip = Ipv4View::parse(packet);
  if (!ip) return {};
  level.l3Length = static_cast<std::uint16_t>(ip->headerLength());
  level.l3 = level.l3Length == Ipv4View::kMinLength ? PTYPE_L3_IPV4 : PTYPE_L3_IPV4_EXT;
  if (ip->isFragment()) {
    level.l4 = PTYPE_L4_FRAG;
    return {};
  }
  level.protocol = ip->protocol();
  level.transport = true;
  return ip->payload();
}

Bytes parseIpv6(Bytes packet, Level& level) noexcept {
  const auto ip = Ipv6View::parse(packet);
  if (!ip) return {};
  const Ipv6Extensions extensions = walkIpv6Extensions(*ip);
  level.l3 = extensions.present ? PTYPE_L3_IPV6_EXT : PTYPE_L3_IPV6;
  if (!extensions.complete) return {};
  level.l3Length = extensions.headerLength;
  if (extensions.fragment) {
    level.l4 = PTYPE_L4_FRAG;
    return {};
  }
  level.protocol = extensions.protocol;
  level.transport = true;
  return ip->bounded().from(extensions.headerLength);
}

void parseL4(Bytes bytes, Level& level) noexcept {
  level.l4 = PTYPE_L4_NONFRAG;
  switch (level.protocol) {
    case kIpTcp:
      level.l4 = PTYPE_L4_TCP;
      if (const auto tcp = TcpView::parse(bytes))
        level.l4Length = static_cast<std::uint16_t>(tcp->headerLength());
      break;
    case kIpUdp:
      level.l4 = PTYPE_L4_UDP;
      if (const auto udp = UdpView::parse(bytes)) {
        level.l4Length = UdpView::kLength;
        level.udpPort = udp->destinationPort();
      }
      break;
    case kIpSctp:
      level.l4 = PTYPE_L4_SCTP;
      if (bytes.holds(0, kSctpLength)) level.l4Length = kSctpLength;
      break;
    case kIpIcmp:
    case kIpIcmpv6:
      level.l4 = PTYPE_L4_ICMP;
      break;
    case kIpIgmp:
      level.l4 = PTYPE_L4_IGMP;
      break;
    default:
      break;
  }
}

// L3 and, unless a tunnel header follows, L4. Returns what follows L3.
Bytes parseL3(Bytes packet, Level& level) noexcept {
  if (level.etherType == kEtherIpv4) return parseIpv4(packet, level);
  if (level.etherType == kEtherIpv6) return parseIpv6(packet, level);
  return {};
}

std::uint32_t innerL2(std::uint32_t l2) noexcept {
  if (l2 == PTYPE_UNKNOWN) return PTYPE_UNKNOWN;
  if (l2 == PTYPE_L2_ETHER_VLAN) return PTYPE_INNER_L2_ETHER_VLAN;
  if (l2 == PTYPE_L2_ETHER_QINQ) return PTYPE_INNER_L2_ETHER_QINQ;
  return PTYPE_INNER_L2_ETHER;
}

std::uint32_t innerL3(std::uint32_t l3) noexcept {
  switch (l3) {
    case PTYPE_L3_IPV4:
      return PTYPE_INNER_L3_IPV4;
    case PTYPE_L3_IPV4_EXT:
      return PTYPE_INNER_L3_IPV4_EXT;
    case PTYPE_L3_IPV6:
      return PTYPE_INNER_L3_IPV6;
    case PTYPE_L3_IPV6_EXT:
      return PTYPE_INNER_L3_IPV6_EXT;
    default:
      return PTYPE_UNKNOWN;
  }
}

std::uint32_t innerL4(std::uint32_t l4) noexcept {
  // The inner field has no number for IGMP.
  return l4 == PTYPE_L4_IGMP ? PTYPE_INNER_L4_NONFRAG : l4 << 16;
}

void parseInner(Bytes bytes, std::uint16_t etherType, PacketLayout& layout) noexcept {
  Level inner;
  if (etherType == kEtherTeb) {
    parseL2(bytes, inner);
    bytes = inner.l2Length != 0 ? bytes.from(inner.l2Length) : Bytes();
  } else {
    inner.etherType = etherType;
  }
  const Bytes after = parseL3(bytes, inner);
  if (inner.transport) parseL4(after, inner);
  layout.type |= innerL2(inner.l2) | innerL3(inner.l3) | innerL4(inner.l4);
  layout.innerL2Length = inner.l2Length;
  layout.innerL3Length = inner.l3Length;
  layout.innerL4Length = inner.l4Length;
}

}  // namespace

PacketLayout parsePacket(Bytes frame) noexcept {
  Level outer;
  parseL2(frame, outer);
  Bytes after = parseL3(frame.from(outer.l2Length), outer);
  TunnelHeader tunnel{};
  if (outer.transport) {
    tunnel = parseIpTunnel(outer.protocol, after);
    if (tunnel.type == PTYPE_UNKNOWN) {
      parseL4(after, outer);
      if (outer.udpPort != 0) {
        after = after.from(UdpView::kLength);
        tunnel = parseUdpTunnel(outer.udpPort, after);
      }
    }
  }
  PacketLayout layout;
  layout.type = outer.l2 | outer.l3 | outer.l4 | tunnel.type;
  layout.l2Length = outer.l2Length;
  layout.l3Length = outer.l3Length;
  layout.l4Length = outer.l4Length;
  layout.tunnelLength = tunnel.length;
  if (tunnel.type != PTYPE_UNKNOWN) parseInner(after.from(tunnel.length), tunnel.innerEtherType, layout);
  return layout;
}

}  // namespace pollwire
