#include "mem/arena.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>

#include "mbuf/mbuf.hpp"

namespace pollwire {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

class ArenaLife : public ::testing::Test {
 protected:
  void TearDown() override { Arena::destroy(); }
};

TEST_F(ArenaLife, RefusesSizesOutsideItsLimits) {
  for (const std::uint64_t bytes :
       {std::uint64_t{0}, Arena::kMinBytes - 1, Arena::kMaxBytes + 1, ~std::uint64_t{0}}) {
    const Status status = Arena::create(bytes, HugePages::kNever);
    EXPECT_EQ(status.code(), StatusCode::kOutOfRange);
    EXPECT_NE(status.detail().find("4 to 4096 MiB"), std::string::npos) << status.detail();
    EXPECT_EQ(Arena::get(), nullptr);
  }
}

TEST_F(ArenaLife, OnePerProcess) {
  ASSERT_TRUE(Arena::create(4 * kMiB, HugePages::kNever).ok());
  Arena* first = Arena::get();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(arenaBase(), first->base());
  EXPECT_EQ(arenaBytes(), 4 * kMiB);
  EXPECT_EQ(Arena::create(4 * kMiB, HugePages::kNever).code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(Arena::get(), first);
  Arena::destroy();
  EXPECT_EQ(Arena::get(), nullptr);
  EXPECT_EQ(arenaBase(), nullptr);
  EXPECT_TRUE(Arena::create(4 * kMiB, HugePages::kNever).ok());
}

TEST_F(ArenaLife, BlocksAreZeroedAlignedAndNeverAtHandleZero) {
  ASSERT_TRUE(Arena::create(4 * kMiB, HugePages::kNever).ok());
  Arena& arena = *Arena::get();
  const auto first = arena.allocate(100, 1, "first");
  ASSERT_TRUE(first.ok());
  EXPECT_NE(*first, 0u);
  EXPECT_EQ(*first % kCacheLine, 0u);
  std::fill_n(arena.at<std::byte>(*first), 128, std::byte{0xff});
  EXPECT_TRUE(arena.release(*first));
  EXPECT_FALSE(arena.release(*first));
  const auto again = arena.allocate(100, 4096, "again");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(*again % 4096, 0u);
  const auto reused = arena.allocate(100, 64, "in the place of the first");
  ASSERT_TRUE(reused.ok());
  EXPECT_EQ(*reused, *first);
  const auto* bytes = arena.at<std::byte>(*reused);
  EXPECT_TRUE(std::all_of(bytes, bytes + 100, [](std::byte byte) { return byte == std::byte{0}; }));
  EXPECT_EQ(arena.used(), 256u);
  EXPECT_EQ(arena.blocks().size(), 2u);
}

TEST_F(ArenaLife, SaysWhatDidNotFitAndHowToHelp) {
  ASSERT_TRUE(Arena::create(4 * kMiB, HugePages::kNever).ok());
  const auto block = Arena::get()->allocate(8 * kMiB, 64, "the test's block");
  EXPECT_EQ(block.status().code(), StatusCode::kNoMemory);
  EXPECT_NE(block.status().detail().find("the test's block"), std::string::npos);
  EXPECT_NE(block.status().detail().find("-m"), std::string::npos);
  EXPECT_FALSE(Arena::get()->allocate(0, 64, "nothing").ok());
  EXPECT_FALSE(Arena::get()->allocate(~std::uint64_t{0}, 64, "everything").ok());
  EXPECT_EQ(Arena::get()->used(), 0u);
}

// What another process sees through the descriptor is the same memory.
TEST_F(ArenaLife, TheDescriptorIsTheMemory) {
  ASSERT_TRUE(Arena::create(4 * kMiB, HugePages::kNever).ok());
  Arena& arena = *Arena::get();
  auto second = Mapping::mapFile(arena.fd(), 0, arena.bytes());
  ASSERT_TRUE(second.ok());
  const auto offset = arena.allocate(64, 64, "shared");
  *arena.at<std::uint32_t>(*offset) = 0x12345678;
  EXPECT_EQ(*reinterpret_cast<std::uint32_t*>(second->data() + *offset), 0x12345678u);
}

TEST_F(ArenaLife, HandlesAreOffsetsIn64s) {
  ASSERT_TRUE(Arena::create(4 * kMiB, HugePages::kNever).ok());
  Arena& arena = *Arena::get();
  const auto offset = arena.allocate(4096, 4096, "mbufs");
  const Mbuf* mbuf = arena.at<Mbuf>(*offset);
  EXPECT_EQ(handleOf(mbuf), *offset / 64);
  EXPECT_EQ(mbufOf(handleOf(mbuf)), mbuf);
}

}  // namespace
}  // namespace pollwire
