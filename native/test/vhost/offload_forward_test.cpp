// A packet that one guest sent with its checksum open, or to be segmented, goes unchanged to another guest:
// it arrives right, whatever that one negotiated, or it is dropped and counted. Cutting packets in software
// has tests of its own (software_segmentation_test.cpp).
#include <gtest/gtest.h>

#include "support/offload_frames.hpp"
#include "support/vhost_test.hpp"

namespace pollwire::test {
namespace {

using Link = VhostLink<>;
using virtio::NetHdr;

constexpr std::uint64_t kSender = kMergeable | virtio::kNetCsum | virtio::kNetHostTso4 |
                                  virtio::kNetHostTso6 | virtio::kNetHostEcn | virtio::kNetHostUfo;
constexpr std::uint64_t kReceiver = kMergeable | virtio::kNetGuestCsum | virtio::kNetGuestTso4 |
                                    virtio::kNetGuestTso6 | virtio::kNetGuestEcn | virtio::kNetGuestUfo;

class OffloadForward : public ArenaTest {
 protected:
  // From `from` to `to` as the io engine does it. False: nothing arrived.
  static bool pass(Link& from, Link& to, const std::vector<std::uint8_t>& frame, const NetHdr& header,
                   ReceivedPacket& arrived) {
    const std::uint64_t sent = from.memory.mark();
    const std::uint64_t posted = to.memory.mark();
    EXPECT_TRUE(from.guest.send(asBytes(frame), {}, Placement::kDirect, header));
    EXPECT_TRUE(to.guest.post(70000));
    std::vector<Handle> handles = from.receive();
    EXPECT_EQ(handles.size(), 1u);
    EXPECT_EQ(to.txSlot().run(handles.data(), static_cast<std::uint32_t>(handles.size())), handles.size());
    EXPECT_EQ(from.guest.reclaim(), 1u);
    auto packets = to.guest.receive();
    if (packets.empty()) {  // the buffer is still there: use it up
      EXPECT_TRUE(to.transmit(patternBytes(60)));
      EXPECT_EQ(to.guest.receive().size(), 1u);
    }
    from.memory.reset(sent);
    to.memory.reset(posted);
    if (packets.empty()) return false;
    arrived = packets[0];
    return true;
  }

  static NetHdr openHeader(const FrameShape& shape) {
    NetHdr header{};
    header.flags = virtio::kNeedsCsum;
    header.csumStart = static_cast<std::uint16_t>(shape.l4Start());
    header.csumOffset = shape.tcp ? 16 : 6;
    return header;
  }

