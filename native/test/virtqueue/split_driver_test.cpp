// A split ring whose device breaks the rules. What both layouts share is in driver_ring_test.cpp.
#include "virtqueue/split_driver.hpp"

#include <gtest/gtest.h>

#include "base/wrap16.hpp"
#include "support/driver_rig.hpp"
#include "support/random.hpp"

namespace pollwire::test {
namespace {

constexpr std::uint32_t kSize = 8;
constexpr std::uint32_t kBroken = SplitDriver::kBroken;

class HostileSplitDevice : public ::testing::Test {
 protected:
  using Rig = DriverRig<SplitLayout>;

  // Shows used elements as a device does that writes what it likes.
  void show(std::initializer_list<split::UsedElem> elements) {
    split::Used* used = SplitLayout::used(rig.memory, kSize);
    for (const split::UsedElem& element : elements) used->ring[used->idx++ % kSize] = element;
  }
  void setUsedIdx(std::uint32_t idx) {
    SplitLayout::used(rig.memory, kSize)->idx = static_cast<std::uint16_t>(idx);
  }

  Rig rig{kSize};
};

TEST_F(HostileSplitDevice, IdOutsideTheRing) {
  for (const std::uint32_t id : {kSize, 0xffffu, 0x10000u, 0xffffffffu}) {
    Rig fresh(kSize);
    fresh.post<false>(1, 1);
    split::Used* used = SplitLayout::used(fresh.memory, kSize);
    used->ring[used->idx % kSize] = {id, 0};
    used->idx++;
    EXPECT_EQ(fresh.collect<false>().count, kBroken) << id;
    EXPECT_EQ(fresh.driver.inFlight(), 1u);
  }
}

TEST_F(HostileSplitDevice, IdNotInFlight) {
  rig.post<false>(2, 1);
  show({{5, 0}});
  EXPECT_EQ(rig.collect<false>().count, kBroken);
}

TEST_F(HostileSplitDevice, IdTwice) {
  rig.post<false>(3, 1);
  show({{1, 0}, {1, 0}});
  // The first one is right, and is given out before the rest is found out.
  EXPECT_EQ(rig.collect<false>().cookies, std::vector<std::uint32_t>{2});
  EXPECT_EQ(rig.collect<false>().count, kBroken);
}

TEST_F(HostileSplitDevice, IdFromTheMiddleOfAList) {
  const Element list[3] = {{0x1000, 1, 0}, {0x2000, 2, 0}, {0x3000, 3, 0}};
  rig.driver.postList<false>(list, 3, 1);
  rig.driver.publish();
  show({{1, 0}});
  EXPECT_EQ(rig.collect<false>().count, kBroken);
}

TEST_F(HostileSplitDevice, IndexAheadOfWhatIsInFlight) {
  rig.post<false>(3, 1);
  for (const std::uint32_t jump : {4u, kSize, kSize + 1, 30000u, 65535u}) {
    setUsedIdx(rig.driver.usedIdx() + jump);
    EXPECT_EQ(rig.collect<false>().count, kBroken) << jump;
    EXPECT_EQ(rig.collect<true>().count, kBroken) << jump;
    std::uint32_t cookies[8];
    EXPECT_EQ(rig.driver.reclaim<true>(cookies, 8), kBroken) << jump;
  }
  EXPECT_EQ(rig.driver.inFlight(), 3u);
}

TEST_F(HostileSplitDevice, InOrderIdThatIsNotNext) {
  rig.post<true>(4, 1);
  // Element 0 says that the first three were used, but only two are shown.
  show({{2, 0}, {1, 0}});
  EXPECT_EQ(rig.collect<true>().count, kBroken);
}

TEST_F(HostileSplitDevice, WhatTheDriverWroteIsNotReadBack) {
  Random random(9);
  const Element list[3] = {{0x1000, 1, 0}, {0x2000, 2, 0}, {0x3000, 3, 0}};
  for (std::uint32_t round = 0; round < 200; round++) {
    rig.post<false>(2, 1);
    rig.driver.postList<false>(list, 3, 3);
    rig.driver.publish();
    const auto heads = rig.heads();
    auto* desc = reinterpret_cast<std::byte*>(SplitLayout::desc(rig.memory));
    for (std::uint32_t i = 0; i < 16 * kSize; i++) desc[i] = static_cast<std::byte>(random());
    split::Avail* avail = SplitLayout::avail(rig.memory, kSize);
    for (std::uint32_t i = 0; i < kSize; i++) avail->ring[i] = random.half();
    avail->idx = random.half();
    rig.answer(heads);
    EXPECT_EQ(rig.collect<false>().cookies, (std::vector<std::uint32_t>{1, 2, 3}));
    EXPECT_EQ(rig.driver.free(), kSize);
    // The index is written anew with the next publish(); the device's own copy of it is not ours to repair.
    rig.device = SplitLayout::device(rig.memory, kSize, rig.driver.availIdx(), false);
  }
}

TEST_F(HostileSplitDevice, RandomUsedRingsLoseNothing) {
  Random random(31);
  for (std::uint32_t round = 0; round < 2000; round++) {
    Rig fresh(kSize);
    std::vector<std::uint32_t> out(kSize + 1, 0);
    fresh.post<false>(kSize, 1);
    split::Used* used = SplitLayout::used(fresh.memory, kSize);
    for (std::uint32_t step = 0; step < 4; step++) {
      for (std::uint32_t i = 0; i < kSize; i++) used->ring[i] = {random() % (kSize + 1), random()};
      used->idx = wrap16::advance(used->idx, random() % (kSize + 2));
      for (const std::uint32_t cookie : fresh.collect<false>().cookies) out[cookie]++;
    }
    fresh.driver.abandon<false>([&](std::uint32_t cookie) { out[cookie]++; });
    for (std::uint32_t cookie = 1; cookie <= kSize; cookie++) EXPECT_EQ(out[cookie], 1u) << "round " << round;
  }
}

}  // namespace
}  // namespace pollwire::test
