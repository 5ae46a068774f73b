#include "pmd/null_port.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/arena_test.hpp"

namespace pollwire::test {
namespace {

class NullPort : public ArenaTest {
 protected:
  void SetUp() override {
    ArenaTest::SetUp();
    slot_ = slots::byId(*slots::allocate());
    slot_->open(kSlotPortStopped);
  }
  std::uint64_t count(Counter counter) const { return slot_->counters()->value[counter]; }

  BurstSlot* slot_ = nullptr;
};

TEST_F(NullPort, RxYieldsBlankPacketsOfOneSize) {
  Mempool& pool = makePool(64);
  for (const bool copy : {false, true}) {
    for (const std::uint32_t size : {14u, 64u, 1518u, 2048u}) {
      auto end = pmd::bindNullRx(*slot_, pool.id(), size, copy, 5);
      ASSERT_TRUE(end.ok());
      const std::uint64_t packets = count(kPACKETS);
      Handle handles[32];
      ASSERT_EQ(slot_->run(handles, 32), 32u);
      for (const Handle handle : handles) {
        const Mbuf* mbuf = mbufOf(handle);
        ASSERT_TRUE(isConsistent(mbuf));
        EXPECT_EQ(mbuf->pktLen, size);
        EXPECT_EQ(mbuf->port, 5u);
        EXPECT_EQ(mbuf->olFlags, 0u);
        if (!copy) continue;
        const auto bytes = contentsOf(handle);
        EXPECT_TRUE(
            std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte == std::byte{0}; }));
      }
      EXPECT_EQ(count(kPACKETS), packets + 32);
      freeBurst(handles, 32);
      slot_->unbind();
    }
  }
  EXPECT_EQ(count(kBYTES), 2ull * 32 * (14 + 64 + 1518 + 2048));
  EXPECT_EQ(count(kSIZE_64), 64u);
  EXPECT_EQ(count(kSIZE_UNDER), 64u);
}

TEST_F(NullPort, AnEmptyPoolIsCountedAndRecovers) {
  Mempool& pool = makePool(40);
  auto end = pmd::bindNullRx(*slot_, pool.id(), 64, false, 0);
  ASSERT_TRUE(end.ok());
  Handle first[32];
  Handle second[32];
  ASSERT_EQ(slot_->run(first, 32), 32u);
  EXPECT_EQ(slot_->run(second, 32), 0u);
  EXPECT_EQ(count(kRX_NO_MBUF), 32u);
  EXPECT_EQ(pool.available(), 8u);
  freeBurst(first, 32);
  ASSERT_EQ(slot_->run(second, 32), 32u);
  freeBurst(second, 32);
  slot_->unbind();
}

TEST_F(NullPort, RefusesWhatItCannotDo) {
  Mempool& pool = makePool(4);
  EXPECT_EQ(pmd::bindNullRx(*slot_, 63, 64, false, 0).status().code(), StatusCode::kNotFound);
  const auto large = pmd::bindNullRx(*slot_, pool.id(), 2049, false, 0);
  EXPECT_EQ(large.status().code(), StatusCode::kOutOfRange);
  EXPECT_NE(large.status().detail().find("2049 bytes do not fit"), std::string::npos)
      << large.status().detail();
  EXPECT_EQ(pmd::bindNullRx(*slot_, pool.id(), 13, true, 0).status().code(), StatusCode::kOutOfRange);
  EXPECT_EQ(pmd::bindNullRx(*slot_, pool.id(), 0, true, 0).status().code(), StatusCode::kOutOfRange);
}

TEST_F(NullPort, TxFreesEverythingItTakes) {
  Mempool& pool = makePool(128);
  Mempool& other = makePool(16);
  for (const bool copy : {false, true}) {
    const auto end = pmd::bindNullTx(*slot_, copy);
    const Handle shared = makePacket(pool, patternBytes(100));
    Handle burst[] = {makePacket(pool, patternBytes(60)), makePacket(pool, patternBytes(60000)), shared,
                      clonePacket(shared, other), makePacket(other, patternBytes(1))};
    EXPECT_EQ(slot_->run(burst, 5), 5u);
    EXPECT_EQ(slot_->run(burst, 0), 0u);
    EXPECT_EQ(pool.available(), 128u);
    EXPECT_EQ(other.available(), 16u);
    slot_->unbind();
  }
  EXPECT_EQ(count(kPACKETS), 10u);
  EXPECT_EQ(count(kBYTES), 2ull * (60 + 60000 + 100 + 100 + 1));
}

}  // namespace
}  // namespace pollwire::test
