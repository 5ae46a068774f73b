// ArenaTest: a small arena for one test. At the end every mbuf must be back in its pool and the ownership
// check must have seen nothing that the test did not announce.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ethdev/slot_table.hpp"
#include "mbuf/lcore.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "mbuf/mempool.hpp"
#include "mem/arena.hpp"

namespace pollwire::test {

class ArenaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Arena::create(arenaBytes(), HugePages::kNever).ok());
    violations_ = MbufCheck::violations();
  }

  void TearDown() override {
    Mempool::flushAll(currentLcore());
    setCurrentLcore(kNoLcore);
    for (const std::uint32_t id : pools_) {
      Mempool* pool = Mempool::byId(id);
      if (pool == nullptr) continue;
      EXPECT_EQ(pool->available(), pool->size()) << pool->name() << ": mbufs are out";
      for (const std::string& line : pool->leaks()) ADD_FAILURE() << line;
    }
    EXPECT_EQ(MbufCheck::violations() - violations_, expectedViolations_);
    slots::releaseAll();
    Mempool::destroyAll();
    Arena::destroy();
  }

  virtual std::uint64_t arenaBytes() const { return 64ull << 20; }

  Mempool& makePool(std::uint32_t count, std::uint32_t dataRoom = 2048 + kHeadroom, std::uint32_t cache = 0) {
    const auto id = Mempool::create("pool" + std::to_string(pools_.size()), count, dataRoom, cache);
    if (!id) {
      ADD_FAILURE() << id.status().detail();
      std::abort();
    }
    pools_.push_back(*id);
    return *Mempool::byId(*id);
  }

  // Reports of the checked flavour that this test provokes; other flavours report nothing.
  void expectViolations(std::uint64_t count) { expectedViolations_ += POLLWIRE_CHECKED ? count : 0; }

 private:
  std::vector<std::uint32_t> pools_;
  std::uint64_t violations_ = 0;
  std::uint64_t expectedViolations_ = 0;
};

using ByteVector = std::vector<std::byte>;

// `count` bytes that differ from one `seed` to the next and do not repeat with any power of two.
inline ByteVector patternBytes(std::size_t count, std::uint32_t seed = 0) {
  ByteVector bytes(count);
  std::uint32_t state = seed * 2654435761u + 12345u;
  for (std::byte& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

// What a burst with this one frame in it returns.
inline std::vector<ByteVector> only(ByteVector frame) { return std::vector<ByteVector>(1, std::move(frame)); }

inline ByteVector contentsOf(Handle packet) {
  ByteVector bytes(mbufOf(packet)->pktLen);
  const std::uint32_t read = readPacket(mbufOf(packet), 0, bytes);
  EXPECT_EQ(read, bytes.size());
  return bytes;
}

// A packet with these bytes in segments of at most `segmentBytes` (0: as large as the pool allows).
inline Handle makePacket(Mempool& pool, std::span<const std::byte> bytes, std::uint32_t segmentBytes = 0) {
  Handle head = kNoHandle;
  std::size_t at = 0;
  do {
    const Handle handle = pool.alloc();
    if (handle == kNoHandle) {
      ADD_FAILURE() << "the pool of the test is too small";
      std::abort();
    }
    Mbuf* mbuf = mbufOf(handle);
    const std::size_t room = segmentBytes == 0 ? pool.segmentRoom() : segmentBytes;
    const std::size_t piece = std::min(bytes.size() - at, room);
    resetForRx(mbuf, kNoPort, static_cast<std::uint32_t>(piece));
    if (piece != 0) std::memcpy(dataOf(mbuf), bytes.data() + at, piece);
    at += piece;
    if (head == kNoHandle) head = handle;
    else EXPECT_TRUE(joinChains(head, handle));
  } while (at < bytes.size());
  return head;
}

}  // namespace pollwire::test
