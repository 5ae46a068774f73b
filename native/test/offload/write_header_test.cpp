// Mbuf → header: what an application asks for, or what came with a packet, is left to a peer that accepts it
// and done in software for one that does not.
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
constexpr Accepted kCsum{.csum = true, .dataValid = true};
constexpr Accepted kAll{true, true, true, true, true, true};

using WriteHeader = ArenaTest;

void setLengths(Mbuf& mbuf, const FrameShape& shape) {
  mbuf.l2Len = static_cast<std::uint8_t>(shape.l2());
  mbuf.l3Len = static_cast<std::uint16_t>(shape.l3());
  mbuf.l4Len = static_cast<std::uint8_t>(shape.l4());
}

void expectZero(const NetHdr& header) {
  EXPECT_EQ(header.flags, 0u);
  EXPECT_EQ(header.gsoType, 0u);
  EXPECT_EQ(header.gsoSize, 0u);
  EXPECT_EQ(header.hdrLen, 0u);
  EXPECT_EQ(header.csumStart, 0u);
  EXPECT_EQ(header.csumOffset, 0u);
}

void expectOpen(const NetHdr& header, const std::vector<std::uint8_t>& frame, const FrameShape& shape) {
  EXPECT_EQ(header.flags, virtio::kNeedsCsum);
  EXPECT_EQ(header.csumStart, shape.l4Start());
  EXPECT_EQ(header.csumOffset, shape.tcp ? 16u : 6u);
  EXPECT_EQ(fieldOf(frame, shape), plainSeed(frame, shape));
}

TEST_F(WriteHeader, IsAskedOnlyForPacketsThatNeedIt) {
  Mbuf mbuf{};
  for (std::uint32_t bit = 0; bit < 32; bit++) {
    mbuf.olFlags = 1u << bit;
    constexpr std::uint32_t kWork =
        kTxIpCksum | kTxTcpCksum | kTxUdpCksum | kTxTcpSeg | kTxUdpSeg | kTxVlan | kRxLro;
    EXPECT_EQ(offload::wantsHeader(mbuf), (mbuf.olFlags & kWork) != 0) << bit;
  }
  mbuf.olFlags = kRxL4CksumNone;
  EXPECT_TRUE(offload::wantsHeader(mbuf));
  mbuf.olFlags = kRxIpCksumBad | kRxIpCksumGood | kRxL4CksumBad | kTxIpv4 | kRxVlan;
  EXPECT_FALSE(offload::wantsHeader(mbuf));
}

// Request or received state × shape × segments × what the field held × what the peer accepts.
TEST_F(WriteHeader, ChecksumsAreLeftOpenOrComputed) {
  Mempool& pool = makePool(64, 192);
  for (const FrameShape& shape : commonShapes()) {
    for (const std::uint32_t segment : {0u, 64u, 31u}) {
      for (const Field field : {Field::kZero, Field::kSeed, Field::kRight}) {
        for (const bool received : {false, true}) {
          for (const Accepted& accepted : {kNothing, kCsum, kAll}) {
            const Handle packet = makePacket(pool, asBytes(makeFrame(shape, field)), segment);
            Mbuf& mbuf = *mbufOf(packet);
            NetHdr header{};
            if (received) {
              header.flags = virtio::kNeedsCsum;
              header.csumStart = static_cast<std::uint16_t>(shape.l4Start());
              header.csumOffset = shape.tcp ? 16 : 6;
              ASSERT_TRUE(offload::fromHeader(mbuf, header, kAll));
              header = {};
            } else {
              setLengths(mbuf, shape);
              mbuf.olFlags = shape.tcp ? kTxTcpCksum : kTxUdpCksum;
            }
            // Twice: a packet that found the ring full is sent again.
            for (int attempt = 0; attempt < 2; attempt++) {
              header = {};
              ASSERT_TRUE(offload::toHeader(mbuf, header, accepted));
              const auto frame = octetsOf(contentsOf(packet));
              if (accepted.csum) {
                expectOpen(header, frame, shape);
              } else {
                expectZero(header);
                EXPECT_TRUE(checksumIsRight(frame, shape));
                EXPECT_FALSE(offload::wantsHeader(mbuf));
              }
            }
            freeChain(packet);
          }
        }
      }
    }
  }
}

