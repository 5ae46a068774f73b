// Transmitting: the shapes in which packets are posted, when they are freed, and what a device that
// misbehaves can do.
#include <gtest/gtest.h>

#include "support/hand_device.hpp"
#include "sys/eventfd.hpp"

namespace pollwire::test {
namespace {

constexpr std::uint64_t kModern = virtio::kVersion1;
constexpr std::uint32_t kRoom = 512;

template <class Layout>
class VirtioTx : public ArenaTest {
 protected:
  using Hand = HandDevice<Layout>;

  void SetUp() override {
    ArenaTest::SetUp();
    pool_ = &makePool(400, kRoom + kHeadroom);
  }

  // The frame that the device sees behind a header of zeros.
  void expectPosted(Hand& hand, const ByteVector& frame, std::size_t pieces) {
    const auto heads = hand.heads();
    ASSERT_EQ(heads.size(), 1u);
    const ByteVector bytes = hand.bytesOf(heads[0]);
    EXPECT_EQ(hand.walk(heads[0]).size(), pieces);
    ASSERT_EQ(bytes.size(), hand.headerLen + frame.size());
    EXPECT_EQ(ByteVector(bytes.begin(), bytes.begin() + hand.headerLen), ByteVector(hand.headerLen));
    EXPECT_EQ(ByteVector(bytes.begin() + hand.headerLen, bytes.end()), frame);
    hand.use(heads);
  }
  // Makes the driver take back what was used.
  void expectAllBack(Hand& hand) {
    EXPECT_TRUE(hand.driver.stop(0).ok());
    EXPECT_EQ(pool_->available(), pool_->size());
  }

