// Packet types and header lengths: one frame per shape, then every frame at every length.
#include "net/ptype.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "net/ether.hpp"
#include "net/ip.hpp"
#include "net/udp.hpp"
#include "support/frames.hpp"
#include "support/guarded_bytes.hpp"

namespace pollwire {
namespace {

using test::Frame;

struct Shape {
  std::string name;
  Frame frame;
  std::uint32_t type;
  std::vector<unsigned> lengths;  // l2, l3, l4, tunnel, inner l2, inner l3, inner l4
};

std::vector<unsigned> lengthsOf(const PacketLayout& p) {
  return {p.l2Length,      p.l3Length,      p.l4Length,     p.tunnelLength,
          p.innerL2Length, p.innerL3Length, p.innerL4Length};
}

Frame ether(unsigned type) { return Frame().ether(type); }

std::vector<Shape> plainShapes() {
  const std::uint32_t e = PTYPE_L2_ETHER;
  return {
      {"tcp4",
       ether(kEtherIpv4).ipv4(kIpTcp, 20).tcp(1, 2),
       e | PTYPE_L3_IPV4 | PTYPE_L4_TCP,
       {14, 20, 20, 0, 0, 0, 0}},
      {"udp4",
       ether(kEtherIpv4).ipv4(kIpUdp, 8).udp(1, 2, 0),
       e | PTYPE_L3_IPV4 | PTYPE_L4_UDP,
       {14, 20, 8, 0, 0, 0, 0}},
      {"sctp4",
       ether(kEtherIpv4).ipv4(kIpSctp, 12).zeros(12),
       e | PTYPE_L3_IPV4 | PTYPE_L4_SCTP,
       {14, 20, 12, 0, 0, 0, 0}},
      {"icmp4",
       ether(kEtherIpv4).ipv4(kIpIcmp, 8).zeros(8),
       e | PTYPE_L3_IPV4 | PTYPE_L4_ICMP,
       {14, 20, 0, 0, 0, 0, 0}},
      {"igmp4",
       ether(kEtherIpv4).ipv4(kIpIgmp, 8).zeros(8),
       e | PTYPE_L3_IPV4 | PTYPE_L4_IGMP,
       {14, 20, 0, 0, 0, 0, 0}},
      {"esp4",
       ether(kEtherIpv4).ipv4(kIpEsp, 8).zeros(8),
       e | PTYPE_L3_IPV4 | PTYPE_L4_NONFRAG,
       {14, 20, 0, 0, 0, 0, 0}},
      {"options",
       ether(kEtherIpv4).ipv4(kIpTcp, 32, 8).tcp(1, 2, 12),
       e | PTYPE_L3_IPV4_EXT | PTYPE_L4_TCP,
       {14, 28, 32, 0, 0, 0, 0}},
      {"first fragment",
       ether(kEtherIpv4).ipv4(kIpUdp, 8, 0, 0x2000).udp(1, 2, 0),
       e | PTYPE_L3_IPV4 | PTYPE_L4_FRAG,
       {14, 20, 0, 0, 0, 0, 0}},
      {"last fragment",
       ether(kEtherIpv4).ipv4(kIpUdp, 8, 0, 7).zeros(8),
       e | PTYPE_L3_IPV4 | PTYPE_L4_FRAG,
       {14, 20, 0, 0, 0, 0, 0}},
      {"do not fragment",
       ether(kEtherIpv4).ipv4(kIpUdp, 8, 0, 0x4000).udp(1, 2, 0),
       e | PTYPE_L3_IPV4 | PTYPE_L4_UDP,
       {14, 20, 8, 0, 0, 0, 0}},
      {"tcp6",
       ether(kEtherIpv6).ipv6(kIpTcp, 20).tcp(1, 2),
       e | PTYPE_L3_IPV6 | PTYPE_L4_TCP,
       {14, 40, 20, 0, 0, 0, 0}},
      {"icmp6",
       ether(kEtherIpv6).ipv6(kIpIcmpv6, 8).zeros(8),
       e | PTYPE_L3_IPV6 | PTYPE_L4_ICMP,
       {14, 40, 0, 0, 0, 0, 0}},
      {"hop by hop",
       ether(kEtherIpv6).ipv6(kIpHopByHop, 16).u8(kIpUdp).zeros(7).udp(1, 2, 0),
       e | PTYPE_L3_IPV6_EXT | PTYPE_L4_UDP,
       {14, 48, 8, 0, 0, 0, 0}},
      {"fragment6",
       ether(kEtherIpv6).ipv6(kIpFragment, 16).u8(kIpUdp).zeros(7).udp(1, 2, 0),
       e | PTYPE_L3_IPV6_EXT | PTYPE_L4_FRAG,
       {14, 48, 0, 0, 0, 0, 0}},
      {"vlan",
       ether(kEtherVlan).vlan(5, kEtherIpv4).ipv4(kIpUdp, 8).udp(1, 2, 0),
       PTYPE_L2_ETHER_VLAN | PTYPE_L3_IPV4 | PTYPE_L4_UDP,
       {18, 20, 8, 0, 0, 0, 0}},
      {"qinq",
       ether(kEtherQinq).vlan(5, kEtherVlan).vlan(6, kEtherIpv6).ipv6(kIpUdp, 8).udp(1, 2, 0),
       PTYPE_L2_ETHER_QINQ | PTYPE_L3_IPV6 | PTYPE_L4_UDP,
       {22, 40, 8, 0, 0, 0, 0}},
      {"mpls",
       ether(kEtherMpls).u32(0x00010040).u32(0x00020140).ipv4(kIpUdp, 8).udp(1, 2, 0),
       PTYPE_L2_ETHER_MPLS | PTYPE_L3_IPV4 | PTYPE_L4_UDP,
       {22, 20, 8, 0, 0, 0, 0}},
      {"arp", ether(kEtherArp).zeros(28), PTYPE_L2_ETHER_ARP, {14, 0, 0, 0, 0, 0, 0}},
      {"lldp", ether(kEtherLldp).zeros(28), PTYPE_L2_ETHER_LLDP, {14, 0, 0, 0, 0, 0, 0}},
      {"ptp", ether(kEther1588).zeros(28), PTYPE_L2_ETHER_TIMESYNC, {14, 0, 0, 0, 0, 0, 0}},
      {"pppoe", ether(kEtherPppoeSession).zeros(28), PTYPE_L2_ETHER_PPPOE, {14, 0, 0, 0, 0, 0, 0}},
      {"unknown", ether(0x9999).zeros(28), PTYPE_L2_ETHER, {14, 0, 0, 0, 0, 0, 0}},
      {"bad ip version",
       ether(kEtherIpv4).ipv6(kIpTcp, 20).tcp(1, 2),
       PTYPE_L2_ETHER,
       {14, 0, 0, 0, 0, 0, 0}},
      {"bad tcp length",
       ether(kEtherIpv4).ipv4(kIpTcp, 20).zeros(20),
       e | PTYPE_L3_IPV4 | PTYPE_L4_TCP,
       {14, 20, 0, 0, 0, 0, 0}},
  };
}

std::vector<Shape> tunnelShapes() {
  const std::uint32_t udp4 = PTYPE_L2_ETHER | PTYPE_L3_IPV4 | PTYPE_L4_UDP;
  const std::uint32_t ip4 = PTYPE_L2_ETHER | PTYPE_L3_IPV4;
  const Frame inner = Frame().ether(kEtherIpv4).ipv4(kIpTcp, 20).tcp(1, 2);
  const std::uint32_t innerTypes = PTYPE_INNER_L2_ETHER | PTYPE_INNER_L3_IPV4 | PTYPE_INNER_L4_TCP;
  const Frame vlanInner = Frame().ether(kEtherVlan).vlan(1, kEtherIpv6).ipv6(kIpUdp, 8).udp(1, 2, 0);
  const auto udpTo = [](unsigned port) { return ether(kEtherIpv4).ipv4(kIpUdp, 0).udp(1, port, 0); };
  const auto open = [](Frame frame) {  // lengths of IP and UDP to the end of the bytes
    frame.bytes()[16] = frame.bytes()[17] = frame.bytes()[38] = frame.bytes()[39] = 0;
    return frame;
  };
  const auto gre = [] { return ether(kEtherIpv4).ipv4(kIpGre, 200); };
  return {
      {"vxlan",
       open(udpTo(kUdpVxlan)).u32(0x08000000).u32(0x100).append(inner),
       udp4 | PTYPE_TUNNEL_VXLAN | innerTypes,
       {14, 20, 8, 8, 14, 20, 20}},
      {"vxlan vlan",
       open(udpTo(kUdpVxlan)).u32(0x08000000).u32(0x100).append(vlanInner),
       udp4 | PTYPE_TUNNEL_VXLAN | PTYPE_INNER_L2_ETHER_VLAN | PTYPE_INNER_L3_IPV6 | PTYPE_INNER_L4_UDP,
       {14, 20, 8, 8, 18, 40, 8}},
      {"vxlan without vni",
       open(udpTo(kUdpVxlan)).u32(0).u32(0x100).append(inner),
       udp4,
       {14, 20, 8, 0, 0, 0, 0}},
      {"vxlan-gpe ipv6",
       open(udpTo(kUdpVxlanGpe)).u32(0x0c000002).u32(0x100).ipv6(kIpUdp, 8).udp(1, 2, 0),
       udp4 | PTYPE_TUNNEL_VXLAN_GPE | PTYPE_INNER_L3_IPV6 | PTYPE_INNER_L4_UDP,
       {14, 20, 8, 8, 0, 40, 8}},
      {"geneve options",
       open(udpTo(kUdpGeneve)).u8(2).u8(0).u16(kEtherTeb).u32(0x100).zeros(8).append(inner),
       udp4 | PTYPE_TUNNEL_GENEVE | innerTypes,
       {14, 20, 8, 16, 14, 20, 20}},
      {"gre",
       gre().u16(0).u16(kEtherIpv4).ipv4(kIpUdp, 8).udp(1, 2, 0),
       ip4 | PTYPE_TUNNEL_GRE | PTYPE_INNER_L3_IPV4 | PTYPE_INNER_L4_UDP,
       {14, 20, 0, 4, 0, 20, 8}},
      {"gre with all fields",
       gre().u16(0xb000).u16(kEtherIpv6).zeros(12).ipv6(kIpTcp, 20).tcp(1, 2),
       ip4 | PTYPE_TUNNEL_GRE | PTYPE_INNER_L3_IPV6 | PTYPE_INNER_L4_TCP,
       {14, 20, 0, 16, 0, 40, 20}},
      {"nvgre",
       gre().u16(0x2000).u16(kEtherTeb).u32(7).append(inner),
       ip4 | PTYPE_TUNNEL_NVGRE | innerTypes,
       {14, 20, 0, 8, 14, 20, 20}},
      {"mpls in gre",
       gre().u16(0).u16(kEtherMpls).zeros(8),
       ip4 | PTYPE_TUNNEL_MPLS_IN_GRE,
       {14, 20, 0, 4, 0, 0, 0}},
      {"ip in ip",
       ether(kEtherIpv4).ipv4(kIpIpv4, 40).ipv4(kIpTcp, 20).tcp(1, 2),
       ip4 | PTYPE_TUNNEL_IP | PTYPE_INNER_L3_IPV4 | PTYPE_INNER_L4_TCP,
       {14, 20, 0, 0, 0, 20, 20}},
      {"6 in 6 fragment",
       ether(kEtherIpv6).ipv6(kIpIpv6, 56).ipv6(kIpFragment, 16).u8(kIpUdp).zeros(15),
       PTYPE_L2_ETHER | PTYPE_L3_IPV6 | PTYPE_TUNNEL_IP | PTYPE_INNER_L3_IPV6_EXT | PTYPE_INNER_L4_FRAG,
       {14, 40, 0, 0, 0, 48, 0}},
      {"pptp is not ours",
       gre().u16(0x3001).u16(0x880b).zeros(20),
       ip4 | PTYPE_L4_NONFRAG,
       {14, 20, 0, 0, 0, 0, 0}},
  };
}

std::vector<Shape> allShapes() {
  std::vector<Shape> shapes = plainShapes();
  for (Shape& shape : tunnelShapes()) shapes.push_back(std::move(shape));
  return shapes;
}

TEST(PacketType, EveryShape) {
  for (const Shape& shape : allShapes()) {
    const PacketLayout layout = parsePacket(Bytes(std::span<const std::uint8_t>(shape.frame)));
    EXPECT_EQ(layout.type, shape.type)
        << shape.name << std::hex << " got " << layout.type << " want " << shape.type;
    EXPECT_EQ(lengthsOf(layout), shape.lengths) << shape.name;
  }
}

// Cutting a frame may only take fields away, from the inside out, and lengths never leave the bytes.
TEST(PacketType, EveryShapeAtEveryLength) {
  for (const Shape& shape : allShapes()) {
    test::forEveryLength(shape.frame, [&](Bytes bytes, std::size_t length) {
      const PacketLayout layout = parsePacket(bytes);
      std::size_t sum = 0;
      const auto lengths = lengthsOf(layout);
      for (std::size_t i = 0; i < lengths.size(); i++) {
        ASSERT_TRUE(lengths[i] == shape.lengths[i] || lengths[i] == 0) << shape.name << " cut to " << length;
        sum += lengths[i];
      }
      ASSERT_LE(sum, length) << shape.name;
      ASSERT_EQ(layout.type == PTYPE_UNKNOWN, length < EtherView::kLength) << shape.name;
    });
  }
}

TEST(PacketType, RandomBytesStayInside) {
  std::mt19937 source(8);
  const auto engine = [&source] { return static_cast<unsigned>(source()); };
  const auto shapes = allShapes();
  for (int round = 0; round < 50'000; round++) {
    Frame frame = shapes[engine() % shapes.size()].frame;
    for (unsigned i = engine() % 6; i-- > 0;) {
      frame.bytes()[engine() % frame.size()] = static_cast<std::uint8_t>(engine());
    }
    frame.bytes().resize(engine() % (frame.size() + 1));
    const test::GuardedBytes guarded(frame);
    const PacketLayout layout = parsePacket(guarded.bytes());
    std::size_t sum = 0;
    for (const unsigned length : lengthsOf(layout)) sum += length;
    ASSERT_LE(sum, frame.size());
  }
}

TEST(PacketType, NumbersAreThoseOfEthdev) {
  EXPECT_EQ(PTYPE_L3_IPV6_EXT, 0xc0u);
  EXPECT_EQ(PTYPE_TUNNEL_GENEVE, 0x5000u);
  EXPECT_EQ(PTYPE_INNER_L4_SCTP, 0x4000000u);
  // Every value lies inside the mask of its own field.
  const std::uint32_t masks[] = {PTYPE_L2_MASK,      PTYPE_L3_MASK,       PTYPE_L4_MASK,
                                 PTYPE_TUNNEL_MASK,  PTYPE_INNER_L2_MASK, PTYPE_INNER_L3_MASK,
                                 PTYPE_INNER_L4_MASK};
#define PW_CHECK(name, value)                                             \
  {                                                                       \
    int fields = 0;                                                       \
    for (const std::uint32_t mask : masks) fields += (value & mask) != 0; \
    EXPECT_EQ(fields, 1) << #name;                                        \
  }
  PW_PACKET_TYPES(PW_CHECK)
#undef PW_CHECK
}

}  // namespace
}  // namespace pollwire
