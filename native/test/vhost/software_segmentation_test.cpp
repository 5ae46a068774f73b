// A large TCP packet for a guest that takes none: cut by the vhost device, for every shape of receive ring,
// and what happens when buffers or mbufs run out.
#include <gtest/gtest.h>

#include "support/packed_guest_ring.hpp"
#include "support/plain_segments.hpp"
#include "support/vhost_test.hpp"

namespace pollwire::test {
namespace {

using Frames = std::vector<std::vector<std::uint8_t>>;

template <class Ring>
class SoftwareSegmentation : public ArenaTest {
 protected:
  using Link = VhostLink<Ring>;

  static Handle large(Mempool& pool, const FrameShape& shape, unsigned size) {
    const Handle packet = makePacket(pool, asBytes(makeFrame(shape, Field::kSeed)));
    Mbuf& mbuf = *mbufOf(packet);
    mbuf.l2Len = static_cast<std::uint8_t>(shape.l2());
    mbuf.l3Len = static_cast<std::uint16_t>(shape.l3());
    mbuf.l4Len = static_cast<std::uint8_t>(shape.l4());
    mbuf.tsoSegsz = static_cast<std::uint16_t>(size);
    mbuf.olFlags = kTxTcpSeg | kTxTcpCksum | (shape.ipv6 ? kTxIpv6 : kTxIpv4);
    return packet;
  }

