// Us → guest: every size into buffers of every shape, and what happens when they are too few, too small or
// too many.
#include <gtest/gtest.h>

#include "support/vhost_test.hpp"

namespace pollwire::test {
namespace {

using Link = VhostLink<>;
using VhostTx = ArenaTest;

// Posts until the ring is full or `count` buffers are there.
void fill(Link& link, std::uint32_t size, std::uint32_t count = ~0u,
          Placement placement = Placement::kDirect) {
  for (std::uint32_t i = 0; i < count && link.guest.post(std::span(&size, 1), placement); i++) {
  }
}

void expectPlainHeader(const ReceivedPacket& packet, std::uint64_t features) {
  EXPECT_EQ(packet.header.flags, 0u);
  EXPECT_EQ(packet.header.gsoType, 0u);
  EXPECT_EQ(packet.header.hdrLen, 0u);
  EXPECT_EQ(packet.header.gsoSize, 0u);
  EXPECT_EQ(packet.header.csumStart, 0u);
  EXPECT_EQ(packet.header.csumOffset, 0u);
  if ((features & kMergeable) != 0) {
    EXPECT_EQ(packet.header.numBuffers, packet.buffers);
  }
}

TEST_F(VhostTx, EverySizeIntoOneBuffer) {
  for (const std::uint64_t features : {kMergeable, kModern, std::uint64_t{0}}) {
    Mempool& pool = makePool(64);
    Link link(pool, {.features = features});
    const std::uint32_t room = 9018 + link.guest.headerLen();
    ASSERT_TRUE(link.guest.post(room));
    for (std::uint32_t size = 14; size <= 9018; size++) {
      const ByteVector frame = patternBytes(size, size);
      ASSERT_TRUE(link.transmit(frame));
      const auto packets = link.guest.receive(true);
      ASSERT_EQ(packets.size(), 1u) << size;
      ASSERT_EQ(packets[0].frame, frame) << size;
      expectPlainHeader(packets[0], features);
    }
    EXPECT_EQ(link.txCount(kPACKETS), 9005u);
    EXPECT_EQ(link.txCount(kBYTES), 9005ull * (14 + 9018) / 2);
  }
}

// Buffers of exactly the length that a packet needs, at the end of the guest's memory.
TEST_F(VhostTx, NotAByteBehindTheBuffer) {
  Mempool& pool = makePool(8);
  Link link(pool, {.features = kModern, .memory = 64 << 10});
  for (std::uint32_t size = 14; size <= 300; size++) {
    const std::uint32_t exact = size + 12;
    ASSERT_TRUE(link.guest.postAt(link.memory.end() - exact, std::span(&exact, 1)));
    ASSERT_TRUE(link.transmit(patternBytes(size, size)));
    const auto packets = link.guest.receive();
    ASSERT_EQ(packets.size(), 1u);
    ASSERT_EQ(packets[0].frame, patternBytes(size, size));
  }
}

// Frame sizes × segment sizes × buffer sizes × placement, merged. The same buffers come back again and again.
TEST_F(VhostTx, MergesBuffersOfEverySize) {
  Mempool& pool = makePool(1100, 192);
  for (const std::uint32_t buffer : {12u, 13u, 26u, 64u, 257u, 1526u, 4096u, 70000u}) {
    for (const Placement placement : {Placement::kDirect, Placement::kIndirect}) {
      Link link(pool, {.ringSize = 512});
      const std::uint32_t count = std::min(300u, (3u << 20) / (buffer + 1));
      fill(link, buffer, count, placement);
      for (const std::uint32_t size : {14u, 60u, 245u, 1514u, 9018u, 65535u}) {
        const std::uint32_t needed = (size + 12 + buffer - 1) / buffer;
        if (needed > std::min(count, PieceList::kMax)) continue;
        for (const std::uint32_t segment : {0u, 33u, 64u}) {
          if (segment != 0 && size / segment > 1000) continue;
          const ByteVector frame = patternBytes(size, size + segment);
          ASSERT_TRUE(link.transmit(frame, segment)) << size;
          const auto packets = link.guest.receive(true, placement);
          ASSERT_EQ(packets.size(), 1u) << size << " bytes into buffers of " << buffer;
          ASSERT_EQ(packets[0].frame, frame) << size << " bytes into buffers of " << buffer;
          ASSERT_EQ(packets[0].buffers, needed);
          expectPlainHeader(packets[0], kMergeable);
        }
      }
    }
  }
}

// Chains of several descriptors, not merged: what big-packet drivers post.
TEST_F(VhostTx, ScattersOverTheDescriptorsOfOneChain) {
  Mempool& pool = makePool(200);
  for (const std::uint64_t base : {kModern, std::uint64_t{0}}) {
    Link link(pool, {.features = base | virtio::kRingIndirectDesc});
    const std::uint32_t header = link.guest.headerLen();
    const std::vector<std::vector<std::uint32_t>> shapes = {
        {header, 65536},
        {1, 65600},
        {header - 1, 1, 65536},
        {header + 13, 1, 70000},
        std::vector<std::uint32_t>(18, 4096),
        std::vector<std::uint32_t>(200, 400),
        {header, 0, 65536},
    };
    const std::uint64_t mark = link.memory.mark();
    for (const auto& shape : shapes) {
      for (const Placement placement : {Placement::kDirect, Placement::kIndirect, Placement::kMixed}) {
        for (const std::uint32_t size : {14u, 60u, 1514u, 9018u, 65535u}) {
          link.memory.reset(mark);
          ASSERT_TRUE(link.guest.post(shape, placement));
          const ByteVector frame = patternBytes(size, size);
          ASSERT_TRUE(link.transmit(frame));
          const auto packets = link.guest.receive();
          ASSERT_EQ(packets.size(), 1u) << size;
          ASSERT_EQ(packets[0].frame, frame) << size;
          expectPlainHeader(packets[0], base);
        }
      }
    }
  }
}

TEST_F(VhostTx, BuffersMayCrossRegions) {
  Mempool& pool = makePool(8);
  Link link(pool);
  const std::uint64_t border = link.memory.specs()[1].guestAddr;
  const std::uint32_t room = 76;
  for (std::uint64_t back = 0; back <= room; back++) {
    ASSERT_TRUE(link.guest.postAt(border - back, std::span(&room, 1)));
    ASSERT_TRUE(link.transmit(patternBytes(64, static_cast<std::uint32_t>(back))));
    const auto packets = link.guest.receive();
    ASSERT_EQ(packets.size(), 1u);
    ASSERT_EQ(packets[0].frame, patternBytes(64, static_cast<std::uint32_t>(back)));
  }
}

TEST_F(VhostTx, AFullRingLeavesTheRestWithTheCaller) {
  Mempool& pool = makePool(64);
  Link link(pool, {.ringSize = 8});
  fill(link, 200, 5);
  std::vector<Handle> burst;
  for (std::uint32_t i = 0; i < 20; i++) burst.push_back(makePacket(pool, patternBytes(100, i)));
  EXPECT_EQ(link.txSlot().run(burst.data(), 20), 5u);
  EXPECT_EQ(link.txCount(kTX_RING_FULL), 15u);
  EXPECT_EQ(link.txSlot().run(burst.data() + 5, 15), 0u);
  EXPECT_EQ(link.txCount(kTX_RING_FULL), 30u);
  EXPECT_EQ(link.txCount(kPACKETS), 5u);
  // What is left is untouched and goes out when there is room.
  for (std::uint32_t i = 5; i < 20; i++) EXPECT_EQ(contentsOf(burst[i]), patternBytes(100, i));
  std::uint32_t seen = 0;
  std::uint32_t sent = 5;
  while (sent < 20) {
    for (const ReceivedPacket& packet : link.guest.receive(true))
      EXPECT_EQ(packet.frame, patternBytes(100, seen++));
    sent += link.txSlot().run(burst.data() + sent, 20 - sent);
  }
  for (const ReceivedPacket& packet : link.guest.receive())
    EXPECT_EQ(packet.frame, patternBytes(100, seen++));
  EXPECT_EQ(seen, 20u);
}

// Some of the buffers are there: the packet waits, and nothing was used for it.
TEST_F(VhostTx, AMergedPacketWaitsForEnoughBuffers) {
  Mempool& pool = makePool(64);
  Link link(pool);
  fill(link, 1000, 3);
  const Handle packet = makePacket(pool, patternBytes(5000));
  Handle handle = packet;
  EXPECT_EQ(link.txSlot().run(&handle, 1), 0u);
  EXPECT_FALSE(link.guest.rx.hasUsed());
  EXPECT_EQ(link.txSlot().used(), 3u);
  fill(link, 1000, 3);
  EXPECT_EQ(link.txSlot().run(&handle, 1), 1u);
  const auto packets = link.guest.receive();
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_EQ(packets[0].frame, patternBytes(5000));
  EXPECT_EQ(packets[0].buffers, 6u);
}

// Hostile row 92.
TEST_F(VhostTx, PacketsThatNoBufferTakes) {
  Mempool& pool = makePool(64);
  {
    Link link(pool, {.features = kModern});
    fill(link, 1526, 4);
    EXPECT_TRUE(link.transmit(patternBytes(1515))) << "taken and dropped";
    EXPECT_EQ(link.txCount(kTX_TOO_BIG), 1u);
    EXPECT_FALSE(link.guest.rx.hasUsed());
    EXPECT_EQ(link.txSlot().used(), 4u);
    EXPECT_TRUE(link.transmit(patternBytes(1514)));
    EXPECT_EQ(link.guest.receive().size(), 1u);
    EXPECT_EQ(link.txCount(kPACKETS), 1u);
  }
  {
    // All that the guest can ever post.
    Link link(pool, {.ringSize = 4});
    fill(link, 100);
    EXPECT_TRUE(link.transmit(patternBytes(1000))) << "taken and dropped";
    EXPECT_EQ(link.txCount(kTX_TOO_BIG), 1u);
    EXPECT_FALSE(link.guest.rx.hasUsed());
    EXPECT_TRUE(link.transmit(patternBytes(388)));
    const auto packets = link.guest.receive();
    ASSERT_EQ(packets.size(), 1u);
    EXPECT_EQ(packets[0].frame, patternBytes(388));
    EXPECT_EQ(packets[0].buffers, 4u);
  }
  {
    // More buffers than a packet may have pieces: the small packet behind it still goes.
    Link link(pool, {.ringSize = 1024});
    fill(link, 30);
    EXPECT_TRUE(link.transmit(patternBytes(30 * 256 - 12 + 1)));
    EXPECT_EQ(link.txCount(kTX_TOO_BIG), 1u);
    EXPECT_FALSE(link.guest.rx.hasUsed());
    EXPECT_TRUE(link.transmit(patternBytes(30 * 256 - 12)));
    EXPECT_TRUE(link.transmit(patternBytes(100, 3)));
    const auto packets = link.guest.receive();
    ASSERT_EQ(packets.size(), 2u);
    EXPECT_EQ(packets[0].frame, patternBytes(30 * 256 - 12));
    EXPECT_EQ(packets[1].frame, patternBytes(100, 3));
  }
}

// Packets that take more heads than are looked at in one go, mixed with small ones and with ones that do not
// fit.
TEST_F(VhostTx, PacketsBeyondTheWindowOfHeads) {
  Mempool& pool = makePool(128);
  Link link(pool, {.ringSize = 256});
  const std::uint64_t mark = link.memory.mark();
  for (std::uint32_t round = 0; round < 20; round++) {
    link.memory.reset(mark);
    fill(link, 100);
    std::vector<ByteVector> expected;
    std::vector<Handle> burst;
    for (const std::uint32_t size : {5000u, 60u, 7000u, 88u + round, 30000u, 9000u - round * 37, 60u}) {
      burst.push_back(makePacket(pool, patternBytes(size, size)));
      if (size != 30000) expected.push_back(patternBytes(size, size));
    }
    // 30,000 bytes are more than the ring can ever hold at once, behind what the others took it is merely
    // full.
    const std::uint32_t done = link.txSlot().run(burst.data(), static_cast<std::uint32_t>(burst.size()));
    EXPECT_EQ(done, 4u);
    EXPECT_EQ(link.txSlot().run(burst.data() + 4, 3), 0u);
    freeChain(burst[4]);
    EXPECT_EQ(link.txSlot().run(burst.data() + 5, 2), 2u);
    const auto packets = link.guest.receive();
    ASSERT_EQ(packets.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); i++) ASSERT_EQ(packets[i].frame, expected[i]) << i;
    // The rest, one each.
    while (link.txSlot().used() > 0) ASSERT_TRUE(link.transmit(patternBytes(60)));
    (void)link.guest.receive();
  }
}

TEST_F(VhostTx, MbufsWhoseLengthsContradictAreDropped) {
  Mempool& pool = makePool(64);
  Link link(pool);
  fill(link, 2000, 20);
  const auto dropped = [&](std::uint32_t size, auto&& change) {
    const Handle packet = makePacket(pool, patternBytes(size));
    Mbuf* mbuf = mbufOf(packet);
    change(*mbuf);
    Handle handle = packet;
    const std::uint64_t before = link.txCount(kTX_BAD_MBUF);
    EXPECT_EQ(link.txSlot().run(&handle, 1), 1u);
    return link.txCount(kTX_BAD_MBUF) == before + 1;
  };
  EXPECT_TRUE(dropped(100, [](Mbuf& m) { m.pktLen = 101; }));
  EXPECT_TRUE(dropped(100, [](Mbuf& m) { m.pktLen = 0xffffffff; }));
  EXPECT_TRUE(dropped(100, [](Mbuf& m) { m.pktLen = 0xfffffff4; }));
  EXPECT_TRUE(dropped(100, [](Mbuf& m) { m.dataLen = 99; }));
  EXPECT_TRUE(dropped(100, [](Mbuf& m) { m.pktLen = m.dataLen = 3000; }));
  EXPECT_TRUE(dropped(100, [](Mbuf& m) { m.dataOff = 0xffff; }));
  EXPECT_TRUE(dropped(100, [](Mbuf& m) { m.nbSegs = 0; }));
  EXPECT_TRUE(dropped(100, [](Mbuf& m) { m.nbSegs = 2; }));
  EXPECT_TRUE(dropped(5000, [](Mbuf& m) { m.nbSegs = 1; }));
  EXPECT_TRUE(dropped(5000, [](Mbuf& m) { m.nbSegs = 2; }));
  EXPECT_TRUE(dropped(5000, [](Mbuf& m) { m.pktLen = 4999; }));
  EXPECT_EQ(link.txCount(kPACKETS), 0u);
  EXPECT_FALSE(link.guest.rx.hasUsed());
  EXPECT_EQ(link.txSlot().used(), 20u);
}

TEST_F(VhostTx, ClonesAreSentLikeAnyOther) {
  Mempool& pool = makePool(64);
  Link link(pool);
  fill(link, 2000, 20);
  const Handle packet = makePacket(pool, patternBytes(5000));
  const Handle clone = clonePacket(packet, pool);
  ASSERT_TRUE(link.transmit(clone));
  ASSERT_TRUE(link.transmit(packet));
  const auto packets = link.guest.receive();
  ASSERT_EQ(packets.size(), 2u);
  EXPECT_EQ(packets[0].frame, patternBytes(5000));
  EXPECT_EQ(packets[1].frame, patternBytes(5000));
}

// A burst is freed as a whole where it can be: each mbuf still goes back to its own pool.
TEST_F(VhostTx, PacketsGoBackToTheirOwnPools) {
  Mempool& first = makePool(80);
  Mempool& second = makePool(80);
  Link link(first, {.ringSize = 256});
  const auto run = [&](auto&& fromSecond) {
    fill(link, 200);
    Handle burst[64];
    for (std::uint32_t i = 0; i < 64; i++)
      burst[i] = makePacket(fromSecond(i) ? second : first, patternBytes(60));
    ASSERT_EQ(link.txSlot().run(burst, 64), 64u);
    EXPECT_EQ(link.guest.receive(true).size(), 64u);
    EXPECT_EQ(first.available(), 80u);
    EXPECT_EQ(second.available(), 80u);
  };
  run([](std::uint32_t) { return false; });
  run([](std::uint32_t i) { return i >= 32; });
  run([](std::uint32_t i) { return i < 32; });
  run([](std::uint32_t i) { return i % 2 == 1; });
  run([](std::uint32_t i) { return i == 63; });
}

TEST_F(VhostTx, CallsAsTheGuestWants) {
  Mempool& pool = makePool(64);
  for (const std::uint64_t event : {std::uint64_t{0}, virtio::kRingEventIdx}) {
    Link link(pool, {.features = kMergeable | event});
    const int call = link.calls[Link::kGuestRx].get();
    (void)drainEventFd(call);
    fill(link, 200, 200);
    for (std::uint32_t i = 0; i < 40; i++) {
      const bool wanted = i % 3 == 0;
      link.guest.rx.wantCalls(wanted);
      std::vector<Handle> burst;
      for (std::uint32_t k = 0; k < 4; k++) burst.push_back(makePacket(pool, patternBytes(60)));
      ASSERT_EQ(link.txSlot().run(burst.data(), 4), 4u);
      EXPECT_EQ(drainEventFd(call), wanted ? 1u : 0u);
      EXPECT_EQ(link.guest.receive().size(), 4u);
    }
    EXPECT_EQ(link.txCount(kNOTIFICATIONS), 14u);
    EXPECT_EQ(link.txCount(kNOTIFICATIONS_SUPPRESSED), 26u);
    // A burst that sends nothing says nothing.
    while (link.txSlot().used() != 0) ASSERT_TRUE(link.transmit(patternBytes(60)));
    (void)drainEventFd(call);
    link.guest.rx.wantCalls(true);
    EXPECT_FALSE(link.transmit(patternBytes(60)));
    EXPECT_EQ(drainEventFd(call), 0u);
  }
}

TEST_F(VhostTx, WritesOnlyBuffersAndTheUsedRing) {
  Mempool& pool = makePool(64);
  Link link(pool, {.memory = 256 << 10});
  auto allowed = link.guest.rx.deviceWrites();
  for (std::uint32_t i = 0; i < 20; i++) {
    const std::uint32_t size = 500;
    const std::uint64_t place = link.memory.alloc(600, 1);
    ASSERT_TRUE(link.guest.postAt(place, std::span(&size, 1)));
    allowed.push_back(GuestRange{place, size});
  }
  const auto before = link.memory.snapshot();
  for (const std::uint32_t size : {60u, 488u, 489u, 3000u}) ASSERT_TRUE(link.transmit(patternBytes(size)));
  EXPECT_EQ(link.guest.receive().size(), 4u);
  link.memory.expectUntouched(before, allowed);
}

}  // namespace
}  // namespace pollwire::test
