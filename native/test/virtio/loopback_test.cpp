// Our virtio driver against our vhost device over shared memory: every layout, feature and ring size, both
// directions, with contents, order, counters and ownership checked. The same body for split and packed rings.
#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "support/arena_test.hpp"
#include "support/loopback_pair.hpp"
#include "support/random.hpp"
#include "virtqueue/features.hpp"

namespace pollwire::test {
namespace {

struct Case {
  bool packed;
  bool mergeable;
  bool inOrder;
  bool indirect;
  std::uint32_t size;

  std::uint64_t features() const {
    return virtio::kVersion1 | (packed ? virtio::kRingPacked : 0) | (mergeable ? virtio::kNetMrgRxbuf : 0) |
           (inOrder ? virtio::kInOrder : 0) | (indirect ? virtio::kRingIndirectDesc : 0);
  }
};

std::string nameOf(const ::testing::TestParamInfo<Case>& info) {
  const Case& c = info.param;
  return std::string(c.packed ? "packed" : "split") + (c.mergeable ? "_mergeable" : "") +
         (c.inOrder ? "_inorder" : "") + (c.indirect ? "_indirect" : "") + "_" + std::to_string(c.size);
}

std::vector<Case> allCases() {
  std::vector<Case> cases;
  for (const bool packed : {false, true}) {
    for (const std::uint32_t size : {1u, 2u, 3u, 4u, 100u, 256u, 1024u}) {
      if (!packed && !isPowerOfTwo(size)) continue;
      for (std::uint32_t bits = 0; bits < 8; bits++) {
        cases.push_back(Case{packed, (bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, size});
      }
    }
  }
  return cases;
}

// One direction of the loop: where packets go in, where they come out, and which are under way.
struct Lane {
  BurstSlot& tx;
  BurstSlot& rx;
  bool toDriver;
  std::uint64_t sentPackets = 0;
  std::uint64_t sentBytes = 0;
  std::deque<ByteVector> expected = {};
};

class Loopback : public ArenaTest, public ::testing::WithParamInterface<Case> {
 protected:
  static constexpr std::uint32_t kRoom = 2048;

  void SetUp() override {
    ArenaTest::SetUp();
    setCurrentLcore(1);
    const Case& c = GetParam();
    pool_ = &makePool(3 * c.size + 400, kRoom + kHeadroom, 64);
    LoopbackConfig config;
    config.features = c.features();
    config.size = c.size;
    config.pool = pool_->id();
    // A few packets before the indices, or the ring, come to their end.
    config.splitBase = 65530;
    const std::uint32_t half = packed::withWrap(c.size - 1 - c.size / 5, true);
    config.packedBase = packed::makeBase(half, half);
    pair_ = std::make_unique<LoopbackPair>(config);
  }
  void TearDown() override {
    pair_.reset();
    ArenaTest::TearDown();
  }

  Lane toDevice() { return Lane{pair_->virtioTx(), pair_->vhostRx(), false}; }
  Lane toDriver() { return Lane{pair_->vhostTx(), pair_->virtioRx(), true}; }

  // Whether a packet of `bytes` can pass at all, from what the standard lets a ring of this size hold.
  bool passes(const Lane& lane, std::size_t bytes) const {
    const Case& c = GetParam();
    if (lane.toDriver) {
      const std::size_t buffer = kRoom + 12;
      return c.mergeable ? (bytes + 12 + buffer - 1) / buffer <= c.size : bytes <= kRoom;
    }
    // Cut as makePacket does it, or as a dense copy does.
    const std::size_t cut = (bytes + kRoom - 1) / kRoom;
    const std::size_t dense =
        bytes <= kRoom ? 1 : 1 + (bytes - kRoom + kRoom + kHeadroom - 1) / (kRoom + kHeadroom);
    return std::min(cut, dense) <= c.size;
  }

  bool send(Lane& lane, const ByteVector& frame, std::uint32_t segmentBytes = 0) {
    const std::uint64_t dropped = lane.tx.counters()->value[kTX_TOO_BIG];
    Handle packet = makePacket(*pool_, frame, segmentBytes);
    if (lane.tx.run(&packet, 1) == 0) {
      freeChain(packet);
      return false;
    }
    if (lane.tx.counters()->value[kTX_TOO_BIG] != dropped) return true;
    lane.sentPackets++;
    lane.sentBytes += frame.size();
    lane.expected.push_back(frame);
    return true;
  }

  void receive(Lane& lane) {
    Handle handles[32];
    const std::uint32_t got = lane.rx.run(handles, 32);
    for (std::uint32_t i = 0; i < got; i++) {
      const Mbuf* mbuf = mbufOf(handles[i]);
      ASSERT_TRUE(isConsistent(mbuf));
      EXPECT_EQ(mbuf->port, lane.toDriver ? 1 : 0);
      EXPECT_EQ(mbuf->olFlags, 0u);
      ASSERT_FALSE(lane.expected.empty());
      EXPECT_EQ(contentsOf(handles[i]), lane.expected.front());
      lane.expected.pop_front();
    }
    freeBurst(handles, got);
  }

  void expectSameCounters(Lane& lane) {
    EXPECT_TRUE(lane.expected.empty());
    for (BurstSlot* slot : {&lane.tx, &lane.rx}) {
      EXPECT_EQ(slot->counters()->value[kPACKETS], lane.sentPackets);
      EXPECT_EQ(slot->counters()->value[kBYTES], lane.sentBytes);
      EXPECT_EQ(slot->counters()->value[kBROKEN], 0u);
    }
    for (std::uint32_t counter = kSIZE_UNDER; counter <= kSIZE_1519; counter++) {
      EXPECT_EQ(lane.tx.counters()->value[counter], lane.rx.counters()->value[counter]);
    }
    for (const Counter counter : {kRX_BAD_CHAIN, kRX_BAD_ADDRESS, kRX_BAD_LENGTH, kRX_BAD_OFFLOAD}) {
      EXPECT_EQ(lane.rx.counters()->value[counter], 0u);
    }
    for (const Counter counter : {kTX_BAD_CHAIN, kTX_BAD_ADDRESS, kTX_BAD_MBUF}) {
      EXPECT_EQ(lane.tx.counters()->value[counter], 0u);
    }
  }

  Mempool* pool_ = nullptr;
  std::unique_ptr<LoopbackPair> pair_;
};

TEST_P(Loopback, EverySizePasses) {
  Lane lanes[2] = {toDevice(), toDriver()};
  std::uint32_t seed = 0;
  for (const std::size_t bytes :
       {14u,   15u,   59u,   60u,   63u,   64u,   65u,   127u,  128u,  570u,  1023u,
        1024u, 1514u, 1518u, 2036u, 2048u, 2049u, 4096u, 4108u, 9000u, 9018u, 65535u}) {
    for (Lane& lane : lanes) {
      const std::uint64_t packets = lane.sentPackets;
      for (std::uint32_t i = 0; i < 3; i++) {
        ASSERT_TRUE(send(lane, patternBytes(bytes, seed++)));
        receive(lane);
      }
      EXPECT_EQ(lane.sentPackets - packets, passes(lane, bytes) ? 3u : 0u)
          << bytes << (lane.toDriver ? " down" : " up");
    }
  }
  for (Lane& lane : lanes) expectSameCounters(lane);
}

TEST_P(Loopback, ScatteredPacketsPass) {
  Lane lane = toDevice();
  Random random(7);
  for (std::uint32_t i = 0; i < 200; i++) {
    const std::uint32_t segmentBytes = 14 + random.below(300);
    const std::uint32_t segments = 1 + random.below(std::min(GetParam().size, 20u));
    ASSERT_TRUE(send(lane, patternBytes(segmentBytes * segments, i), segmentBytes));
    receive(lane);
  }
  EXPECT_EQ(lane.sentPackets, 200u);
  expectSameCounters(lane);
}

TEST_P(Loopback, BusyBothWays) {
  Lane lanes[2] = {toDevice(), toDriver()};
  Random random(GetParam().size);
  const std::uint32_t turns = 1500;
  for (std::uint32_t turn = 0; turn < turns; turn++) {
    Lane& lane = lanes[random.below(2)];
    if (random.below(2)) {
      receive(lane);
      continue;
    }
    Handle burst[32];
    std::vector<ByteVector> frames;
    const std::uint32_t count = 1 + random.below(32);
    for (std::uint32_t i = 0; i < count; i++) {
      const std::uint32_t most = random.below(8) == 0 ? kRoom : 300;
      frames.push_back(patternBytes(14 + random.below(most - 13), turn * 32 + i));
      burst[i] = makePacket(*pool_, frames.back());
    }
    const std::uint32_t sent = lane.tx.run(burst, count);
    freeBurst(burst + sent, count - sent);
    for (std::uint32_t i = 0; i < sent; i++) {
      lane.sentPackets++;
      lane.sentBytes += frames[i].size();
      lane.expected.push_back(frames[i]);
    }
  }
  for (Lane& lane : lanes) {
    for (std::uint32_t i = 0; i < 100 && !lane.expected.empty(); i++) receive(lane);
    expectSameCounters(lane);
    EXPECT_GT(lane.sentPackets, 150u);
  }
}

TEST_P(Loopback, StopsUnderLoadAndStartsAgain) {
  for (std::uint32_t round = 0; round < 3; round++) {
    Lane lanes[2] = {toDevice(), toDriver()};
    for (std::uint32_t i = 0; i < 40; i++) {
      for (Lane& lane : lanes) (void)send(lane, patternBytes(60, i));
    }
    receive(lanes[1]);
    pair_->stop();
    EXPECT_EQ(pool_->available(), pool_->size()) << "every posted mbuf came back";
    Handle none;
    EXPECT_EQ(lanes[1].rx.run(&none, 1), 0u);
    pair_->start();
    for (std::uint32_t i = 0; i < 10; i++) {
      for (Lane& lane : lanes) {
        lane.expected.clear();
        ASSERT_TRUE(send(lane, patternBytes(100, i)));
        receive(lane);
        EXPECT_TRUE(lane.expected.empty());
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Loopback, ::testing::ValuesIn(allCases()), nameOf);

}  // namespace
}  // namespace pollwire::test
