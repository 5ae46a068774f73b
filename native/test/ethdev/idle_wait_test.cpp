#include "ethdev/idle_wait.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "support/arena_test.hpp"
#include "sys/eventfd.hpp"

namespace pollwire {
namespace {

using Clock = std::chrono::steady_clock;

// A slot with an eventfd of its own that notes how it was armed.
class IdleWait : public test::ArenaTest {
 protected:
  static constexpr std::uint32_t kLcore = 9;
  static constexpr std::uint32_t kLong = 5'000'000;

  struct Source {
    std::uint32_t id = ~0u;
    Fd kick;
    std::atomic<bool> work{false};
    std::atomic<int> armed{0};
    std::atomic<int> disarmed{0};
  };

  void makeSource(Source& source) {
    source.id = *slots::allocate();
    source.kick = std::move(*createEventFd());
    BurstSlot& slot = *slots::byId(source.id);
    slot.bind([](void*, Handle*, std::uint32_t) noexcept { return 0u; }, &source);
    slot.setWait(source.kick.get(), [](void* context, bool wanted) noexcept {
      auto& self = *static_cast<Source*>(context);
      (wanted ? self.armed : self.disarmed)++;
      return self.work.load();
    });
    slot.open(kSlotPortStopped);
  }
  static std::chrono::milliseconds since(Clock::time_point start) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
  }
};

TEST_F(IdleWait, SleepsUntilTheDeadlineAndDisarms) {
  Source source;
  makeSource(source);
  const auto start = Clock::now();
  EXPECT_FALSE(idle::wait(kLcore, std::span(&source.id, 1), 20000));
  EXPECT_GE(since(start).count(), 19);
  EXPECT_EQ(source.armed, 1);
  EXPECT_EQ(source.disarmed, 1);
}

TEST_F(IdleWait, DoesNotSleepWhenWorkIsThereAlready) {
  Source source;
  makeSource(source);
  source.work = true;
  const auto start = Clock::now();
  EXPECT_TRUE(idle::wait(kLcore, std::span(&source.id, 1), kLong));
  EXPECT_LT(since(start).count(), 1000);
  EXPECT_EQ(source.disarmed, 1);
}

TEST_F(IdleWait, AKickEndsIt) {
  Source sources[3];
  std::uint32_t ids[3];
  for (int i = 0; i < 3; i++) {
    makeSource(sources[i]);
    ids[i] = sources[i].id;
  }
  std::thread peer([&] {
    while (sources[2].armed == 0) std::this_thread::yield();
    (void)signalEventFd(sources[1].kick.get());
  });
  EXPECT_TRUE(idle::wait(kLcore, ids, kLong));
  peer.join();
  EXPECT_EQ(drainEventFd(sources[1].kick.get()), 0u) << "the kick was consumed";
}

TEST_F(IdleWait, AWakeUpEndsItWithoutWork) {
  Source source;
  makeSource(source);
  std::thread other([&] {
    while (source.armed == 0) std::this_thread::yield();
    idle::wake(kLcore);
  });
  const auto start = Clock::now();
  EXPECT_FALSE(idle::wait(kLcore, std::span(&source.id, 1), kLong));
  EXPECT_LT(since(start).count(), 4000);
  other.join();
  // One that came before the wait ends the next wait at once, and only that one.
  idle::wake(kLcore);
  EXPECT_FALSE(idle::wait(kLcore, {}, kLong));
  EXPECT_FALSE(idle::wait(kLcore, {}, 1000));
}

TEST_F(IdleWait, ClosedAndUnknownSlotsAreNothingToWaitFor) {
  Source source;
  makeSource(source);
  source.work = true;
  slots::byId(source.id)->close(kSlotPaused);
  const std::uint32_t ids[] = {source.id, ~0u, 77};
  EXPECT_FALSE(idle::wait(kLcore, ids, 1000));
  EXPECT_EQ(source.armed, 0);
  EXPECT_FALSE(idle::wait(~0u, ids, 1000)) << "a thread that is no lcore";
}

// While the lcore sleeps, the ring stops, its descriptor is closed and the number is given to a socket. What
// arrives there belongs to the socket's owner.
TEST_F(IdleWait, NeverReadsADescriptorThatIsNoLongerTheSlots) {
  Source source;
  makeSource(source);
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  ASSERT_EQ(::write(pair[1], "12345678", 8), 8);
  std::thread control([&] {
    while (source.armed == 0) std::this_thread::yield();
    // The sleeper holds the eventfd open until its poll returns, whatever becomes of the number.
    Fd kick = std::move(*duplicateFd(source.kick.get()));
    slots::byId(source.id)->close(kSlotRingStopped);
    ASSERT_EQ(::dup2(pair[0], source.kick.get()), source.kick.get());
    (void)signalEventFd(kick.get());
    idle::wake(kLcore);
  });
  (void)idle::wait(kLcore, std::span(&source.id, 1), kLong);
  control.join();
  char bytes[8];
  EXPECT_EQ(::recv(pair[0], bytes, 8, MSG_DONTWAIT), 8) << "the waiting lcore took bytes off a socket";
  ::close(pair[0]);
  ::close(pair[1]);
}

}  // namespace
}  // namespace pollwire
