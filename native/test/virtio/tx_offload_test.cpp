// Transmitting with offload requests: what a device that negotiated them gets, and what is done in software
// for one that did not.
#include <gtest/gtest.h>

#include "offload/virtio_net.hpp"
#include "support/hand_device.hpp"
#include "support/plain_segments.hpp"

namespace pollwire::test {
namespace {

using Octets = std::vector<std::uint8_t>;
using virtio::NetHdr;

constexpr std::uint64_t kModern = virtio::kVersion1;
constexpr std::uint64_t kCsum = kModern | virtio::kNetCsum;
constexpr std::uint64_t kTso = kCsum | virtio::kNetHostTso4 | virtio::kNetHostTso6;

template <class Layout>
class VirtioTxOffload : public ArenaTest {
 protected:
  using Hand = HandDevice<Layout>;

  struct Posted {
    NetHdr header;
    Octets frame;
  };

  static Handle packetOf(Mempool& pool, const FrameShape& shape, std::uint32_t flags, unsigned size = 0,
                         std::uint32_t segmentBytes = 0) {
    const Handle packet = makePacket(pool, asBytes(makeFrame(shape, Field::kZero)), segmentBytes);
    Mbuf& mbuf = *mbufOf(packet);
    mbuf.l2Len = static_cast<std::uint8_t>(shape.l2());
    mbuf.l3Len = static_cast<std::uint16_t>(shape.l3());
    mbuf.l4Len = static_cast<std::uint8_t>(shape.l4());
    mbuf.tsoSegsz = static_cast<std::uint16_t>(size);
    mbuf.olFlags = flags;
    return packet;
  }

