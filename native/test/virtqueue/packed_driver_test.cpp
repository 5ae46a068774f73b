// A packed ring whose device breaks the rules. What both layouts share is in driver_ring_test.cpp.
#include "virtqueue/packed_driver.hpp"

#include <gtest/gtest.h>

#include "support/driver_rig.hpp"
#include "support/random.hpp"

namespace pollwire::test {
namespace {

constexpr std::uint32_t kSize = 6;
constexpr std::uint32_t kBroken = PackedDriver::kBroken;

class HostilePackedDevice : public ::testing::Test {
 protected:
  using Rig = DriverRig<PackedLayout>;

  // The rig begins at the last descriptor of a lap with wrap counter 1: position `i` is the i-th one posted.
  static std::uint32_t positionOf(std::uint32_t i) { return (kSize - 1 + i) % kSize; }
  static bool wrapOf(std::uint32_t i) { return i == 0; }
  static void write(Rig& rig, std::uint32_t i, std::uint16_t id, std::uint32_t flags) {
    PackedLayout::desc(rig.memory)[positionOf(i)].word = packed::makeWord(60, id, flags);
  }
  static void use(Rig& rig, std::uint32_t i, std::uint16_t id) {
    write(rig, i, id, packed::usedBits(wrapOf(i)));
  }

  Rig rig{kSize};
};

TEST_F(HostilePackedDevice, IdOutsideTheRing) {
  for (const std::uint32_t id : {kSize, 0x7fffu, 0xffffu}) {
    for (const bool inOrder : {false, true}) {
      Rig fresh(kSize);
      fresh.post<false>(2, 1);
      use(fresh, 0, static_cast<std::uint16_t>(id));
      EXPECT_EQ(inOrder ? fresh.collect<true>().count : fresh.collect<false>().count, kBroken) << id;
      EXPECT_EQ(fresh.driver.inFlight(), 2u);
    }
  }
}

TEST_F(HostilePackedDevice, IdNotInFlight) {
  rig.post<false>(2, 1);
  use(rig, 0, 4);
  EXPECT_EQ(rig.collect<false>().count, kBroken);
}

TEST_F(HostilePackedDevice, InOrderIdNotInFlight) {
  rig.post<true>(2, 1);
  use(rig, 0, 2);
  EXPECT_EQ(rig.collect<true>().count, kBroken);
}

TEST_F(HostilePackedDevice, IdTwice) {
  rig.post<false>(3, 1);
  use(rig, 0, 1);
  use(rig, 1, 1);
  EXPECT_EQ(rig.collect<false>().cookies, std::vector<std::uint32_t>{2});
  EXPECT_EQ(rig.collect<false>().count, kBroken);
}

// Row 152: the owner bits of a lap that is not this one.
TEST_F(HostilePackedDevice, ImpossibleFlags) {
  for (const std::uint32_t bits :
       {std::uint32_t{packed::usedBits(false)}, std::uint32_t{packed::availBits(false)}}) {
    for (const bool inOrder : {false, true}) {
      Rig fresh(kSize);
      fresh.post<false>(2, 1);
      write(fresh, 0, 0, bits);
      EXPECT_EQ(inOrder ? fresh.collect<true>().count : fresh.collect<false>().count, kBroken) << bits;
    }
  }
}

TEST_F(HostilePackedDevice, UsedBitsWithNothingInFlightAreNotLookedAt) {
  use(rig, 0, 0);
  EXPECT_EQ(rig.collect<false>().count, 0u);
  EXPECT_EQ(rig.collect<true>().count, 0u);
  EXPECT_EQ(rig.driver.waiting(), 0u);
}

TEST_F(HostilePackedDevice, WhatTheDriverWroteIsNotReadBack) {
  Random random(9);
  const Element list[3] = {{0x1000, 1, 0}, {0x2000, 2, 0}, {0x3000, 3, 0}};
  for (std::uint32_t round = 0; round < 200; round++) {
    Rig fresh(kSize);
    fresh.post<false>(2, 1);
    fresh.driver.postList<false>(list, 3, 3);
    fresh.driver.publish();
    const auto heads = fresh.heads();
    for (std::uint32_t i = 0; i < kSize; i++) {
      PackedLayout::desc(fresh.memory)[i].addr = random.word();
      PackedLayout::desc(fresh.memory)[i].word = random.word();
    }
    fresh.answer(heads);
    // The tail of the list holds rubbish; the used side steps over it.
    EXPECT_EQ(fresh.collect<false>().cookies, (std::vector<std::uint32_t>{1, 2, 3}));
    EXPECT_EQ(fresh.driver.free(), kSize);
    EXPECT_EQ(fresh.driver.usedIdx(), fresh.driver.availIdx());
  }
}

TEST_F(HostilePackedDevice, RandomDescriptorsLoseNothing) {
  Random random(31);
  for (std::uint32_t round = 0; round < 4000; round++) {
    const bool inOrder = round % 2 == 0;
    Rig fresh(kSize);
    std::vector<std::uint32_t> out(kSize + 1, 0);
    if (inOrder) fresh.post<true>(kSize, 1);
    else fresh.post<false>(kSize, 1);
    for (std::uint32_t step = 0; step < 6; step++) {
      for (std::uint32_t i = 0; i < kSize; i++) {
        if (random() % 2) use(fresh, i, static_cast<std::uint16_t>(random() % (kSize + 1)));
        else write(fresh, i, random.half(), random());
      }
      const auto got = inOrder ? fresh.collect<true>(2) : fresh.collect<false>(2);
      for (const std::uint32_t cookie : got.cookies) out[cookie]++;
    }
    const auto rest = [&](std::uint32_t cookie) { out[cookie]++; };
    if (inOrder) fresh.driver.abandon<true>(rest);
    else fresh.driver.abandon<false>(rest);
    for (std::uint32_t cookie = 1; cookie <= kSize; cookie++) EXPECT_EQ(out[cookie], 1u) << "round " << round;
  }
}

}  // namespace
}  // namespace pollwire::test