TEST_F(WriteHeader, AUdpChecksumIsNeverZero) {
  Mempool& pool = makePool(4);
  const FrameShape shape{.tcp = false, .payload = 2};
  std::uint32_t allOnes = 0;
  for (unsigned value = 0; value < 0x10000; value++) {
    auto frame = makeFrame(shape, Field::kZero);
    putWord(frame, shape.l4Start() + 8, value);
    const Handle packet = makePacket(pool, asBytes(frame));
    setLengths(*mbufOf(packet), shape);
    mbufOf(packet)->olFlags = kTxUdpCksum;
    NetHdr header{};
    ASSERT_TRUE(offload::toHeader(*mbufOf(packet), header, kNothing));
    frame = octetsOf(contentsOf(packet));
    ASSERT_NE(fieldOf(frame, shape), 0u);
    ASSERT_TRUE(checksumIsRight(frame, shape));
    allOnes += fieldOf(frame, shape) == 0xffff ? 1u : 0u;
    freeChain(packet);
  }
  EXPECT_GT(allOnes, 0u) << "the case was never met";
}

// What lies behind the IP packet is not part of the datagram.
TEST_F(WriteHeader, PaddingDoesNotCount) {
  Mempool& pool = makePool(4);
  for (const bool ipv6 : {false, true}) {
    const FrameShape shape{.ipv6 = ipv6, .tcp = false, .payload = 3, .padding = 20};
    auto frame = makeFrame(shape, Field::kZero);
    for (std::size_t i = frame.size() - 20; i < frame.size(); i++) frame[i] = 0xee;
    const Handle packet = makePacket(pool, asBytes(frame));
    setLengths(*mbufOf(packet), shape);
    mbufOf(packet)->olFlags = kTxUdpCksum;
    NetHdr header{};
    ASSERT_TRUE(offload::toHeader(*mbufOf(packet), header, kNothing));
    EXPECT_TRUE(checksumIsRight(octetsOf(contentsOf(packet)), shape));
    freeChain(packet);
  }
}

TEST_F(WriteHeader, TheIpv4ChecksumIsAlwaysComputedHere) {
  Mempool& pool = makePool(64, 192);
  for (const unsigned options : {0u, 4u, 40u}) {
    for (const std::uint32_t segment : {0u, 64u, 15u}) {
      for (const Accepted& accepted : {kNothing, kAll}) {
        const FrameShape shape{.ipOptions = options};
        const Handle packet = makePacket(pool, asBytes(makeFrame(shape, Field::kRight, false)), segment);
        setLengths(*mbufOf(packet), shape);
        mbufOf(packet)->olFlags = kTxIpCksum | kTxIpv4;
        NetHdr header{};
        ASSERT_TRUE(offload::toHeader(*mbufOf(packet), header, accepted));
        expectZero(header);
        const auto frame = octetsOf(contentsOf(packet));
        EXPECT_TRUE(ipChecksumIsRight(frame, shape));
        EXPECT_EQ(frame, makeFrame(shape, Field::kRight));
        EXPECT_EQ(mbufOf(packet)->olFlags, static_cast<std::uint32_t>(kTxIpv4));
        freeChain(packet);
      }
    }
  }
  // Not IPv4, or lengths that contradict the header.
  const FrameShape shape;
  const auto refused = [&](const std::vector<std::uint8_t>& frame, unsigned l2, unsigned l3) {
    const Handle packet = makePacket(pool, asBytes(frame));
    mbufOf(packet)->l2Len = static_cast<std::uint8_t>(l2);
    mbufOf(packet)->l3Len = static_cast<std::uint16_t>(l3);
    mbufOf(packet)->olFlags = kTxIpCksum;
    NetHdr header{};
    const bool result = offload::toHeader(*mbufOf(packet), header, kAll);
    EXPECT_EQ(octetsOf(contentsOf(packet)), frame);
    freeChain(packet);
    return !result;
  };
  const auto frame = makeFrame(shape, Field::kRight);
  EXPECT_TRUE(refused(frame, 14, 0));
  EXPECT_TRUE(refused(frame, 14, 19));
  EXPECT_TRUE(refused(frame, 14, 24));
  EXPECT_TRUE(refused(frame, 14, 61));
  EXPECT_TRUE(refused(frame, 14, 65535));
  EXPECT_TRUE(refused(frame, 13, 20));
  EXPECT_TRUE(refused(frame, 255, 20));
  EXPECT_TRUE(refused(makeFrame({.ipv6 = true}, Field::kRight), 14, 40));
}

