// A vhost device whose predecessor ended without a word: where its rings go on, with and without an in-flight
// region, and whose word counts. Every store in between: virtqueue/inflight_test.cpp.
#include <gtest/gtest.h>

#include "support/packed_guest_ring.hpp"
#include "support/vhost_test.hpp"

namespace pollwire::test {
namespace {

using VhostRestart = ArenaTest;

// What a front-end keeps over the restart: the region's file.
struct KeptRegion {
  KeptRegion(std::uint32_t ringSize, bool isPacked)
      : file(std::move(*vhost::InflightArea::create(2, ringSize, isPacked))),
        spec{file.size, 0, 2, ringSize},
        packed(isPacked) {}
  Status giveTo(vhost::Device& device) const {
    return device.setInflight(spec, packed, std::move(*duplicateFd(file.fd.get())));
  }

  MemoryFile file;
  vhost::InflightSpec spec;
  bool packed;
};

// A device of the next process, on the same guest.
template <class Ring>
struct Successor {
  explicit Successor(VhostLink<Ring>& previous) : link(previous), device(9, 2) {
    EXPECT_TRUE(link.device.unbind(link.kGuestTx).ok());
    EXPECT_TRUE(link.device.unbind(link.kGuestRx).ok());
    EXPECT_TRUE(device.setMemory(link.memory.specs(), link.memory.fds()).ok());
    vhost::BindOptions bind;
    bind.pool = link.pool().id();
    bind.port = 0;
    EXPECT_TRUE(device.bind(link.kGuestTx, link.rxSlotId(), vhost::Direction::kRx, bind).ok());
    EXPECT_TRUE(device.bind(link.kGuestRx, link.txSlotId(), vhost::Direction::kTx, bind).ok());
  }
  // With a base that the front-end has from somewhere.
  Status start(std::uint32_t ring, std::uint32_t base) {
    auto config = (ring == link.kGuestRx ? link.guest.rx : link.guest.tx).config(link.features);
    config.base = base;
    EXPECT_TRUE(device.enableRing(ring, true).ok());
    return device.startRing(ring, config);
  }

