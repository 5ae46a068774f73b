// Header → mbuf: what a received virtio-net header says becomes mbuf flags when they can say it, is done when
// they cannot, and is ignored when it is impossible or not negotiated.
#include <gtest/gtest.h>

#include "net/ptype.hpp"
#include "offload/virtio_net.hpp"
#include "support/guarded_bytes.hpp"
#include "support/offload_frames.hpp"

namespace pollwire::test {
namespace {

using offload::Accepted;
using virtio::NetHdr;

constexpr Accepted kNothing{};
constexpr Accepted kAll{true, true, true, true, true, true};

NetHdr needsCsum(unsigned start, unsigned offset) {
  NetHdr header{};
  header.flags = virtio::kNeedsCsum;
  header.csumStart = static_cast<std::uint16_t>(start);
  header.csumOffset = static_cast<std::uint16_t>(offset);
  return header;
}

NetHdr headerFor(const FrameShape& shape) { return needsCsum(shape.l4Start(), shape.tcp ? 16 : 6); }

NetHdr segmented(const FrameShape& shape, unsigned type, unsigned size) {
  NetHdr header = headerFor(shape);
  header.gsoType = static_cast<std::uint8_t>(type);
  header.gsoSize = static_cast<std::uint16_t>(size);
  return header;
}

using ReadHeader = ArenaTest;

TEST(AcceptedOffloads, FollowTheDirection) {
  const Accepted device =
      offload::acceptedByDevice(virtio::kNetCsum | virtio::kNetHostTso4 | virtio::kNetGuestTso6);
  EXPECT_TRUE(device.csum && device.tso4);
  EXPECT_FALSE(device.tso6 || device.ecn || device.ufo || device.dataValid);
  const Accepted driver =
      offload::acceptedByDriver(virtio::kNetGuestCsum | virtio::kNetGuestTso6 | virtio::kNetHostTso4 |
                                virtio::kNetGuestEcn | virtio::kNetGuestUfo);
  EXPECT_TRUE(driver.csum && driver.dataValid && driver.tso6 && driver.ecn && driver.ufo);
  EXPECT_FALSE(driver.tso4);
  EXPECT_FALSE(offload::acceptedByDriver(virtio::kNetCsum).csum);
  EXPECT_FALSE(offload::acceptedByDevice(virtio::kNetGuestCsum).csum);
}

TEST_F(ReadHeader, AnOpenChecksumBecomesFlagsAndLengths) {
  Mempool& pool = makePool(64, 192);
  for (const FrameShape& shape : commonShapes()) {
    const auto frame = makeFrame(shape, Field::kSeed);
    for (const std::uint32_t segment : {0u, 64u, 33u}) {
      const Handle packet = makePacket(pool, asBytes(frame), segment);
      Mbuf& mbuf = *mbufOf(packet);
      ASSERT_TRUE(offload::fromHeader(mbuf, headerFor(shape), kAll));
      EXPECT_EQ(mbuf.olFlags, kRxL4CksumNone);
      EXPECT_EQ(mbuf.l2Len, shape.l2());
      EXPECT_EQ(mbuf.l3Len, shape.l3());
      EXPECT_EQ(mbuf.l4Len, shape.l4());
      EXPECT_EQ(mbuf.packetType & PTYPE_L4_MASK, shape.tcp ? PTYPE_L4_TCP : PTYPE_L4_UDP);
      EXPECT_EQ(mbuf.packetType & PTYPE_L3_MASK, shape.ipv6 ? PTYPE_L3_IPV6 : PTYPE_L3_IPV4);
      EXPECT_EQ(octetsOf(contentsOf(packet)), frame) << "nothing is computed";
      freeChain(packet);
    }
  }
}

TEST_F(ReadHeader, NothingSaidNothingDone) {
  Mempool& pool = makePool(4);
  const auto frame = makeFrame({}, Field::kZero);
  const Handle packet = makePacket(pool, asBytes(frame));
  NetHdr header{};
  // Fields that mean nothing without a flag.
  header.hdrLen = header.gsoSize = header.csumStart = header.csumOffset = header.numBuffers = 0xffff;
  EXPECT_TRUE(offload::fromHeader(*mbufOf(packet), header, kAll));
  // Flags that nobody knows.
  header.flags = 0xfc;
  EXPECT_TRUE(offload::fromHeader(*mbufOf(packet), header, kAll));
  EXPECT_EQ(mbufOf(packet)->olFlags, 0u);
  EXPECT_EQ(mbufOf(packet)->packetType, 0u);
  EXPECT_EQ(octetsOf(contentsOf(packet)), frame);
  freeChain(packet);
}

TEST_F(ReadHeader, DataValidCountsTowardsADriverOnly) {
  Mempool& pool = makePool(4);
  for (const FrameShape& shape : commonShapes()) {
    const auto frame = makeFrame(shape, Field::kRight);
    const Handle packet = makePacket(pool, asBytes(frame));
    NetHdr header{};
    header.flags = virtio::kDataValid;
    EXPECT_TRUE(offload::fromHeader(*mbufOf(packet), header, offload::acceptedByDevice(~0ull)));
    EXPECT_TRUE(
        offload::fromHeader(*mbufOf(packet), header, offload::acceptedByDriver(~virtio::kNetGuestCsum)));
    EXPECT_EQ(mbufOf(packet)->olFlags, 0u);
    EXPECT_TRUE(offload::fromHeader(*mbufOf(packet), header, offload::acceptedByDriver(~0ull)));
    EXPECT_EQ(mbufOf(packet)->olFlags, kRxL4CksumGood);
    freeChain(packet);
  }
  // Not for what has no such checksum.
  const Handle packet = makePacket(pool, patternBytes(60));
  NetHdr header{};
  header.flags = virtio::kDataValid;
  EXPECT_TRUE(offload::fromHeader(*mbufOf(packet), header, kAll));
  EXPECT_EQ(mbufOf(packet)->olFlags, 0u);
  freeChain(packet);
}

// Hostile row 110.
TEST_F(ReadHeader, WhatWasNotNegotiatedIsIgnored) {
  Mempool& pool = makePool(4);
  const FrameShape shape;
  const auto frame = makeFrame(shape, Field::kSeed);
  const auto read = [&](const NetHdr& header, const Accepted& accepted) {
    const Handle packet = makePacket(pool, asBytes(frame));
    const bool good = offload::fromHeader(*mbufOf(packet), header, accepted);
    EXPECT_EQ(octetsOf(contentsOf(packet)), frame);
    const std::uint32_t flags = mbufOf(packet)->olFlags;
    freeChain(packet);
    return std::pair(good, flags);
  };
  using Result = std::pair<bool, std::uint32_t>;
  EXPECT_EQ(read(headerFor(shape), kNothing), Result(false, 0));
  EXPECT_EQ(read(segmented(shape, virtio::kGsoTcpv4, 1000), kNothing), Result(false, 0));
  EXPECT_EQ(read(segmented(shape, virtio::kGsoTcpv4, 50), {.csum = true}), Result(false, kRxL4CksumNone));
  EXPECT_EQ(
      read(segmented(shape, virtio::kGsoTcpv4, 50), {.csum = true, .tso6 = true, .ecn = true, .ufo = true}),
      Result(false, kRxL4CksumNone));
  EXPECT_EQ(read(segmented(shape, virtio::kGsoTcpv4 | virtio::kGsoEcn, 50), {.csum = true, .tso4 = true}),
            Result(false, kRxL4CksumNone));
  EXPECT_EQ(read(segmented(shape, virtio::kGsoTcpv4, 50), {.csum = true, .tso4 = true}),
            Result(true, kRxL4CksumNone | kRxLro));
}

// Hostile row 109.
TEST_F(ReadHeader, SegmentationIsTakenWhenItFitsThePacket) {
  Mempool& pool = makePool(64);
  const FrameShape tcp4{.payload = 3000};
  const FrameShape tcp6{.ipv6 = true, .payload = 3000};
  const FrameShape udp4{.tcp = false, .payload = 3000};
  const FrameShape udp6{.ipv6 = true, .tcp = false, .payload = 3000};
  constexpr unsigned kEcn = virtio::kGsoEcn;
  struct {
    const char* what;
    FrameShape shape;
    unsigned type;
    unsigned size;
    bool taken;
  } const rows[] = {
      {"TCP over IPv4", tcp4, virtio::kGsoTcpv4, 1448, true},
      {"TCP over IPv6", tcp6, virtio::kGsoTcpv6, 1428, true},
      {"UDP fragments", udp4, virtio::kGsoUdp, 1472, true},
      {"UDP fragments over IPv6", udp6, virtio::kGsoUdp, 1452, true},
      {"TCP with ECN", tcp4, virtio::kGsoTcpv4 | kEcn, 1448, true},
      {"size 1", tcp4, virtio::kGsoTcpv4, 1, true},
      {"size 65,535", tcp4, virtio::kGsoTcpv4, 65535, true},
      {"size 0", tcp4, virtio::kGsoTcpv4, 0, false},
      {"the wrong version", tcp4, virtio::kGsoTcpv6, 1448, false},
      {"the other wrong version", tcp6, virtio::kGsoTcpv4, 1448, false},
      {"UDP as TCP", udp4, virtio::kGsoTcpv4, 1448, false},
      {"TCP as UDP", tcp4, virtio::kGsoUdp, 1448, false},
      {"ECN alone", tcp4, kEcn, 1448, false},
      {"UDP with ECN", udp4, virtio::kGsoUdp | kEcn, 1472, false},
      {"unknown 2", tcp4, 2, 1448, false},
      {"unknown 5", udp4, 5, 1448, false},
      {"unknown 0x7f", tcp4, 0x7f, 1448, false},
      {"all bits", tcp4, 0xff, 1448, false},
  };
  for (const auto& row : rows) {
    const auto frame = makeFrame(row.shape, Field::kSeed);
    for (const unsigned headerLen : {0u, row.shape.l4Start() + row.shape.l4(), 65535u}) {
      const Handle packet = makePacket(pool, asBytes(frame));
      NetHdr header = segmented(row.shape, row.type, row.size);
      header.hdrLen = static_cast<std::uint16_t>(headerLen);
      EXPECT_EQ(offload::fromHeader(*mbufOf(packet), header, kAll), row.taken) << row.what;
      EXPECT_EQ(mbufOf(packet)->olFlags, kRxL4CksumNone | (row.taken ? kRxLro : 0u)) << row.what;
      EXPECT_EQ(mbufOf(packet)->tsoSegsz, row.taken ? row.size : 0u) << row.what;
      freeChain(packet);
    }
  }
}

// Segmentation of what was validated instead of left open, as a driver may see it; and of what says nothing
// of its checksum.
TEST_F(ReadHeader, SegmentationNeedsToKnowTheChecksum) {
  Mempool& pool = makePool(4);
  const FrameShape shape{.payload = 2000};
  const Handle packet = makePacket(pool, asBytes(makeFrame(shape, Field::kRight)));
  NetHdr header{};
  header.gsoType = virtio::kGsoTcpv4;
  header.gsoSize = 500;
  EXPECT_FALSE(offload::fromHeader(*mbufOf(packet), header, kAll));
  EXPECT_EQ(mbufOf(packet)->olFlags, 0u);
  header.flags = virtio::kDataValid;
  EXPECT_TRUE(offload::fromHeader(*mbufOf(packet), header, kAll));
  EXPECT_EQ(mbufOf(packet)->olFlags, kRxL4CksumGood | kRxLro);
  EXPECT_EQ(mbufOf(packet)->l4Len, 20u);
  freeChain(packet);
}

// What mbuf flags cannot describe is computed here: options and extension headers, tunnels, other protocols.
TEST_F(ReadHeader, OtherChecksumsAreCompleted) {
  Mempool& pool = makePool(64, 192);
  const auto complete = [&](const std::vector<std::uint8_t>& frame, unsigned start, unsigned offset,
                            std::uint32_t segment) {
    const Handle packet = makePacket(pool, asBytes(frame), segment);
    EXPECT_TRUE(offload::fromHeader(*mbufOf(packet), needsCsum(start, offset), kAll));
    EXPECT_EQ(mbufOf(packet)->olFlags & kRxL4CksumNone, 0u);
    const auto result = octetsOf(contentsOf(packet));
    freeChain(packet);
    // Nothing else changed.
    auto expected = frame;
    putWord(expected, start + offset, wordAt(result, start + offset));
    EXPECT_EQ(result, expected);
    return result;
  };
  for (const std::uint32_t segment : {0u, 63u, 17u}) {
    for (const bool tcp : {true, false}) {
      for (const unsigned payload : {0u, 1u, 99u}) {
        const FrameShape options{.tcp = tcp, .ipOptions = 8, .payload = payload};
        const auto frame = makeFrame(options, Field::kSeed);
        EXPECT_TRUE(checksumIsRight(complete(frame, options.l4Start(), tcp ? 16 : 6, segment), options));
      }
    }
    // TCP inside VXLAN inside UDP: only the inner one is open.
    const FrameShape inner{.payload = 77};
    const auto innerFrame = makeFrame(inner, Field::kSeed);
    Frame outer;
    outer.ether(kEtherIpv4).ipv4(17, static_cast<unsigned>(16 + innerFrame.size()));
    outer.udp(5555, 4789, static_cast<unsigned>(8 + innerFrame.size()))
        .raw({8, 0, 0, 0, 0, 0, 1, 0})
        .append(innerFrame);
    const unsigned shift = 14 + 20 + 8 + 8;
    auto result = complete(outer.bytes(), shift + inner.l4Start(), 16, segment);
    result.erase(result.begin(), result.begin() + shift);
    EXPECT_TRUE(checksumIsRight(result, inner));
    // Bytes of no protocol that anybody knows: a sum is a sum.
    const auto other = Frame().ether(0x1234).append(makeFrame({}, Field::kZero)).bytes();
    const auto summed = complete(other, 20, 10, segment);
    EXPECT_EQ(plainSum(std::span(summed).subspan(20), wordAt(other, 30)), 0xffff);
  }
}

// A sum of 0 is written as 0xffff, which is the same number and says "there is a checksum" in UDP.
TEST_F(ReadHeader, ACompletedChecksumIsNeverZero) {
  Mempool& pool = makePool(4);
  const FrameShape shape{.tcp = false, .ipOptions = 4, .payload = 4};
  for (unsigned value = 0; value < 0x10000; value += 5) {
    auto frame = makeFrame(shape, Field::kSeed);
    putWord(frame, shape.l4Start() + 8, value);
    putWord(frame, shape.l4Start() + 10, 0);
    const Handle packet = makePacket(pool, asBytes(frame));
    ASSERT_TRUE(offload::fromHeader(*mbufOf(packet), headerFor(shape), kAll));
    const auto result = octetsOf(contentsOf(packet));
    ASSERT_NE(fieldOf(result, shape), 0u);
    ASSERT_TRUE(checksumIsRight(result, shape));
    freeChain(packet);
  }
}

// Hostile row 108: any start and offset, on packets of any length, never a byte outside and never a crash.
TEST_F(ReadHeader, StartAndOffsetOfAnyValue) {
  constexpr unsigned kCorners[] = {0,   1,   2,   13,     14,     15,     33,     34,     35,    50,
                                   51,  52,  53,  54,     55,     56,     57,     58,     100,   152,
                                   153, 154, 155, 0x7fff, 0x8000, 0xfffc, 0xfffd, 0xfffe, 0xffff};
  const FrameShape shape;
  const auto frame = makeFrame(shape, Field::kSeed);
  ASSERT_EQ(frame.size(), 154u);
  for (const unsigned start : kCorners) {
    for (const unsigned offset : kCorners) {
      GuardedBytes guarded(frame);
      Mbuf mbuf{};
      mbuf.bufAddr = reinterpret_cast<std::byte*>(const_cast<std::uint8_t*>(guarded.bytes().data()));
      mbuf.nbSegs = mbuf.refcnt = 1;
      mbuf.bufLen = mbuf.dataLen = static_cast<std::uint16_t>(frame.size());
      mbuf.pktLen = static_cast<std::uint32_t>(frame.size());
      const bool inside = start + offset + 2 <= frame.size();
      const bool described = start == shape.l4Start() && offset == 16;
      const bool good = offload::fromHeader(mbuf, needsCsum(start, offset), kAll);
      EXPECT_EQ(good, inside && offset % 2 == 0) << start << " + " << offset;
      EXPECT_EQ(mbuf.olFlags, described ? kRxL4CksumNone : 0u) << start << " + " << offset;
      std::vector<std::uint8_t> after(guarded.bytes().data(), guarded.bytes().data() + frame.size());
      if (good && !described) {
        // What the field held was a part of the sum.
        ASSERT_EQ(plainSum(std::span(after).subspan(start), wordAt(frame, start + offset)), 0xffff);
        putWord(after, start + offset, wordAt(frame, start + offset));
      }
      ASSERT_EQ(after, frame) << start << " + " << offset;
    }
  }
}

// Hostile row 115: every packet cut at every byte, with every header that its whole would have: the parse
// ends where the packet does.
TEST_F(ReadHeader, PacketsCutAtEveryByte) {
  std::vector<std::pair<std::vector<std::uint8_t>, NetHdr>> packets;
  for (const FrameShape& shape : commonShapes()) {
    if (shape.payload > 100) continue;
    packets.emplace_back(makeFrame(shape, Field::kSeed), segmented(shape, shape.ipv6 ? 4 : 1, 10));
  }
  const FrameShape options{.ipOptions = 40, .tcpOptions = 40, .payload = 3};
  packets.emplace_back(makeFrame(options, Field::kSeed), segmented(options, virtio::kGsoTcpv4, 10));
  // IPv6 with extension headers of all kinds before TCP.
  Frame chained;
  chained.ether(kEtherIpv6).ipv6(kIpHopByHop, 8 + 24 + 16 + 20 + 5);
  chained.u8(kIpRouting).u8(0).zeros(6);
  chained.u8(kIpDestinationOptions).u8(2).u8(2).u8(1).zeros(20);
  chained.u8(kIpTcp).u8(1).raw({1, 12}).zeros(12).tcp(1, 2).zeros(5);
  packets.emplace_back(chained.bytes(), needsCsum(14 + 40 + 48, 16));
  for (const auto& [frame, header] : packets) {
    forEveryLength(frame, [&](Bytes cut, std::size_t length) {
      Mbuf mbuf{};
      mbuf.bufAddr = reinterpret_cast<std::byte*>(const_cast<std::uint8_t*>(cut.data()));
      mbuf.nbSegs = mbuf.refcnt = 1;
      mbuf.bufLen = mbuf.dataLen = static_cast<std::uint16_t>(length);
      mbuf.pktLen = static_cast<std::uint32_t>(length);
      (void)offload::fromHeader(mbuf, header, kAll);
      if ((mbuf.olFlags & kRxL4CksumNone) == kRxL4CksumNone) {
        ASSERT_LE(mbuf.l2Len + mbuf.l3Len + mbuf.l4Len, static_cast<int>(length));
      }
    });
  }
}

}  // namespace
}  // namespace pollwire::test
