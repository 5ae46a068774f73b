#include "base/wrap16.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace pollwire::wrap16 {
namespace {

static_assert(distance(0, 0xffff) == 1 && distance(0xffff, 0) == 0xffff && distance(5, 5) == 0);
static_assert(advance(0xffff, 1) == 0 && advance(0, 0xffff) == 0xffff && advance(7, 0x10000) == 7);

// Corners, their neighbours, and a stride in between.
std::vector<std::uint16_t> interesting() {
  std::vector<std::uint16_t> list;
  for (std::uint32_t corner : {0u, 0x7fffu, 0x8000u, 0xffffu}) {
    for (std::uint32_t i = 0; i < 9; i++) list.push_back(static_cast<std::uint16_t>(corner + i - 4));
  }
  for (std::uint32_t i = 0; i < 65536; i += 2731) list.push_back(static_cast<std::uint16_t>(i));
  return list;
}

// virtio 1.2 §2.7.7.2 in words: among the indices used since `before`, one is `event`. Counted, not computed.
bool passed(std::uint16_t event, std::uint16_t after, std::uint16_t before) {
  for (std::uint16_t index = before; index != after; index++) {
    if (index == event) return true;
  }
  return false;
}

TEST(Wrap16, NeedEventForAllInterestingTriples) {
  const auto list = interesting();
  for (const std::uint16_t after : list) {
    for (const std::uint16_t before : list) {
      // The loop above is as long as the distance: try each event against it only for short ones.
      const bool isShort = distance(after, before) < 300;
      for (const std::uint16_t event : list) {
        const bool expected =
            isShort ? passed(event, after, before) : distance(event, before) < distance(after, before);
        ASSERT_EQ(needEvent(event, after, before), expected) << event << " " << after << " " << before;
      }
    }
  }
}

TEST(Wrap16, NothingNewNeverNeedsAnEvent) {
  for (std::uint32_t event = 0; event < 65536; event++) {
    ASSERT_FALSE(needEvent(static_cast<std::uint16_t>(event), 1234, 1234));
  }
}

TEST(Wrap16, OneStepNeedsExactlyOneEvent) {
  for (const std::uint16_t before : interesting()) {
    std::uint32_t needed = 0;
    for (std::uint32_t event = 0; event < 65536; event++) {
      needed += needEvent(static_cast<std::uint16_t>(event), advance(before, 1), before) ? 1u : 0u;
    }
    ASSERT_EQ(needed, 1u);
    ASSERT_TRUE(needEvent(before, advance(before, 1), before));
  }
}

TEST(Wrap16, DistanceAndAdvanceUndoEachOther) {
  for (const std::uint16_t a : interesting()) {
    for (const std::uint16_t b : interesting()) ASSERT_EQ(advance(a, distance(b, a)), b);
  }
}

}  // namespace
}  // namespace pollwire::wrap16
