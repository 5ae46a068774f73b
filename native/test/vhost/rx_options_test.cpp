// What the devargs of net_vhost change in received packets: larger buffers in place of chains (ext-buffer),
// offload flags as DPDK once had them (legacy-ol-flags).
#include <gtest/gtest.h>

#include "net/ptype.hpp"
#include "support/offload_frames.hpp"
#include "support/packed_guest_ring.hpp"
#include "support/vhost_test.hpp"

namespace pollwire::test {
namespace {

using virtio::NetHdr;

constexpr std::uint64_t kOffloads =
    kMergeable | virtio::kNetCsum | virtio::kNetHostTso4 | virtio::kNetHostTso6 | virtio::kNetHostUfo;

template <class Ring>
class RxOptions : public ArenaTest {
 protected:
  using Link = VhostLink<Ring>;

  static NetHdr openHeader(const FrameShape& shape, unsigned size = 0) {
    NetHdr header{};
    header.flags = virtio::kNeedsCsum;
    header.csumStart = static_cast<std::uint16_t>(shape.l4Start());
    header.csumOffset = shape.tcp ? 16 : 6;
    header.gsoSize = static_cast<std::uint16_t>(size);
    if (size != 0) header.gsoType = shape.ipv6 ? virtio::kGsoTcpv6 : virtio::kGsoTcpv4;
    return header;
  }
  // One packet from the guest; kNoHandle: nothing was received.
  static Handle receive(Link& link, const std::vector<std::uint8_t>& frame, const NetHdr& header = {}) {
    const std::uint64_t mark = link.memory.mark();
    EXPECT_TRUE(link.guest.send(asBytes(frame), {}, Placement::kDirect, header));
    const std::vector<Handle> handles = link.receive();
    EXPECT_EQ(link.guest.reclaim(), 1u);
    link.memory.reset(mark);
    return handles.empty() ? kNoHandle : handles[0];
  }
};

using Rings = ::testing::Types<SplitGuestRing, PackedGuestRing>;
TYPED_TEST_SUITE(RxOptions, Rings);

TYPED_TEST(RxOptions, LongPacketsBorrowABuffer) {
  Mempool& pool = this->makePool(64, 512);
  Mempool& large = this->makePool(8, 65472);
  for (const bool linear : {false, true}) {
    typename TestFixture::Link link(pool, {.features = kOffloads, .linear = linear, .buffers = large.id()});
    for (const unsigned payload : {10u, 384u - 54, 384u - 53, 9000u, 65344u - 54}) {
      const FrameShape shape{.payload = payload};
      const auto frame = makeFrame(shape, Field::kRight);
      const Handle packet = this->receive(link, frame);
      ASSERT_NE(packet, kNoHandle) << payload;
      const bool fits = frame.size() <= pool.segmentRoom();
      EXPECT_EQ(mbufOf(packet)->nbSegs, 1u);
      EXPECT_EQ(large.available(), fits ? 8u : 7u);
      EXPECT_EQ(headroomOf(mbufOf(packet)), kHeadroom);
      EXPECT_EQ(octetsOf(contentsOf(packet)), frame);
      EXPECT_EQ(mbufOf(packet)->pool, pool.id());
      freeChain(packet);
      EXPECT_EQ(large.available(), 8u);
    }
    EXPECT_EQ(link.rxCount(kPACKETS), 5u);
  }
}

TYPED_TEST(RxOptions, WithoutALargeBufferPacketsAreChainedOrDropped) {
  Mempool& pool = this->makePool(256, 512);
  Mempool& large = this->makePool(1, 16384);
  const auto frame = makeFrame({.payload = 9000}, Field::kRight);
  const auto longest = makeFrame({.payload = 30000}, Field::kRight);
  for (const bool linear : {false, true}) {
    typename TestFixture::Link link(pool, {.features = kOffloads, .linear = linear, .buffers = large.id()});
    const Handle taken = this->receive(link, frame);
    ASSERT_NE(taken, kNoHandle);
    for (const auto& next : {frame, longest}) {
      const Handle packet = this->receive(link, next);
      EXPECT_EQ(packet == kNoHandle, linear);
      if (packet == kNoHandle) continue;
      EXPECT_GT(mbufOf(packet)->nbSegs, 1u);
      EXPECT_EQ(octetsOf(contentsOf(packet)), next);
      freeChain(packet);
    }
    EXPECT_EQ(link.rxCount(kRX_NO_MBUF), linear ? 1u : 0u) << "none was left";
    EXPECT_EQ(link.rxCount(kRX_BAD_LENGTH), linear ? 1u : 0u) << "none is large enough";
    freeChain(taken);
  }
}

// A packet that a guest sent large goes on through a borrowed buffer.
TYPED_TEST(RxOptions, LargePacketsInBorrowedBuffersAreSentOn) {
  Mempool& pool = this->makePool(64);
  Mempool& large = this->makePool(4, 65472);
  typename TestFixture::Link from(pool, {.features = kOffloads, .linear = true, .buffers = large.id()}, 0);
  const FrameShape shape{.payload = 20000};
  for (const bool whole : {true, false}) {
    const std::uint64_t tso = virtio::kNetGuestCsum | virtio::kNetGuestTso4;
    typename TestFixture::Link to(pool, {.features = kMergeable | (whole ? tso : 0)}, 1);
    for (int i = 0; i < 20; i++) ASSERT_TRUE(to.guest.post(1536));
    const Handle packet = this->receive(from, makeFrame(shape, Field::kSeed), this->openHeader(shape, 1400));
    ASSERT_NE(packet, kNoHandle);
    ASSERT_TRUE(to.transmit(packet));
    EXPECT_EQ(to.guest.receive().size(), whole ? 1u : 15u);
    EXPECT_EQ(large.available(), 4u);
  }
}

TYPED_TEST(RxOptions, LegacyFlagsAreTransmitRequests) {
  Mempool& pool = this->makePool(256);
  typename TestFixture::Link link(pool, {.features = kOffloads, .legacyFlags = true});
  for (const FrameShape& shape : commonShapes()) {
    const Handle packet = this->receive(link, makeFrame(shape, Field::kSeed), this->openHeader(shape));
    ASSERT_NE(packet, kNoHandle);
    const Mbuf& mbuf = *mbufOf(packet);
    EXPECT_EQ(mbuf.olFlags, (shape.tcp ? kTxTcpCksum : kTxUdpCksum) | (shape.ipv6 ? kTxIpv6 : kTxIpv4));
    EXPECT_EQ(mbuf.l2Len, shape.l2());
    EXPECT_EQ(mbuf.l3Len, shape.l3());
    EXPECT_EQ(mbuf.l4Len, shape.l4());
    freeChain(packet);
  }
  for (const bool ipv6 : {false, true}) {
    FrameShape shape;
    shape.ipv6 = ipv6;
    shape.payload = 5000;
    const Handle packet = this->receive(link, makeFrame(shape, Field::kSeed), this->openHeader(shape, 1400));
    ASSERT_NE(packet, kNoHandle);
    EXPECT_EQ(mbufOf(packet)->olFlags, kTxTcpCksum | kTxTcpSeg | (ipv6 ? kTxIpv6 : kTxIpv4));
    EXPECT_EQ(mbufOf(packet)->tsoSegsz, 1400u);
    freeChain(packet);
  }
  const FrameShape plain;
  const Handle packet = this->receive(link, makeFrame(plain, Field::kRight));
  EXPECT_EQ(mbufOf(packet)->olFlags, 0u) << "nothing was left open";
  freeChain(packet);
  EXPECT_EQ(link.rxCount(kRX_BAD_OFFLOAD), 0u);
}

// A header that lies gives no request either.
TYPED_TEST(RxOptions, LegacyFlagsOfAHostileHeader) {
  Mempool& pool = this->makePool(64);
  typename TestFixture::Link link(pool, {.features = kOffloads, .legacyFlags = true});
  const FrameShape shape{.payload = 5000};
  NetHdr header = this->openHeader(shape, 1400);
  header.csumStart = 60000;
  Handle packet = this->receive(link, makeFrame(shape, Field::kSeed), header);
  ASSERT_NE(packet, kNoHandle);
  EXPECT_EQ(mbufOf(packet)->olFlags, 0u);
  freeChain(packet);
  header = this->openHeader(shape, 1400);
  header.gsoType = virtio::kGsoTcpv6;
  packet = this->receive(link, makeFrame(shape, Field::kSeed), header);
  ASSERT_NE(packet, kNoHandle);
  EXPECT_EQ(mbufOf(packet)->olFlags, kTxTcpCksum | kTxIpv4) << "no IPv6, but the checksum can be had";
  freeChain(packet);
  EXPECT_EQ(link.rxCount(kRX_BAD_OFFLOAD), 2u);
}

TYPED_TEST(RxOptions, LegacyFlagsWithTagsTakenOut) {
  Mempool& pool = this->makePool(64);
  typename TestFixture::Link link(pool, {.features = kOffloads, .stripVlan = true, .legacyFlags = true});
  const FrameShape shape{.vlans = 1};
  const Handle packet = this->receive(link, makeFrame(shape, Field::kSeed), this->openHeader(shape));
  ASSERT_NE(packet, kNoHandle);
  EXPECT_EQ(mbufOf(packet)->olFlags, kTxTcpCksum | kTxIpv4 | kRxVlan | kRxVlanStripped);
  EXPECT_EQ(mbufOf(packet)->vlanTci, 7u);
  EXPECT_EQ(mbufOf(packet)->l2Len, 14u);
  freeChain(packet);
}

}  // namespace
}  // namespace pollwire::test
