// Receiving with offloads negotiated: what the device's header says becomes mbuf flags, and a header that
// lies is bounded and counted.
#include <gtest/gtest.h>

#include "support/hand_device.hpp"
#include "support/offload_frames.hpp"
#include "support/random.hpp"

namespace pollwire::test {
namespace {

using virtio::NetHdr;

constexpr std::uint64_t kModern = virtio::kVersion1;
constexpr std::uint64_t kCsum = kModern | virtio::kNetGuestCsum;
constexpr std::uint64_t kLarge = kCsum | virtio::kNetGuestTso4 | virtio::kNetGuestTso6;

template <class Layout>
class VirtioRxOffload : public ArenaTest {
 protected:
  using Hand = HandDevice<Layout>;

  static NetHdr openHeader(const FrameShape& shape, unsigned size = 0) {
    NetHdr header{};
    header.flags = virtio::kNeedsCsum;
    header.csumStart = static_cast<std::uint16_t>(shape.l4Start());
    header.csumOffset = shape.tcp ? 16 : 6;
    header.gsoSize = static_cast<std::uint16_t>(size);
    if (size != 0) header.gsoType = shape.ipv6 ? virtio::kGsoTcpv6 : virtio::kGsoTcpv4;
    header.numBuffers = 1;
    return header;
  }
  static Handle receive(Hand& hand, const std::vector<std::uint8_t>& frame, NetHdr header) {
    header.numBuffers = 1;
    hand.deliver(asBytes(frame), header);
    hand.answer();
    const auto handles = hand.receive();
    EXPECT_EQ(handles.size(), 1u);
    return handles.empty() ? kNoHandle : handles[0];
  }
};

using Layouts = ::testing::Types<SplitLayout, PackedLayout>;
TYPED_TEST_SUITE(VirtioRxOffload, Layouts);

TYPED_TEST(VirtioRxOffload, OpenAndVerifiedChecksums) {
  Mempool& pool = this->makePool(64);
  typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {kCsum, 16});
  for (const FrameShape& shape : commonShapes()) {
    Handle packet = this->receive(hand, makeFrame(shape, Field::kSeed), this->openHeader(shape));
    EXPECT_EQ(mbufOf(packet)->olFlags, static_cast<std::uint32_t>(kRxL4CksumNone));
    EXPECT_EQ(mbufOf(packet)->l2Len, shape.l2());
    EXPECT_EQ(mbufOf(packet)->l3Len, shape.l3());
    EXPECT_EQ(octetsOf(contentsOf(packet)), makeFrame(shape, Field::kSeed));
    freeChain(packet);
    NetHdr valid{};
    valid.flags = virtio::kDataValid;
    packet = this->receive(hand, makeFrame(shape, Field::kRight), valid);
    EXPECT_EQ(mbufOf(packet)->olFlags, static_cast<std::uint32_t>(kRxL4CksumGood));
    freeChain(packet);
    packet = this->receive(hand, makeFrame(shape, Field::kRight), {});
    EXPECT_EQ(mbufOf(packet)->olFlags, 0u) << "nothing is known";
    freeChain(packet);
  }
  EXPECT_EQ(hand.count(kRX_BAD_OFFLOAD), 0u);
}

TYPED_TEST(VirtioRxOffload, LargePacketsSayWhereTheyCanBeCut) {
  Mempool& pool = this->makePool(64, 16384);
  typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {kLarge, 16});
  for (const bool ipv6 : {false, true}) {
    FrameShape shape;
    shape.ipv6 = ipv6;
    shape.payload = 9000;
    const Handle packet = this->receive(hand, makeFrame(shape, Field::kSeed), this->openHeader(shape, 1400));
    EXPECT_EQ(mbufOf(packet)->olFlags, static_cast<std::uint32_t>(kRxL4CksumNone | kRxLro));
    EXPECT_EQ(mbufOf(packet)->tsoSegsz, 1400u);
    EXPECT_EQ(mbufOf(packet)->l4Len, 20u);
    freeChain(packet);
  }
}