  // Everything posted, and used at once.
  static std::vector<Posted> take(Hand& hand, bool use = true) {
    std::vector<Posted> list;
    const auto heads = hand.heads();
    for (const Head& head : heads) {
      const Octets bytes = octetsOf(hand.bytesOf(head));
      Posted posted{};
      std::memcpy(&posted.header, bytes.data(), hand.headerLen);
      posted.frame.assign(bytes.begin() + hand.headerLen, bytes.end());
      list.push_back(std::move(posted));
    }
    if (use) hand.use(heads);
    return list;
  }
  static std::vector<Octets> framesOf(const std::vector<Posted>& list) {
    std::vector<Octets> frames;
    for (const Posted& posted : list) {
      EXPECT_EQ(posted.header.flags | posted.header.gsoType, 0);
      frames.push_back(posted.frame);
    }
    return frames;
  }
};

using Layouts = ::testing::Types<SplitLayout, PackedLayout>;
TYPED_TEST_SUITE(VirtioTxOffload, Layouts);

TYPED_TEST(VirtioTxOffload, ChecksumsAreLeftToADeviceThatCompletesThem) {
  Mempool& pool = this->makePool(64);
  for (const std::uint64_t features : {kModern, kCsum, std::uint64_t{0}}) {
    typename TestFixture::Hand hand(virtio::Direction::kTx, pool, {features, 64});
    for (const FrameShape& shape : commonShapes()) {
      for (const std::uint32_t segmentBytes : {0u, 100u}) {
        ASSERT_TRUE(hand.transmit(
            this->packetOf(pool, shape, shape.tcp ? kTxTcpCksum : kTxUdpCksum, 0, segmentBytes)));
        const auto posted = this->take(hand);
        ASSERT_EQ(posted.size(), 1u);
        if ((features & virtio::kNetCsum) != 0) {
          EXPECT_EQ(posted[0].header.flags, virtio::kNeedsCsum);
          EXPECT_EQ(posted[0].header.csumStart, shape.l4Start());
          EXPECT_EQ(posted[0].header.csumOffset, shape.tcp ? 16u : 6u);
          EXPECT_EQ(posted[0].frame, makeFrame(shape, Field::kSeed));
        } else {
          EXPECT_EQ(posted[0].header.flags, 0u);
          EXPECT_EQ(posted[0].frame, makeFrame(shape, Field::kRight));
        }
      }
    }
    EXPECT_EQ(hand.count(kTX_BAD_MBUF), 0u);
  }
}

// What a vhost port received goes on to a device through a virtio port.
TYPED_TEST(VirtioTxOffload, PartialChecksumsOfReceivedPacketsAreHandedOnOrCompleted) {
  Mempool& pool = this->makePool(64);
  const FrameShape shape;
  for (const std::uint64_t features : {kModern, kCsum}) {
    typename TestFixture::Hand hand(virtio::Direction::kTx, pool, {features, 16});
    const Handle packet = makePacket(pool, asBytes(makeFrame(shape, Field::kSeed)));
    NetHdr header{};
    header.flags = virtio::kNeedsCsum;
    header.csumStart = static_cast<std::uint16_t>(shape.l4Start());
    header.csumOffset = 16;
    ASSERT_TRUE(offload::fromHeader(*mbufOf(packet), header, offload::Accepted{.csum = true}));
    ASSERT_TRUE(hand.transmit(packet));
    const auto posted = this->take(hand);
    ASSERT_EQ(posted.size(), 1u);
    EXPECT_EQ(posted[0].header.flags != 0, features == kCsum);
    EXPECT_EQ(posted[0].frame, makeFrame(shape, features == kCsum ? Field::kSeed : Field::kRight));
  }
}

TYPED_TEST(VirtioTxOffload, LargePacketsAreLeftToADeviceThatCutsThem) {
  Mempool& pool = this->makePool(64);
  typename TestFixture::Hand hand(virtio::Direction::kTx, pool, {kTso | virtio::kRingIndirectDesc, 64});
  for (const bool ipv6 : {false, true}) {
    FrameShape shape;
    shape.ipv6 = ipv6;
    shape.payload = 40000;
    ASSERT_TRUE(hand.transmit(this->packetOf(pool, shape, kTxTcpSeg, 1400)));
    const auto posted = this->take(hand);
    ASSERT_EQ(posted.size(), 1u);
    EXPECT_EQ(posted[0].header.gsoType, ipv6 ? virtio::kGsoTcpv6 : virtio::kGsoTcpv4);
    EXPECT_EQ(posted[0].header.gsoSize, 1400u);
    EXPECT_EQ(posted[0].header.hdrLen, shape.l4Start() + 20u);
    EXPECT_EQ(posted[0].header.flags, virtio::kNeedsCsum);
    EXPECT_EQ(posted[0].frame, makeFrame(shape, Field::kSeed));
  }
  EXPECT_EQ(hand.count(kTX_SEGMENTED), 0u);
}

TYPED_TEST(VirtioTxOffload, LargePacketsAreCutForADeviceThatCannot) {
  Mempool& pool = this->makePool(300, 1024 + kHeadroom);
  for (const std::uint64_t features :
       {kModern, kCsum, kModern | virtio::kRingIndirectDesc, std::uint64_t{0}}) {
    typename TestFixture::Hand hand(virtio::Direction::kTx, pool, {features, 128});
    for (const bool ipv6 : {false, true}) {
      for (const unsigned payload : {1401u, 2800u, 39000u}) {
        FrameShape shape;
        shape.ipv6 = ipv6;
        shape.payload = payload;
        ASSERT_TRUE(hand.transmit(this->packetOf(pool, shape, kTxTcpSeg, 1400)));
        auto posted = this->take(hand);
        for (auto& [header, frame] : posted) {
          if (features != kCsum) continue;
          ASSERT_EQ(header.flags, virtio::kNeedsCsum);
          putWord(frame, header.csumStart + header.csumOffset,
                  ~plainSum(std::span(frame).subspan(header.csumStart)) & 0xffffu);
          header.flags = 0;
        }
        EXPECT_EQ(this->framesOf(posted), plainSegments(makeFrame(shape, Field::kSeed), shape, 1400));
      }
    }
    EXPECT_EQ(hand.count(kPACKETS), 2 * (2u + 2u + 28u));
    EXPECT_EQ(hand.count(kTX_SEGMENTED), 6u);
  }
}

TYPED_TEST(VirtioTxOffload, CutPacketsWaitForRoom) {
  Mempool& pool = this->makePool(200);
  typename TestFixture::Hand hand(virtio::Direction::kTx, pool, {kModern, 16});
  const FrameShape shape{.payload = 10 * 1400};
  Handle burst[8];
  for (Handle& handle : burst) handle = makePacket(pool, patternBytes(60));
  ASSERT_EQ(hand.slot().run(burst, 8), 8u);
  Handle packet = this->packetOf(pool, shape, kTxTcpSeg, 1400);
  EXPECT_EQ(hand.slot().run(&packet, 1), 0u) << "eight descriptors for ten segments";
  EXPECT_EQ(this->take(hand).size(), 8u);
  EXPECT_EQ(hand.slot().run(&packet, 1), 1u);
  EXPECT_EQ(this->framesOf(this->take(hand)), plainSegments(makeFrame(shape, Field::kSeed), shape, 1400));
  EXPECT_EQ(hand.count(kTX_TOO_BIG), 0u);
}

TYPED_TEST(VirtioTxOffload, MoreSegmentsThanTheRingHasLoseTheirEnd) {
  Mempool& pool = this->makePool(200);
  typename TestFixture::Hand hand(virtio::Direction::kTx, pool, {kModern, 16});
  const FrameShape shape{.payload = 20 * 1000};
  Handle packet = this->packetOf(pool, shape, kTxTcpSeg, 1000);
  ASSERT_EQ(hand.slot().run(&packet, 1), 1u);
  auto expected = plainSegments(makeFrame(shape, Field::kSeed), shape, 1000);
  expected.resize(16);
  EXPECT_EQ(this->framesOf(this->take(hand)), expected);
  EXPECT_EQ(hand.count(kTX_TOO_BIG), 1u);
}

TYPED_TEST(VirtioTxOffload, MbufsThatRunOutAreCounted) {
  Mempool& pool = this->makePool(3, 16384);
  typename TestFixture::Hand hand(virtio::Direction::kTx, pool, {kModern, 16});
  const FrameShape shape{.payload = 3000};
  ASSERT_TRUE(hand.transmit(this->packetOf(pool, shape, kTxTcpSeg, 1000)));
  auto expected = plainSegments(makeFrame(shape, Field::kSeed), shape, 1000);
  expected.resize(2);
  EXPECT_EQ(this->framesOf(this->take(hand)), expected) << "what could be cut is sent";
  EXPECT_EQ(hand.count(kTX_NO_MBUF), 1u);
}

TYPED_TEST(VirtioTxOffload, NonsenseIsDroppedAndCounted) {
  Mempool& pool = this->makePool(16);
  for (const std::uint64_t features : {kModern, kTso}) {
    typename TestFixture::Hand hand(virtio::Direction::kTx, pool, {features, 16});
    const FrameShape shape{.payload = 3000};
    const auto broken = [&](auto&& change) {
      const Handle packet = this->packetOf(pool, shape, kTxTcpSeg, 1000);
      change(*mbufOf(packet));
      EXPECT_TRUE(hand.transmit(packet)) << "taken, to be dropped";
    };
    broken([](Mbuf& mbuf) { mbuf.tsoSegsz = 0; });
    broken([](Mbuf& mbuf) { mbuf.l3Len = 24; });
    broken([](Mbuf& mbuf) { mbuf.l4Len = 4; });
    broken([](Mbuf& mbuf) { mbuf.l2Len = 200; });
    broken([](Mbuf& mbuf) { mbuf.olFlags = kTxUdpSeg; });
    EXPECT_EQ(hand.count(kTX_BAD_MBUF), 5u);
    EXPECT_TRUE(hand.heads().empty());
  }
}

}  // namespace
}  // namespace pollwire::test
