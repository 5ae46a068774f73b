// Header views: field by field against hand-built packets, contradictions refused, and every parser at every
// length (the bytes end at an inaccessible page).
#include <gtest/gtest.h>

#include "net/arp.hpp"
#include "net/ether.hpp"
#include "net/icmp.hpp"
#include "net/ip.hpp"
#include "net/tcp.hpp"
#include "net/udp.hpp"
#include "net/vlan.hpp"
#include "support/frames.hpp"
#include "support/guarded_bytes.hpp"

namespace pollwire {
namespace {

using test::forEveryLength;
using test::Frame;

Bytes view(const Frame& frame) { return Bytes(std::span<const std::uint8_t>(frame)); }

TEST(Ether, FieldsAndAddressKinds) {
  Frame frame;
  frame.ether(kEtherIpv4).u8(0x77);
  const auto ether = EtherView::parse(view(frame));
  ASSERT_TRUE(ether);
  EXPECT_EQ(ether->type(), kEtherIpv4);
  EXPECT_EQ(ether->destination(), (MacAddress{{2, 0, 0, 0, 0, 1}}));
  EXPECT_EQ(ether->source().bytes[5], 2);
  EXPECT_EQ(ether->payload().size(), 1u);
  EXPECT_TRUE(ether->source().isLocallyAdministered() && ether->source().isAssignable());
  const MacAddress broadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
  EXPECT_TRUE(broadcast.isBroadcast() && broadcast.isMulticast() && !broadcast.isAssignable());
  const MacAddress group{{1, 0, 0x5e, 0, 0, 1}};
  EXPECT_TRUE(group.isMulticast() && !group.isBroadcast());
  EXPECT_TRUE(MacAddress{}.isZero() && !MacAddress{}.isAssignable());
}

TEST(Vlan, WalkFindsOuterAndInner) {
  Frame frame;
  frame.ether(kEtherQinq).vlan(0xb064, kEtherVlan).vlan(0x0fff, kEtherIpv6);
  const auto tags = walkVlanTags(view(frame));
  ASSERT_TRUE(tags);
  EXPECT_EQ(tags->count, 2);
  EXPECT_EQ(tags->l2Length, 22);
  EXPECT_EQ(tags->etherType, kEtherIpv6);
  EXPECT_EQ(vlanId(tags->outerTci), 100);
  EXPECT_EQ(vlanPriority(tags->outerTci), 5);
  EXPECT_TRUE(vlanDropEligible(tags->outerTci));
  EXPECT_EQ(vlanId(tags->innerTci), 4095);
}

TEST(Vlan, WalkIsBounded) {
  Frame frame;
  frame.ether(kEtherVlan);
  for (unsigned i = 1; i <= 20; i++) frame.vlan(i, kEtherVlan);
  const auto tags = walkVlanTags(view(frame));
  ASSERT_TRUE(tags);
  EXPECT_EQ(tags->count, kMaxVlanTags);
  EXPECT_EQ(tags->etherType, kEtherVlan);
  EXPECT_EQ(tags->innerTci, kMaxVlanTags);
}

TEST(Arp, FieldsAndOnlyIpv4OverEthernet) {
  Frame frame;
  frame.u16(1).u16(kEtherIpv4).u8(6).u8(4).u16(kArpReply);
  frame.raw({2, 0, 0, 0, 0, 9}).u32(0x0a000001).raw({2, 0, 0, 0, 0, 8}).u32(0x0a000002);
  const auto arp = ArpView::parse(view(frame));
  ASSERT_TRUE(arp);
  EXPECT_EQ(arp->operation(), kArpReply);
  EXPECT_EQ(arp->senderMac().bytes[5], 9);
  EXPECT_EQ(arp->senderIp(), 0x0a000001u);
  EXPECT_EQ(arp->targetMac().bytes[5], 8);
  EXPECT_EQ(arp->targetIp(), 0x0a000002u);
  for (const std::size_t at : {1u, 3u, 4u, 5u}) {
    Frame other = frame;
    other.bytes()[at] ^= 1;
    EXPECT_FALSE(ArpView::parse(view(other))) << "byte " << at;
  }
}

TEST(Ipv4, FieldsAndPadding) {
  Frame frame;
  frame.ipv4(kIpUdp, 3, 8, 0x2003).raw({1, 2, 3}).zeros(9);  // 9 bytes of Ethernet padding
  const auto ip = Ipv4View::parse(view(frame));
  ASSERT_TRUE(ip);
  EXPECT_EQ(ip->headerLength(), 28u);
  EXPECT_EQ(ip->totalLength(), 31);
  EXPECT_EQ(ip->identification(), 0x1234);
  EXPECT_TRUE(ip->moreFragments() && ip->isFragment() && !ip->dontFragment());
  EXPECT_EQ(ip->fragmentOffset(), 24u);
  EXPECT_EQ(ip->ttl(), 64);
  EXPECT_EQ(ip->protocol(), kIpUdp);
  EXPECT_EQ(ip->source(), 0xc0a80001u);
  EXPECT_EQ(ip->destination(), 0xc0a80002u);
  EXPECT_EQ(ip->addresses().size(), 8u);
  EXPECT_EQ(ip->payload().size(), 3u);
  EXPECT_EQ(ip->header().size(), 28u);
  EXPECT_FALSE(ip->isTruncated());
}

TEST(Ipv4, ContradictionsAreRefused) {
  const auto parseWith = [](std::size_t at, unsigned value) {
    Frame frame;
    frame.ipv4(kIpTcp, 20).zeros(20);
    frame.bytes()[at] = static_cast<std::uint8_t>(value);
    return Ipv4View::parse(view(frame)).has_value();
  };
  EXPECT_TRUE(parseWith(0, 0x45));
  EXPECT_FALSE(parseWith(0, 0x55));  // version 5
  EXPECT_FALSE(parseWith(0, 0x44));  // header of 16 bytes
  EXPECT_FALSE(parseWith(0, 0x4f));  // header of 60 bytes, 40 there
  EXPECT_FALSE(parseWith(3, 19));    // total length shorter than the header
  EXPECT_TRUE(parseWith(3, 0));      // waits for segmentation: to the end of the bytes
  EXPECT_TRUE(parseWith(2, 0x40));   // announces more than there is
}

TEST(Ipv6, FieldsAndPadding) {
  Frame frame;
  frame.ipv6(kIpTcp, 2).raw({7, 8, 0, 0});
  frame.bytes()[0] = 0x6a;
  frame.bytes()[1] = 0xb1;
  frame.bytes()[2] = 0x23;
  const auto ip = Ipv6View::parse(view(frame));
  ASSERT_TRUE(ip);
  EXPECT_EQ(ip->trafficClass(), 0xab);
  EXPECT_EQ(ip->flowLabel(), 0x12300u);
  EXPECT_EQ(ip->payloadLength(), 2);
  EXPECT_EQ(ip->hopLimit(), 64);
  EXPECT_EQ(ip->payload().size(), 2u);
  EXPECT_EQ(ip->source().u8(15), 1);
  EXPECT_EQ(ip->destination().u8(15), 2);
  EXPECT_EQ(ip->addresses().size(), 32u);
  frame.bytes()[0] = 0x40;
  EXPECT_FALSE(Ipv6View::parse(view(frame)));
}

TEST(Udp, FieldsAndImpossibleLengths) {
  Frame frame;
  frame.udp(53, 4789, 2).raw({1, 2, 3});
  const auto udp = UdpView::parse(view(frame));
  ASSERT_TRUE(udp);
  EXPECT_EQ(udp->sourcePort(), 53);
  EXPECT_EQ(udp->destinationPort(), 4789);
  EXPECT_EQ(udp->length(), 10);
  EXPECT_EQ(udp->payload().size(), 2u);
  for (unsigned length = 0; length < 12; length++) {
    frame.bytes()[5] = static_cast<std::uint8_t>(length);
    EXPECT_EQ(UdpView::parse(view(frame)).has_value(), length == 0 || length >= 8) << length;
  }
}

TEST(Tcp, FieldsAndHeaderLength) {
  Frame frame;
  frame.tcp(80, 50000, 12).raw({1, 2, 3, 4, 5});
  const auto tcp = TcpView::parse(view(frame));
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->sourcePort(), 80);
  EXPECT_EQ(tcp->destinationPort(), 50000);
  EXPECT_EQ(tcp->sequence(), 1u);
  EXPECT_EQ(tcp->acknowledgment(), 2u);
  EXPECT_EQ(tcp->headerLength(), 32u);
  EXPECT_EQ(tcp->flags(), kTcpPsh | kTcpAck);
  EXPECT_EQ(tcp->window(), 0x1000);
  EXPECT_EQ(tcp->options().size(), 12u);
  EXPECT_EQ(tcp->payload().size(), 5u);
  for (unsigned words = 0; words < 16; words++) {
    frame.bytes()[12] = static_cast<std::uint8_t>(words << 4);
    EXPECT_EQ(TcpView::parse(view(frame)).has_value(), words >= 5 && words * 4 <= frame.size()) << words;
  }
}

TEST(Icmp, Fields) {
  Frame frame;
  frame.u8(kIcmpEchoRequest).u8(0).u16(0xbeef).u16(7).u16(9).u8(1);
  const auto icmp = IcmpView::parse(view(frame));
  ASSERT_TRUE(icmp);
  EXPECT_EQ(icmp->type(), kIcmpEchoRequest);
  EXPECT_EQ(icmp->code(), 0);
  EXPECT_EQ(icmp->checksum(), 0xbeef);
  EXPECT_EQ(icmp->identifier(), 7);
  EXPECT_EQ(icmp->sequence(), 9);
  EXPECT_EQ(icmp->payload().size(), 1u);
}

TEST(Headers, EveryParserAtEveryLength) {
  Frame ether;
  ether.ether(kEtherQinq).vlan(1, kEtherVlan).vlan(2, kEtherIpv4).zeros(4);
  forEveryLength(ether, [](Bytes bytes, std::size_t length) {
    EXPECT_EQ(EtherView::parse(bytes).has_value(), length >= 14);
    EXPECT_EQ(walkVlanTags(bytes).has_value(), length >= 22);
  });
  Frame arp;
  arp.u16(1).u16(kEtherIpv4).u8(6).u8(4).zeros(25);
  forEveryLength(arp, [](Bytes bytes, std::size_t length) {
    EXPECT_EQ(ArpView::parse(bytes).has_value(), length >= 28);
  });
  Frame ipv4;
  ipv4.ipv4(kIpTcp, 6, 12).zeros(9);
  forEveryLength(ipv4, [](Bytes bytes, std::size_t length) {
    const auto ip = Ipv4View::parse(bytes);
    ASSERT_EQ(ip.has_value(), length >= 32);
    if (!ip) return;
    EXPECT_EQ(ip->payload().size(), std::min<std::size_t>(length - 32, 6));
    EXPECT_EQ(ip->isTruncated(), length < 38);
  });
  Frame ipv6;
  ipv6.ipv6(kIpTcp, 6).zeros(9);
  forEveryLength(ipv6, [](Bytes bytes, std::size_t length) {
    const auto ip = Ipv6View::parse(bytes);
    ASSERT_EQ(ip.has_value(), length >= 40);
    if (!ip) return;
    EXPECT_EQ(ip->payload().size(), std::min<std::size_t>(length - 40, 6));
    EXPECT_EQ(ip->isTruncated(), length < 46);
  });
  Frame udp;
  udp.udp(1, 2, 5).zeros(7);
  forEveryLength(udp, [](Bytes bytes, std::size_t length) {
    const auto parsed = UdpView::parse(bytes);
    ASSERT_EQ(parsed.has_value(), length >= 8);
    if (!parsed) return;
    EXPECT_EQ(parsed->payload().size(), std::min<std::size_t>(length - 8, 5));
  });
  Frame tcp;
  tcp.tcp(1, 2, 20).zeros(3);
  forEveryLength(tcp, [](Bytes bytes, std::size_t length) {
    const auto parsed = TcpView::parse(bytes);
    ASSERT_EQ(parsed.has_value(), length >= 40);
    if (!parsed) return;
    EXPECT_EQ(parsed->payload().size(), length - 40);
  });
  forEveryLength(Frame().zeros(12), [](Bytes bytes, std::size_t length) {
    EXPECT_EQ(IcmpView::parse(bytes).has_value(), length >= 8);
  });
}

}  // namespace
}  // namespace pollwire