  // As the receiving guest would: completes what was left open, then the checksum must be right.
  static void expectRight(const ReceivedPacket& arrived, const FrameShape& shape, bool mayBeOpen) {
    auto frame = octetsOf(arrived.frame);
    if ((arrived.header.flags & virtio::kNeedsCsum) != 0) {
      EXPECT_TRUE(mayBeOpen) << "it did not negotiate that";
      EXPECT_EQ(arrived.header.csumStart, shape.l4Start());
      const unsigned field = arrived.header.csumStart + arrived.header.csumOffset;
      const unsigned sum = plainSum(std::span(frame).subspan(arrived.header.csumStart));
      putWord(frame, field, ~sum & 0xffffu);
    }
    EXPECT_TRUE(checksumIsRight(frame, shape));
    EXPECT_TRUE(shape.ipv6 || ipChecksumIsRight(frame, shape));
    // Apart from the checksum nothing changed.
    auto expected = makeFrame(shape, Field::kRight);
    putWord(expected, shape.field(), 0);
    putWord(frame, shape.field(), 0);
    EXPECT_EQ(frame, expected);
  }
};

TEST_F(OffloadForward, OpenChecksumsArriveOpenOrComplete) {
  Mempool& pool = makePool(256, 256);
  Link sender(pool, {.features = kSender}, 0);
  Link accepting(pool, {.features = kReceiver}, 1);
  Link plain(pool, {.features = kMergeable}, 2);
  Link legacy(pool, {.features = 0}, 3);
  auto shapes = commonShapes();
  shapes.push_back({.ipOptions = 8});
  shapes.push_back({.tcp = false, .ipOptions = 40, .payload = 31});
  for (const FrameShape& shape : shapes) {
    const auto frame = makeFrame(shape, Field::kSeed);
    ReceivedPacket arrived;
    ASSERT_TRUE(pass(sender, accepting, frame, openHeader(shape), arrived));
    EXPECT_EQ(arrived.header.flags == virtio::kNeedsCsum, shape.ipOptions == 0);
    expectRight(arrived, shape, true);
    for (Link* link : {&plain, &legacy}) {
      ASSERT_TRUE(pass(sender, *link, frame, openHeader(shape), arrived));
      EXPECT_EQ(arrived.header.flags, 0u);
      expectRight(arrived, shape, false);
    }
  }
  EXPECT_EQ(sender.rxCount(kRX_BAD_OFFLOAD), 0u);
  for (Link* link : {&accepting, &plain, &legacy}) EXPECT_EQ(link->txCount(kTX_BAD_MBUF), 0u);
}

TEST_F(OffloadForward, CompleteChecksumsAreNotTouched) {
  Mempool& pool = makePool(64);
  Link sender(pool, {.features = kSender}, 0);
  Link accepting(pool, {.features = kReceiver}, 1);
  for (const FrameShape& shape : commonShapes()) {
    const auto frame = makeFrame(shape, Field::kRight);
    ReceivedPacket arrived;
    ASSERT_TRUE(pass(sender, accepting, frame, {}, arrived));
    EXPECT_EQ(arrived.header.flags, 0u);
    EXPECT_EQ(octetsOf(arrived.frame), frame);
  }
}

TEST_F(OffloadForward, SegmentationArrivesOrThePacketIsDropped) {
  Mempool& pool = makePool(256, 2176);
  Link sender(pool, {.features = kSender}, 0);
  struct {
    const char* what;
    std::uint64_t features;
    bool tso4, tso6, ufo;
  } const receivers[] = {
      {"everything", kReceiver, true, true, true},
      {"IPv4 only", kMergeable | virtio::kNetGuestCsum | virtio::kNetGuestTso4, true, false, false},
      {"IPv6 only", kMergeable | virtio::kNetGuestCsum | virtio::kNetGuestTso6, false, true, false},
      {"checksums only", kMergeable | virtio::kNetGuestCsum, false, false, false},
      {"nothing", kMergeable, false, false, false},
      {"legacy", 0, false, false, false},
  };
  for (const auto& receiver : receivers) {
    Link link(pool, {.features = receiver.features}, 1);
    std::uint64_t dropped = 0;
    for (const bool ipv6 : {false, true}) {
      for (const bool tcp : {true, false}) {
        for (const unsigned payload : {3000u, 60000u}) {
          FrameShape shape;
          shape.ipv6 = ipv6;
          shape.tcp = tcp;
          shape.payload = payload;
          NetHdr header = openHeader(shape);
          header.gsoType = tcp ? (ipv6 ? virtio::kGsoTcpv6 : virtio::kGsoTcpv4) : virtio::kGsoUdp;
          header.gsoSize = 1400;
          header.hdrLen = static_cast<std::uint16_t>(shape.l4Start() + shape.l4());
          const bool accepted = tcp ? (ipv6 ? receiver.tso6 : receiver.tso4) : receiver.ufo;
          if (tcp && !accepted) continue;
          ReceivedPacket arrived;
          ASSERT_EQ(pass(sender, link, makeFrame(shape, Field::kSeed), header, arrived), accepted)
              << receiver.what << (ipv6 ? " IPv6" : " IPv4") << (tcp ? " TCP" : " UDP");
          if (!accepted) {
            dropped++;
            continue;
          }
          EXPECT_EQ(arrived.header.gsoType, header.gsoType);
          EXPECT_EQ(arrived.header.gsoSize, 1400u);
          EXPECT_EQ(arrived.header.hdrLen, header.hdrLen);
          expectRight(arrived, shape, true);
        }
      }
    }
    EXPECT_EQ(link.txCount(kTX_BAD_MBUF), dropped) << receiver.what;
  }
}

// A packet that says "segment me" but is one segment: nothing to do but the checksum.
TEST_F(OffloadForward, SegmentationOfOneSegmentPassesEverywhere) {
  Mempool& pool = makePool(64);
  Link sender(pool, {.features = kSender}, 0);
  for (const std::uint64_t features : {kReceiver, kMergeable}) {
    Link link(pool, {.features = features}, 1);
    const FrameShape shape{.payload = 1000};
    NetHdr header = openHeader(shape);
    header.gsoType = virtio::kGsoTcpv4;
    header.gsoSize = 1400;
    ReceivedPacket arrived;
    ASSERT_TRUE(pass(sender, link, makeFrame(shape, Field::kSeed), header, arrived));
    EXPECT_EQ(arrived.header.gsoType, virtio::kGsoNone);
    expectRight(arrived, shape, features == kReceiver);
  }
}

// A packet that waits for room keeps what it asks for.
TEST_F(OffloadForward, AFullRingLosesNoRequest) {
  Mempool& pool = makePool(64);
  Link sender(pool, {.features = kSender}, 0);
  for (const std::uint64_t features : {kReceiver, kMergeable}) {
    Link link(pool, {.features = features}, 1);
    const FrameShape shape;
    ASSERT_TRUE(sender.guest.send(asBytes(makeFrame(shape, Field::kSeed)), {}, Placement::kDirect,
                                  openHeader(shape)));
    std::vector<Handle> handles = sender.receive();
    ASSERT_EQ(handles.size(), 1u);
    for (int i = 0; i < 3; i++) EXPECT_EQ(link.txSlot().run(handles.data(), 1), 0u);
    // Too little room for this packet, then enough.
    ASSERT_TRUE(link.guest.post(100));
    for (int i = 0; i < 3; i++) EXPECT_EQ(link.txSlot().run(handles.data(), 1), 0u);
    ASSERT_TRUE(link.guest.post(100));
    EXPECT_EQ(link.txSlot().run(handles.data(), 1), 1u);
    const auto packets = link.guest.receive();
    ASSERT_EQ(packets.size(), 1u);
    expectRight(packets[0], shape, features == kReceiver);
    EXPECT_EQ(sender.guest.reclaim(), 1u);
  }
}

}  // namespace
}  // namespace pollwire::test
