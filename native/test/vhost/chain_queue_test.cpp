// Requests of a vhost ring: taken, read, written and answered in any order, on both layouts; chains that
// break the rules are answered empty and counted, rings that break them are given up.
#include "vhost/chain_queue.hpp"

#include <gtest/gtest.h>

#include "support/arena_test.hpp"
#include "support/guest_memory.hpp"
#include "support/packed_guest_ring.hpp"
#include "support/split_guest_ring.hpp"
#include "sys/eventfd.hpp"
#include "vhost/vhost_device.hpp"

namespace pollwire::test {
namespace {

constexpr std::uint64_t kFeatures = virtio::kVersion1 | virtio::kRingIndirectDesc;

template <class Ring>
struct Rig {
  explicit Rig(std::uint32_t size = 16, std::uint16_t start = 65530)
      : features(kFeatures | Ring::kFeatures),
        memory(256u << 10),
        ring(memory, size, features, start),
        device(0, 1),
        call(std::move(*createEventFd())) {
    EXPECT_TRUE(device.setMemory(memory.specs(), memory.fds()).ok());
    EXPECT_TRUE(device.setCall(0, std::move(*duplicateFd(call.get()))).ok());
    EXPECT_TRUE(device.enableRing(0, true).ok());
    const Status status = device.startRing(0, ring.config(features));
    EXPECT_TRUE(status.ok()) << status.detail();
    chains = *device.chains(0);
    (void)drainEventFd(call.get());
  }
  ~Rig() { memory.expectSurroundingsUntouched(); }

  // A request as a disk has it: what the device reads, then room for what it writes.
  std::uint64_t post(std::uint32_t readable, std::uint32_t writable, Placement placement = Placement::kDirect,
                     std::uint32_t seed = 0) {
    const std::uint64_t at = memory.alloc(std::uint64_t{readable} + writable + 16, 16);
    if (readable != 0) memory.write(at, patternBytes(readable, seed));
    std::vector<Segment> chain;
    for (std::uint32_t done = 0; done < readable; done += 16)
      chain.push_back(Segment{at + done, std::min(16u, readable - done), false});
    if (writable != 0) chain.push_back(Segment{at + readable, writable, true});
    EXPECT_TRUE(ring.add(chain, placement).has_value());
    ring.publish();
    return at + readable;
  }

  ByteVector read(const vhost::TakenChain& chain, std::uint64_t offset, std::size_t length) {
    ByteVector bytes(length);
    bytes.resize(chains->read(chain.token, offset, bytes));
    return bytes;
  }