  VhostLink<Ring>& link;
  vhost::Device device;
};

// Sends `count` frames, of which the device takes `taken` in one burst.
template <class Ring>
void send(VhostLink<Ring>& link, std::uint32_t count, std::uint32_t taken) {
  for (std::uint32_t i = 0; i < count; i++) ASSERT_TRUE(link.guest.send(patternBytes(100, i)));
  const auto frames = link.receiveFrames(taken);
  ASSERT_EQ(frames.size(), taken);
  for (std::uint32_t i = 0; i < taken; i++) ASSERT_EQ(frames[i], patternBytes(100, i));
}

// The rest of them, and one that is sent to the guest.
template <class Ring>
void expectRest(VhostLink<Ring>& link, std::uint32_t from, std::uint32_t to) {
  const auto frames = link.receiveFrames(64);
  ASSERT_EQ(frames.size(), to - from);
  for (std::uint32_t i = from; i < to; i++) ASSERT_EQ(frames[i - from], patternBytes(100, i));
  ASSERT_EQ(link.guest.reclaim(), to);
  ASSERT_TRUE(link.transmit(patternBytes(77, 5)));
  const auto packets = link.guest.receive(true);
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_EQ(packets[0].frame, patternBytes(77, 5));
}

// DPDK's virtio-user says 0, QEMU what it reads in the used ring, some say what they last heard.
TEST_F(VhostRestart, SplitRingsGoOnAtTheUsedIndexWhateverTheBase) {
  Mempool& pool = makePool(200);
  for (const std::uint32_t base : {0u, 17u, 65499u, 65505u}) {
    VhostLink<> link(pool);
    ASSERT_TRUE(link.guest.post(2048));
    ASSERT_TRUE(link.guest.post(2048));
    send(link, 12, 5);
    Successor<SplitGuestRing> next(link);
    for (const std::uint32_t ring : {0u, 1u}) {
      const Status status = next.start(ring, base);
      ASSERT_TRUE(status.ok()) << status.detail();
      EXPECT_EQ(next.device.state(ring)->lastAvail, next.device.state(ring)->lastUsed);
    }
    expectRest(link, 5, 12);
  }
}

// A base that this device answered itself is right even where heads were skipped that nobody can answer.
TEST_F(VhostRestart, AnOwnBaseIsBelieved) {
  Mempool& pool = makePool(64);
  VhostLink<> link(pool);
  link.guest.tx.offer(999);
  link.guest.tx.publish();
  EXPECT_EQ(link.receiveFrames().size(), 0u);
  EXPECT_EQ(link.rxCount(kRX_BAD_CHAIN), 1u);
  const std::uint32_t base = *link.device.stopRing(link.kGuestTx);
  EXPECT_EQ(base, 65501u);
  auto config = link.guest.tx.config(link.features);
  config.base = base;
  ASSERT_TRUE(link.device.startRing(link.kGuestTx, config).ok());
  EXPECT_EQ(link.device.state(link.kGuestTx)->lastAvail, 65501u);
  EXPECT_EQ(link.device.state(link.kGuestTx)->lastUsed, 65500u);
}

template <class Ring>
class VhostInflight : public ArenaTest {};
using Rings = testing::Types<SplitGuestRing, PackedGuestRing>;
TYPED_TEST_SUITE(VhostInflight, Rings);

TYPED_TEST(VhostInflight, TrafficGoesOnOverManyRestarts) {
  constexpr bool kPacked = TypeParam::kFeatures != 0;
  Mempool& pool = this->makePool(200);
  VhostLink<TypeParam> link(pool, {.ringSize = 64, .memory = 16u << 20});
  const KeptRegion region(64, kPacked);
  const std::uint32_t fresh = *link.device.stopRing(link.kGuestTx);
  ASSERT_TRUE(link.device.stopRing(link.kGuestRx).ok());
  ASSERT_TRUE(region.giveTo(link.device).ok());
  link.start();
  ASSERT_TRUE(link.guest.post(2048));
  ASSERT_TRUE(link.guest.post(2048));
  send(link, 30, 11);
  expectRest(link, 11, 30);
  EXPECT_EQ(link.device.setInflight(region.spec, kPacked, Fd()).code(), StatusCode::kBadState);
  std::unique_ptr<Successor<TypeParam>> last;
  for (std::uint32_t round = 0; round < 9; round++) {
    send(link, 20, round);
    auto next = std::make_unique<Successor<TypeParam>>(link);
    if (last != nullptr) {
      ASSERT_TRUE(last->device.unbind(0).ok());
      ASSERT_TRUE(last->device.unbind(1).ok());
    }
    last = std::move(next);
    ASSERT_TRUE(region.giveTo(last->device).ok());
    // Stale: the position of the first start.
    for (const std::uint32_t ring : {0u, 1u}) {
      const Status status = last->start(ring, fresh);
      ASSERT_TRUE(status.ok()) << status.detail();
    }
    // New memory tables move the rings, not where they stand.
    ASSERT_TRUE(last->device.setMemory(link.memory.specs(), link.memory.fds()).ok());
    expectRest(link, round, 20);
  }
  ASSERT_TRUE(last->device.unbind(0).ok());
  ASSERT_TRUE(last->device.unbind(1).ok());
}

TYPED_TEST(VhostInflight, RegionsThatDoNotFitAreRefused) {
  constexpr bool kPacked = TypeParam::kFeatures != 0;
  Mempool& pool = this->makePool(16);
  VhostLink<TypeParam> link(pool, {.ringSize = 64});
  ASSERT_TRUE(link.device.stopRing(0).ok());
  ASSERT_TRUE(link.device.stopRing(1).ok());
  const KeptRegion region(32, kPacked);
  const auto says = [&](const vhost::InflightSpec& spec, Fd fd, const char* text) {
    const Status status = link.device.setInflight(spec, kPacked, std::move(fd));
    EXPECT_FALSE(status.ok()) << text;
    EXPECT_NE(status.detail().find(text), std::string::npos) << status.detail();
  };
  const auto fd = [&] { return std::move(*duplicateFd(region.file.fd.get())); };
  vhost::InflightSpec spec = region.spec;
  spec.rings = 0;
  says(spec, fd(), "for 0 rings");
  spec = region.spec;
  spec.ringSize = 32769;
  says(spec, fd(), "rings of 32769");
  spec = region.spec;
  spec.size = 100;
  says(spec, fd(), "region of 100 bytes for 2 rings of 32");
  spec = region.spec;
  spec.offset = 4;
  says(spec, fd(), "not aligned");
  spec = region.spec;
  spec.offset = 4096;
  says(spec, fd(), "the file has only");
  spec.offset = ~0ull - 7;
  says(spec, fd(), "wraps around");
  spec = region.spec;
  spec.size = ~0ull;
  spec.rings = 200;
  spec.ringSize = 32768;
  says(spec, fd(), "the file has only");
  says(region.spec, std::move(*createEventFd()), "not a memory file");
  // It is smaller than the ring.
  ASSERT_TRUE(region.giveTo(link.device).ok());
  const Status status = link.device.startRing(0, link.guest.rx.config(link.features));
  EXPECT_NE(status.detail().find("room for 32 descriptors, the ring has 64"), std::string::npos)
      << status.detail();
  // Without the region the ring starts again.
  link.device.dropInflight();
  link.start();
}

}  // namespace
}  // namespace pollwire::test
