// Ring on one thread: capacity, order, bulk and burst, wrap-around of slots and of the 32-bit indices. Every
// policy pair.
#include "ring/ring.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <numeric>
#include <random>
#include <vector>

#include "ring/any_ring.hpp"
#include "support/ring_memory.hpp"

namespace pollwire {
namespace {

using test::RingMemory;

template <typename R>
class RingTest : public testing::Test {};
using Policies = testing::Types<SpscRing, SpmcRing, MpscRing, MpmcRing>;
TYPED_TEST_SUITE(RingTest, Policies);

TYPED_TEST(RingTest, ExactCapacityIsHonoured) {
  for (const std::uint32_t capacity : {1u, 2u, 3u, 5u, 64u, 100u, 1000u}) {
    RingMemory memory(capacity);
    TypeParam* ring = TypeParam::create(memory.data(), capacity);
    std::vector<std::uint32_t> items(capacity + 10);
    std::iota(items.begin(), items.end(), 1u);
    EXPECT_EQ(ring->enqueueBulk(items.data(), capacity + 1), 0u);
    EXPECT_EQ(ring->enqueueBurst(items.data(), capacity + 10), capacity);
    EXPECT_EQ(ring->count(), capacity);
    EXPECT_EQ(ring->freeCount(), 0u);
    EXPECT_EQ(ring->enqueueBurst(items.data(), 1), 0u);
    EXPECT_EQ(ring->enqueueBulk(items.data(), 1), 0u);
    std::vector<std::uint32_t> out(capacity + 10, 0);
    EXPECT_EQ(ring->dequeueBulk(out.data(), capacity + 1), 0u);
    EXPECT_EQ(ring->dequeueBurst(out.data(), capacity + 10), capacity);
    items.resize(capacity);
    out.resize(capacity);
    EXPECT_EQ(out, items);
    EXPECT_EQ(ring->dequeueBurst(out.data(), 1), 0u);
    EXPECT_EQ(ring->count(), 0u);
  }
}

TYPED_TEST(RingTest, ImpossibleCapacitiesAreRefused) {
  RingMemory memory(1);
  EXPECT_EQ(TypeParam::create(memory.data(), 0), nullptr);
  EXPECT_EQ(TypeParam::create(memory.data(), kRingMaxCapacity + 1), nullptr);
}

TYPED_TEST(RingTest, ZeroHandlesMoveNothing) {
  RingMemory memory(4);
  TypeParam* ring = TypeParam::create(memory.data(), 4);
  EXPECT_EQ(ring->enqueueBulk(nullptr, 0), 0u);
  EXPECT_EQ(ring->dequeueBurst(nullptr, 0), 0u);
  EXPECT_EQ(ring->count(), 0u);
}

// A random walk against a deque: whatever the ring does, the deque says what it had to do.
TYPED_TEST(RingTest, BehavesLikeAQueue) {
  std::mt19937 engine(1);
  const auto random = [&engine] { return static_cast<std::uint32_t>(engine()); };
  for (const std::uint32_t capacity : {1u, 7u, 32u, 33u, 511u}) {
    RingMemory memory(capacity);
    TypeParam* ring = TypeParam::create(memory.data(), capacity);
    std::deque<std::uint32_t> model;
    std::uint32_t next = 1;
    std::vector<std::uint32_t> buffer(1024);
    for (int step = 0; step < 20'000; step++) {
      const std::uint32_t n = random() % (capacity + capacity / 2 + 2);
      const bool bulk = (random() & 1) != 0;
      if ((random() & 1) != 0) {
        for (std::uint32_t i = 0; i < n; i++) buffer[i] = next + i;
        const auto room = capacity - static_cast<std::uint32_t>(model.size());
        const std::uint32_t want = n <= room ? n : (bulk ? 0 : room);
        const std::uint32_t did =
            bulk ? ring->enqueueBulk(buffer.data(), n) : ring->enqueueBurst(buffer.data(), n);
        ASSERT_EQ(did, want);
        for (std::uint32_t i = 0; i < did; i++) model.push_back(next++);
      } else {
        const auto inside = static_cast<std::uint32_t>(model.size());
        const std::uint32_t want = n <= inside ? n : (bulk ? 0 : inside);
        const std::uint32_t did =
            bulk ? ring->dequeueBulk(buffer.data(), n) : ring->dequeueBurst(buffer.data(), n);
        ASSERT_EQ(did, want);
        for (std::uint32_t i = 0; i < did; i++) {
          ASSERT_EQ(buffer[i], model.front());
          model.pop_front();
        }
      }
      ASSERT_EQ(ring->count(), model.size());
      ASSERT_EQ(ring->freeCount(), capacity - model.size());
    }
  }
}

TYPED_TEST(RingTest, IndicesMayWrapAt32Bits) {
  constexpr std::uint32_t kCapacity = 24;
  RingMemory memory(kCapacity);
  TypeParam* ring = TypeParam::create(memory.data(), kCapacity);
  // Moves the ring to just before the wrap, as 2^32 passed handles would.
  auto* header = reinterpret_cast<RingHeader*>(memory.data());
  const std::uint32_t start = UINT32_MAX - 40;
  for (detail::RingEnd* end : {&header->producer, &header->consumer}) *end = {start, start, start};
  std::vector<std::uint32_t> buffer(kCapacity);
  std::uint32_t next = 0, expected = 0;
  for (int round = 0; round < 20; round++) {
    for (auto& item : buffer) item = next++;
    ASSERT_EQ(ring->enqueueBulk(buffer.data(), kCapacity), kCapacity);
    ASSERT_EQ(ring->enqueueBurst(buffer.data(), 1), 0u);
    ASSERT_EQ(ring->count(), kCapacity);
    ASSERT_EQ(ring->dequeueBulk(buffer.data(), kCapacity), kCapacity);
    for (const auto item : buffer) ASSERT_EQ(item, expected++);
  }
  EXPECT_LT(header->producer.tail, start);
}

TEST(AnyRing, KeepsThePolicyItWasMadeWith) {
  for (const RingSide producers : {RingSide::kMulti, RingSide::kSingle}) {
    for (const RingSide consumers : {RingSide::kMulti, RingSide::kSingle}) {
      RingMemory memory(10);
      AnyRing ring = AnyRing::create(memory.data(), 10, producers, consumers);
      ASSERT_TRUE(ring.valid());
      const auto* header = reinterpret_cast<const RingHeader*>(memory.data());
      EXPECT_EQ(header->producers, producers);
      EXPECT_EQ(header->consumers, consumers);
      const std::vector<std::uint32_t> in{5, 6, 7, 8};
      std::vector<std::uint32_t> out(4);
      EXPECT_EQ(ring.enqueueBulk(in.data(), 2) + ring.enqueueBurst(in.data() + 2, 2), 4u);
      EXPECT_EQ(ring.count(), 4u);
      EXPECT_EQ(ring.freeCount(), 6u);
      EXPECT_EQ(ring.capacity(), 10u);
      EXPECT_EQ(ring.dequeueBulk(out.data(), 1) + ring.dequeueBurst(out.data() + 1, 9), 4u);
      EXPECT_EQ(out, in);
      // The claim index is used by ends for many threads only.
      EXPECT_EQ(header->producer.head, producers == RingSide::kMulti ? 4u : 0u);
      EXPECT_EQ(header->consumer.head, consumers == RingSide::kMulti ? 4u : 0u);
    }
  }
  EXPECT_FALSE(AnyRing().valid());
  RingMemory memory(1);
  EXPECT_FALSE(AnyRing::create(memory.data(), 0, RingSide::kMulti, RingSide::kMulti).valid());
}

}  // namespace
}  // namespace pollwire
