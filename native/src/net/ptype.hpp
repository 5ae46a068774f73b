// Packet types: what a frame contains, as the 32-bit word that ethdev keeps in an mbuf (same numbers as
// RTE_PTYPE_*), and how long each header is. Called by rx paths that were asked for packet types, by RSS and
// by checksum offload.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace pollwire {

// Seven fields: L2 in bits 0-3, L3 4-7, L4 8-11, tunnel 12-15, inner L2 16-19, inner L3 20-23, inner L4
// 24-27. 0 in a field = unknown. The names are those of ethdev, without RTE_PTYPE_.
#define PW_PACKET_TYPES(X)                 \
  X(L2_ETHER, 0x00000001)                  \
  X(L2_ETHER_TIMESYNC, 0x00000002)         \
  X(L2_ETHER_ARP, 0x00000003)              \
  X(L2_ETHER_LLDP, 0x00000004)             \
  X(L2_ETHER_NSH, 0x00000005)              \
  X(L2_ETHER_VLAN, 0x00000006)             \
  X(L2_ETHER_QINQ, 0x00000007)             \
  X(L2_ETHER_PPPOE, 0x00000008)            \
  X(L2_ETHER_FCOE, 0x00000009)             \
  X(L2_ETHER_MPLS, 0x0000000a)             \
  X(L2_MASK, 0x0000000f)                   \
  X(L3_IPV4, 0x00000010)                   \
  X(L3_IPV4_EXT, 0x00000030)               \
  X(L3_IPV6, 0x00000040)                   \
  X(L3_IPV4_EXT_UNKNOWN, 0x00000090)       \
  X(L3_IPV6_EXT, 0x000000c0)               \
  X(L3_IPV6_EXT_UNKNOWN, 0x000000e0)       \
  X(L3_MASK, 0x000000f0)                   \
  X(L4_TCP, 0x00000100)                    \
  X(L4_UDP, 0x00000200)                    \
  X(L4_FRAG, 0x00000300)                   \
  X(L4_SCTP, 0x00000400)                   \
  X(L4_ICMP, 0x00000500)                   \
  X(L4_NONFRAG, 0x00000600)                \
  X(L4_IGMP, 0x00000700)                   \
  X(L4_MASK, 0x00000f00)                   \
  X(TUNNEL_IP, 0x00001000)                 \
  X(TUNNEL_GRE, 0x00002000)                \
  X(TUNNEL_VXLAN, 0x00003000)              \
  X(TUNNEL_NVGRE, 0x00004000)              \
  X(TUNNEL_GENEVE, 0x00005000)             \
  X(TUNNEL_GRENAT, 0x00006000)             \
  X(TUNNEL_GTPC, 0x00007000)               \
  X(TUNNEL_GTPU, 0x00008000)               \
  X(TUNNEL_ESP, 0x00009000)                \
  X(TUNNEL_L2TP, 0x0000a000)               \
  X(TUNNEL_VXLAN_GPE, 0x0000b000)          \
  X(TUNNEL_MPLS_IN_GRE, 0x0000c000)        \
  X(TUNNEL_MPLS_IN_UDP, 0x0000d000)        \
  X(TUNNEL_MASK, 0x0000f000)               \
  X(INNER_L2_ETHER, 0x00010000)            \
  X(INNER_L2_ETHER_VLAN, 0x00020000)       \
  X(INNER_L2_ETHER_QINQ, 0x00030000)       \
  X(INNER_L2_MASK, 0x000f0000)             \
  X(INNER_L3_IPV4, 0x00100000)             \
  X(INNER_L3_IPV4_EXT, 0x00200000)         \
  X(INNER_L3_IPV6, 0x00300000)             \
  X(INNER_L3_IPV4_EXT_UNKNOWN, 0x00400000) \
  X(INNER_L3_IPV6_EXT, 0x00500000)         \
  X(INNER_L3_IPV6_EXT_UNKNOWN, 0x00600000) \
  X(INNER_L3_MASK, 0x00f00000)             \
  X(INNER_L4_TCP, 0x01000000)              \
  X(INNER_L4_UDP, 0x02000000)              \
  X(INNER_L4_FRAG, 0x03000000)             \
  X(INNER_L4_SCTP, 0x04000000)             \
  X(INNER_L4_ICMP, 0x05000000)             \
  X(INNER_L4_NONFRAG, 0x06000000)          \
  X(INNER_L4_MASK, 0x0f000000)

enum PacketType : std::uint32_t {
  PTYPE_UNKNOWN = 0,
#define PW_PACKET_TYPE_ENUM(name, value) PTYPE_##name = value,
  PW_PACKET_TYPES(PW_PACKET_TYPE_ENUM)
#undef PW_PACKET_TYPE_ENUM
};

// Types and header lengths in bytes; the headers follow each other in this order. A length is 0 where the
// header is missing, unknown or cut; nothing behind it is parsed then.
struct PacketLayout {
  std::uint32_t type = PTYPE_UNKNOWN;
  std::uint16_t l2Length = 0;  // with VLAN tags and MPLS labels
  std::uint16_t l3Length = 0;  // with IPv4 options and IPv6 extension headers
  std::uint16_t l4Length = 0;
  std::uint16_t tunnelLength = 0;  // GRE, VXLAN, GENEVE; 0 for IP in IP
  std::uint16_t innerL2Length = 0;
  std::uint16_t innerL3Length = 0;
  std::uint16_t innerL4Length = 0;

  std::uint32_t field(std::uint32_t mask) const noexcept { return type & mask; }
  // Where the outer network and transport headers start.
  std::size_t l3Offset() const noexcept { return l2Length; }
  std::size_t l4Offset() const noexcept { return std::size_t{l2Length} + l3Length; }
};

// Parses an Ethernet frame; one level of tunnel is looked into. Never fails: it stops at what it cannot read.
// Give it the first segment of a packet, with all headers in it.
PacketLayout parsePacket(Bytes frame) noexcept;

}  // namespace pollwire
