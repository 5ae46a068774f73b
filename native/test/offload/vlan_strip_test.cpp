// Software VLAN strip: one tag out, what is known about the packet kept true, everything else untouched.
#include "offload/vlan_strip.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "mbuf/mbuf_ops.hpp"
#include "support/arena_test.hpp"
#include "support/frames.hpp"

namespace pollwire::test {
namespace {

class VlanStrip : public ArenaTest {
 protected:
  // A packet holding the frame; freed with the fixture.
  Mbuf& packet(const Frame& frame) {
    if (pool_ == nullptr) pool_ = &makePool(8);
    handle_ = pool_->alloc();
    Mbuf& mbuf = *mbufOf(handle_);
    resetForRx(&mbuf, 0, static_cast<std::uint32_t>(frame.size()));
    std::memcpy(dataOf(&mbuf), std::span<const std::uint8_t>(frame).data(), frame.size());
    return mbuf;
  }
  static std::vector<std::uint8_t> bytesOf(const Mbuf& mbuf) {
    const auto* from = reinterpret_cast<const std::uint8_t*>(dataOf(&mbuf));
    return {from, from + mbuf.dataLen};
  }
  void free() { freeChain(handle_); }

 private:
  Mempool* pool_ = nullptr;
  Handle handle_ = kNoHandle;
};

Frame untagged() { return Frame().ether(kEtherIpv4).ipv4(17, 8).udp(1, 2, 0); }
Frame tagged(unsigned tci) {
  return Frame().ether(kEtherVlan).vlan(tci, kEtherIpv4).ipv4(17, 8).udp(1, 2, 0);
}

TEST_F(VlanStrip, MovesTheTagIntoTheMbuf) {
  Mbuf& mbuf = packet(tagged(0xa123));
  offload::stripVlan(mbuf);
  EXPECT_EQ(bytesOf(mbuf), untagged().bytes());
  EXPECT_EQ(mbuf.pktLen, untagged().size());
  EXPECT_EQ(mbuf.vlanTci, 0xa123);
  EXPECT_EQ(mbuf.olFlags, kRxVlan | kRxVlanStripped);
  EXPECT_EQ(headroomOf(&mbuf), kHeadroom + 4);
  free();
}

TEST_F(VlanStrip, LeavesOtherPacketsAlone) {
  const Frame shortOne = Frame().ether(kEtherVlan).raw({0, 1, 8});
  const Frame provider = Frame().ether(kEtherQinq).vlan(5, kEtherIpv4).ipv4(17, 8).udp(1, 2, 0);
  for (Frame frame : {untagged(), shortOne, provider}) {
    Mbuf& mbuf = packet(frame);
    offload::stripVlan(mbuf);
    EXPECT_EQ(bytesOf(mbuf), frame.bytes());
    EXPECT_EQ(mbuf.olFlags, 0u);
    free();
  }
}

TEST_F(VlanStrip, KeepsWhatIsKnownAboutThePacketTrue) {
  Mbuf& one = packet(tagged(7));
  one.packetType = PTYPE_L2_ETHER_VLAN | PTYPE_L3_IPV4 | PTYPE_L4_UDP;
  one.l2Len = 18;
  one.l3Len = 20;
  one.olFlags = kRxL4CksumNone;
  offload::stripVlan(one);
  EXPECT_EQ(one.packetType, PTYPE_L2_ETHER | PTYPE_L3_IPV4 | PTYPE_L4_UDP);
  EXPECT_EQ(one.l2Len, 14);
  EXPECT_EQ(one.l3Len, 20);
  EXPECT_EQ(one.olFlags, kRxL4CksumNone | kRxVlan | kRxVlanStripped);
  free();

  // Of two tags the outer one goes, and the packet still has one.
  Mbuf& two =
      packet(Frame().ether(kEtherVlan).vlan(7, kEtherVlan).vlan(8, kEtherIpv4).ipv4(17, 8).udp(1, 2, 0));
  two.packetType = PTYPE_L2_ETHER_QINQ | PTYPE_L3_IPV4 | PTYPE_L4_UDP;
  two.l2Len = 22;
  offload::stripVlan(two);
  EXPECT_EQ(bytesOf(two), tagged(8).bytes());
  EXPECT_EQ(two.vlanTci, 7);
  EXPECT_EQ(two.packetType, PTYPE_L2_ETHER_VLAN | PTYPE_L3_IPV4 | PTYPE_L4_UDP);
  EXPECT_EQ(two.l2Len, 18);
  free();
}

}  // namespace
}  // namespace pollwire::test
