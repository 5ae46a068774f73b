// Kick and call descriptors of a vhost device: what is accepted, replacement under traffic, who is notified
// and when.
// Rows A47, A98 of docs/vhost.md.
#include "vhost/vhost_device.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "ethdev/idle_wait.hpp"
#include "ethdev/native_events.hpp"
#include "support/temp_dir.hpp"
#include "support/vhost_test.hpp"

namespace pollwire::test {
namespace {

using Link = VhostLink<>;
using VhostNotify = ArenaTest;

constexpr std::uint32_t kRings[] = {Link::kGuestRx, Link::kGuestTx};

// Hostile rows 68 and 69.
TEST_F(VhostNotify, KickAndCallMustBeEventfds) {
  Mempool& pool = makePool(8);
  Link link(pool);
  int pair[2];
  ASSERT_EQ(::pipe(pair), 0);
  const std::size_t before = openFdCount();
  for (const std::uint32_t ring : kRings) {
    EXPECT_EQ(link.device.setKick(ring, std::move(*duplicateFd(pair[0]))).code(), StatusCode::kBadFile);
    EXPECT_EQ(link.device.setCall(ring, std::move(*duplicateFd(pair[1]))).code(), StatusCode::kBadFile);
    EXPECT_EQ(link.device.setCall(ring, Fd(::socket(AF_UNIX, SOCK_STREAM, 0))).code(), StatusCode::kBadFile);
    EXPECT_FALSE(link.device.setCall(ring, Fd(9999)).ok());
  }
  EXPECT_EQ(openFdCount(), before);
  ::close(pair[0]);
  ::close(pair[1]);
  // What was refused changed nothing.
  (void)drainEventFd(link.calls[Link::kGuestTx].get());
  ASSERT_TRUE(link.guest.send(patternBytes(60)));
  EXPECT_EQ(link.receiveFrames().size(), 1u);
  EXPECT_EQ(drainEventFd(link.calls[Link::kGuestTx].get()), 1u);
}

TEST_F(VhostNotify, AFullCallDescriptorNeverBlocks) {
  Mempool& pool = makePool(8);
  Link link(pool);
  const int call = link.calls[Link::kGuestTx].get();
  const std::uint64_t almost = ~0ull - 1;
  (void)drainEventFd(call);
  ASSERT_EQ(::write(call, &almost, 8), 8);
  // Blocking again, as a peer may set it at any time.
  ASSERT_EQ(::fcntl(call, F_SETFL, 0), 0);
  for (int i = 0; i < 3; i++) {
    ASSERT_TRUE(link.guest.send(patternBytes(60)));
    EXPECT_EQ(link.receiveFrames().size(), 1u);
  }
  EXPECT_EQ(drainEventFd(call), almost);
}

TEST_F(VhostNotify, WithoutACallDescriptorNobodyIsCalled) {
  Mempool& pool = makePool(8);
  Link link(pool);
  ASSERT_TRUE(link.device.setCall(Link::kGuestTx, Fd()).ok());
  ASSERT_TRUE(link.device.setKick(Link::kGuestTx, Fd()).ok());
  ASSERT_TRUE(link.guest.send(patternBytes(60)));
  EXPECT_EQ(link.receiveFrames().size(), 1u);
  EXPECT_EQ(link.rxCount(kNOTIFICATIONS), 0u);
  EXPECT_EQ(link.rxCount(kNOTIFICATIONS_SUPPRESSED), 0u);
}

TEST_F(VhostNotify, ANewCallDescriptorIsSignalledAtOnce) {
  Mempool& pool = makePool(8);
  Link link(pool);
  Fd call = std::move(*createEventFd());
  ASSERT_TRUE(link.device.setCall(Link::kGuestTx, std::move(*duplicateFd(call.get()))).ok());
  EXPECT_EQ(drainEventFd(call.get()), 1u) << "what was used before would stay unseen";
  (void)link.device.stopRing(Link::kGuestTx);
  ASSERT_TRUE(link.device.setCall(Link::kGuestTx, std::move(*duplicateFd(call.get()))).ok());
  EXPECT_EQ(drainEventFd(call.get()), 0u) << "a stopped ring used nothing";
}

// 65,535 buffers were used while nobody could be called. The first one after that is called for all the same.
TEST_F(VhostNotify, NoCallIsLostAfterATimeWithoutADescriptor) {
  Mempool& pool = makePool(64, 192);
  Link link(pool, {.features = kModern | virtio::kRingEventIdx, .start = 3});
  ASSERT_TRUE(link.device.setCall(Link::kGuestTx, Fd()).ok());
  const std::uint64_t place = link.memory.alloc(100);
  for (std::uint32_t i = 0; i < 65535; i++) {
    ASSERT_TRUE(link.guest.sendAt(place, patternBytes(14)));
    ASSERT_EQ(link.receiveFrames().size(), 1u);
    ASSERT_EQ(link.guest.reclaim(), 1u);
  }
  Fd call = std::move(*createEventFd());
  ASSERT_TRUE(link.device.setCall(Link::kGuestTx, std::move(*duplicateFd(call.get()))).ok());
  (void)drainEventFd(call.get());
  link.guest.tx.wantCalls(true);
  ASSERT_TRUE(link.guest.sendAt(place, patternBytes(14)));
  ASSERT_EQ(link.receiveFrames().size(), 1u);
  EXPECT_EQ(drainEventFd(call.get()), 1u);
}

// Hostile row 70.
TEST_F(VhostNotify, KickAndCallReplacedUnderTraffic) {
  Mempool& pool = makePool(64, 192);
  Link link(pool);
  std::atomic<bool> stop{false};
  std::thread lcore([&] {
    Handle handles[32];
    const std::uint32_t slot = link.rxSlotId();
    while (!stop) {
      const std::uint32_t count = link.rxSlot().run(handles, 32);
      freeBurst(handles, count);
      if (count == 0) (void)idle::wait(3, std::span(&slot, 1), 50);
    }
  });
  const std::size_t before = openFdCount();
  const std::uint64_t place = link.memory.alloc(100);
  Fd call;
  for (int i = 0; i < 3000; i++) {
    Fd kick = std::move(*createEventFd());
    call = std::move(*createEventFd());
    ASSERT_TRUE(link.device.setKick(Link::kGuestTx, std::move(kick)).ok());
    ASSERT_TRUE(link.device.setCall(Link::kGuestTx, std::move(*duplicateFd(call.get()))).ok());
    (void)drainEventFd(call.get());
    ASSERT_TRUE(link.guest.sendAt(place, patternBytes(60)));
    while (drainEventFd(call.get()) == 0) std::this_thread::yield();
    ASSERT_EQ(link.guest.reclaim(), 1u);
  }
  stop = true;
  lcore.join();
  EXPECT_LE(openFdCount(), before + 3);
}

TEST_F(VhostNotify, KicksAreWantedOnlyByWhoSleeps) {
  Mempool& pool = makePool(64);
  for (const std::uint64_t event : {std::uint64_t{0}, virtio::kRingEventIdx}) {
    Link link(pool, {.features = kModern | event});
    auto& ring = link.guest.tx;
    ASSERT_TRUE(link.guest.send(patternBytes(60)));
    EXPECT_FALSE(ring.kickWanted(1)) << "a polled ring";
    EXPECT_EQ(link.receiveFrames().size(), 1u);
    ASSERT_TRUE(link.device.wantKicks(Link::kGuestTx, true).ok());
    ASSERT_TRUE(link.guest.send(patternBytes(60)));
    EXPECT_TRUE(ring.kickWanted(1));
    EXPECT_EQ(link.receiveFrames().size(), 1u);
    ASSERT_TRUE(link.device.wantKicks(Link::kGuestTx, false).ok());
    ASSERT_TRUE(link.guest.send(patternBytes(60)));
    EXPECT_FALSE(ring.kickWanted(1));
    EXPECT_EQ(link.receiveFrames().size(), 1u);

    // A sleeping lcore: the guest sees that it is waited for, and its kick wakes.
    const std::uint32_t slot = link.rxSlotId();
    std::atomic<bool> woke{false};
    std::thread lcore([&] { woke = idle::wait(2, std::span(&slot, 1), 5'000'000); });
    while (!ring.kickAwaited()) std::this_thread::yield();
    EXPECT_TRUE(link.guest.send(patternBytes(60)));
    EXPECT_TRUE(ring.kickWanted(1));
    (void)signalEventFd(link.kicks[Link::kGuestTx].get());
    lcore.join();
    EXPECT_TRUE(woke);
    EXPECT_EQ(link.receiveFrames().size(), 1u);
  }
}

}  // namespace
}  // namespace pollwire::test
