#include "ethdev/burst_slot.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "sys/eventfd.hpp"

namespace pollwire {
namespace {

constexpr std::uint32_t kAllReasons =
    kSlotPortStopped | kSlotRingStopped | kSlotRingDisabled | kSlotPaused | kSlotBroken;

std::uint32_t countCalls(void* context, Handle*, std::uint32_t count) noexcept {
  ++*static_cast<std::uint32_t*>(context);
  return count;
}
std::uint32_t sayUsed(void*) noexcept { return 17; }

TEST(BurstSlot, RunsWhenNoReasonIsLeft) {
  BurstSlot slot;
  std::uint32_t calls = 0;
  Handle handles[4] = {};
  EXPECT_EQ(slot.run(handles, 4), 0u);
  slot.open(kSlotPortStopped);
  EXPECT_EQ(slot.run(handles, 4), 0u) << "open, but nothing is bound";
  slot.bind(countCalls, &calls, sayUsed);
  EXPECT_EQ(slot.run(handles, 4), 4u);
  EXPECT_EQ(slot.used(), 17u);
  for (std::uint32_t reasons = 1; reasons <= kAllReasons; reasons++) {
    if ((reasons & ~kAllReasons) != 0) continue;
    calls = 0;
    slot.close(reasons);
    EXPECT_EQ(slot.closed(), reasons);
    EXPECT_EQ(slot.run(handles, 4), 0u);
    EXPECT_EQ(slot.used(), ~0u);
    for (std::uint32_t bit = 1; bit <= kSlotBroken; bit <<= 1) {
      if ((reasons & bit) == 0) continue;
      EXPECT_EQ(slot.run(handles, 4), 0u) << "reason " << bit << " of " << reasons << " is still there";
      slot.open(bit);
    }
    EXPECT_EQ(calls, 0u);
    EXPECT_EQ(slot.run(handles, 4), 4u);
  }
  slot.unbind();
  EXPECT_EQ(slot.run(handles, 4), 0u);
  EXPECT_EQ(slot.closed(), static_cast<std::uint32_t>(kSlotUnbound));
}

TEST(BurstSlot, ABurstCanCloseItsOwnSlot) {
  BurstSlot slot;
  slot.open(kSlotPortStopped);
  slot.bind(
      [](void* context, Handle*, std::uint32_t) noexcept {
        static_cast<BurstSlot*>(context)->closeFromInside(kSlotBroken);
        return 1u;
      },
      &slot);
  Handle handle = 0;
  EXPECT_EQ(slot.run(&handle, 1), 1u);
  EXPECT_EQ(slot.run(&handle, 1), 0u);
  EXPECT_EQ(slot.closed(), static_cast<std::uint32_t>(kSlotBroken));
}

TEST(BurstSlot, ArmsOnlyWhatRunsAndForgetsWhenUnbound) {
  BurstSlot slot;
  std::uint32_t calls = 0;
  slot.open(kSlotPortStopped);
  slot.bind(countCalls, &calls);
  EXPECT_EQ(slot.arm(true).fd, -1) << "a driver that can only be polled";
  slot.setWait(42, [](void* context, bool wanted) noexcept {
    *static_cast<std::uint32_t*>(context) = wanted ? 1 : 2;
    return wanted;
  });
  BurstSlot::Wait wait = slot.arm(true);
  EXPECT_EQ(wait.fd, 42);
  EXPECT_TRUE(wait.pending);
  EXPECT_EQ(calls, 1u);
  wait = slot.arm(false);
  EXPECT_FALSE(wait.pending);
  EXPECT_EQ(calls, 2u);
  slot.close(kSlotPaused);
  EXPECT_EQ(slot.arm(true).fd, -1);
  EXPECT_EQ(calls, 2u) << "armed although closed";
  slot.open(kSlotPaused);
  slot.unbind();
  slot.bind(countCalls, &calls);
  EXPECT_EQ(slot.arm(true).fd, -1) << "the descriptor of the last binding";
}

// The descriptor may be closed and its number given to something else while a lcore sleeps on it: reading it
// is allowed only under the gate, and only while it is the slot's.
TEST(BurstSlot, DrainsOnlyTheDescriptorThatIsStillItsOwn) {
  BurstSlot slot;
  std::uint32_t calls = 0;
  Fd mine = std::move(*createEventFd(3));
  slot.open(kSlotPortStopped);
  slot.bind(countCalls, &calls);
  const auto never = [](void*, bool) noexcept { return false; };
  slot.setWait(mine.get(), never);
  slot.drain(mine.get());
  EXPECT_EQ(drainEventFd(mine.get()), 0u);

  ASSERT_EQ(signalEventFd(mine.get()), SignalResult::kSignalled);
  slot.setWait(-1, never);
  slot.drain(mine.get());
  EXPECT_EQ(drainEventFd(mine.get()), 1u) << "it was replaced";

  slot.setWait(mine.get(), never);
  ASSERT_EQ(signalEventFd(mine.get()), SignalResult::kSignalled);
  slot.close(kSlotRingStopped);
  slot.drain(mine.get());
  EXPECT_EQ(drainEventFd(mine.get()), 1u) << "it is stopped";
}

struct Exclusive {
  std::atomic<int> inside{0};
  std::atomic<int> clashes{0};
  std::atomic<std::uint64_t> runs{0};
};

std::uint32_t alone(void* context, Handle*, std::uint32_t count) noexcept {
  auto& state = *static_cast<Exclusive*>(context);
  if (state.inside.fetch_add(1) != 0) state.clashes++;
  state.runs.fetch_add(1, std::memory_order_relaxed);
  state.inside.fetch_sub(1);
  return count;
}

TEST(BurstSlot, TwoThreadsNeverMeetInside) {
  BurstSlot slot;
  Exclusive state;
  slot.open(kSlotPortStopped);
  slot.bind(alone, &state);
  std::atomic<std::uint64_t> moved{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; i++) {
    threads.emplace_back([&] {
      Handle handle = 0;
      for (int k = 0; k < 50000; k++) moved += slot.run(&handle, 1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(state.clashes, 0);
  EXPECT_EQ(state.runs, moved);
  EXPECT_GT(moved, 0u);
}

// Once close() returned, nobody is inside and nobody comes, however busily a lcore polls.
TEST(BurstSlot, NothingRunsAfterCloseReturned) {
  BurstSlot slot;
  Exclusive state;
  slot.open(kSlotPortStopped);
  slot.bind(alone, &state);
  std::atomic<bool> stop{false};
  std::thread poller([&] {
    Handle handle = 0;
    while (!stop) (void)slot.run(&handle, 1);
  });
  for (int i = 0; i < 500; i++) {
    const std::uint64_t before = state.runs;
    while (state.runs == before) std::this_thread::yield();
    slot.close(kSlotPaused);
    const std::uint64_t closed = state.runs;
    EXPECT_EQ(state.inside, 0);
    std::this_thread::yield();
    EXPECT_EQ(state.runs, closed);
    slot.open(kSlotPaused);
  }
  stop = true;
  poller.join();
}

// The context may be freed as soon as unbind() returned.
TEST(BurstSlot, RebindsUnderAPollingThread) {
  BurstSlot slot;
  slot.open(kSlotPortStopped);
  std::atomic<bool> stop{false};
  std::thread poller([&] {
    Handle handle = 0;
    while (!stop) (void)slot.run(&handle, 1);
  });
  for (int i = 0; i < 500; i++) {
    auto state = std::make_unique<Exclusive>();
    slot.bind(alone, state.get());
    while (state->runs == 0) std::this_thread::yield();
    slot.unbind();
    state.reset();
  }
  stop = true;
  poller.join();
}

}  // namespace
}  // namespace pollwire