  std::uint64_t features;
  GuestMemory memory;
  Ring ring;
  vhost::Device device;
  vhost::ChainQueue* chains = nullptr;
  Fd call;
};

template <class Ring>
class ChainQueue : public ::testing::Test {};
using Layouts = ::testing::Types<SplitGuestRing, PackedGuestRing>;
TYPED_TEST_SUITE(ChainQueue, Layouts);

TYPED_TEST(ChainQueue, ReadsWritesAndCompletes) {
  Rig<TypeParam> rig;
  EXPECT_FALSE(rig.chains->take().has_value());
  for (const Placement placement : {Placement::kDirect, Placement::kIndirect}) {
    const std::uint64_t room = rig.post(40, 20, placement, 7);
    const auto chain = rig.chains->take();
    ASSERT_TRUE(chain.has_value());
    EXPECT_EQ(chain->readable, 40u);
    EXPECT_EQ(chain->writable, 20u);
    const ByteVector sent = patternBytes(40, 7);
    EXPECT_EQ(rig.read(*chain, 0, 40), sent);
    EXPECT_EQ(rig.read(*chain, 10, 100), ByteVector(sent.begin() + 10, sent.end()));
    EXPECT_EQ(rig.read(*chain, 40, 8), ByteVector());
    EXPECT_EQ(rig.chains->write(chain->token, 4, patternBytes(100, 9)), 16u);
    EXPECT_EQ(rig.chains->write(chain->token, 20, patternBytes(1, 9)), 0u);
    const ByteVector filled = patternBytes(100, 9);
    EXPECT_EQ(rig.memory.read(room + 4, 16), ByteVector(filled.begin(), filled.begin() + 16));
    EXPECT_FALSE(rig.ring.hasUsed());
    EXPECT_TRUE(rig.chains->complete(chain->token, 20));
    const auto used = rig.ring.collect();
    ASSERT_EQ(used.size(), 1u);
    EXPECT_EQ(used[0].len, 20u);
    EXPECT_FALSE(rig.chains->complete(chain->token, 20)) << "twice";
    EXPECT_EQ(rig.chains->read(chain->token, 0, std::span(std::array<std::byte, 4>{}.data(), 4)), 0u);
    EXPECT_EQ(drainEventFd(rig.call.get()), 1u);
  }
  EXPECT_EQ(rig.chains->stats().taken, 2u);
  EXPECT_EQ(rig.chains->stats().completed, 2u);
  EXPECT_EQ(rig.chains->stats().notifications, 2u);
}

TYPED_TEST(ChainQueue, AnswersInAnyOrderOverManyLaps) {
  Rig<TypeParam> rig(16);
  std::uint64_t mark = rig.memory.mark();
  for (std::uint32_t lap = 0; lap < 400; lap++) {
    rig.memory.reset(mark);
    const std::uint32_t sizes[] = {16, 32, 48};
    for (const std::uint32_t size : sizes) rig.post(size, 8, Placement::kDirect, size + lap);
    std::vector<vhost::TakenChain> taken;
    while (const auto chain = rig.chains->take()) taken.push_back(*chain);
    ASSERT_EQ(taken.size(), 3u);
    for (const std::size_t i : {1u, 2u, 0u}) {
      EXPECT_EQ(rig.read(taken[i], 0, 64), patternBytes(sizes[i], sizes[i] + lap));
      EXPECT_TRUE(rig.chains->complete(taken[i].token, 8));
    }
    ASSERT_EQ(rig.ring.collect().size(), 3u);
  }
  EXPECT_EQ(rig.chains->inFlight(), 0u);
}

TYPED_TEST(ChainQueue, UsedLengthIsBoundedByTheRoom) {
  Rig<TypeParam> rig;
  rig.post(16, 8);
  EXPECT_TRUE(rig.chains->complete(rig.chains->take()->token, 4'000'000'000u));
  EXPECT_EQ(rig.ring.collect().at(0).len, 8u);
  rig.post(16, 0);
  EXPECT_TRUE(rig.chains->complete(rig.chains->take()->token, 1));
  EXPECT_EQ(rig.ring.collect().at(0).len, 0u);
}

// Hostile: what breaks the rules is answered empty, counted by name, and does not stop the ring.
TYPED_TEST(ChainQueue, BadChainsAreSkipped) {
  Rig<TypeParam> rig;
  const auto add = [&](std::vector<Segment> chain) {
    ASSERT_TRUE(rig.ring.add(chain, Placement::kDirect).has_value());
    rig.ring.publish();
  };
  const std::uint64_t at = rig.memory.alloc(64);
  add({{at, 16, true}, {at + 16, 16, false}});
  add({{rig.memory.end() - 8, 16, false}});
  add({{~0ull - 4, 16, true}});
  add({{at, 16, false}, {at, 0xffff'ffff, true}});
  EXPECT_FALSE(rig.chains->take().has_value());
  const auto used = rig.ring.collect();
  ASSERT_EQ(used.size(), 4u);
  for (const UsedChain& chain : used) EXPECT_EQ(chain.len, 0u);
  EXPECT_EQ(rig.chains->stats().badChains, 1u);
  EXPECT_EQ(rig.chains->stats().badAddresses, 3u);
  EXPECT_EQ(rig.chains->stats().taken, 0u);
  EXPECT_EQ(rig.device.state(0)->broken, "");
  rig.post(16, 4);
  EXPECT_TRUE(rig.chains->take().has_value());
}

// Hostile: one more element than a chain may have.
TYPED_TEST(ChainQueue, LongChainsAreRefused) {
  Rig<TypeParam> rig(512);
  const std::uint64_t at = rig.memory.alloc(64);
  const auto add = [&](std::size_t elements) {
    const std::vector<Segment> chain(elements, Segment{at, 1, false});
    ASSERT_TRUE(rig.ring.add(chain, Placement::kIndirect).has_value());
    rig.ring.publish();
  };
  add(PieceList::kMax);
  const auto good = rig.chains->take();
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(good->readable, PieceList::kMax);
  add(PieceList::kMax + 1);
  EXPECT_FALSE(rig.chains->take().has_value());
  EXPECT_EQ(rig.chains->stats().tooLong, 1u);
}

// Memory that goes while a chain is out: the copy is refused, the chain can still be handed back.
TYPED_TEST(ChainQueue, MemoryIsLookedUpAtEveryAccess) {
  Rig<TypeParam> rig;
  const std::uint64_t far = rig.memory.alloc(64, 16, rig.memory.lastRegion());
  const std::vector<Segment> request{{far, 16, false}, {far + 16, 16, true}};
  ASSERT_TRUE(rig.ring.add(request, Placement::kDirect).has_value());
  rig.ring.publish();
  const auto chain = rig.chains->take();
  ASSERT_TRUE(chain.has_value());
  EXPECT_EQ(rig.read(*chain, 0, 16).size(), 16u);
  const auto stopped = rig.device.removeRegion(rig.memory.specs().back());
  ASSERT_TRUE(stopped.ok());
  EXPECT_TRUE(stopped->empty()) << "the ring lies in the other region";
  EXPECT_EQ(rig.read(*chain, 0, 16).size(), 0u);
  EXPECT_EQ(rig.chains->write(chain->token, 0, patternBytes(16)), 0u);
  EXPECT_EQ(rig.chains->stats().badAddresses, 2u);
  EXPECT_TRUE(rig.chains->complete(chain->token, 0));
  EXPECT_EQ(rig.ring.collect().size(), 1u);
  // The ring goes on where it was.
  rig.post(16, 4);
  EXPECT_TRUE(rig.chains->take().has_value());
}

TYPED_TEST(ChainQueue, AStoppedRingForgetsWhatWasOut) {
  Rig<TypeParam> rig;
  rig.post(16, 4);
  const auto chain = rig.chains->take();
  ASSERT_TRUE(rig.device.stopRing(0).ok());
  EXPECT_EQ(rig.chains->inFlight(), 0u);
  EXPECT_FALSE(rig.chains->complete(chain->token, 4));
  EXPECT_FALSE(rig.ring.hasUsed());
}

TYPED_TEST(ChainQueue, ARingHasRequestsOrASlot) {
  Rig<TypeParam> rig;
  const Status status = rig.device.bind(0, 0, vhost::Direction::kTx, {});
  EXPECT_EQ(status.code(), StatusCode::kBusy);
  EXPECT_NE(status.detail().find("serves requests"), std::string::npos) << status.detail();
  EXPECT_EQ(rig.device.chains(1).status().code(), StatusCode::kNotFound);
}

TYPED_TEST(ChainQueue, CallsAreSuppressed) {
  Rig<TypeParam> rig;
  rig.ring.wantCalls(false);
  rig.post(16, 4);
  EXPECT_TRUE(rig.chains->complete(rig.chains->take()->token, 4));
  EXPECT_EQ(drainEventFd(rig.call.get()), 0u);
  EXPECT_EQ(rig.chains->stats().notificationsSuppressed, 1u);
}

// Hostile: a split ring whose driver offers entries that the device still has.
TEST(ChainQueueSplit, MoreEntriesThanTheRingHas) {
  Rig<SplitGuestRing> rig(4);
  const std::uint64_t at = rig.memory.alloc(64);
  rig.ring.setDesc(0, at, 16, 0, 0);
  for (int lap = 0; lap < 2; lap++) {
    for (int i = 0; i < 4; i++) rig.ring.offer(0);
    rig.ring.publish();
    for (int i = 0; i < 4; i++) EXPECT_EQ(rig.chains->take().has_value(), lap == 0) << i;
  }
  EXPECT_EQ(rig.device.state(0)->broken, "ENTRIES_REUSED");
  EXPECT_EQ(rig.chains->inFlight(), 4u);
}

// Hostile: an index further ahead than the ring, a head outside of it, a list without an end.
TEST(ChainQueueSplit, ImpossibleIndices) {
  Rig<SplitGuestRing> rig(4);
  rig.ring.offer(4);
  rig.ring.publish();
  EXPECT_FALSE(rig.chains->take().has_value());
  EXPECT_EQ(rig.chains->stats().badChains, 1u);
  const std::uint64_t at = rig.memory.alloc(64);
  rig.ring.setDesc(0, at, 1, split::kNext, 0);
  rig.ring.offer(0);
  rig.ring.publish();
  EXPECT_FALSE(rig.chains->take().has_value());
  EXPECT_EQ(rig.chains->stats().badChains, 2u);
  rig.ring.setAvailIdx(static_cast<std::uint16_t>(rig.ring.nextAvail() + 5));
  EXPECT_FALSE(rig.chains->take().has_value());
  EXPECT_EQ(rig.device.state(0)->broken, "AVAIL_JUMP");
}

TEST(ChainQueuePacked, AListWithoutAnEnd) {
  Rig<PackedGuestRing> rig(4, 0);
  const std::uint64_t at = rig.memory.alloc(64);
  for (std::uint32_t i = 0; i < 4; i++) rig.ring.push(at, 1, 0, kDescNext);
  rig.ring.publish();
  EXPECT_FALSE(rig.chains->take().has_value());
  EXPECT_EQ(rig.device.state(0)->broken, "ENDLESS_LIST");
}

// Hostile: the peer takes its memory away under a request.
TEST(ChainQueueSplit, TruncatedMemoryBreaksTheRing) {
  Rig<SplitGuestRing> rig;
  GuestMemory other(64u << 10, 1);
  other.keepShrinkable();
  vhost::Device device(1, 1);
  SplitGuestRing ring(other, 4, kFeatures, 0);
  ASSERT_TRUE(device.setMemory(other.specs(), other.fds()).ok());
  ASSERT_TRUE(device.startRing(0, ring.config(kFeatures)).ok());
  vhost::ChainQueue* const chains = *device.chains(0);
  const std::uint64_t at = other.alloc(32768 + 16);
  const std::vector<Segment> request{{at + 32768, 16, false}};
  ASSERT_TRUE(ring.add(request, Placement::kDirect).has_value());
  ring.publish();
  const auto chain = chains->take();
  ASSERT_TRUE(chain.has_value());
  other.truncate(4096 * 4);
  ByteVector bytes(16);
  EXPECT_EQ(chains->read(chain->token, 0, bytes), 0u);
  EXPECT_EQ(device.state(0)->broken, "MEMORY_FAULT");
  EXPECT_TRUE(chains->complete(chain->token, 0));
  EXPECT_FALSE(chains->take().has_value());
}

}  // namespace
}  // namespace pollwire::test
