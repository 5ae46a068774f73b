// A vhost device behind an IOMMU: rings wait for their own translations, chains for theirs; nothing is read
// or written without one, in the direction that it allows.
#include <gtest/gtest.h>

#include <algorithm>

#include "ethdev/native_events.hpp"
#include "support/packed_guest_ring.hpp"
#include "support/vhost_test.hpp"

namespace pollwire::test {
namespace {

constexpr std::uint8_t kBoth = kIotlbRead | kIotlbWrite;

template <class Ring>
class BehindIommu : public ArenaTest {
 protected:
  using Link = VhostLink<Ring>;

  static LinkOptions options(std::uint64_t features = kMergeable | virtio::kRingIndirectDesc) {
    LinkOptions wanted;
    wanted.features = features | virtio::kAccessPlatform;
    return wanted;
  }
  // Rings are named by user addresses here, buffers by guest-physical ones: both are just numbers to the
  // IOMMU.
  static Status map(Link& link, std::uint64_t iova, std::uint8_t permission = kBoth) {
    const std::uint64_t page = iova & ~std::uint64_t{4095};
    const bool ring = iova >= GuestMemory::kUserBase;
    return link.device.iotlbUpdate(page, page + 4095, ring ? page : link.memory.userAddr(page), permission);
  }
  // Answers every question there is; returns how many.
  static std::uint32_t answer(Link& link, std::uint8_t permission = kBoth) {
    std::uint32_t answered = 0;
    for (auto misses = link.device.takeMisses(false); !misses.empty();
         misses = link.device.takeMisses(false)) {
      for (const vhost::IotlbMiss& miss : misses) EXPECT_TRUE(map(link, miss.iova, permission).ok());
      answered += static_cast<std::uint32_t>(misses.size());
    }
    return answered;
  }
};

using Rings = ::testing::Types<SplitGuestRing, PackedGuestRing>;
TYPED_TEST_SUITE(BehindIommu, Rings);

TYPED_TEST(BehindIommu, RingsWaitForTheirOwnTranslations) {
  VhostLink<TypeParam> link(this->makePool(256), this->options());
  EXPECT_TRUE(link.guest.send(patternBytes(100)));
  EXPECT_TRUE(link.receiveFrames().empty());
  EXPECT_NE(link.rxSlot().closed() & kSlotRingStopped, 0u);
  // Each question once, unless asked for again.
  const auto misses = link.device.takeMisses(false);
  ASSERT_FALSE(misses.empty());
  EXPECT_TRUE(link.device.takeMisses(false).empty());
  EXPECT_EQ(link.device.takeMisses(true).size(), misses.size());
  for (const vhost::IotlbMiss& miss : misses) EXPECT_TRUE(this->map(link, miss.iova).ok());
  EXPECT_EQ(link.rxSlot().closed() & kSlotRingStopped, 0u);
}

TYPED_TEST(BehindIommu, ChainsWaitForTheirTranslationsAndNothingIsLost) {
  VhostLink<TypeParam> link(this->makePool(256), this->options());
  this->answer(link);
  for (std::uint32_t i = 0; i < 20; i++) ASSERT_TRUE(link.guest.send(patternBytes(100 + i, i)));
  (void)events::drain();
  EXPECT_TRUE(link.receiveFrames().empty());
  const auto told = events::drain();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].type, events::Type::kIotlbMiss);
  // The same miss is not told twice.
  EXPECT_TRUE(link.receiveFrames().empty());
  EXPECT_TRUE(events::drain().empty());
  std::vector<ByteVector> frames;
  for (int turn = 0; turn < 64 && frames.size() < 20; turn++) {
    this->answer(link);
    for (ByteVector& frame : link.receiveFrames()) frames.push_back(std::move(frame));
  }
  ASSERT_EQ(frames.size(), 20u);
  for (std::uint32_t i = 0; i < 20; i++) EXPECT_EQ(frames[i], patternBytes(100 + i, i));
  EXPECT_GT(link.rxCount(kIOTLB_HITS), 0u);
  EXPECT_GT(link.rxCount(kIOTLB_MISSES), 0u);
  EXPECT_EQ(link.rxCount(kRX_BAD_ADDRESS), 0u);
}

