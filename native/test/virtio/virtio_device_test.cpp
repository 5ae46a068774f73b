// The control plane's view of a virtio driver: set-up, start, stop, and who has the mbufs meanwhile.
#include "virtio/virtio_device.hpp"

#include <gtest/gtest.h>

#include "support/arena_test.hpp"
#include "support/hand_device.hpp"
#include "sys/eventfd.hpp"
#include "sys/mapping.hpp"

namespace pollwire::test {
namespace {

using virtio::Device;
using virtio::Direction;
using virtio::QueueConfig;

class VirtioDevice : public ArenaTest {
 protected:
  static QueueConfig config(std::uint32_t size, bool isPacked = false) {
    QueueConfig config;
    config.size = size;
    config.features = virtio::kVersion1 | (isPacked ? virtio::kRingPacked : 0);
    return config;
  }
  static void expectRefused(const Status& status, StatusCode code, const char* part) {
    EXPECT_EQ(status.code(), code) << status.detail();
    EXPECT_NE(status.detail().find(part), std::string::npos) << status.detail();
  }
};

TEST_F(VirtioDevice, RefusesSizes) {
  Device device(0, 2);
  for (const std::uint32_t size : {0u, 3u, 100u, 32769u, 65536u}) {
    expectRefused(device.setup(0, Direction::kRx, config(size)).status(), StatusCode::kOutOfRange,
                  "power of two");
  }
  for (const std::uint32_t size : {0u, 32769u, 0xffffffffu}) {
    expectRefused(device.setup(0, Direction::kRx, config(size, true)).status(), StatusCode::kOutOfRange,
                  "1 to 32768");
  }
  for (const std::uint32_t size : {1u, 3u, 100u, 32768u})
    EXPECT_TRUE(device.setup(0, Direction::kTx, config(size, true)).ok());
  for (const std::uint32_t size : {1u, 2u, 32768u})
    EXPECT_TRUE(device.setup(0, Direction::kTx, config(size)).ok());
  expectRefused(device.setup(2, Direction::kRx, config(256)).status(), StatusCode::kNotFound, "not 2");
}

TEST_F(VirtioDevice, AreasLieInTheArenaAndAreAligned) {
  Device device(0, 1);
  for (const bool isPacked : {false, true}) {
    const auto areas = device.setup(0, Direction::kTx, config(256, isPacked));
    ASSERT_TRUE(areas.ok());
    const auto base = reinterpret_cast<std::uintptr_t>(arenaBase());
    for (const std::uint64_t address :
         {areas->addresses.desc, areas->addresses.driver, areas->addresses.device}) {
      EXPECT_EQ(address % 64, 0u);
      EXPECT_GE(address, base);
      EXPECT_LT(address, base + arenaBytes());
    }
    EXPECT_EQ(areas->base, isPacked ? packed::kFreshBase : 0u);
  }
}

TEST_F(VirtioDevice, SetupAgainTakesNoMoreMemory) {
  const std::uint64_t before = Arena::get()->used();
  {
    Device device(0, 2);
    ASSERT_TRUE(device.setup(0, Direction::kTx, config(1024)).ok());
    const std::uint64_t once = Arena::get()->used();
    for (std::uint32_t i = 0; i < 50; i++) ASSERT_TRUE(device.setup(0, Direction::kTx, config(1024)).ok());
    EXPECT_EQ(Arena::get()->used(), once);
    ASSERT_TRUE(device.release(0).ok());
    EXPECT_EQ(Arena::get()->used(), before);
    ASSERT_TRUE(device.setup(1, Direction::kRx, config(64, true)).ok());
  }
  EXPECT_EQ(Arena::get()->used(), before);
}

TEST_F(VirtioDevice, StartNeedsRingSlotAndPool) {
  Mempool& pool = makePool(64);
  const std::uint32_t slot = *slots::allocate();
  {
    Device device(4, 1);
    expectRefused(device.start(0), StatusCode::kBadState, "set it up first");
    ASSERT_TRUE(device.setup(0, Direction::kRx, config(16)).ok());
    expectRefused(device.start(0), StatusCode::kBadState, "not bound");
    expectRefused(device.bind(0, 99999, {pool.id(), 0}), StatusCode::kNotFound, "99999");
    ASSERT_TRUE(device.bind(0, slot, {77, 0}).ok());
    expectRefused(device.bind(0, slot, {77, 0}), StatusCode::kBusy, "virtio device 4, queue 0");
    expectRefused(device.start(0), StatusCode::kNotFound, "77");
    ASSERT_TRUE(device.unbind(0).ok());
    ASSERT_TRUE(device.bind(0, slot, {pool.id(), 0}).ok());
    ASSERT_TRUE(device.start(0).ok());
    expectRefused(device.start(0), StatusCode::kBadState, "runs already");
    expectRefused(device.setup(0, Direction::kRx, config(16)).status(), StatusCode::kBadState,
                  "stop it first");
    EXPECT_EQ(device.state(0)->inFlight, 16u);
    EXPECT_EQ(*device.stop(0), 16u);
    EXPECT_EQ(*device.stop(0), 0u);
    EXPECT_FALSE(device.state(0)->started);
    ASSERT_TRUE(device.start(0).ok());
  }
  slots::release(slot);
}

TEST_F(VirtioDevice, StopsWithItsSlotClosed) {
  Mempool& pool = makePool(64);
  HandDevice<SplitLayout> hand(Direction::kRx, pool);
  EXPECT_EQ(hand.slot().closed(), 0u);
  ASSERT_TRUE(hand.driver.stop(0).ok());
  EXPECT_EQ(hand.slot().closed(), kSlotRingStopped);
  ASSERT_TRUE(hand.driver.start(0).ok());
  EXPECT_EQ(hand.slot().closed(), 0u);
}

// R30: a device that is not known to have let go may write into what it was given.
TEST_F(VirtioDevice, QuarantineKeepsMbufsFromTheirPool) {
  Mempool& pool = makePool(64);
  HandDevice<PackedLayout> hand(Direction::kRx, pool);
  EXPECT_EQ(*hand.driver.stop(0, virtio::Reclaim::kQuarantine), 16u);
  EXPECT_EQ(hand.driver.quarantined(), 16u);
  EXPECT_EQ(pool.available(), pool.size() - 16);
  ASSERT_TRUE(hand.driver.start(0).ok());
  EXPECT_EQ(*hand.driver.stop(0), 16u);
  hand.driver.releaseQuarantine();
  EXPECT_EQ(hand.driver.quarantined(), 0u);
  EXPECT_EQ(pool.available(), pool.size());
}

TEST_F(VirtioDevice, PartlyFilledRingIsFilledLater) {
  Mempool& pool = makePool(10);
  HandDevice<SplitLayout> hand(Direction::kRx, pool);
  EXPECT_EQ(hand.driver.state(0)->inFlight, 10u);
  EXPECT_EQ(hand.count(kRX_NO_MBUF), 6u);
}

TEST_F(VirtioDevice, NotificationDescriptorsAreChecked) {
  Mempool& pool = makePool(64);
  HandDevice<SplitLayout> hand(Direction::kRx, pool);
  MemoryFileOptions options;
  options.name = "not-an-eventfd";
  options.size = 4096;
  options.hugePages = HugePages::kNever;
  auto kick = createMemoryFile(options);
  auto call = createMemoryFile(options);
  ASSERT_TRUE(kick.ok() && call.ok());
  expectRefused(hand.driver.setKick(0, std::move(kick->fd)), StatusCode::kBadFile, "kick");
  expectRefused(hand.driver.setCall(0, std::move(call->fd)), StatusCode::kBadFile, "call");
  EXPECT_TRUE(hand.driver.setKick(0, Fd()).ok());
  EXPECT_TRUE(hand.driver.setCall(0, Fd()).ok());
}

TEST_F(VirtioDevice, ThrowsNothingAwayWhenDestroyedWhileItRuns) {
  Mempool& pool = makePool(64);
  const std::uint32_t slot = *slots::allocate();
  {
    Device device(0, 1);
    ASSERT_TRUE(device.setup(0, Direction::kRx, config(32)).ok());
    ASSERT_TRUE(device.bind(0, slot, {pool.id(), 0}).ok());
    ASSERT_TRUE(device.start(0).ok());
    EXPECT_EQ(pool.available(), 32u);
  }
  EXPECT_EQ(pool.available(), 64u);
  Handle none;
  EXPECT_EQ(slots::byId(slot)->run(&none, 1), 0u);
  slots::release(slot);
}

}  // namespace
}  // namespace pollwire::test