  Mempool* pool_ = nullptr;
};

using Layouts = ::testing::Types<SplitLayout, PackedLayout>;
TYPED_TEST_SUITE(VirtioTx, Layouts);

TYPED_TEST(VirtioTx, HeaderLiesInTheHeadroom) {
  typename TestFixture::Hand hand(virtio::Direction::kTx, *this->pool_, {kModern, 8});
  const ByteVector frame = patternBytes(60);
  const Handle packet = makePacket(*this->pool_, frame);
  std::memset(ownBuffer(mbufOf(packet)), 0xff, kHeadroom);
  ASSERT_TRUE(hand.transmit(packet));
  const auto heads = hand.heads();
  ASSERT_EQ(heads.size(), 1u);
  EXPECT_TRUE(isSingle(heads[0], Access::kRead));
  EXPECT_EQ(heads[0].addr, reinterpret_cast<std::uintptr_t>(dataOf(mbufOf(packet))) - 12)
      << "the mbuf itself is posted";
  this->expectPosted(hand, frame, 1);
  this->expectAllBack(hand);
}

TYPED_TEST(VirtioTx, SharedPacketGetsAHeaderOfItsOwn) {
  typename TestFixture::Hand hand(virtio::Direction::kTx, *this->pool_, {kModern, 8});
  const ByteVector frame = patternBytes(60);
  const Handle packet = makePacket(*this->pool_, frame);
  const Handle clone = clonePacket(packet, *this->pool_);
  std::memset(ownBuffer(mbufOf(packet)), 0xee, kHeadroom);
  for (const Handle handle : {clone, packet}) {
    ASSERT_TRUE(hand.transmit(handle));
    this->expectPosted(hand, frame, 2);
  }
  for (std::uint32_t i = 0; i < kHeadroom; i++) ASSERT_EQ(ownBuffer(mbufOf(packet))[i], std::byte{0xee});
  this->expectAllBack(hand);
}

TYPED_TEST(VirtioTx, PacketWithoutHeadroomGetsAHeaderOfItsOwn) {
  typename TestFixture::Hand hand(virtio::Direction::kTx, *this->pool_, {kModern, 8});
  for (const std::uint16_t headroom : std::initializer_list<std::uint16_t>{0, 11, 12}) {
    const Handle packet = makePacket(*this->pool_, patternBytes(60));
    mbufOf(packet)->dataOff = headroom;
    const ByteVector frame = contentsOf(packet);
    ASSERT_TRUE(hand.transmit(packet));
    this->expectPosted(hand, frame, headroom < 12 ? 2 : 1);
  }
  this->expectAllBack(hand);
}

TYPED_TEST(VirtioTx, LegacyDeviceGetsTheHeaderAlone) {
  typename TestFixture::Hand hand(virtio::Direction::kTx, *this->pool_, {0, 8});
  ASSERT_TRUE(hand.transmit(makePacket(*this->pool_, patternBytes(60))));
  const auto heads = hand.heads();
  EXPECT_EQ(hand.walk(heads[0])[0].length, 10u);
  this->expectPosted(hand, patternBytes(60), 2);
  this->expectAllBack(hand);
}

TYPED_TEST(VirtioTx, ScatteredPacketIsAListOrATable) {
  for (const std::uint64_t features : {kModern, kModern | virtio::kRingIndirectDesc}) {
    typename TestFixture::Hand hand(virtio::Direction::kTx, *this->pool_, {features, 32});
    const bool tables = features != kModern;
    for (const std::uint32_t segments : {2u, 3u, 14u, 15u, 16u, 32u}) {
      const ByteVector frame = patternBytes(segments * 40, segments);
      ASSERT_TRUE(hand.transmit(makePacket(*this->pool_, frame, 40)));
      const auto heads = hand.heads();
      ASSERT_EQ(heads.size(), 1u);
      EXPECT_EQ((heads[0].flags & kDescIndirect) != 0, tables && segments <= 15) << segments;
      this->expectPosted(hand, frame, segments);
    }
    this->expectAllBack(hand);
  }
}

TYPED_TEST(VirtioTx, PacketOfTooManySegmentsIsCopiedTogether) {
  typename TestFixture::Hand hand(virtio::Direction::kTx, *this->pool_, {kModern, 4});
  const ByteVector frame = patternBytes(300);
  ASSERT_TRUE(hand.transmit(makePacket(*this->pool_, frame, 10)));
  this->expectPosted(hand, frame, 1);
  const ByteVector large = patternBytes(300 * 15);
  ASSERT_TRUE(hand.transmit(makePacket(*this->pool_, large, 15)));
  EXPECT_EQ(hand.count(kTX_TOO_BIG), 1u) << "more than the ring holds, even densely";
  EXPECT_TRUE(hand.heads().empty());
  this->expectAllBack(hand);
}

TYPED_TEST(VirtioTx, PacketOutsideTheArenaIsCopiedIn) {
  typename TestFixture::Hand hand(virtio::Direction::kTx, *this->pool_, {kModern, 4});
  ByteVector outside = patternBytes(100);
  const Handle packet = makePacket(*this->pool_, patternBytes(100, 9));
  Mbuf* mbuf = mbufOf(packet);
  std::byte* const own = mbuf->bufAddr;
  mbuf->bufAddr = outside.data();
  mbuf->dataOff = 0;
  mbuf->flags = kMbufExternal;
  // Kept by the test as well, which takes the foreign buffer off again.
  mbuf->refcnt = 2;
  ASSERT_TRUE(hand.transmit(packet));
  const auto heads = hand.heads();
  const Piece piece = hand.walk(heads[0])[0];
  EXPECT_GE(piece.data, arenaBase());
  EXPECT_LT(piece.data, arenaBase() + arenaBytes());
  this->expectPosted(hand, outside, 1);
  EXPECT_EQ(mbuf->refcnt, 1);
  mbuf->bufAddr = own;
  mbuf->flags = 0;
  freeChain(packet);
  this->expectAllBack(hand);
}

TYPED_TEST(VirtioTx, MbufsWithWrongLengthsAreDropped) {
  typename TestFixture::Hand hand(virtio::Direction::kTx, *this->pool_, {kModern, 8});
  const auto broken = [&](auto&& change) {
    const Handle packet = makePacket(*this->pool_, patternBytes(60));
    change(*mbufOf(packet));
    EXPECT_TRUE(hand.transmit(packet)) << "taken, to be dropped";
  };
  broken([](Mbuf& mbuf) { mbuf.pktLen = 61; });
  broken([](Mbuf& mbuf) { mbuf.dataOff = static_cast<std::uint16_t>(mbuf.bufLen - 59); });
  broken([](Mbuf& mbuf) { mbuf.pktLen = mbuf.dataLen = 13; });
  broken([](Mbuf& mbuf) { mbuf.pktLen = mbuf.dataLen = 0; });
  broken([](Mbuf& mbuf) { mbuf.nbSegs = 2; });
  EXPECT_EQ(hand.count(kTX_BAD_MBUF), 5u);
  EXPECT_EQ(hand.count(kPACKETS), 0u);
  EXPECT_TRUE(hand.heads().empty());
  this->expectAllBack(hand);
}

TYPED_TEST(VirtioTx, BadPacketsDoNotDisturbTheirNeighbours) {
  typename TestFixture::Hand hand(virtio::Direction::kTx, *this->pool_, {kModern, 32});
  for (std::uint32_t bad = 0; bad < 6; bad++) {
    Handle burst[6];
    for (std::uint32_t i = 0; i < 6; i++)
      burst[i] = makePacket(*this->pool_, patternBytes(100, i), i % 2 ? 50 : 0);
    mbufOf(burst[bad])->pktLen++;
    ASSERT_EQ(hand.slot().run(burst, 6), 6u);
    const auto heads = hand.heads();
    ASSERT_EQ(heads.size(), 5u);
    std::size_t at = 0;
    for (std::uint32_t i = 0; i < 6; i++) {
      if (i == bad) continue;
      const ByteVector bytes = hand.bytesOf(heads[at++]);
      EXPECT_EQ(ByteVector(bytes.begin() + 12, bytes.end()), patternBytes(100, i));
    }
    hand.use(heads);
  }
  EXPECT_EQ(hand.count(kTX_BAD_MBUF), 6u);
  EXPECT_EQ(hand.count(kPACKETS), 30u);
  this->expectAllBack(hand);
}

// Row 151.
TYPED_TEST(VirtioTx, DeviceThatStopsPushesBack) {
  typename TestFixture::Hand hand(virtio::Direction::kTx, *this->pool_, {kModern, 8});
  Handle burst[12];
  for (Handle& handle : burst) handle = makePacket(*this->pool_, patternBytes(60));
  EXPECT_EQ(hand.slot().run(burst, 12), 8u);
  EXPECT_EQ(hand.count(kTX_RING_FULL), 4u);
  EXPECT_EQ(hand.slot().run(burst + 8, 4), 0u);
  EXPECT_EQ(hand.slot().used(), 8u);
  hand.use(hand.heads(3));
  EXPECT_EQ(hand.slot().run(burst + 8, 4), 3u);
  freeBurst(burst + 11, 1);
  EXPECT_EQ(*hand.driver.stop(0), 8u);
  EXPECT_EQ(this->pool_->available(), this->pool_->size());
}

TYPED_TEST(VirtioTx, UsedPacketsAreFreedWithoutMuchDelay) {
  typename TestFixture::Hand hand(virtio::Direction::kTx, *this->pool_, {kModern, 64});
  for (std::uint32_t i = 0; i < 500; i++) {
    ASSERT_TRUE(hand.transmit(makePacket(*this->pool_, patternBytes(60))));
    hand.use(hand.heads());
    EXPECT_GE(this->pool_->available(), this->pool_->size() - 64);
  }
  EXPECT_EQ(hand.count(kPACKETS), 500u);
  EXPECT_EQ(hand.count(kTX_RING_FULL), 0u);
}

TYPED_TEST(VirtioTx, InOrderBatchFreesThemAll) {
  typename TestFixture::Hand hand(virtio::Direction::kTx, *this->pool_, {kModern | virtio::kInOrder, 8});
  for (std::uint32_t round = 0; round < 20; round++) {
    Handle burst[8];
    for (std::uint32_t i = 0; i < 8; i++) burst[i] = makePacket(*this->pool_, patternBytes(60, i));
    ASSERT_EQ(hand.slot().run(burst, 8), 8u);
    const auto heads = hand.heads();
    ASSERT_EQ(heads.size(), 8u);
    hand.device.putUsed(0, heads.back(), 0);
    hand.device.publish(8, 8);
  }
  this->expectAllBack(hand);
}

TYPED_TEST(VirtioTx, BrokenRingStops) {
  typename TestFixture::Hand hand(virtio::Direction::kTx, *this->pool_, {kModern, 8});
  Handle burst[8];
  for (Handle& handle : burst) handle = makePacket(*this->pool_, patternBytes(60));
  ASSERT_EQ(hand.slot().run(burst, 8), 8u);
  auto heads = hand.heads();
  heads[0].id = 9;
  hand.use(heads);
  Handle more = makePacket(*this->pool_, patternBytes(60));
  EXPECT_EQ(hand.slot().run(&more, 1), 0u);
  freeChain(more);
  EXPECT_EQ(hand.count(kBROKEN), 1u);
  EXPECT_EQ(hand.slot().closed(), kSlotBroken);
  this->expectAllBack(hand);
}

TYPED_TEST(VirtioTx, KicksOnlyADeviceThatWantsIt) {
  typename TestFixture::Hand hand(virtio::Direction::kTx, *this->pool_, {kModern, 8});
  auto kick = createEventFd();
  const int fd = kick->get();
  ASSERT_TRUE(hand.driver.setKick(0, std::move(*kick)).ok());
  EXPECT_EQ(drainEventFd(fd), 1u) << "a device that waits already is told at once";
  hand.device.setKickWanted(false);
  ASSERT_TRUE(hand.transmit(makePacket(*this->pool_, patternBytes(60))));
  EXPECT_EQ(drainEventFd(fd), 0u);
  EXPECT_EQ(hand.count(kNOTIFICATIONS_SUPPRESSED), 1u);
  hand.device.setKickWanted(true);
  ASSERT_TRUE(hand.transmit(makePacket(*this->pool_, patternBytes(60))));
  EXPECT_EQ(drainEventFd(fd), 1u);
  EXPECT_EQ(hand.count(kNOTIFICATIONS), 1u);
}

TYPED_TEST(VirtioTx, PoolsMayDiffer) {
  Mempool& other = this->makePool(40, 1024 + kHeadroom);
  typename TestFixture::Hand hand(virtio::Direction::kTx, *this->pool_, {kModern, 8});
  for (std::uint32_t i = 0; i < 30; i++) {
    ASSERT_TRUE(hand.transmit(makePacket(i % 3 ? other : *this->pool_, patternBytes(60))));
    hand.use(hand.heads());
  }
  this->expectAllBack(hand);
  EXPECT_EQ(other.available(), other.size());
}

}  // namespace
}  // namespace pollwire::test
