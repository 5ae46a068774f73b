// Guest → us: every size and shape arrives bit by bit, and what the device owes the guest (used elements,
// calls) is exact.
#include <gtest/gtest.h>

#include "support/vhost_test.hpp"

namespace pollwire::test {
namespace {

using Link = VhostLink<>;
using VhostRx = ArenaTest;

// `count` pieces that `total` bytes fall into, none empty, of changing sizes.
std::vector<std::uint32_t> piecesOf(std::uint32_t total, std::uint32_t count) {
  std::vector<std::uint32_t> sizes;
  for (std::uint32_t i = 0; i + 1 < count; i++) {
    const std::uint32_t left = total - (count - 1 - i);
    const std::uint32_t size = 1 + (left / (count - i)) * (1 + i % 3) / 2;
    sizes.push_back(std::min(size, left - 1));
    total -= sizes.back();
  }
  sizes.push_back(total);
  return sizes;
}

TEST_F(VhostRx, EverySizeInOneBuffer) {
  for (const std::uint64_t features : {kMergeable, std::uint64_t{0}}) {
    Mempool& pool = makePool(64);
    Link link(pool, {.features = features});
    ASSERT_EQ(link.guest.headerLen(), features == 0 ? 10u : 12u);
    const std::uint64_t place = link.memory.alloc(9100);
    for (std::uint32_t size = 14; size <= 9018; size++) {
      const ByteVector frame = patternBytes(size, size);
      ASSERT_TRUE(link.guest.sendAt(place, frame));
      const auto frames = link.receiveFrames();
      ASSERT_EQ(frames.size(), 1u) << size;
      ASSERT_EQ(frames[0], frame) << size;
      ASSERT_EQ(link.guest.reclaim(), 1u);
    }
    EXPECT_EQ(link.rxCount(kPACKETS), 9005u);
    EXPECT_EQ(link.rxCount(kBYTES), 9005ull * (14 + 9018) / 2);
  }
}

// Sizes around every edge × number of pieces × placement × header length.
TEST_F(VhostRx, EveryShape) {
  Mempool& pool = makePool(400, 192 + kHeadroom);
  for (const std::uint64_t base : {kModern, std::uint64_t{0}}) {
    Link link(pool, {.features = base | virtio::kRingIndirectDesc});
    const std::uint32_t header = link.guest.headerLen();
    const std::uint64_t place = link.memory.alloc(70000);
    for (const std::uint32_t size : {14u, 15u, 59u, 60u, 191u, 192u, 193u, 384u, 1514u, 9018u, 65535u}) {
      const ByteVector frame = patternBytes(size, size);
      for (const std::uint32_t count : {1u, 2u, 3u, 7u, 25u, 200u, 254u}) {
        if (count > size + header) continue;
        for (const Placement placement : {Placement::kDirect, Placement::kIndirect, Placement::kMixed}) {
          if (placement == Placement::kMixed && count < 2) continue;
          ASSERT_TRUE(link.guest.sendAt(place, frame, piecesOf(size + header, count), placement));
          const auto frames = link.receiveFrames();
          ASSERT_EQ(frames.size(), 1u) << size << " bytes in " << count << " pieces";
          ASSERT_EQ(frames[0], frame) << size << " bytes in " << count << " pieces";
          ASSERT_EQ(link.guest.reclaim(), 1u);
        }
      }
    }
  }
}

// Hostile row 111 and its neighbours: the header alone, cut anywhere, in pieces of one byte.
TEST_F(VhostRx, TheHeaderMayBeCutAnywhere) {
  Mempool& pool = makePool(64);
  Link link(pool);
  const std::uint64_t place = link.memory.alloc(300);
  const ByteVector frame = patternBytes(100);
  for (std::uint32_t cut = 1; cut <= 13; cut++) {
    ASSERT_TRUE(link.guest.sendAt(place, frame, std::vector<std::uint32_t>{cut}));
    EXPECT_EQ(link.receiveFrames(), only(frame)) << cut;
  }
  ASSERT_TRUE(link.guest.sendAt(place, frame, std::vector<std::uint32_t>(14, 1)));
  EXPECT_EQ(link.receiveFrames(), only(frame));
}

// A buffer, and an indirect table, that begin in one region and end in the next.
TEST_F(VhostRx, BuffersMayCrossRegions) {
  Mempool& pool = makePool(64);
  Link link(pool);
  const std::uint64_t border = link.memory.specs()[1].guestAddr;
  const ByteVector frame = patternBytes(64);
  for (std::uint64_t back = 0; back <= 64 + 12; back++) {
    ASSERT_TRUE(link.guest.sendAt(border - back, frame));
    ASSERT_EQ(link.receiveFrames(), only(frame)) << back;
    ASSERT_EQ(link.guest.reclaim(), 1u);
  }
  for (std::uint64_t back = 1; back < 48; back++) {
    const std::uint64_t place = link.memory.mark() + GuestMemory::kBase;
    std::vector<std::byte> bytes(12);
    bytes.insert(bytes.end(), frame.begin(), frame.end());
    link.memory.write(place, bytes);
    const split::Desc table[] = {{place, 10, split::kNext, 2}, {}, {place + 10, 66, 0, 0}};
    link.memory.write(border - back, std::as_bytes(std::span(table)));
    link.guest.tx.setDesc(0, border - back, sizeof table, split::kIndirect, 0);
    link.guest.tx.offer(0);
    link.guest.tx.publish();
    ASSERT_EQ(link.receiveFrames(), only(frame)) << back;
  }
}

TEST_F(VhostRx, AFullRingInBurstsOfAnySize) {
  Mempool& pool = makePool(600, 2176, 32);
  setCurrentLcore(0);
  Link link(pool, {.ringSize = 256});
  const std::uint64_t mark = link.memory.mark();
  std::uint32_t sent = 0;
  std::uint32_t seen = 0;
  for (const std::uint32_t burst : {1u, 2u, 31u, 32u, 33u, 64u, 65u, 100u, 256u, 300u, 512u}) {
    link.memory.reset(mark);
    while (link.guest.send(patternBytes(14 + sent % 1500, sent))) sent++;
    while (seen < sent) {
      const auto frames = link.receiveFrames(burst);
      ASSERT_EQ(frames.size(), std::min(burst, sent - seen));
      for (const ByteVector& frame : frames) {
        ASSERT_EQ(frame, patternBytes(14 + seen % 1500, seen));
        seen++;
      }
    }
    EXPECT_TRUE(link.receiveFrames(burst).empty());
    EXPECT_EQ(link.guest.reclaim(), 256u);
  }
  EXPECT_EQ(link.rxCount(kPACKETS), sent);
  EXPECT_EQ(link.rxCount(kRX_NO_MBUF), 0u);
}

TEST_F(VhostRx, RingsOfEverySize) {
  for (std::uint32_t size = 1; size <= 32768; size *= 2) {
    Mempool& pool = makePool(64, 192);
    Link link(pool, {.ringSize = size, .memory = 8u << 20});
    const std::uint64_t place = link.memory.alloc(100);
    for (std::uint32_t i = 0; i < 70; i++) {
      ASSERT_TRUE(link.guest.sendAt(place, patternBytes(40, i))) << size;
      ASSERT_EQ(link.receiveFrames(), only(patternBytes(40, i))) << size;
      ASSERT_EQ(link.guest.reclaim(), 1u);
    }
  }
}

TEST_F(VhostRx, MetadataOfTheLastPacketIsGone) {
  Mempool& pool = makePool(1);
  Link link(pool);
  const Handle handle = pool.alloc();
  std::memset(reinterpret_cast<std::byte*>(mbufOf(handle)) + 28, 0xff, 20);
  freeChain(handle);
  ASSERT_TRUE(link.guest.send(patternBytes(60)));
  const auto handles = link.receive();
  ASSERT_EQ(handles.size(), 1u);
  const Mbuf& mbuf = *mbufOf(handles[0]);
  EXPECT_EQ(mbuf.olFlags, 0u);
  EXPECT_EQ(mbuf.packetType, 0u);
  EXPECT_EQ(mbuf.hashRss, 0u);
  EXPECT_EQ(mbuf.l2Len + mbuf.l3Len + mbuf.l4Len, 0);
  EXPECT_EQ(mbuf.tsoSegsz, 0u);
  EXPECT_EQ(mbuf.vlanTci, 0u);
  EXPECT_EQ(mbuf.vlanTciOuter, 0u);
  freeChain(handles[0]);
}

// Hostile row 117: nothing is lost while the pool is empty, and nothing has to be done for it to go on.
TEST_F(VhostRx, AnEmptyPoolHoldsTheGuestBackAndRecovers) {
  Mempool& pool = makePool(40);
  Link link(pool);
  for (std::uint32_t i = 0; i < 100; i++) ASSERT_TRUE(link.guest.send(patternBytes(100, i)));
  std::vector<Handle> held = link.receive(64);
  EXPECT_EQ(held.size(), 40u);
  (void)drainEventFd(link.calls[Link::kGuestTx].get());
  const std::uint64_t calls = link.rxCount(kNOTIFICATIONS);
  for (int i = 0; i < 10; i++) EXPECT_TRUE(link.receive().empty());
  EXPECT_GT(link.rxCount(kRX_NO_MBUF), 0u);
  EXPECT_EQ(link.rxCount(kNOTIFICATIONS), calls) << "nothing was used, nothing is to be said";
  std::uint32_t seen = 0;
  while (!held.empty()) {
    for (const Handle handle : held) EXPECT_EQ(contentsOf(handle), patternBytes(100, seen++));
    freeBurst(held.data(), static_cast<std::uint32_t>(held.size()));
    held = link.receive();
  }
  EXPECT_EQ(seen, 100u);
  EXPECT_EQ(link.guest.reclaim(), 100u);
}

// A packet of several segments for which the pool has too few: dropped whole, counted, nothing leaks.
TEST_F(VhostRx, APacketThatThePoolCannotHold) {
  Mempool& pool = makePool(4, 192);
  Link link(pool);
  ASSERT_TRUE(link.guest.send(patternBytes(1000)));
  ASSERT_TRUE(link.guest.send(patternBytes(200, 1)));
  EXPECT_EQ(link.receiveFrames(1).size(), 0u);
  EXPECT_EQ(link.rxCount(kRX_NO_MBUF), 1u);
  EXPECT_EQ(pool.available(), 4u);
  EXPECT_EQ(link.receiveFrames(1), only(patternBytes(200, 1)));
  EXPECT_EQ(link.guest.reclaim(), 2u);
}

TEST_F(VhostRx, LinearBuffersTakeWhatFitsOneMbuf) {
  Mempool& pool = makePool(8);
  Link link(pool, {.linear = true});
  ASSERT_TRUE(link.guest.send(patternBytes(2048)));
  ASSERT_TRUE(link.guest.send(patternBytes(2049)));
  ASSERT_TRUE(link.guest.send(patternBytes(64)));
  const auto frames = link.receiveFrames();
  EXPECT_EQ(frames, (std::vector{patternBytes(2048), patternBytes(64)}));
  EXPECT_EQ(link.rxCount(kRX_BAD_LENGTH), 1u);
  EXPECT_EQ(link.guest.reclaim(), 3u);
}

TEST_F(VhostRx, CallsWhenTheFlagAllows) {
  Mempool& pool = makePool(64);
  Link link(pool);
  const int call = link.calls[Link::kGuestTx].get();
  (void)drainEventFd(call);
  link.guest.tx.wantCalls(true);
  for (std::uint64_t i = 1; i <= 5; i++) {
    ASSERT_TRUE(link.guest.send(patternBytes(60)));
    EXPECT_EQ(link.receiveFrames().size(), 1u);
    EXPECT_EQ(drainEventFd(call), 1u);
    EXPECT_EQ(link.rxCount(kNOTIFICATIONS), i);
  }
  link.guest.tx.wantCalls(false);
  ASSERT_TRUE(link.guest.send(patternBytes(60)));
  EXPECT_EQ(link.receiveFrames().size(), 1u);
  EXPECT_EQ(drainEventFd(call), 0u);
  EXPECT_EQ(link.rxCount(kNOTIFICATIONS_SUPPRESSED), 1u);
  EXPECT_TRUE(link.receiveFrames().empty());
  EXPECT_EQ(link.rxCount(kNOTIFICATIONS_SUPPRESSED), 1u) << "an empty poll owes nothing";
}

// With an event index: one call for the burst in which that buffer was used, none for the others, across the
// wrap.
TEST_F(VhostRx, CallsAtTheEventIndex) {
  Mempool& pool = makePool(64);
  Link link(pool, {.features = kMergeable | virtio::kRingEventIdx});
  const int call = link.calls[Link::kGuestTx].get();
  (void)drainEventFd(call);
  const std::uint64_t mark = link.memory.mark();
  std::uint32_t calls = 0;
  for (std::uint32_t round = 0; round < 100; round++) {
    link.memory.reset(mark);
    const std::uint16_t used = link.guest.tx.usedIdx();
    const std::uint32_t count = 1 + round % 7;
    const std::uint32_t event = round % 9;
    link.guest.tx.setUsedEvent(wrap16::advance(used, event));
    for (std::uint32_t i = 0; i < count; i++) ASSERT_TRUE(link.guest.send(patternBytes(60)));
    EXPECT_EQ(link.receiveFrames().size(), count);
    EXPECT_EQ(drainEventFd(call), event < count ? 1u : 0u) << "event " << event << " of " << count;
    calls += event < count ? 1 : 0;
    link.guest.reclaim();
  }
  EXPECT_EQ(link.rxCount(kNOTIFICATIONS), calls);
  EXPECT_EQ(link.rxCount(kNOTIFICATIONS_SUPPRESSED), 100 - calls);
}

TEST_F(VhostRx, InjectedFramesComeFirst) {
  Mempool& pool = makePool(16);
  Link link(pool);
  const ByteVector rarp = patternBytes(64, 77);
  ASSERT_TRUE(link.guest.send(patternBytes(100)));
  ASSERT_TRUE(link.device.inject(Link::kGuestTx, rarp).ok());
  ASSERT_TRUE(link.device.inject(Link::kGuestTx, patternBytes(5000)).ok());
  EXPECT_EQ(link.receiveFrames(1), only(rarp));
  EXPECT_EQ(link.receiveFrames(), (std::vector{patternBytes(5000), patternBytes(100)}));
  EXPECT_EQ(link.rxCount(kPACKETS), 3u) << "an injected frame counts like any other";
  EXPECT_EQ(link.rxCount(kBYTES), 5164u);
  // Without anything from the guest.
  ASSERT_TRUE(link.device.inject(Link::kGuestTx, rarp).ok());
  EXPECT_EQ(link.receiveFrames(), only(rarp));
  EXPECT_TRUE(link.receiveFrames().empty());
}

TEST_F(VhostRx, InjectedFramesWaitForThePoolAndForTheRing) {
  Mempool& pool = makePool(4);
  Link link(pool);
  std::vector<Handle> all(4);
  ASSERT_EQ(pool.allocBulk(all.data(), 4), 4u);
  ASSERT_TRUE(link.device.inject(Link::kGuestTx, patternBytes(64)).ok());
  EXPECT_TRUE(link.receive().empty());
  freeBurst(all.data(), 4);
  ASSERT_TRUE(link.device.enableRing(Link::kGuestTx, false).ok());
  EXPECT_TRUE(link.receive().empty());
  ASSERT_TRUE(link.device.enableRing(Link::kGuestTx, true).ok());
  EXPECT_EQ(link.receiveFrames(), only(patternBytes(64)));
}

TEST_F(VhostRx, OnlyFramesThatAPacketCanBeAreInjected) {
  Mempool& pool = makePool(64);
  Link link(pool);
  for (const std::size_t size : {0u, 13u, 65536u, 1u << 20}) {
    EXPECT_EQ(link.device.inject(Link::kGuestTx, ByteVector(size)).code(), StatusCode::kOutOfRange) << size;
  }
  EXPECT_EQ(link.device.inject(Link::kGuestRx, patternBytes(64)).code(), StatusCode::kBadState)
      << "a ring that we send to";
  EXPECT_EQ(link.device.inject(7, patternBytes(64)).code(), StatusCode::kNotFound);
  ASSERT_TRUE(link.device.inject(Link::kGuestTx, patternBytes(65535)).ok());
  EXPECT_EQ(link.receiveFrames(), only(patternBytes(65535)));
}

// A packet whose header was negotiated to mean nothing: it is not looked at.
TEST_F(VhostRx, HeadersMeanNothingWithoutFeatures) {
  Mempool& pool = makePool(8);
  Link link(pool);
  virtio::NetHdr header;
  std::memset(&header, 0xff, sizeof header);
  ASSERT_TRUE(link.guest.send(patternBytes(100), {}, Placement::kDirect, header));
  const auto handles = link.receive();
  ASSERT_EQ(handles.size(), 1u);
  EXPECT_EQ(mbufOf(handles[0])->olFlags, 0u);
  EXPECT_EQ(contentsOf(handles[0]), patternBytes(100));
  EXPECT_EQ(link.rxCount(kRX_BAD_OFFLOAD), 0u);
  freeChain(handles[0]);
}

// A burst reads what was sent and nothing else, and writes nothing but used elements.
TEST_F(VhostRx, WritesNothingButTheUsedRing) {
  Mempool& pool = makePool(64);
  Link link(pool, {.memory = 256 << 10});
  for (std::uint32_t i = 0; i < 20; i++) ASSERT_TRUE(link.guest.send(patternBytes(100 + i * 200, i)));
  const auto before = link.memory.snapshot();
  EXPECT_EQ(link.receiveFrames().size(), 20u);
  link.memory.expectUntouched(before, link.guest.tx.deviceWrites());
}

}  // namespace
}  // namespace pollwire::test
