#include "mem/block_list.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace pollwire {
namespace {

TEST(BlockList, FillsTheFirstGapThatIsLargeEnough) {
  BlockList list(64, 1024);
  const auto a = list.allocate(128, 64, "a");
  const auto b = list.allocate(128, 64, "b");
  const auto c = list.allocate(128, 64, "c");
  EXPECT_EQ(a, 64u);
  EXPECT_EQ(b, 192u);
  EXPECT_EQ(c, 320u);
  EXPECT_TRUE(list.release(*b));
  EXPECT_EQ(list.allocate(192, 64, "too large for the gap"), 448u);
  EXPECT_EQ(list.allocate(64, 64, "fits the gap"), 192u);
  EXPECT_EQ(list.used(), 128u + 64 + 128 + 192);
}

TEST(BlockList, AlignsAndSkipsAGapThatAlignmentMakesTooSmall) {
  BlockList list(64, 4096);
  EXPECT_EQ(list.allocate(64, 64, "a"), 64u);
  EXPECT_EQ(list.allocate(64, 1024, "aligned"), 1024u);
  EXPECT_EQ(list.allocate(128, 512, "between"), 512u);
  EXPECT_EQ(list.allocate(512, 512, "behind"), 1536u);
}

TEST(BlockList, RefusesNothingTooMuchAndWhatDoesNotFit) {
  BlockList list(64, 1024);
  EXPECT_FALSE(list.allocate(0, 64, "nothing"));
  EXPECT_FALSE(list.allocate(961, 64, "one too many"));
  EXPECT_FALSE(list.allocate(~0ull, 64, "everything"));
  EXPECT_FALSE(list.allocate(64, 4096, "an alignment beyond the end"));
  EXPECT_EQ(list.allocate(960, 64, "all"), 64u);
  EXPECT_FALSE(list.allocate(1, 64, "one more"));
}

TEST(BlockList, ReleasesOnlyWhatStartsABlock) {
  BlockList list(64, 1024);
  const auto a = list.allocate(128, 64, "a");
  EXPECT_FALSE(list.release(*a + 64));
  EXPECT_FALSE(list.release(0));
  EXPECT_EQ(list.sizeOf(*a), 128u);
  EXPECT_EQ(list.sizeOf(*a + 64), 0u);
  EXPECT_TRUE(list.release(*a));
  EXPECT_FALSE(list.release(*a));
  EXPECT_EQ(list.used(), 0u);
  EXPECT_TRUE(list.blocks().empty());
}

// Random allocations and releases: blocks never overlap, stay inside and aligned, and everything can be given
// back.
TEST(BlockList, BlocksNeverOverlap) {
  constexpr std::uint64_t kEnd = 64 << 10;
  std::mt19937 random(7);
  BlockList list(64, kEnd);
  std::map<std::uint64_t, std::uint64_t> held;
  std::uint64_t sum = 0;
  for (int i = 0; i < 5000; i++) {
    if (random() % 3 != 0) {
      const std::uint64_t bytes = 1 + random() % 2000;
      const std::uint64_t align = 64ull << random() % 5;
      const auto at = list.allocate(bytes, align, "x");
      if (!at) continue;
      ASSERT_EQ(*at % align, 0u);
      ASSERT_GE(*at, 64u);
      ASSERT_LE(*at + bytes, kEnd);
      const auto next = held.lower_bound(*at);
      if (next != held.end()) {
        ASSERT_LE(*at + bytes, next->first);
      }
      if (next != held.begin()) {
        const auto& [start, size] = *std::prev(next);
        ASSERT_LE(start + size, *at);
      }
      held[*at] = bytes;
      sum += bytes;
    } else if (!held.empty()) {
      const auto victim = std::next(held.begin(), static_cast<std::ptrdiff_t>(random() % held.size()));
      ASSERT_TRUE(list.release(victim->first));
      sum -= victim->second;
      held.erase(victim);
    }
    ASSERT_EQ(list.used(), sum);
  }
  for (const auto& entry : held) EXPECT_TRUE(list.release(entry.first));
  EXPECT_EQ(list.allocate(kEnd - 64, 64, "all again"), 64u);
}

}  // namespace
}  // namespace pollwire