  // What arrived, with open checksums completed as the guest does it.
  static Frames arrived(Link& link, bool mayBeOpen) {
    Frames frames;
    for (const ReceivedPacket& packet : link.guest.receive()) {
      auto frame = octetsOf(packet.frame);
      EXPECT_EQ(packet.header.gsoType, virtio::kGsoNone);
      EXPECT_EQ(packet.header.flags, mayBeOpen ? virtio::kNeedsCsum : 0);
      if (packet.header.flags != 0) {
        const unsigned sum = plainSum(std::span(frame).subspan(packet.header.csumStart));
        putWord(frame, packet.header.csumStart + packet.header.csumOffset, ~sum & 0xffffu);
      }
      frames.push_back(std::move(frame));
    }
    return frames;
  }
  static Frames expected(const FrameShape& shape, unsigned size) {
    return plainSegments(makeFrame(shape, Field::kSeed), shape, size);
  }
};

using Rings = ::testing::Types<SplitGuestRing, PackedGuestRing>;
TYPED_TEST_SUITE(SoftwareSegmentation, Rings);

TYPED_TEST(SoftwareSegmentation, EveryKindOfGuestGetsAllSegments) {
  Mempool& pool = this->makePool(128);
  const struct {
    const char* what;
    std::uint64_t features;
    std::vector<std::uint32_t> buffer;
  } guests[] = {
      {"mergeable, whole buffers", kMergeable, {1536}},
      {"mergeable, small buffers", kMergeable, {300}},
      {"mergeable, chains", kMergeable, {12, 700, 100}},
      {"one buffer per packet", kModern, {1600}},
      {"header and data apart", kModern, {12, 1600}},
      {"legacy", 0, {1600}},
      {"completes checksums", kMergeable | virtio::kNetGuestCsum, {1536}},
      {"takes large IPv6 only", kMergeable | virtio::kNetGuestCsum | virtio::kNetGuestTso6, {1536}},
  };
  for (const auto& guest : guests) {
    typename TestFixture::Link link(pool, {.features = guest.features});
    for (const bool ipv6 : {false, true}) {
      if (ipv6 && (link.features & virtio::kNetGuestTso6) != 0) continue;
      for (const unsigned payload : {1401u, 2800u, 20000u}) {
        FrameShape shape;
        shape.ipv6 = ipv6;
        shape.payload = payload;
        shape.tcpOptions = 12;
        while (link.guest.post(guest.buffer)) {
        }
        const std::uint64_t mark = link.memory.mark();
        ASSERT_TRUE(link.transmit(this->large(pool, shape, 1400))) << guest.what;
        EXPECT_EQ(this->arrived(link, (link.features & virtio::kNetGuestCsum) != 0),
                  this->expected(shape, 1400))
            << guest.what << " " << payload;
        link.memory.reset(mark);
      }
    }
    const std::uint64_t versions = (link.features & virtio::kNetGuestTso6) != 0 ? 1 : 2;
    EXPECT_EQ(link.txCount(kPACKETS), versions * (2 + 2 + 15)) << "each segment counts";
    EXPECT_EQ(link.txCount(kTX_SEGMENTED), versions * 3);
    for (const Counter drop : {kTX_BAD_MBUF, kTX_TOO_BIG, kTX_NO_MBUF, kTX_BAD_CHAIN})
      EXPECT_EQ(link.txCount(drop), 0u) << guest.what;
  }
}

// Nothing of it goes until all of it can.
TYPED_TEST(SoftwareSegmentation, WaitsForRoom) {
  Mempool& pool = this->makePool(64);
  typename TestFixture::Link link(pool, {.features = kMergeable});
  const FrameShape shape{.payload = 10 * 1400};
  const auto burst = [&] {
    return std::vector<Handle>{makePacket(pool, patternBytes(60)), this->large(pool, shape, 1400)};
  };
  std::vector<Handle> handles = burst();
  for (int i = 0; i < 10; i++) ASSERT_TRUE(link.guest.post(1536));
  EXPECT_EQ(link.txSlot().run(handles.data(), 2), 1u) << "nine buffers are left for ten segments";
  EXPECT_EQ(link.guest.receive().size(), 1u);
  EXPECT_EQ(link.txSlot().run(handles.data() + 1, 1), 0u);
  EXPECT_TRUE(link.guest.receive().empty());
  EXPECT_EQ(link.txCount(kTX_SEGMENTED), 0u);
  ASSERT_TRUE(link.guest.post(1536));
  EXPECT_EQ(link.txSlot().run(handles.data() + 1, 1), 1u);
  EXPECT_EQ(this->arrived(link, false), this->expected(shape, 1400));
}

// A driver may refill its ring only when much of it was used.
TYPED_TEST(SoftwareSegmentation, MoreThanHalfOfTheRingDoesNotWait) {
  Mempool& pool = this->makePool(64);
  typename TestFixture::Link link(pool, {.features = kMergeable, .ringSize = 16});
  const FrameShape shape{.payload = 20 * 1000};
  for (int i = 0; i < 7; i++) ASSERT_TRUE(link.guest.post(1536));
  Handle packet = this->large(pool, shape, 1000);
  EXPECT_EQ(link.txSlot().run(&packet, 1), 0u);
  ASSERT_TRUE(link.guest.post(1536));
  EXPECT_EQ(link.txSlot().run(&packet, 1), 1u);
  auto expected = this->expected(shape, 1000);
  expected.resize(8);
  EXPECT_EQ(this->arrived(link, false), expected);
  EXPECT_EQ(link.txCount(kTX_TOO_BIG), 1u);
  EXPECT_EQ(link.txCount(kPACKETS), 8u);
  // The queue goes on.
  ASSERT_TRUE(link.guest.post(1536));
  EXPECT_TRUE(link.transmit(patternBytes(60)));
  EXPECT_EQ(link.guest.receive().size(), 1u);
}

TYPED_TEST(SoftwareSegmentation, MbufsThatRunOutAreCounted) {
  Mempool& pool = this->makePool(2, 16384);
  typename TestFixture::Link link(pool, {.features = kMergeable});
  const FrameShape shape{.payload = 3000};
  for (int i = 0; i < 8; i++) ASSERT_TRUE(link.guest.post(1536));
  Handle packets[] = {this->large(pool, shape, 1000), this->large(pool, shape, 1000)};
  EXPECT_EQ(link.txSlot().run(packets, 1), 1u) << "taken: there is nothing to wait for";
  EXPECT_EQ(link.txCount(kTX_NO_MBUF), 1u);
  EXPECT_TRUE(link.guest.receive().empty());
  EXPECT_EQ(link.txSlot().run(packets + 1, 1), 1u) << "one mbuf is free now";
  EXPECT_EQ(this->arrived(link, false), this->expected(shape, 1000));
  EXPECT_EQ(link.txCount(kTX_NO_MBUF), 1u);
}

TYPED_TEST(SoftwareSegmentation, NonsenseIsDroppedAndCounted) {
  Mempool& pool = this->makePool(64);
  typename TestFixture::Link link(pool, {.features = kMergeable});
  const FrameShape shape{.payload = 3000};
  for (int i = 0; i < 8; i++) ASSERT_TRUE(link.guest.post(1536));
  for (const unsigned size : {0u, 2u}) EXPECT_TRUE(link.transmit(this->large(pool, shape, size)));
  const Handle packet = this->large(pool, shape, 1000);
  mbufOf(packet)->l3Len = 24;
  EXPECT_TRUE(link.transmit(packet));
  EXPECT_EQ(link.txCount(kTX_BAD_MBUF), 3u);
  EXPECT_EQ(link.txCount(kTX_SEGMENTED), 0u);
  EXPECT_TRUE(link.guest.receive().empty());
}

// Its buffers break rules in the middle of a packet.
TYPED_TEST(SoftwareSegmentation, ABadBufferCostsOneSegment) {
  Mempool& pool = this->makePool(64);
  typename TestFixture::Link link(pool, {.features = kMergeable});
  const FrameShape shape{.payload = 3000};
  ASSERT_TRUE(link.guest.post(1536));
  ASSERT_TRUE(link.guest.postChain({Segment{0xdead'0000'0000ull, 1536, true}}, Placement::kDirect));
  for (int i = 0; i < 3; i++) ASSERT_TRUE(link.guest.post(1536));
  ASSERT_TRUE(link.transmit(this->large(pool, shape, 1000)));
  EXPECT_EQ(link.txCount(kTX_BAD_ADDRESS), 1u);
  EXPECT_EQ(link.txCount(kPACKETS), 2u);
}

}  // namespace
}  // namespace pollwire::test