TYPED_TEST(BehindIommu, WritesOnlyWhereTheGuestAllowsIt) {
  VhostLink<TypeParam> link(this->makePool(256), this->options());
  this->answer(link);
  const std::uint32_t room = 2048;
  const std::uint64_t buffer = link.memory.alloc(4096, 4096);
  const ByteVector before(room, std::byte{0x77});
  link.memory.write(buffer, before);
  ASSERT_TRUE(link.guest.postAt(buffer, std::span(&room, 1)));
  EXPECT_FALSE(link.transmit(patternBytes(100)));
  // Allowed to be read, which is not enough.
  ASSERT_TRUE(this->map(link, buffer, kIotlbRead).ok());
  EXPECT_FALSE(link.transmit(patternBytes(100)));
  EXPECT_EQ(link.memory.read(buffer, room), before);
  ASSERT_TRUE(this->map(link, buffer, kBoth).ok());
  EXPECT_TRUE(link.transmit(patternBytes(100)));
  EXPECT_NE(link.memory.read(buffer, room), before);
  EXPECT_EQ(link.guest.receive().size(), 1u);
}

TYPED_TEST(BehindIommu, GivesAChainUpWhoseAddressNobodyTranslates) {
  VhostLink<TypeParam> link(this->makePool(256), this->options());
  this->answer(link);
  ASSERT_TRUE(link.guest.send(patternBytes(100)));
  EXPECT_TRUE(link.receiveFrames().empty());
  const auto misses = link.device.takeMisses(false);
  ASSERT_EQ(misses.size(), 1u);
  link.device.giveUpMiss(misses[0].iova);
  EXPECT_TRUE(link.receiveFrames().empty());
  EXPECT_EQ(link.rxCount(kRX_BAD_ADDRESS), 1u);
  EXPECT_EQ(link.guest.reclaim(), 1u);
  // The next one is asked for as ever.
  ASSERT_TRUE(link.guest.send(patternBytes(90)));
  (void)link.receiveFrames();
  EXPECT_GT(this->answer(link), 0u);
  EXPECT_EQ(link.receiveFrames().size(), 1u);
}

TYPED_TEST(BehindIommu, StopsUsingWhatIsInvalidated) {
  VhostLink<TypeParam> link(this->makePool(256), this->options());
  this->answer(link);
  const std::uint32_t room = 2048;
  const std::uint64_t buffer = link.memory.alloc(4096, 4096);
  ASSERT_TRUE(link.guest.postAt(buffer, std::span(&room, 1)));
  ASSERT_TRUE(this->map(link, buffer).ok());
  link.device.iotlbInvalidate(buffer, buffer + 4095);
  EXPECT_FALSE(link.transmit(patternBytes(100)));
  this->answer(link);
  EXPECT_TRUE(link.transmit(patternBytes(100)));
  EXPECT_EQ(link.guest.receive().size(), 1u);
}

TYPED_TEST(BehindIommu, ARingWhoseAddressesGoRestsAndGoesOnWhereItWas) {
  VhostLink<TypeParam> link(this->makePool(256), this->options());
  this->answer(link);
  const auto receiveOne = [&](std::uint32_t seed) {
    EXPECT_TRUE(link.guest.send(patternBytes(100, seed)));
    for (int turn = 0; turn < 8; turn++) {
      const auto frames = link.receiveFrames();
      if (!frames.empty()) return frames[0] == patternBytes(100, seed);
      this->answer(link);
    }
    return false;
  };
  for (std::uint32_t i = 0; i < 5; i++) {
    EXPECT_TRUE(receiveOne(i));
    (void)link.guest.reclaim();
    link.device.iotlbInvalidate(0, ~std::uint64_t{0});
    EXPECT_NE(link.rxSlot().closed() & kSlotRingStopped, 0u);
    EXPECT_TRUE(receiveOne(100 + i));
    (void)link.guest.reclaim();
  }
}

TYPED_TEST(BehindIommu, ANewMemoryTableAsksForEverythingAgain) {
  VhostLink<TypeParam> link(this->makePool(256), this->options());
  this->answer(link);
  ASSERT_TRUE(link.device.setMemory(link.memory.specs(), link.memory.fds()).ok());
  EXPECT_NE(link.rxSlot().closed() & kSlotRingStopped, 0u);
  EXPECT_GT(this->answer(link), 0u);
  EXPECT_EQ(link.rxSlot().closed() & kSlotRingStopped, 0u);
}

TYPED_TEST(BehindIommu, AStoppedRingAnswersWhereItStood) {
  VhostLink<TypeParam> link(this->makePool(256), this->options());
  this->answer(link);
  const auto running = link.device.state(1);
  link.device.iotlbInvalidate(0, ~std::uint64_t{0});
  const auto base = link.device.stopRing(1);
  ASSERT_TRUE(base.ok());
  EXPECT_EQ(*base & 0x7fff, running->lastAvail & 0x7fffu);
  EXPECT_TRUE(std::ranges::none_of(link.device.takeMisses(true), [](const vhost::IotlbMiss& miss) {
    return miss.iova < GuestMemory::kUserBase;
  }));
}

}  // namespace
}  // namespace pollwire::test
