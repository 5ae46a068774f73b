#include "pmd/ring_port.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/arena_test.hpp"
#include "support/ring_memory.hpp"

namespace pollwire::test {
namespace {

class RingPort : public ArenaTest {
 protected:
  void join(std::uint32_t capacity) {
    memory_ = std::make_unique<RingMemory>(capacity);
    const AnyRing ring = AnyRing::create(memory_->data(), capacity, RingSide::kSingle, RingSide::kSingle);
    tx = slots::byId(*slots::allocate());
    rx = slots::byId(*slots::allocate());
    txEnd_ = pmd::bindRingTx(*tx, ring);
    rxEnd_ = pmd::bindRingRx(*rx, ring, 9);
    tx->open(kSlotPortStopped);
    rx->open(kSlotPortStopped);
  }
  void TearDown() override {
    tx->unbind();
    rx->unbind();
    ArenaTest::TearDown();
  }
  static std::uint64_t count(const BurstSlot* slot, Counter counter) {
    return slot->counters()->value[counter];
  }

  BurstSlot* tx = nullptr;
  BurstSlot* rx = nullptr;

 private:
  std::unique_ptr<RingMemory> memory_;
  std::unique_ptr<pmd::QueueEnd> txEnd_;
  std::unique_ptr<pmd::QueueEnd> rxEnd_;
};

TEST_F(RingPort, TheSamePacketsComeOutInOrder) {
  join(64);
  Mempool& pool = makePool(64);
  std::vector<Handle> sent;
  std::uint64_t bytes = 0;
  for (std::uint32_t size : {14u, 64u, 100u, 1500u, 5000u}) {
    sent.push_back(makePacket(pool, patternBytes(size, size)));
    bytes += size;
  }
  EXPECT_EQ(tx->run(sent.data(), 5), 5u);
  EXPECT_EQ(tx->used(), 5u);
  EXPECT_EQ(rx->used(), 5u);
  Handle received[8];
  EXPECT_EQ(rx->run(received, 8), 5u);
  EXPECT_TRUE(std::equal(sent.begin(), sent.end(), received));
  for (int i = 0; i < 5; i++) EXPECT_EQ(mbufOf(received[i])->port, 9u);
  EXPECT_EQ(contentsOf(received[4]), patternBytes(5000, 5000));
  for (const BurstSlot* slot : {tx, rx}) {
    EXPECT_EQ(count(slot, kPACKETS), 5u);
    EXPECT_EQ(count(slot, kBYTES), bytes);
  }
  EXPECT_EQ(rx->run(received, 8), 0u);
  freeBurst(received, 5);
}

TEST_F(RingPort, AFullRingLeavesTheRestWithTheCaller) {
  join(4);
  Mempool& pool = makePool(16);
  std::vector<Handle> burst;
  for (std::uint32_t i = 0; i < 10; i++) burst.push_back(makePacket(pool, patternBytes(100 + i, i)));
  EXPECT_EQ(tx->run(burst.data(), 10), 4u);
  EXPECT_EQ(count(tx, kTX_RING_FULL), 6u);
  EXPECT_EQ(count(tx, kPACKETS), 4u);
  EXPECT_EQ(count(tx, kBYTES), 100u + 101 + 102 + 103);
  EXPECT_EQ(tx->run(burst.data() + 4, 6), 0u);
  Handle received[10];
  EXPECT_EQ(rx->run(received, 10), 4u);
  EXPECT_EQ(tx->run(burst.data() + 4, 6), 4u);
  EXPECT_EQ(rx->run(received + 4, 6), 4u);
  EXPECT_TRUE(std::equal(received, received + 8, burst.begin()));
  freeBurst(burst.data(), 10);
}

TEST_F(RingPort, AClosedEndMovesNothing) {
  join(8);
  Mempool& pool = makePool(4);
  Handle packet = makePacket(pool, patternBytes(60));
  tx->close(kSlotPaused);
  EXPECT_EQ(tx->run(&packet, 1), 0u);
  tx->open(kSlotPaused);
  EXPECT_EQ(tx->run(&packet, 1), 1u);
  rx->close(kSlotPortStopped);
  Handle received = kNoHandle;
  EXPECT_EQ(rx->run(&received, 1), 0u);
  rx->open(kSlotPortStopped);
  EXPECT_EQ(rx->run(&received, 1), 1u);
  freeChain(received);
}

// One thread sends, one receives; every packet arrives once and whole.
TEST_F(RingPort, BetweenTwoThreads) {
  join(32);
  Mempool& pool = makePool(128, 192, 16);
  constexpr std::uint32_t kPackets = 20000;
  std::thread sender([&] {
    setCurrentLcore(1);
    std::uint32_t sent = 0;
    while (sent < kPackets) {
      Handle handle = pool.alloc();
      if (handle == kNoHandle) {
        std::this_thread::yield();
        continue;
      }
      resetForRx(mbufOf(handle), 0, 4);
      std::memcpy(dataOf(mbufOf(handle)), &sent, 4);
      while (tx->run(&handle, 1) == 0) std::this_thread::yield();
      sent++;
    }
    Mempool::flushAll(1);
    setCurrentLcore(kNoLcore);
  });
  setCurrentLcore(2);
  std::uint32_t expected = 0;
  while (expected < kPackets) {
    Handle handles[16];
    const std::uint32_t received = rx->run(handles, 16);
    for (std::uint32_t i = 0; i < received; i++) {
      std::uint32_t number = ~0u;
      std::memcpy(&number, dataOf(mbufOf(handles[i])), 4);
      ASSERT_EQ(number, expected);
      expected++;
    }
    freeBurst(handles, received);
    if (received == 0) std::this_thread::yield();
  }
  sender.join();
}

}  // namespace
}  // namespace pollwire::test
