// Rings between threads, every policy pair: nothing lost, nothing twice, each producer's order kept, capacity
// never passed. Runs under ThreadSanitizer in the tsan flavour; handles guard plain memory that a wrong order
// would race on.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "ring/ring.hpp"
#include "support/ring_memory.hpp"

namespace pollwire {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr std::uint32_t kHandlesPerProducer = 12'000;
#else
constexpr std::uint32_t kHandlesPerProducer = 40'000;
#endif

struct Case {
  unsigned producers;
  unsigned consumers;
  std::uint32_t capacity;
};

// A handle is producer << 24 | sequence. `payload` is written before a handle is enqueued and read after it
// is dequeued, both without atomics: only the ring orders them.
template <typename R>
void stress(const Case& c) {
  // A ring of one or two passes handles one by one with a thread switch in between.
  const std::uint32_t perProducer = c.capacity > 2 ? kHandlesPerProducer : kHandlesPerProducer / 16;
  test::RingMemory memory(c.capacity);
  R* ring = R::create(memory.data(), c.capacity);
  std::vector<std::vector<std::uint32_t>> payload(c.producers, std::vector<std::uint32_t>(perProducer));
  std::vector<std::vector<std::uint32_t>> received(c.consumers);
  const std::uint64_t total = std::uint64_t{perProducer} * c.producers;
  std::atomic<std::uint64_t> taken{0};
  std::atomic<bool> wrong{false};

  std::vector<std::thread> threads;
  for (unsigned p = 0; p < c.producers; p++) {
    threads.emplace_back([&, p] {
      std::uint32_t batch[32];
      for (std::uint32_t next = 0; next < perProducer;) {
        // Sizes 1 to 32, alternately all-or-nothing and as-many-as-possible.
        const std::uint32_t n = std::min(std::min(next % 32 + 1, perProducer - next), c.capacity);
        for (std::uint32_t i = 0; i < n; i++) {
          payload[p][next + i] = ~(next + i);
          batch[i] = p << 24 | (next + i);
        }
        const std::uint32_t sent =
            (next & 32) != 0 ? ring->enqueueBulk(batch, n) : ring->enqueueBurst(batch, n);
        next += sent;
        if (sent == 0) std::this_thread::yield();
      }
    });
  }
  for (unsigned k = 0; k < c.consumers; k++) {
    threads.emplace_back([&, k] {
      std::uint32_t batch[24];
      std::uint32_t turn = 0;
      while (taken.load() < total) {
        const std::uint32_t n = std::min(turn++ % 24 + 1, c.capacity);
        const std::uint32_t got =
            (turn & 1) != 0 ? ring->dequeueBulk(batch, n) : ring->dequeueBurst(batch, n);
        if (ring->count() > c.capacity) wrong = true;
        if (got == 0) {
          std::this_thread::yield();
          continue;
        }
        for (std::uint32_t i = 0; i < got; i++) {
          const std::uint32_t sequence = batch[i] & 0xffffff;
          if (payload[batch[i] >> 24][sequence] != ~sequence) wrong = true;
          received[k].push_back(batch[i]);
        }
        taken += got;
      }
    });
  }
  for (auto& thread : threads) thread.join();

  EXPECT_FALSE(wrong);
  EXPECT_EQ(ring->count(), 0u);
  std::vector<std::uint32_t> all;
  for (const auto& mine : received) {
    // What one consumer got from one producer is in the order in which it was sent.
    std::vector<std::int64_t> last(c.producers, -1);
    for (const std::uint32_t handle : mine) {
      ASSERT_GT(static_cast<std::int64_t>(handle & 0xffffff), last[handle >> 24]);
      last[handle >> 24] = handle & 0xffffff;
    }
    all.insert(all.end(), mine.begin(), mine.end());
  }
  ASSERT_EQ(all.size(), total);
  std::sort(all.begin(), all.end());
  EXPECT_TRUE(std::adjacent_find(all.begin(), all.end()) == all.end());
  EXPECT_EQ(all.back(), (c.producers - 1) << 24 | (perProducer - 1));
}

// Tiny rings collide all the time, odd ones wrap in the middle of a burst, large ones run ahead.
constexpr std::uint32_t kCapacities[] = {1, 2, 31, 33, 512};

TEST(RingStress, SingleToSingle) {
  for (const std::uint32_t capacity : kCapacities) stress<SpscRing>({1, 1, capacity});
}
TEST(RingStress, SingleToMany) {
  for (const std::uint32_t capacity : kCapacities) stress<SpmcRing>({1, 3, capacity});
}
TEST(RingStress, ManyToSingle) {
  for (const std::uint32_t capacity : kCapacities) stress<MpscRing>({3, 1, capacity});
}
TEST(RingStress, ManyToMany) {
  for (const std::uint32_t capacity : kCapacities) stress<MpmcRing>({3, 3, capacity});
}

// The shape of a mempool: threads take handles out and put them back; every handle has one owner at a time.
TEST(RingStress, HandlesCirculateWithOneOwner) {
  constexpr std::uint32_t kHandles = 96;
  test::RingMemory memory(kHandles);
  MpmcRing* ring = MpmcRing::create(memory.data(), kHandles);
  for (std::uint32_t h = 0; h < kHandles; h++) ASSERT_EQ(ring->enqueueBulk(&h, 1), 1u);
  std::vector<std::uint32_t> owner(kHandles, 0);  // plain: a handle with two owners is a data race
  std::atomic<bool> wrong{false};
  std::vector<std::thread> threads;
  for (std::uint32_t id = 1; id <= 4; id++) {
    threads.emplace_back([&, id] {
      std::uint32_t batch[32];
      for (std::uint32_t turn = 0; turn < kHandlesPerProducer / 8; turn++) {
        const std::uint32_t got = ring->dequeueBurst(batch, turn % 32 + 1);
        for (std::uint32_t i = 0; i < got; i++) {
          if (owner[batch[i]] != 0) wrong = true;
          owner[batch[i]] = id;
        }
        for (std::uint32_t i = 0; i < got; i++) {
          if (owner[batch[i]] != id) wrong = true;
          owner[batch[i]] = 0;
        }
        // The ring holds all handles: putting back what was taken can never fail.
        if (got != 0 && ring->enqueueBulk(batch, got) != got) wrong = true;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(wrong);
  EXPECT_EQ(ring->count(), kHandles);
}

}  // namespace
}  // namespace pollwire
