// The table of translations: intervals that replace, join, split and go; permissions; bounds.
#include "guest/iotlb.hpp"

#include <gtest/gtest.h>

#include "support/guest_memory.hpp"

namespace pollwire::test {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint8_t kBoth = kIotlbRead | kIotlbWrite;

class IotlbTest : public ::testing::Test {
 protected:
  IotlbTest() {
    RegionTable::List regions;
    auto fds = memory.fds();
    for (std::size_t i = 0; i < memory.specs().size(); i++)
      regions.push_back(*MappedRegion::map(memory.specs()[i], std::move(fds[i])));
    table = *RegionTable::build(std::move(regions));
  }
  std::uint64_t user(std::uint64_t offset = 0, std::size_t region = 0) const {
    return memory.specs()[region].userAddr + offset;
  }
  std::byte* host(std::uint64_t offset = 0, std::size_t region = 0) const {
    return table->findUser(user(offset, region), 1);
  }
  void map(std::uint64_t iova, std::uint64_t bytes, std::uint64_t to, std::uint8_t permission = kBoth) {
    const Status status = iotlb.update(iova, iova + bytes - 1, to, permission, *table);
    EXPECT_TRUE(status.ok()) << status.detail();
  }
  void unmap(std::uint64_t iova, std::uint64_t bytes) { iotlb.invalidate(iova, iova + bytes - 1); }
  std::byte* at(std::uint64_t iova, std::uint64_t bytes = 1, Access access = Access::kRead) const {
    return iotlb.translate(iova, bytes, access);
  }

  GuestMemory memory;
  std::shared_ptr<const RegionTable> table;
  Iotlb iotlb;
};

TEST_F(IotlbTest, TranslatesInsideItsRangesOnly) {
  EXPECT_EQ(at(0x5000), nullptr);
  map(0x5000, kPage, user(0x2000));
  EXPECT_EQ(at(0x5000, kPage), host(0x2000));
  EXPECT_EQ(at(0x5fff), host(0x2fff));
  EXPECT_EQ(at(0x4fff), nullptr);
  EXPECT_EQ(at(0x6000), nullptr);
  EXPECT_EQ(at(0x5001, kPage), nullptr);
}

TEST_F(IotlbTest, AllowsWhatThePermissionSays) {
  map(0x1000, kPage, user(), kIotlbRead);
  map(0x2000, kPage, user(), kIotlbWrite);
  EXPECT_NE(at(0x1000, 1, Access::kRead), nullptr);
  EXPECT_EQ(at(0x1000, 1, Access::kWrite), nullptr);
  EXPECT_EQ(at(0x2000, 1, Access::kRead), nullptr);
  EXPECT_NE(at(0x2000, 1, Access::kWrite), nullptr);
}

TEST_F(IotlbTest, JoinsRangesThatContinueEachOtherAndNoOthers) {
  map(0x3000, kPage, user(0x3000));
  map(0x1000, kPage, user(0x1000));
  EXPECT_EQ(iotlb.size(), 2u);
  map(0x2000, kPage, user(0x2000));
  EXPECT_EQ(iotlb.size(), 1u);
  EXPECT_EQ(at(0x1000, 3 * kPage), host(0x1000));
  map(0x4000, kPage, user(0x8000));
  map(0x0, kPage, user(), kIotlbRead);
  EXPECT_EQ(iotlb.size(), 3u);
  EXPECT_EQ(at(0x1000, 3 * kPage + 1), nullptr);
}

TEST_F(IotlbTest, LosesWhatIsInvalidatedAndKeepsTheRest) {
  map(0x10000, 8 * kPage, user());
  unmap(0x12000, kPage);
  EXPECT_EQ(at(0x12000), nullptr);
  EXPECT_EQ(at(0x10000, 2 * kPage), host());
  EXPECT_EQ(at(0x13000, 5 * kPage), host(3 * kPage));
  iotlb.invalidate(0, ~std::uint64_t{0});
  EXPECT_EQ(iotlb.size(), 0u);
}

TEST_F(IotlbTest, ReplacesWhatWasThereBefore) {
  map(0x10000, 4 * kPage, user());
  map(0x11000, kPage, user(0x100000), kIotlbRead);
  EXPECT_EQ(at(0x11000), host(0x100000));
  EXPECT_EQ(at(0x11000, 1, Access::kWrite), nullptr);
  EXPECT_EQ(at(0x10000, kPage), host());
  EXPECT_EQ(at(0x12000, 2 * kPage), host(2 * kPage));
}

TEST_F(IotlbTest, RefusesWhatIsOutsideMemoryOrWraps) {
  EXPECT_FALSE(iotlb.update(0x1000, 0x1fff, 0x10, kBoth, *table).ok());
  EXPECT_FALSE(iotlb.update(0x2000, 0x1fff, user(), kBoth, *table).ok());
  EXPECT_FALSE(iotlb.update(0, ~std::uint64_t{0}, user(), kBoth, *table).ok());
  EXPECT_EQ(iotlb.size(), 0u);
  // The part that is inside is kept.
  const std::uint64_t size = memory.specs()[0].size;
  map(0x1000, 2 * kPage, user(size - kPage));
  EXPECT_EQ(at(0x1000, kPage), host(size - kPage));
  EXPECT_EQ(at(0x2000), nullptr);
}

TEST_F(IotlbTest, ReachesTheLastAddress) {
  EXPECT_TRUE(iotlb.update(~std::uint64_t{0} - kPage + 1, ~std::uint64_t{0}, user(), kBoth, *table).ok());
  EXPECT_EQ(at(~std::uint64_t{0}), host(kPage - 1));
  iotlb.invalidate(~std::uint64_t{0}, ~std::uint64_t{0});
  EXPECT_EQ(at(~std::uint64_t{0}), nullptr);
  EXPECT_NE(at(~std::uint64_t{0} - 1), nullptr);
}

TEST_F(IotlbTest, KeepsABoundedNumberOfRanges) {
  for (std::uint64_t i = 0; i < 3 * Iotlb::kMaxRanges; i++) map(i * 2 * kPage, kPage, user());
  EXPECT_EQ(iotlb.size(), Iotlb::kMaxRanges);
  // The last one is there.
  EXPECT_NE(at((3 * Iotlb::kMaxRanges - 1) * 2 * kPage), nullptr);
}

}  // namespace
}  // namespace pollwire::test
