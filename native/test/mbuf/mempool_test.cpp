#include "mbuf/mempool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "support/arena_test.hpp"

namespace pollwire {
namespace {

class MempoolTest : public test::ArenaTest {
 protected:
  static std::vector<Handle> take(Mempool& pool, std::uint32_t count) {
    std::vector<Handle> handles(count, kNoHandle);
    handles.resize(pool.allocBulk(handles.data(), count));
    return handles;
  }
  static void put(Mempool& pool, const std::vector<Handle>& handles) {
    pool.putBulk(handles.data(), static_cast<std::uint32_t>(handles.size()));
  }
};

TEST_F(MempoolTest, RefusesWhatItCannotMake) {
  const std::uint64_t before = Arena::get()->used();
  struct {
    std::uint32_t count, dataRoom, cache;
    StatusCode code;
    const char* says;
  } const rows[] = {
      {0, 2176, 0, StatusCode::kOutOfRange, "0 mbufs"},
      {16, kHeadroom + 63, 0, StatusCode::kOutOfRange, "192 to 65472"},
      {16, 65473, 0, StatusCode::kOutOfRange, "192 to 65472"},
      {16, 2176, Mempool::kMaxCache + 1, StatusCode::kOutOfRange, "512"},
      {1 << 20, 2176, 0, StatusCode::kNoMemory, "-m"},
      {~0u, 2176, 0, StatusCode::kNoMemory, "-m"},
  };
  for (const auto& row : rows) {
    const auto pool = Mempool::create("bad", row.count, row.dataRoom, row.cache);
    EXPECT_EQ(pool.status().code(), row.code) << row.says;
    EXPECT_NE(pool.status().detail().find(row.says), std::string::npos) << pool.status().detail();
  }
  EXPECT_EQ(Arena::get()->used(), before);
}

TEST_F(MempoolTest, AsManyPoolsAsTheTableHolds) {
  std::vector<std::uint32_t> ids;
  for (std::uint32_t i = 0; i < kMaxPools; i++) {
    const auto id = Mempool::create("p", 1, 192, 0);
    ASSERT_TRUE(id.ok());
    ids.push_back(*id);
  }
  EXPECT_EQ(Mempool::create("one more", 1, 192, 0).status().code(), StatusCode::kNoMemory);
  EXPECT_TRUE(Mempool::destroy(ids[7]).ok());
  EXPECT_EQ(*Mempool::create("in its place", 1, 192, 0), ids[7]);
  EXPECT_EQ(Mempool::byId(kMaxPools), nullptr);
}

TEST_F(MempoolTest, EveryMbufOnceEachInOrder) {
  Mempool& pool = makePool(100);
  const std::vector<Handle> all = take(pool, 100);
  ASSERT_EQ(all.size(), 100u);
  EXPECT_EQ(std::set<Handle>(all.begin(), all.end()).size(), 100u);
  for (const Handle handle : all) {
    const Mbuf* mbuf = mbufOf(handle);
    EXPECT_TRUE(pool.owns(handle));
    EXPECT_EQ(mbuf->pool, pool.id());
    EXPECT_EQ(mbuf->refcnt, 1u);
    EXPECT_EQ(mbuf->nbSegs, 1u);
    EXPECT_EQ(mbuf->next, kNoHandle);
    EXPECT_EQ(mbuf->flags, 0u);
    EXPECT_EQ(mbuf->bufLen, pool.dataRoom());
    EXPECT_EQ(mbuf->bufAddr, reinterpret_cast<const std::byte*>(mbuf) + kMbufHeader);
  }
  EXPECT_FALSE(pool.owns(kNoHandle));
  EXPECT_FALSE(pool.owns(all[0] + 1));
  EXPECT_FALSE(pool.owns(*std::max_element(all.begin(), all.end()) + pool.elementSize() / 64));
  EXPECT_EQ(pool.alloc(), kNoHandle);
  put(pool, all);
}

// Buffers do not overlap: each is filled to its end, then all are compared.
TEST_F(MempoolTest, BuffersDoNotOverlap) {
  for (const std::uint32_t dataRoom : {192u, 2176u, 65472u}) {
    Mempool& pool = makePool(20, dataRoom);
    const std::vector<Handle> all = take(pool, 20);
    for (std::size_t i = 0; i < all.size(); i++) {
      std::fill_n(mbufOf(all[i])->bufAddr, pool.dataRoom(), static_cast<std::byte>(i));
    }
    for (std::size_t i = 0; i < all.size(); i++) {
      const Mbuf* mbuf = mbufOf(all[i]);
      EXPECT_TRUE(std::all_of(mbuf->bufAddr, mbuf->bufAddr + mbuf->bufLen,
                              [i](std::byte byte) { return byte == static_cast<std::byte>(i); }));
      EXPECT_EQ(mbuf->pool, pool.id());
    }
    put(pool, all);
  }
}

TEST_F(MempoolTest, AllOrNothingWithAndWithoutCache) {
  for (const std::uint32_t cache : {0u, 1u, 3u, 32u}) {
    Mempool& pool = makePool(64, 2176, cache);
    for (const std::uint32_t lcore : {kNoLcore, 0u, kMaxLcores - 1, kMaxLcores}) {
      setCurrentLcore(lcore);
      const auto most = take(pool, 60);
      ASSERT_EQ(most.size(), 60u);
      EXPECT_TRUE(take(pool, 5).empty());
      EXPECT_EQ(pool.available(), 4u);
      std::vector<Handle> rest;
      for (Handle handle = pool.alloc(); handle != kNoHandle; handle = pool.alloc()) rest.push_back(handle);
      EXPECT_EQ(rest.size(), 4u);
      EXPECT_EQ(pool.available(), 0u);
      put(pool, most);
      put(pool, rest);
      EXPECT_EQ(pool.available(), 64u);
      pool.flush(lcore);
      EXPECT_EQ(pool.cached(), 0u);
    }
  }
}

TEST_F(MempoolTest, TheCacheServesFillsAndSpills) {
  Mempool& pool = makePool(1024, 192, 32);
  setCurrentLcore(5);
  // The first allocation fills the cache to its size beyond what was asked for.
  const auto first = take(pool, 8);
  EXPECT_EQ(pool.cached(), 32u);
  const auto second = take(pool, 32);
  EXPECT_EQ(pool.cached(), 0u);
  // Up to one and a half times its size stays here.
  put(pool, second);
  put(pool, first);
  EXPECT_EQ(pool.cached(), 40u);
  const auto third = take(pool, 1);
  EXPECT_EQ(pool.cached(), 39u);
  put(pool, third);
  // More than that: half of it stays, and what was just freed.
  const auto many = take(pool, 32);
  const auto others = take(pool, 32);
  put(pool, many);
  put(pool, others);
  EXPECT_LE(pool.cached(), 48u);
  EXPECT_EQ(pool.available(), 1024u);
  pool.flush(5);
  EXPECT_EQ(pool.cached(), 0u);
  EXPECT_EQ(pool.available(), 1024u);
}

TEST_F(MempoolTest, RequestsLargerThanTheCachePassIt) {
  Mempool& pool = makePool(512, 192, 16);
  setCurrentLcore(0);
  const auto many = take(pool, 300);
  EXPECT_EQ(many.size(), 300u);
  EXPECT_EQ(pool.cached(), 0u);
  put(pool, many);
  // The checked flavours put one by one.
  EXPECT_LE(pool.cached(), POLLWIRE_CHECKED ? 24u : 0u);
  EXPECT_EQ(pool.available(), 512u);
}

// Random sizes on a cache of every small size: no count is ever off.
TEST_F(MempoolTest, CountsHoldForEveryCacheSize) {
  for (std::uint32_t cache = 0; cache <= 9; cache++) {
    Mempool& pool = makePool(50, 192, cache);
    setCurrentLcore(cache % 3);
    std::vector<Handle> held;
    std::uint32_t state = cache + 1;
    for (int i = 0; i < 2000; i++) {
      state = state * 1664525u + 1013904223u;
      const std::uint32_t count = 1 + (state >> 16) % 12;
      if ((state >> 8) % 2 == 0) {
        const auto got = take(pool, count);
        if (got.empty()) {
          ASSERT_GT(count + held.size() + pool.cached(), 50u);
        }
        held.insert(held.end(), got.begin(), got.end());
      } else {
        const std::uint32_t give = std::min<std::uint32_t>(count, static_cast<std::uint32_t>(held.size()));
        pool.putBulk(held.data() + held.size() - give, give);
        held.resize(held.size() - give);
      }
      ASSERT_EQ(pool.available() + held.size(), 50u) << "cache " << cache;
    }
    put(pool, held);
    pool.flush(currentLcore());
  }
}

TEST_F(MempoolTest, DestroyWaitsForEveryMbuf) {
  Mempool& pool = makePool(10, 2176, 4);
  const std::uint32_t id = pool.id();
  const std::uint64_t used = Arena::get()->used();
  const auto some = take(pool, 3);
  const Status busy = Mempool::destroy(id);
  EXPECT_EQ(busy.code(), StatusCode::kBusy);
  EXPECT_NE(busy.detail().find("3 of 10"), std::string::npos) << busy.detail();
  put(pool, some);
  EXPECT_TRUE(Mempool::destroy(id).ok());
  EXPECT_EQ(Mempool::byId(id), nullptr);
  EXPECT_EQ(Mempool::destroy(id).code(), StatusCode::kNotFound);
  EXPECT_LT(Arena::get()->used(), used);
}

// Four lcores and a thread without one pass mbufs around; each mbuf has one owner at a time.
TEST_F(MempoolTest, SeveralThreads) {
  constexpr std::uint32_t kMbufs = 512;
  Mempool& pool = makePool(kMbufs, 192, 32);
  std::atomic<bool> clash{false};
  const auto work = [&](std::uint32_t lcore, std::uint32_t seed) {
    setCurrentLcore(lcore);
    std::vector<Handle> held;
    Handle burst[32];
    for (std::uint32_t i = 0; i < 20000; i++) {
      seed = seed * 1664525u + 1013904223u;
      const std::uint32_t count = 1 + (seed >> 16) % 32;
      if (held.size() + count <= 96 && pool.allocBulk(burst, count) == count) {
        for (std::uint32_t k = 0; k < count; k++) {
          Mbuf* mbuf = mbufOf(burst[k]);
          if (mbuf->timestamp != 0) clash = true;
          mbuf->timestamp = lcore + 1u;
          held.push_back(burst[k]);
        }
      } else if (held.size() >= count) {
        for (std::uint32_t k = 0; k < count; k++) {
          burst[k] = held[held.size() - 1 - k];
          if (mbufOf(burst[k])->timestamp != lcore + 1u) clash = true;
          mbufOf(burst[k])->timestamp = 0;
        }
        pool.putBulk(burst, count);
        held.resize(held.size() - count);
      }
    }
    for (const Handle handle : held) mbufOf(handle)->timestamp = 0;
    put(pool, held);
    Mempool::flushAll(lcore);
    setCurrentLcore(kNoLcore);
  };
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < 4; i++) threads.emplace_back(work, i, i + 99);
  threads.emplace_back(work, kNoLcore, 7u);
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(clash);
  EXPECT_EQ(pool.cached(), 0u);
  EXPECT_EQ(pool.available(), kMbufs);
}

// The control plane asks for counts while lcores work.
TEST_F(MempoolTest, CountsMayBeAskedForAtAnyTime) {
  Mempool& pool = makePool(256, 192, 32);
  std::atomic<bool> stop{false};
  std::thread worker([&] {
    setCurrentLcore(1);
    Handle burst[32];
    while (!stop) {
      if (pool.allocBulk(burst, 32) == 32) pool.putBulk(burst, 32);
    }
    pool.flush(1);
    setCurrentLcore(kNoLcore);
  });
  for (int i = 0; i < 2000; i++) EXPECT_LE(pool.cached(), 48u);
  stop = true;
  worker.join();
  EXPECT_EQ(pool.available(), 256u);
}

}  // namespace
}  // namespace pollwire