TEST_F(WriteHeader, SegmentationIsHandedOn) {
  Mempool& pool = makePool(64);
  for (const bool ipv6 : {false, true}) {
    for (const unsigned flags : {0x18u, 0x98u}) {
      for (const bool ecn : {false, true}) {
        const FrameShape shape{.ipv6 = ipv6, .tcpOptions = 12, .payload = 5000, .tcpFlags = flags};
        const Handle packet = makePacket(pool, asBytes(makeFrame(shape, Field::kZero)));
        Mbuf& mbuf = *mbufOf(packet);
        setLengths(mbuf, shape);
        mbuf.olFlags = kTxTcpSeg;
        mbuf.tsoSegsz = 1448;
        NetHdr header{};
        Accepted accepted{.csum = true, .tso4 = !ipv6, .tso6 = ipv6, .ecn = ecn};
        ASSERT_TRUE(offload::toHeader(mbuf, header, accepted));
        const unsigned cwr = ecn && (flags & 0x80) != 0 ? static_cast<unsigned>(virtio::kGsoEcn) : 0u;
        EXPECT_EQ(header.gsoType, (ipv6 ? virtio::kGsoTcpv6 : virtio::kGsoTcpv4) | cwr);
        EXPECT_EQ(header.gsoSize, 1448u);
        EXPECT_EQ(header.hdrLen, shape.l4Start() + shape.l4());
        expectOpen(header, octetsOf(contentsOf(packet)), shape);
        // The other version, or none: nobody can do it.
        accepted.tso4 = ipv6;
        accepted.tso6 = !ipv6;
        EXPECT_FALSE(offload::toHeader(mbuf, header, accepted));
        EXPECT_FALSE(offload::toHeader(mbuf, header, kCsum));
        EXPECT_FALSE(offload::toHeader(mbuf, header, kNothing));
        accepted = kAll;
        accepted.csum = false;
        EXPECT_FALSE(offload::toHeader(mbuf, header, accepted));
        freeChain(packet);
      }
    }
  }
}

TEST_F(WriteHeader, SegmentationOfOneSegmentIsNone) {
  Mempool& pool = makePool(4);
  const FrameShape shape{.payload = 1000};
  for (const Accepted& accepted : {kNothing, kAll}) {
    const Handle packet = makePacket(pool, asBytes(makeFrame(shape, Field::kZero)));
    setLengths(*mbufOf(packet), shape);
    mbufOf(packet)->olFlags = kTxTcpSeg;
    mbufOf(packet)->tsoSegsz = 1000;
    NetHdr header{};
    ASSERT_TRUE(offload::toHeader(*mbufOf(packet), header, accepted));
    EXPECT_EQ(header.gsoType, virtio::kGsoNone);
    if (accepted.csum) expectOpen(header, octetsOf(contentsOf(packet)), shape);
    else EXPECT_TRUE(checksumIsRight(octetsOf(contentsOf(packet)), shape));
    freeChain(packet);
  }
}

