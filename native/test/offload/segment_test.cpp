// Cutting large TCP packets in software: known vectors, every shape and size against plain arithmetic, and
// what cannot be cut.
#include <gtest/gtest.h>

#include "net/ptype.hpp"
#include "offload/segment.hpp"
#include "support/plain_segments.hpp"

namespace pollwire::test {
namespace {

using offload::Accepted;
using offload::Segmenter;
using virtio::NetHdr;

constexpr Accepted kNothing{};
constexpr Accepted kCsum{.csum = true, .dataValid = true};
constexpr Accepted kAll{true, true, true, true, true, true};

class Segment : public ArenaTest {
 protected:
  static void ask(Handle packet, const FrameShape& shape, unsigned size) {
    Mbuf& mbuf = *mbufOf(packet);
    mbuf.l2Len = static_cast<std::uint8_t>(shape.l2());
    mbuf.l3Len = static_cast<std::uint16_t>(shape.l3());
    mbuf.l4Len = static_cast<std::uint8_t>(shape.l4());
    mbuf.tsoSegsz = static_cast<std::uint16_t>(size);
    mbuf.olFlags = kTxTcpSeg | kTxTcpCksum | (shape.ipv6 ? kTxIpv6 : kTxIpv4);
  }

  // All segments as a peer without any offload gets them.
  static std::vector<std::vector<std::uint8_t>> cut(Handle packet) {
    std::vector<std::vector<std::uint8_t>> frames;
    Segmenter segments(*mbufOf(packet));
    EXPECT_TRUE(segments.valid());
    for (std::uint32_t i = 0; i < segments.count(); i++) {
      const std::uint32_t length = segments.lengthOf(i);
      const Handle handle = segments.next();
      if (handle == kNoHandle) {
        ADD_FAILURE() << "no mbuf for segment " << i;
        break;
      }
      Mbuf& mbuf = *mbufOf(handle);
      EXPECT_TRUE(isConsistent(&mbuf));
      EXPECT_LE(mbuf.nbSegs, segments.mbufsEach());
      EXPECT_FALSE(offload::mustBeCut(mbuf, kNothing));
      NetHdr header{};
      EXPECT_TRUE(offload::toHeader(mbuf, header, kNothing));
      EXPECT_EQ(header.flags | header.gsoType, 0);
      EXPECT_EQ(mbuf.pktLen, length);
      frames.push_back(octetsOf(contentsOf(handle)));
      freeChain(handle);
    }
    return frames;
  }
};

std::vector<std::uint8_t> fromHex(const std::string& text) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
  return bytes;
}

// Sequence number and IPv4 id wrap; CWR stays on the first, PSH and FIN on the last.
TEST_F(Segment, KnownVector) {
  Mempool& pool = makePool(8);
  const std::string ether = "0200000000010200000000020800";
  const Handle packet = makePacket(
      pool, asBytes(fromHex(ether + "4500002dffff400040064e8fc0000201c633640712340050fffffffe0102030450992000"
                                    "000000004142434445")));
  ask(packet, FrameShape{.payload = 5}, 2);
  const auto frames = cut(packet);
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[0], fromHex(ether + "4500002affff400040064e92c0000201c633640712340050fffffffe010203045090"
                                       "20004b4b00004142"));
  EXPECT_EQ(frames[1], fromHex(ether + "4500002a0000400040064e92c0000201c633640712340050000000000102030450102"
                                       "00049c800004344"));
  EXPECT_EQ(frames[2], fromHex(ether + "450000290001400040064e92c0000201c633640712340050000000020102030450192"
                                       "0004802000045"));
  freeChain(packet);
}

// Version × tags × options × payload × segment size × how the packet lies in memory × size of the mbufs.
TEST_F(Segment, EverySizeAsPlainArithmeticHasIt) {
  Mempool* const pools[] = {&makePool(1024, 192), &makePool(1024)};
  std::uint32_t cases = 0;
  for (Mempool* pool : pools) {
    for (const bool ipv6 : {false, true}) {
      for (const unsigned vlans : {0u, 1u, 2u}) {
        for (const unsigned size : {1u, 7u, 536u, 1448u, 9000u}) {
          for (const unsigned payload :
               {size + 1, 2 * size - 1, 2 * size, 2 * size + 1, 3 * size + size / 2, 17 * size}) {
            if (payload <= size || payload > 40000) continue;
            for (const std::uint32_t segment : {0u, 61u}) {
              FrameShape shape;
              shape.ipv6 = ipv6;
              shape.vlans = vlans;
              shape.payload = payload;
              shape.tcpOptions = payload % 3 == 0 ? 12 : 0;
              shape.ipOptions = !ipv6 && payload % 5 == 0 ? 8 : 0;
              shape.tcpFlags = 0x99;
              const auto frame = makeFrame(shape, Field::kSeed);
              const Handle packet = makePacket(*pool, asBytes(frame), segment);
              ask(packet, shape, size);
              ASSERT_EQ(cut(packet), plainSegments(frame, shape, size))
                  << "payload " << payload << " by " << size << ", IPv6 " << ipv6 << ", tags " << vlans;
              EXPECT_EQ(octetsOf(contentsOf(packet)), frame) << "the packet itself stays as it was";
              freeChain(packet);
              cases++;
            }
          }
        }
      }
    }
  }
  EXPECT_GT(cases, 500u);
}

