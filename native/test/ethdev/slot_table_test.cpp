#include "ethdev/slot_table.hpp"

#include <gtest/gtest.h>

#include "support/arena_test.hpp"

namespace pollwire {
namespace {

using SlotTable = test::ArenaTest;

std::uint32_t all(void*, Handle*, std::uint32_t count) noexcept { return count; }

TEST_F(SlotTable, ASlotIsClosedUnboundAndCountsFromZero) {
  const auto id = slots::allocate();
  ASSERT_TRUE(id.ok());
  BurstSlot* slot = slots::byId(*id);
  ASSERT_NE(slot, nullptr);
  EXPECT_EQ(slot->closed(), static_cast<std::uint32_t>(kSlotUnbound | kSlotPortStopped));
  ASSERT_NE(slot->counters(), nullptr);
  EXPECT_EQ(reinterpret_cast<std::byte*>(slot->counters()),
            Arena::get()->base() + slots::countersOffset(*id));
  for (const std::uint64_t value : slot->counters()->value) EXPECT_EQ(value, 0u);
  slots::release(*id);
}

TEST_F(SlotTable, AReleasedSlotRunsNothingAndIsFreshWhenTakenAgain) {
  const std::uint32_t id = *slots::allocate();
  BurstSlot* slot = slots::byId(id);
  slot->bind(all, nullptr);
  slot->open(kSlotPortStopped);
  slot->close(kSlotBroken);
  slot->counters()->add(kPACKETS, 5);
  slots::release(id);
  Handle handle = 0;
  EXPECT_EQ(slot->run(&handle, 1), 0u);
  EXPECT_EQ(slot->counters(), nullptr) << "a released slot must not be bound by accident";
  EXPECT_EQ(*slots::allocate(), id);
  EXPECT_EQ(slot->closed(), static_cast<std::uint32_t>(kSlotUnbound | kSlotPortStopped))
      << "no reason of the last user";
  EXPECT_EQ(slot->counters()->value[kPACKETS], 0u);
  slots::release(id);
}

TEST_F(SlotTable, IdsOutsideTheTable) {
  EXPECT_EQ(slots::byId(kMaxSlots), nullptr);
  EXPECT_EQ(slots::byId(~0u), nullptr);
  EXPECT_EQ(slots::countersOffset(~0u), 0u);
  slots::release(~0u);
}

TEST_F(SlotTable, EverySlotOnceAndThenNoMore) {
  for (std::uint32_t i = 0; i < kMaxSlots; i++) ASSERT_EQ(*slots::allocate(), i);
  const auto full = slots::allocate();
  EXPECT_EQ(full.status().code(), StatusCode::kNoMemory);
  slots::release(4711);
  EXPECT_EQ(*slots::allocate(), 4711u);
}

TEST(SlotTableAlone, NeedsAnArena) { EXPECT_EQ(slots::allocate().status().code(), StatusCode::kBadState); }

TEST(CountersLayout, HaveNoFalseSharingBetweenSlots) {
  // Blocks begin two cache lines apart at least; the allocator rounds sizes up to one.
  EXPECT_EQ(alignof(BurstSlot), 2 * kCacheLine);
  EXPECT_EQ(sizeof(BurstSlot) % (2 * kCacheLine), 0u);
}

}  // namespace
}  // namespace pollwire