TEST_F(WriteHeader, RequestsThatContradictThePacket) {
  Mempool& pool = makePool(4);
  const FrameShape tcp{.payload = 2000};
  const FrameShape udp{.tcp = false, .payload = 100};
  const FrameShape tcp6{.ipv6 = true};
  const auto refused = [&](const FrameShape& shape, std::uint32_t flags, auto&& change) {
    const auto frame = makeFrame(shape, Field::kRight);
    const Handle packet = makePacket(pool, asBytes(frame));
    Mbuf& mbuf = *mbufOf(packet);
    setLengths(mbuf, shape);
    mbuf.olFlags = flags;
    mbuf.tsoSegsz = 1000;
    change(mbuf);
    bool all = true;
    for (const Accepted& accepted : {kNothing, kAll}) {
      NetHdr header{};
      all = all && !offload::toHeader(mbuf, header, accepted);
    }
    EXPECT_EQ(octetsOf(contentsOf(packet)), frame);
    freeChain(packet);
    return all;
  };
  const auto nothing = [](Mbuf&) {};
  EXPECT_TRUE(refused(udp, kTxUdpSeg, nothing));
  EXPECT_TRUE(refused(tcp, kTxTcpCksum | kTxUdpCksum, nothing));
  EXPECT_TRUE(refused(udp, kTxTcpCksum, nothing)) << "the IP header says UDP";
  EXPECT_TRUE(refused(tcp, kTxUdpCksum, nothing));
  EXPECT_TRUE(refused(tcp, kTxTcpCksum, [](Mbuf& m) { m.l2Len = 0; }));
  EXPECT_TRUE(refused(tcp, kTxTcpCksum, [](Mbuf& m) { m.l3Len = 0; }));
  EXPECT_TRUE(refused(tcp, kTxTcpCksum, [](Mbuf& m) { m.l3Len = 19; }));
  EXPECT_TRUE(refused(tcp, kTxTcpCksum, [](Mbuf& m) { m.l3Len = 0xffff; }));
  EXPECT_TRUE(refused(tcp, kTxTcpCksum, [](Mbuf& m) { m.l3Len = 24; })) << "not what the header says";
  EXPECT_TRUE(refused(tcp6, kTxTcpCksum, [](Mbuf& m) { m.l3Len = 150; }))
      << "the field would lie behind the end";
  EXPECT_TRUE(refused(tcp6, kTxTcpCksum, [](Mbuf& m) { m.l3Len = 39; }));
  EXPECT_TRUE(refused(tcp, kTxTcpSeg, [](Mbuf& m) { m.tsoSegsz = 0; }));
  EXPECT_TRUE(refused(tcp, kTxTcpSeg, [](Mbuf& m) { m.l4Len = 0; }));
  EXPECT_TRUE(refused(tcp, kTxTcpSeg, [](Mbuf& m) { m.l4Len = 19; }));
  // A received packet that was put into a tunnel: what its lengths describe is another header now.
  EXPECT_TRUE(refused(udp, kRxL4CksumNone, [](Mbuf& m) { m.packetType = PTYPE_L4_TCP; }));
  EXPECT_TRUE(refused(tcp, kRxL4CksumNone, [](Mbuf& m) { m.packetType = 0; }));
}

// Lengths of any value, in packets that end at a guard: no byte outside is read or written.
TEST_F(WriteHeader, LengthsOfAnyValue) {
  for (const FrameShape& shape :
       {FrameShape{.payload = 30}, FrameShape{.ipv6 = true, .tcp = false, .payload = 30}}) {
    const auto frame = makeFrame(shape, Field::kZero);
    for (unsigned l2 = 0; l2 < 256; l2++) {
      for (const unsigned l3 :
           {0u, 1u, 19u, 20u, 21u, 24u, 39u, 40u, 41u, 60u, 80u, 1000u, 0xff00u, 0xffffu}) {
        for (const std::uint32_t flags :
             std::initializer_list<std::uint32_t>{kTxIpCksum, kTxTcpCksum, kTxUdpCksum, kTxTcpSeg, kRxLro}) {
          for (const Accepted& accepted : {kNothing, kAll}) {
            GuardedBytes guarded(frame);
            Mbuf mbuf{};
            mbuf.bufAddr = reinterpret_cast<std::byte*>(const_cast<std::uint8_t*>(guarded.bytes().data()));
            mbuf.nbSegs = mbuf.refcnt = 1;
            mbuf.bufLen = mbuf.dataLen = static_cast<std::uint16_t>(frame.size());
            mbuf.pktLen = static_cast<std::uint32_t>(frame.size());
            mbuf.packetType = shape.tcp ? PTYPE_L4_TCP : PTYPE_L4_UDP;
            mbuf.l2Len = static_cast<std::uint8_t>(l2);
            mbuf.l3Len = static_cast<std::uint16_t>(l3);
            mbuf.l4Len = 20;
            mbuf.tsoSegsz = 8;
            mbuf.olFlags = flags;
            NetHdr header{};
            if (offload::toHeader(mbuf, header, accepted) && header.flags != 0) {
              ASSERT_LE(header.csumStart + header.csumOffset + 2u, frame.size());
            }
          }
        }
      }
    }
  }
}