TEST_F(Segment, LargestPacketThereIs) {
  Mempool& pool = makePool(256);
  for (const bool ipv6 : {false, true}) {
    FrameShape shape;
    shape.ipv6 = ipv6;
    shape.payload = 65535 - (ipv6 ? 60 : 40);
    const auto frame = makeFrame(shape, Field::kSeed);
    const Handle packet = makePacket(pool, asBytes(frame));
    ask(packet, shape, 1460);
    EXPECT_EQ(cut(packet), plainSegments(frame, shape, 1460));
    freeChain(packet);
  }
}

// As a guest sends it: the flags come from its header, not from an application.
TEST_F(Segment, ReceivedPacketsAreCutAsWell) {
  Mempool& pool = makePool(64);
  FrameShape shape;
  shape.payload = 5000;
  const auto frame = makeFrame(shape, Field::kSeed);
  const Handle packet = makePacket(pool, asBytes(frame));
  NetHdr header{};
  header.flags = virtio::kNeedsCsum;
  header.csumStart = static_cast<std::uint16_t>(shape.l4Start());
  header.csumOffset = 16;
  header.gsoType = virtio::kGsoTcpv4;
  header.gsoSize = 1400;
  ASSERT_TRUE(offload::fromHeader(*mbufOf(packet), header, kAll));
  EXPECT_TRUE(offload::mustBeCut(*mbufOf(packet), kCsum));
  EXPECT_EQ(cut(packet), plainSegments(frame, shape, 1400));
  freeChain(packet);
}

TEST_F(Segment, TagsAreInsertedIntoEach) {
  Mempool& pool = makePool(64);
  FrameShape shape;
  shape.payload = 3000;
  const auto frame = makeFrame(shape, Field::kSeed);
  const Handle packet = makePacket(pool, asBytes(frame));
  // A clone cannot take the tag itself.
  const Handle clone = clonePacket(packet, pool);
  ask(clone, shape, 1000);
  mbufOf(clone)->olFlags |= kTxVlan;
  mbufOf(clone)->vlanTci = 0x2abc;
  auto expected = plainSegments(frame, shape, 1000);
  for (auto& segment : expected) {
    const std::uint8_t tag[] = {0x81, 0x00, 0x2a, 0xbc};
    segment.insert(segment.begin() + 12, std::begin(tag), std::end(tag));
  }
  EXPECT_EQ(cut(clone), expected);
  EXPECT_EQ(octetsOf(contentsOf(packet)), frame);
  freeChain(clone);
  freeChain(packet);
}

TEST_F(Segment, OnlyWhatThePeerCannotCutMustBe) {
  Mempool& pool = makePool(8, 8192);
  for (const bool ipv6 : {false, true}) {
    FrameShape shape;
    shape.ipv6 = ipv6;
    shape.payload = 1000;
    const Handle packet = makePacket(pool, asBytes(makeFrame(shape, Field::kSeed)));
    Mbuf& mbuf = *mbufOf(packet);
    const Accepted v4{.csum = true, .tso4 = true};
    const Accepted v6{.csum = true, .tso6 = true};
    const Accepted withoutCsum{.tso4 = true, .tso6 = true};
    ask(packet, shape, 999);
    EXPECT_TRUE(offload::mustBeCut(mbuf, kNothing));
    EXPECT_TRUE(offload::mustBeCut(mbuf, kCsum));
    EXPECT_TRUE(offload::mustBeCut(mbuf, withoutCsum));
    EXPECT_FALSE(offload::mustBeCut(mbuf, kAll));
    EXPECT_EQ(offload::mustBeCut(mbuf, v4), ipv6);
    EXPECT_EQ(offload::mustBeCut(mbuf, v6), !ipv6);
    ask(packet, shape, 1000);
    EXPECT_FALSE(offload::mustBeCut(mbuf, kNothing)) << "one segment";
    ask(packet, shape, 999);
    mbuf.olFlags = kRxLro | kRxL4CksumNone;
    mbuf.packetType = PTYPE_L4_UDP;
    EXPECT_FALSE(offload::mustBeCut(mbuf, kNothing)) << "no TCP";
    mbuf.olFlags = 0;
    EXPECT_FALSE(offload::mustBeCut(mbuf, kNothing));
    freeChain(packet);
  }
}