TYPED_TEST(VirtioRxOffload, WhatWasNotNegotiatedOrCannotBeIsCounted) {
  Mempool& pool = this->makePool(64);
  const FrameShape shape{.payload = 1000};
  const auto counted = [&](std::uint64_t features, auto&& change) {
    typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {features, 16});
    NetHdr header = this->openHeader(shape);
    change(header);
    const Handle packet = this->receive(hand, makeFrame(shape, Field::kSeed), header);
    const std::uint32_t flags = mbufOf(packet)->olFlags;
    freeChain(packet);
    EXPECT_EQ(hand.count(kRX_BAD_OFFLOAD), 1u);
    return flags;
  };
  EXPECT_EQ(counted(kCsum, [](NetHdr& h) { h.csumStart = 0xffff; }), 0u);
  EXPECT_EQ(counted(kCsum, [](NetHdr& h) { h.csumOffset = 0xffff; }), 0u);
  EXPECT_EQ(counted(kCsum, [](NetHdr& h) { h.csumStart = 1060, h.csumOffset = 6; }), 0u);
  EXPECT_EQ(counted(kLarge & ~std::uint64_t{virtio::kNetGuestCsum}, [](NetHdr&) {}), 0u);
  const auto open = static_cast<std::uint32_t>(kRxL4CksumNone);
  const auto gso = [](std::uint8_t type, std::uint16_t size) {
    return [=](NetHdr& h) { h.gsoType = type, h.gsoSize = size; };
  };
  EXPECT_EQ(counted(kCsum, gso(virtio::kGsoTcpv4, 500)), open) << "not negotiated";
  EXPECT_EQ(counted(kLarge, gso(virtio::kGsoTcpv4, 0)), open);
  EXPECT_EQ(counted(kLarge, gso(virtio::kGsoTcpv6, 500)), open) << "it is IPv4";
  EXPECT_EQ(counted(kLarge, gso(virtio::kGsoUdp, 500)), open);
  EXPECT_EQ(counted(kLarge, gso(99, 500)), open);
  EXPECT_EQ(counted(kLarge, gso(virtio::kGsoTcpv4 | virtio::kGsoEcn, 500)), open);
}

// Any bytes in place of the header: the packet is whole, and its flags say nothing that was not negotiated.
TYPED_TEST(VirtioRxOffload, RandomHeaders) {
  Mempool& pool = this->makePool(64);
  Random random(7);
  const auto shapes = commonShapes();
  for (const std::uint64_t features : {kModern, kCsum, kLarge}) {
    typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {features, 16});
    for (unsigned round = 0; round < 3000; round++) {
      const FrameShape& shape = shapes[round % shapes.size()];
      const auto frame = makeFrame(shape, Field::kSeed);
      NetHdr header{};
      header.flags = static_cast<std::uint8_t>(random.below(8));
      header.gsoType = static_cast<std::uint8_t>(random.below(256));
      header.hdrLen = static_cast<std::uint16_t>(random.below(65536));
      header.gsoSize = static_cast<std::uint16_t>(random.below(65536));
      header.csumStart = static_cast<std::uint16_t>(random.below(round % 2 ? 100 : 65536));
      header.csumOffset = static_cast<std::uint16_t>(random.below(round % 2 ? 40 : 65536));
      const Handle packet = this->receive(hand, frame, header);
      ASSERT_NE(packet, kNoHandle);
      const Mbuf& mbuf = *mbufOf(packet);
      EXPECT_EQ(mbuf.pktLen, frame.size());
      EXPECT_TRUE(isConsistent(&mbuf));
      const std::uint32_t never = features == kModern ? ~0u : features == kCsum ? kRxLro : 0u;
      EXPECT_EQ(mbuf.olFlags & never, 0u);
      freeChain(packet);
    }
  }
}

}  // namespace
}  // namespace pollwire::test