TEST_F(WriteHeader, ATagIsInsertedIntoTheHeadroom) {
  Mempool& pool = makePool(4);
  const FrameShape shape{.tcp = false};
  const auto plain = makeFrame(shape, Field::kZero);
  const Handle packet = makePacket(pool, asBytes(plain));
  Mbuf& mbuf = *mbufOf(packet);
  setLengths(mbuf, shape);
  mbuf.vlanTci = 0xa123;
  mbuf.olFlags = kTxVlan | kTxUdpCksum;
  for (int attempt = 0; attempt < 2; attempt++) {
    NetHdr header{};
    ASSERT_TRUE(offload::toHeader(mbuf, header, kAll));
    const auto frame = octetsOf(contentsOf(packet));
    ASSERT_EQ(frame.size(), plain.size() + 4) << "a tag at every attempt";
    EXPECT_TRUE(std::equal(plain.begin(), plain.begin() + 12, frame.begin()));
    EXPECT_EQ(std::vector(frame.begin() + 12, frame.begin() + 16),
              (std::vector<std::uint8_t>{0x81, 0x00, 0xa1, 0x23}));
    EXPECT_EQ(std::vector(frame.begin() + 16, frame.begin() + 44),
              std::vector(plain.begin() + 12, plain.begin() + 40));
    FrameShape tagged = shape;
    tagged.vlans = 1;
    expectOpen(header, frame, tagged);
    EXPECT_TRUE(isConsistent(&mbuf));
  }
  freeChain(packet);
}

TEST_F(WriteHeader, ATagNeedsHeadroomOfItsOwn) {
  Mempool& pool = makePool(8);
  NetHdr header{};
  const auto frame = makeFrame({}, Field::kRight);
  for (const std::uint32_t headroom : {0u, 3u, 4u}) {
    const Handle packet = makePacket(pool, asBytes(frame));
    Mbuf& mbuf = *mbufOf(packet);
    std::memmove(mbuf.bufAddr + headroom, dataOf(&mbuf), frame.size());
    mbuf.dataOff = static_cast<std::uint16_t>(headroom);
    mbuf.olFlags = kTxVlan;
    EXPECT_EQ(offload::toHeader(mbuf, header, kAll), headroom == 4) << headroom;
    if (headroom < 4) {
      EXPECT_EQ(octetsOf(contentsOf(packet)), frame);
    }
    freeChain(packet);
  }
  const Handle packet = makePacket(pool, asBytes(frame));
  const Handle clone = clonePacket(packet, pool);
  mbufOf(packet)->olFlags = mbufOf(clone)->olFlags = kTxVlan;
  EXPECT_FALSE(offload::toHeader(*mbufOf(packet), header, kAll));
  EXPECT_FALSE(offload::toHeader(*mbufOf(clone), header, kAll));
  EXPECT_EQ(octetsOf(contentsOf(clone)), frame);
  freeChain(clone);
  EXPECT_TRUE(offload::toHeader(*mbufOf(packet), header, kAll));
  freeChain(packet);
  // Addresses cut by a segment.
  const Handle shortHead = makePacket(pool, asBytes(frame), 100);
  const Handle tiny = makePacket(pool, asBytes(frame).first(11));
  EXPECT_TRUE(joinChains(tiny, shortHead));
  mbufOf(tiny)->olFlags = kTxVlan;
  EXPECT_FALSE(offload::toHeader(*mbufOf(tiny), header, kAll));
  freeChain(tiny);
}

// One received packet goes to peers that complete checksums and to peers that do not, in any order.
TEST_F(WriteHeader, ClonesForPeersOfBothKinds) {
  Mempool& pool = makePool(16);
  for (unsigned order = 0; order < 8; order++) {
    const FrameShape shape;
    const Handle packet = makePacket(pool, asBytes(makeFrame(shape, Field::kSeed)));
    NetHdr header{};
    header.flags = virtio::kNeedsCsum;
    header.csumStart = static_cast<std::uint16_t>(shape.l4Start());
    header.csumOffset = 16;
    ASSERT_TRUE(offload::fromHeader(*mbufOf(packet), header, kAll));
    const Handle copies[] = {clonePacket(packet, pool), clonePacket(packet, pool), packet};
    for (unsigned i = 0; i < 3; i++) {
      const Accepted accepted = (order >> i & 1) != 0 ? kAll : kNothing;
      header = {};
      ASSERT_TRUE(offload::toHeader(*mbufOf(copies[i]), header, accepted));
      const auto frame = octetsOf(contentsOf(copies[i]));
      if (accepted.csum) expectOpen(header, frame, shape);
      else EXPECT_TRUE(checksumIsRight(frame, shape));
    }
    freeBurst(copies, 3);
  }
}

}  // namespace
}  // namespace pollwire::test