TEST_F(Segment, WhatDoesNotFitTheHeadersIsRefused) {
  Mempool& pool = makePool(64);
  const FrameShape shape{.payload = 3000};
  const auto valid = [&](auto&& change, const FrameShape& frame) {
    const Handle packet = makePacket(pool, asBytes(makeFrame(frame, Field::kSeed)));
    ask(packet, frame, 1000);
    change(*mbufOf(packet));
    const bool result = Segmenter(*mbufOf(packet)).valid();
    freeChain(packet);
    return result;
  };
  const auto byte = [](Mbuf& mbuf, unsigned at) -> std::byte& { return dataOf(&mbuf)[at]; };
  EXPECT_TRUE(valid([](Mbuf&) {}, shape));
  EXPECT_FALSE(valid([](Mbuf& m) { m.tsoSegsz = 0; }, shape));
  EXPECT_FALSE(valid([](Mbuf& m) { m.tsoSegsz = 2; }, shape)) << "1,500 segments";
  for (const int by : {-4, -1, 1, 4}) {
    EXPECT_FALSE(valid([&](Mbuf& m) { m.l2Len = static_cast<std::uint8_t>(m.l2Len + by); }, shape)) << by;
    EXPECT_FALSE(valid([&](Mbuf& m) { m.l3Len = static_cast<std::uint16_t>(m.l3Len + by); }, shape)) << by;
    EXPECT_FALSE(valid([&](Mbuf& m) { m.l4Len = static_cast<std::uint8_t>(m.l4Len + by); }, shape)) << by;
  }
  EXPECT_FALSE(valid([](Mbuf& m) { m.l2Len = m.l4Len = 0, m.l3Len = 0; }, shape));
  EXPECT_FALSE(valid([](Mbuf& m) { m.l3Len = 60000; }, shape));
  EXPECT_FALSE(valid([&](Mbuf& m) { byte(m, 14 + 9) = std::byte{17}; }, shape)) << "UDP";
  EXPECT_FALSE(valid([&](Mbuf& m) { byte(m, 14 + 6) = std::byte{0x20}; }, shape)) << "a fragment";
  EXPECT_FALSE(valid([&](Mbuf& m) { byte(m, 14) = std::byte{0x55}; }, shape)) << "IP version 5";
  EXPECT_FALSE(valid([&](Mbuf& m) { byte(m, 14 + 20 + 12) = std::byte{0x40}; }, shape)) << "TCP of 16 bytes";
  FrameShape six = shape;
  six.ipv6 = true;
  EXPECT_TRUE(valid([](Mbuf&) {}, six));
  EXPECT_FALSE(valid([&](Mbuf& m) { byte(m, 14 + 6) = std::byte{44}; }, six)) << "a fragment header";
  EXPECT_FALSE(valid([&](Mbuf& m) { byte(m, 14 + 6) = std::byte{17}; }, six)) << "UDP";
}

// Destination options between IPv6 and TCP.
TEST_F(Segment, Ipv6ExtensionHeadersStay) {
  Mempool& pool = makePool(64);
  const FrameShape shape{.ipv6 = true, .payload = 3000};
  auto frame = makeFrame(shape, Field::kSeed);
  const std::uint8_t options[] = {6, 0, 1, 4, 0, 0, 0, 0};
  frame[14 + 6] = 60;
  putWord(frame, 14 + 4, 8 + shape.l4Bytes());
  frame.insert(frame.begin() + 54, std::begin(options), std::end(options));
  const Handle packet = makePacket(pool, asBytes(frame));
  ask(packet, shape, 1400);
  mbufOf(packet)->l3Len = 48;
  const auto frames = cut(packet);
  ASSERT_EQ(frames.size(), 3u);
  for (unsigned i = 0; i < 3; i++) {
    const unsigned payload = i < 2 ? 1400 : 200;
    ASSERT_EQ(frames[i].size(), 14 + 48 + 20 + payload);
    EXPECT_EQ(wordAt(frames[i], 18), 8 + 20 + payload);
    EXPECT_TRUE(std::equal(std::begin(options), std::end(options), frames[i].begin() + 54));
    EXPECT_EQ(longAt(frames[i], 62 + 4), 1 + 1400 * i);
    const auto addresses = std::span(frames[i]).subspan(22, 32);
    EXPECT_EQ(plainSum(std::span(frames[i]).subspan(62), plainSum(addresses, 6 + 20 + payload)), 0xffff);
  }
  freeChain(packet);
}

TEST_F(Segment, AnEmptyPoolEndsIt) {
  Mempool& source = makePool(8, 8192);
  const FrameShape shape{.payload = 4000};
  const Handle packet = makePacket(source, asBytes(makeFrame(shape, Field::kSeed)));
  // 300 bytes per segment in mbufs of 128: three each, and eight mbufs in all.
  Mempool& small = makePool(8, 192);
  ask(packet, shape, 300);
  mbufOf(packet)->pool = static_cast<std::uint8_t>(small.id());
  Segmenter segments(*mbufOf(packet));
  ASSERT_TRUE(segments.valid());
  EXPECT_EQ(segments.mbufsEach(), 3u);
  const Handle first = segments.next();
  const Handle second = segments.next();
  EXPECT_NE(first, kNoHandle);
  EXPECT_NE(second, kNoHandle);
  EXPECT_EQ(segments.next(), kNoHandle);
  EXPECT_EQ(small.available(), 2u) << "what the failed one had taken is back";
  freeChain(first);
  freeChain(second);
  mbufOf(packet)->pool = static_cast<std::uint8_t>(source.id());
  freeChain(packet);
}

}  // namespace
}  // namespace pollwire::test
