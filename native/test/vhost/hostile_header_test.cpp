// Hostile rows 108 to 118 on a running device: headers and frames that no guest should send.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <span>
#include <thread>

#include "support/offload_frames.hpp"
#include "support/packed_guest_ring.hpp"
#include "support/vhost_test.hpp"

namespace pollwire::test {
namespace {

using Link = VhostLink<>;
using HostileHeader = ArenaTest;

constexpr std::uint64_t kOffering = kMergeable | virtio::kRingIndirectDesc | virtio::kNetCsum |
                                    virtio::kNetHostTso4 | virtio::kNetHostTso6 | virtio::kNetHostEcn |
                                    virtio::kNetHostUfo;
constexpr std::uint64_t kAccepting =
    kMergeable | virtio::kNetGuestCsum | virtio::kNetGuestTso4 | virtio::kNetGuestTso6;

// Rows 108, 109, 110 and 112. Each header before the same TCP packet of 154 bytes, in one piece and in many.
// The packet is delivered, and can be sent on.
TEST_F(HostileHeader, Rows108To112ImpossibleRequestsAreIgnoredAndCounted) {
  const FrameShape shape;
  const auto frame = makeFrame(shape, Field::kSeed);
  const auto header = [](unsigned flags, unsigned gso, unsigned hdrLen, unsigned size, unsigned start,
                         unsigned offset, unsigned buffers = 0) {
    virtio::NetHdr h{};
    h.flags = static_cast<std::uint8_t>(flags);
    h.gsoType = static_cast<std::uint8_t>(gso);
    h.hdrLen = static_cast<std::uint16_t>(hdrLen);
    h.gsoSize = static_cast<std::uint16_t>(size);
    h.csumStart = static_cast<std::uint16_t>(start);
    h.csumOffset = static_cast<std::uint16_t>(offset);
    h.numBuffers = static_cast<std::uint16_t>(buffers);
    return h;
  };
  struct {
    int row;
    const char* what;
    virtio::NetHdr header;
    bool counted;
  } const rows[] = {
      {108, "start behind the end", header(1, 0, 0, 0, 154, 0), true},
      {108, "start 65,535", header(1, 0, 0, 0, 65535, 0), true},
      {108, "start + offset wraps 16 bits", header(1, 0, 0, 0, 65535, 51), true},
      {108, "offset 65,535", header(1, 0, 0, 0, 34, 65535), true},
      {108, "offset 65,534", header(1, 0, 0, 0, 34, 65534), true},
      {108, "last byte outside", header(1, 0, 0, 0, 34, 119), true},
      {108, "an odd offset", header(1, 0, 0, 0, 34, 17), true},
      {108, "an odd start", header(1, 0, 0, 0, 35, 16), false},
      {108, "start in the addresses", header(1, 0, 0, 0, 0, 0), false},
      {109, "an unknown type", header(1, 2, 54, 100, 34, 16), true},
      {109, "ECN alone", header(1, 0x80, 54, 100, 34, 16), true},
      {109, "size 0", header(1, 1, 54, 0, 34, 16), true},
      {109, "the wrong version", header(1, 4, 54, 10, 34, 16), true},
      {109, "without a checksum", header(0, 1, 54, 10, 0, 0), true},
      {109, "header length 65,535", header(1, 1, 65535, 10, 34, 16), false},
      {109, "all ones", header(0xff, 0xff, 65535, 65535, 65535, 65535, 65535), true},
      {110, "data valid, which a driver may not say", header(2, 0, 0, 0, 0, 0), false},
      {110, "unknown flags", header(0xfc, 0, 0, 0, 0, 0), false},
      {112, "65,535 buffers", header(0, 0, 0, 0, 0, 0, 65535), false},
  };
  Mempool& pool = makePool(64, 192);
  for (const auto& row : rows) {
    for (const std::vector<std::uint32_t>& pieces :
         {std::vector<std::uint32_t>{}, std::vector<std::uint32_t>(20, 5)}) {
      Link link(pool, {.features = kOffering, .memory = 64 << 10}, 0);
      Link next(pool, {.features = kAccepting, .memory = 128 << 10}, 1);
      ASSERT_TRUE(link.guest.send(asBytes(frame), pieces, Placement::kDirect, row.header));
      const auto before = link.memory.snapshot();
      std::vector<Handle> handles = link.receive();
      ASSERT_EQ(handles.size(), 1u) << row.row << " " << row.what;
      EXPECT_TRUE(isConsistent(mbufOf(handles[0])));
      EXPECT_EQ(mbufOf(handles[0])->pktLen, frame.size());
      EXPECT_EQ(link.rxCount(kRX_BAD_OFFLOAD), row.counted ? 1u : 0u) << row.row << " " << row.what;
      link.memory.expectUntouched(before, link.guest.tx.deviceWrites());
      ASSERT_TRUE(next.guest.post(70000));
      EXPECT_EQ(next.txSlot().run(handles.data(), 1), 1u);
      EXPECT_EQ(next.guest.receive().size() + next.txCount(kTX_BAD_MBUF), 1u);
      EXPECT_EQ(pool.available(), pool.size());
    }
  }
}

// Row 109: a frame too short to be what the header says.
TEST_F(HostileHeader, Row109SegmentationOfAFrameOfTwentyBytes) {
  Mempool& pool = makePool(8);
  Link link(pool, {.features = kOffering});
  virtio::NetHdr header{};
  header.flags = virtio::kNeedsCsum;
  header.gsoType = virtio::kGsoTcpv4;
  header.gsoSize = 1400;
  header.csumStart = 14;
  header.csumOffset = 4;
  ASSERT_TRUE(link.guest.send(patternBytes(20), {}, Placement::kDirect, header));
  const auto handles = link.receive();
  ASSERT_EQ(handles.size(), 1u);
  EXPECT_EQ(mbufOf(handles[0])->olFlags & kRxLro, 0u);
  EXPECT_EQ(link.rxCount(kRX_BAD_OFFLOAD), 1u);
  freeChain(handles[0]);
}

// Rows 113 and 114, and 84 for what is behind the header.
TEST_F(HostileHeader, Rows113And114FramesTooShortAndTooLong) {
  Mempool& pool = makePool(64);
  Link link(pool, {.memory = 1 << 20});
  std::uint64_t dropped = 0;
  const auto passes = [&](std::uint32_t size, bool split) {
    const std::uint64_t mark = link.memory.mark();
    const std::vector<std::uint32_t> pieces =
        split ? std::vector<std::uint32_t>{12} : std::vector<std::uint32_t>{};
    EXPECT_TRUE(link.guest.send(patternBytes(size), pieces));
    const auto frames = link.receiveFrames();
    EXPECT_EQ(link.guest.reclaim(), 1u);
    link.memory.reset(mark);
    if (!frames.empty()) {
      EXPECT_EQ(frames[0], patternBytes(size));
    } else {
      dropped++;
    }
    EXPECT_EQ(link.rxCount(kRX_BAD_LENGTH), dropped);
    return !frames.empty();
  };
  for (const bool split : {false, true}) {
    for (std::uint32_t size = 0; size <= 13; size++) EXPECT_FALSE(passes(size, split)) << size;
    for (std::uint32_t size = 14; size <= 60; size++) EXPECT_TRUE(passes(size, split)) << size;
    // The largest IP packet behind Ethernet and one tag.
    EXPECT_TRUE(passes(65535 + 18, split));
    EXPECT_FALSE(passes(65535 + 19, split));
    EXPECT_FALSE(passes(500000, split));
  }
}

// Row 116: the header is rewritten while it is read. Every packet is what some header says: whatever flags an
// mbuf carries, its lengths lie inside.
template <class Ring>
void rewriteTheHeaderWhileItIsRead(Mempool& pool) {
  VhostLink<Ring> link(pool, {.features = kOffering, .memory = 256 << 10}, 0);
  Link next(pool, {.features = kAccepting, .memory = 256 << 10}, 1);
  GuestMemory& memory = link.memory;
  const FrameShape shape{.payload = 500};
  const auto frame = makeFrame(shape, Field::kSeed);
  const std::uint64_t place = memory.alloc(frame.size() + 12, 16);
  memory.write(place + 12, asBytes(frame));
  ASSERT_TRUE(next.guest.post(2000));
  std::atomic<bool> stop{false};
  std::thread hammer([&] {
    std::minstd_rand random(5);
    constexpr std::uint64_t kHeaders[] = {
        // flags | gsoType << 8 | hdrLen << 16 | gsoSize << 32 | csumStart << 48
        0x0022'0000'0000'0001, 0x0022'0064'0036'0101, 0xffff'ffff'ffff'ffff, 0,
        0x0000'0064'0036'0401, 0xfff0'0000'0000'0001,
    };
    while (!stop) {
      storeRelaxed(*memory.as<std::uint64_t>(place), kHeaders[random() % std::size(kHeaders)]);
      storeRelaxed(*memory.as<std::uint16_t>(place + 8),
                   static_cast<std::uint16_t>(random() % 2 == 0 ? 16 : random()));
      // And the packet's own length fields.
      storeRelaxed(*memory.as<std::uint8_t>(place + 12 + 14),
                   static_cast<std::uint8_t>(random() % 2 == 0 ? 0x45 : random()));
    }
  });
  std::uint64_t described = 0;
  // On a busy machine the hammer may get its turn late: go on until it was seen at work.
  for (int i = 0; i < 20000 || (described == 0 && i < 5'000'000); i++) {
    if (i % 1000 == 0) std::this_thread::yield();
    const Segment whole{place, static_cast<std::uint32_t>(frame.size() + 12), false};
    ASSERT_TRUE(link.guest.tx.add(std::span(&whole, 1), Placement::kDirect));
    link.guest.tx.publish();
    Handle handles[4];
    ASSERT_EQ(link.rxSlot().run(handles, 4), 1u);
    ASSERT_EQ(link.guest.tx.collect().size(), 1u);
    const Mbuf* mbuf = mbufOf(handles[0]);
    if ((mbuf->olFlags & kRxL4CksumNone) == kRxL4CksumNone) {
      described++;
      ASSERT_LE(mbuf->l2Len + mbuf->l3Len + mbuf->l4Len, static_cast<int>(mbuf->pktLen));
    }
    if ((mbuf->olFlags & kRxLro) != 0) {
      ASSERT_NE(mbuf->tsoSegsz, 0u);
    }
    ASSERT_EQ(next.txSlot().run(handles, 1), 1u);
    if (!next.guest.receive(true).empty()) continue;
    ASSERT_GT(next.txCount(kTX_BAD_MBUF), 0u);
  }
  stop = true;
  hammer.join();
  EXPECT_GT(described, 0u);
}

TEST_F(HostileHeader, Row116TheHeaderIsRewrittenWhileItIsRead) {
  rewriteTheHeaderWhileItIsRead<SplitGuestRing>(makePool(64));
}
TEST_F(HostileHeader, Row116TheHeaderIsRewrittenWhileItIsReadPacked) {
  rewriteTheHeaderWhileItIsRead<PackedGuestRing>(makePool(64));
}

}  // namespace
}  // namespace pollwire::test
