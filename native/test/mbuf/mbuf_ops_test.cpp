#include "mbuf/mbuf_ops.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "support/arena_test.hpp"

namespace pollwire {
namespace {

using test::ByteVector;
using test::contentsOf;
using test::makePacket;
using test::patternBytes;

using MbufOps = test::ArenaTest;

TEST_F(MbufOps, APacketIsConsistentOrNot) {
  Mempool& pool = makePool(16);
  const Handle packet = makePacket(pool, patternBytes(5000));
  Mbuf* head = mbufOf(packet);
  EXPECT_EQ(head->nbSegs, 3u);
  EXPECT_TRUE(isConsistent(head));
  const Mbuf good = *head;
  const auto broken = [&](auto&& change) {
    change(*head);
    const bool result = !isConsistent(head);
    *head = good;
    return result;
  };
  EXPECT_TRUE(broken([](Mbuf& m) { m.pktLen++; }));
  EXPECT_TRUE(broken([](Mbuf& m) { m.pktLen--; }));
  EXPECT_TRUE(broken([](Mbuf& m) { m.nbSegs = 2; }));
  EXPECT_TRUE(broken([](Mbuf& m) { m.nbSegs = 4; }));
  EXPECT_TRUE(broken([](Mbuf& m) { m.nbSegs = 0; }));
  EXPECT_TRUE(broken([](Mbuf& m) { m.dataOff = m.bufLen; }));
  EXPECT_TRUE(broken([](Mbuf& m) { m.dataLen = 0xffff; }));
  EXPECT_TRUE(broken([](Mbuf& m) { m.next = kNoHandle; }));
  EXPECT_TRUE(broken([&](Mbuf& m) { m.next = packet; }));  // a loop
  EXPECT_TRUE(isConsistent(head));
  freeChain(packet);
}

TEST_F(MbufOps, ReadsAndWritesAcrossSegments) {
  Mempool& pool = makePool(64);
  const ByteVector bytes = patternBytes(300);
  for (const std::uint32_t segment : {1u, 7u, 100u, 300u}) {
    Mempool& small = makePool(512, 192);
    const Handle packet = makePacket(segment > 64 ? pool : small, bytes, segment);
    Mbuf* head = mbufOf(packet);
    for (std::uint32_t offset = 0; offset <= 301; offset += 13) {
      ByteVector got(100, std::byte{0});
      const std::uint32_t expected = offset >= 300 ? 0 : std::min(100u, 300 - offset);
      ASSERT_EQ(readPacket(head, offset, got), expected);
      ASSERT_TRUE(std::equal(got.begin(), got.begin() + expected, bytes.begin() + std::min(offset, 300u)));
    }
    EXPECT_EQ(readPacket(head, 0, {}), 0u);
    const ByteVector patch = patternBytes(50, 9);
    EXPECT_EQ(writePacket(head, 270, patch), 30u);
    EXPECT_EQ(writePacket(head, 300, patch), 0u);
    ByteVector expected = bytes;
    std::copy_n(patch.begin(), 30, expected.begin() + 270);
    EXPECT_EQ(contentsOf(packet), expected);
    freeChain(packet);
  }
}

TEST_F(MbufOps, AppendFillsTheTailAndThenTakesSegments) {
  Mempool& pool = makePool(64, 192);
  const Handle packet = pool.alloc();
  resetForRx(mbufOf(packet), 3, 0);
  ByteVector expected;
  for (std::uint32_t size : {0u, 1u, 63u, 64u, 65u, 500u}) {
    const ByteVector more = patternBytes(size, size);
    ASSERT_TRUE(appendPacket(packet, more));
    expected.insert(expected.end(), more.begin(), more.end());
    ASSERT_TRUE(isConsistent(mbufOf(packet)));
    ASSERT_EQ(contentsOf(packet), expected);
  }
  EXPECT_TRUE(appendPacket(packet, {}));
  freeChain(packet);
}

TEST_F(MbufOps, AppendThatCannotSucceedChangesNothing) {
  Mempool& pool = makePool(4, 192);
  const Handle packet = makePacket(pool, patternBytes(64));
  EXPECT_FALSE(appendPacket(packet, patternBytes(4 * 192)));
  EXPECT_EQ(mbufOf(packet)->nbSegs, 1u);
  EXPECT_EQ(contentsOf(packet), patternBytes(64));
  EXPECT_EQ(pool.available(), 3u);
  freeChain(packet);
}

// The largest frame in the smallest buffers.
TEST_F(MbufOps, AppendOf64KiBInTheSmallestBuffers) {
  Mempool& pool = makePool(400, 192);
  const Handle packet = pool.alloc();
  resetForRx(mbufOf(packet), 0, 0);
  const ByteVector bytes = patternBytes(65535);
  ASSERT_TRUE(appendPacket(packet, bytes));
  EXPECT_TRUE(isConsistent(mbufOf(packet)));
  EXPECT_EQ(contentsOf(packet), bytes);
  EXPECT_FALSE(appendPacket(packet, patternBytes(65536)));
  freeChain(packet);
}

TEST_F(MbufOps, AppendLeavesSharedBuffersAlone) {
  Mempool& pool = makePool(8);
  const Handle packet = makePacket(pool, patternBytes(100));
  const Handle clone = clonePacket(packet, pool);
  ASSERT_TRUE(appendPacket(packet, patternBytes(10, 1)));
  ASSERT_TRUE(appendPacket(clone, patternBytes(10, 2)));
  ByteVector first = patternBytes(100);
  ByteVector second = first;
  for (const std::byte byte : patternBytes(10, 1)) first.push_back(byte);
  for (const std::byte byte : patternBytes(10, 2)) second.push_back(byte);
  EXPECT_EQ(contentsOf(packet), first);
  EXPECT_EQ(contentsOf(clone), second);
  freeChain(clone);
  freeChain(packet);
}

TEST_F(MbufOps, JoinsChains) {
  Mempool& pool = makePool(16);
  const Handle a = makePacket(pool, patternBytes(3000, 1));
  const Handle b = makePacket(pool, patternBytes(4000, 2));
  EXPECT_FALSE(joinChains(a, a));
  ASSERT_TRUE(joinChains(a, b));
  EXPECT_TRUE(isConsistent(mbufOf(a)));
  EXPECT_EQ(mbufOf(a)->nbSegs, 4u);
  ByteVector expected = patternBytes(3000, 1);
  for (const std::byte byte : patternBytes(4000, 2)) expected.push_back(byte);
  EXPECT_EQ(contentsOf(a), expected);
  freeChain(a);
}

TEST_F(MbufOps, JoinStopsAtTheLargestSegmentCount) {
  Mempool& pool = makePool(2);
  const Handle a = pool.alloc();
  const Handle b = pool.alloc();
  resetForRx(mbufOf(a), 0, 0);
  resetForRx(mbufOf(b), 0, 0);
  mbufOf(a)->nbSegs = 0xffff;
  EXPECT_FALSE(joinChains(a, b));
  mbufOf(a)->nbSegs = 1;
  freeChain(a);
  freeChain(b);
}

void setMetadata(Mbuf& mbuf) {
  mbuf.port = 7;
  mbuf.vlanTci = 0x1234;
  mbuf.olFlags = kRxVlan | kTxIpCksum;
  mbuf.packetType = 0x111;
  mbuf.hashRss = 0xcafe;
  mbuf.l2Len = 14;
  mbuf.l3Len = 20;
  mbuf.l4Len = 8;
  mbuf.tsoSegsz = 1400;
  mbuf.vlanTciOuter = 0x777;
  mbuf.timestamp = 99;
}

void expectMetadata(const Mbuf& mbuf) {
  EXPECT_EQ(mbuf.port, 7u);
  EXPECT_EQ(mbuf.vlanTci, 0x1234u);
  EXPECT_EQ(mbuf.olFlags, kRxVlan | kTxIpCksum);
  EXPECT_EQ(mbuf.packetType, 0x111u);
  EXPECT_EQ(mbuf.hashRss, 0xcafeu);
  EXPECT_EQ(mbuf.l2Len, 14u);
  EXPECT_EQ(mbuf.l3Len, 20u);
  EXPECT_EQ(mbuf.l4Len, 8u);
  EXPECT_EQ(mbuf.tsoSegsz, 1400u);
  EXPECT_EQ(mbuf.vlanTciOuter, 0x777u);
  EXPECT_EQ(mbuf.timestamp, 99u);
}

TEST_F(MbufOps, CopiesIntoAnotherPool) {
  Mempool& pool = makePool(64);
  Mempool& small = makePool(400, 192);
  for (const std::uint32_t size : {0u, 64u, 65u, 9018u, 65535u}) {
    const ByteVector bytes = patternBytes(size, size);
    const Handle packet = makePacket(pool, bytes);
    setMetadata(*mbufOf(packet));
    const Handle copy = copyPacket(packet, small);
    ASSERT_NE(copy, kNoHandle) << size;
    EXPECT_TRUE(isConsistent(mbufOf(copy)));
    EXPECT_EQ(contentsOf(copy), bytes);
    expectMetadata(*mbufOf(copy));
    freeChain(packet);
    EXPECT_EQ(contentsOf(copy), bytes);
    freeChain(copy);
  }
}

// From one large buffer into the smallest ones.
TEST_F(MbufOps, CopiesALargeSegmentIntoManySmallOnes) {
  Mempool& large = makePool(2, 65472);
  Mempool& small = makePool(400, 192);
  const ByteVector bytes = patternBytes(65344);
  const Handle packet = makePacket(large, bytes);
  ASSERT_EQ(mbufOf(packet)->nbSegs, 1u);
  const Handle copy = copyPacket(packet, small);
  ASSERT_NE(copy, kNoHandle);
  EXPECT_EQ(contentsOf(copy), bytes);
  freeChain(copy);
  freeChain(packet);
}

TEST_F(MbufOps, CopyAndCloneGiveUpCleanlyWhenThePoolIsEmpty) {
  Mempool& pool = makePool(16);
  Mempool& tiny = makePool(2);
  const Handle packet = makePacket(pool, patternBytes(6000));
  ASSERT_GT(mbufOf(packet)->nbSegs, 2u);
  EXPECT_EQ(copyPacket(packet, tiny), kNoHandle);
  EXPECT_EQ(clonePacket(packet, tiny), kNoHandle);
  EXPECT_EQ(tiny.available(), 2u);
  for (Handle handle = packet; handle != kNoHandle; handle = mbufOf(handle)->next)
    EXPECT_EQ(mbufOf(handle)->refcnt, 1u);
  freeChain(packet);
}

TEST_F(MbufOps, ClonesShareAndTheLastOneFrees) {
  Mempool& pool = makePool(16);
  Mempool& headers = makePool(16, 192);
  const ByteVector bytes = patternBytes(5000);
  for (const bool originalFirst : {true, false}) {
    const Handle packet = makePacket(pool, bytes);
    setMetadata(*mbufOf(packet));
    const Handle clone = clonePacket(packet, headers);
    const Handle second = clonePacket(clone, headers);
    ASSERT_NE(second, kNoHandle);
    EXPECT_EQ(mbufOf(packet)->refcnt, 3u);
    EXPECT_EQ(dataOf(mbufOf(second)), dataOf(mbufOf(packet)));
    expectMetadata(*mbufOf(second));
    EXPECT_TRUE(isConsistent(mbufOf(second)));
    if (originalFirst) {
      freeChain(packet);
      EXPECT_EQ(contentsOf(second), bytes);
      freeChain(clone);
      EXPECT_EQ(contentsOf(second), bytes);
      EXPECT_EQ(pool.available(), 13u);
      freeChain(second);
    } else {
      freeChain(second);
      freeChain(clone);
      EXPECT_EQ(contentsOf(packet), bytes);
      EXPECT_EQ(mbufOf(packet)->refcnt, 1u);
      freeChain(packet);
    }
    EXPECT_EQ(pool.available(), 16u);
    EXPECT_EQ(headers.available(), 16u);
    // What comes out of the pools again is a normal mbuf.
    const Handle fresh = headers.alloc();
    EXPECT_EQ(mbufOf(fresh)->bufAddr, ownBuffer(mbufOf(fresh)));
    EXPECT_EQ(mbufOf(fresh)->bufLen, headers.dataRoom());
    EXPECT_EQ(mbufOf(fresh)->flags, 0u);
    freeChain(fresh);
  }
}

TEST_F(MbufOps, NoMoreClonesThanTheCountHolds) {
  Mempool& pool = makePool(4);
  const Handle packet = makePacket(pool, patternBytes(64));
  mbufOf(packet)->refcnt = 0xffff;
  EXPECT_EQ(clonePacket(packet, pool), kNoHandle);
  EXPECT_EQ(pool.available(), 3u);
  mbufOf(packet)->refcnt = 1;
  freeChain(packet);
}

TEST_F(MbufOps, LinearizesWhatFits) {
  Mempool& pool = makePool(64);
  for (const std::uint32_t size : {100u, 2048u, 2049u, 2176u}) {
    const ByteVector bytes = patternBytes(size, size);
    const Handle packet = makePacket(pool, bytes, 60);
    ASSERT_TRUE(linearize(packet)) << size;
    EXPECT_EQ(mbufOf(packet)->nbSegs, 1u);
    EXPECT_TRUE(isConsistent(mbufOf(packet)));
    EXPECT_EQ(contentsOf(packet), bytes);
    freeChain(packet);
  }
}

TEST_F(MbufOps, LinearizeLeavesAloneWhatItCannotDo) {
  Mempool& pool = makePool(80);
  const ByteVector large = patternBytes(2177);
  const Handle packet = makePacket(pool, large, 60);
  EXPECT_FALSE(linearize(packet));
  EXPECT_EQ(contentsOf(packet), large);
  freeChain(packet);

  const Handle shared = makePacket(pool, patternBytes(100), 60);
  const Handle clone = clonePacket(shared, pool);
  EXPECT_FALSE(linearize(shared));
  EXPECT_FALSE(linearize(clone));
  freeChain(clone);

  // Lengths that contradict each other must not reach a copy.
  mbufOf(shared)->pktLen = 61;
  mbufOf(mbufOf(shared)->next)->dataLen = 0xffff;
  EXPECT_FALSE(linearize(shared));
  freeChain(shared);
}

TEST_F(MbufOps, FreeBurstOfEverythingAtOnce) {
  Mempool& pool = makePool(64, 2176, 8);
  Mempool& other = makePool(64);
  const Handle shared = makePacket(pool, patternBytes(10));
  const Handle burst[] = {
      makePacket(pool, patternBytes(10)),  makePacket(pool, patternBytes(5000)),
      makePacket(other, patternBytes(10)), makePacket(other, patternBytes(10)),
      clonePacket(shared, other),          shared,
      makePacket(pool, patternBytes(10)),  makePacket(other, patternBytes(9000)),
  };
  freeBurst(burst, 8);
  EXPECT_EQ(pool.available(), 64u);
  EXPECT_EQ(other.available(), 64u);
  freeBurst(burst, 0);
}

// nbSegs says one, next says otherwise: nothing is lost and nothing stale comes out of the pool again.
TEST_F(MbufOps, FreeBurstFollowsNextWhateverTheCountSays) {
  Mempool& pool = makePool(8);
  const Handle packet = makePacket(pool, patternBytes(5000));
  mbufOf(packet)->nbSegs = 1;
  freeBurst(&packet, 1);
  EXPECT_EQ(pool.available(), 8u);
  Handle all[8];
  ASSERT_EQ(pool.allocBulk(all, 8), 8u);
  for (const Handle handle : all) EXPECT_EQ(mbufOf(handle)->next, kNoHandle);
  freeBurst(all, 8);
}

// Two threads give up their references of the same packets at the same time; every mbuf returns exactly once.
TEST_F(MbufOps, ReferencesGivenUpByTwoThreads) {
  Mempool& pool = makePool(256, 192, 16);
  constexpr int kRounds = 3000;
  std::atomic<Handle> mailbox{kNoHandle};
  std::thread other([&] {
    setCurrentLcore(2);
    for (int i = 0; i < kRounds; i++) {
      Handle handle = kNoHandle;
      while ((handle = mailbox.exchange(kNoHandle)) == kNoHandle) std::this_thread::yield();
      freeChain(handle);
    }
    Mempool::flushAll(2);
    setCurrentLcore(kNoLcore);
  });
  setCurrentLcore(1);
  const ByteVector bytes = patternBytes(150);
  for (int i = 0; i < kRounds; i++) {
    const Handle packet = makePacket(pool, bytes);
    const Handle clone = clonePacket(packet, pool);
    ASSERT_NE(clone, kNoHandle);
    Handle expected = kNoHandle;
    while (!mailbox.compare_exchange_weak(expected, clone)) {
      expected = kNoHandle;
      std::this_thread::yield();
    }
    freeChain(packet);
  }
  other.join();
  pool.flush(1);
  EXPECT_EQ(pool.available(), 256u);
}

}  // namespace
}  // namespace pollwire
