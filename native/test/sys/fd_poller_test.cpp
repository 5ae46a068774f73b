// FdPoller: tokens, one-shot, wake-up across threads, time limits.
#include "sys/fd_poller.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <thread>

#include "sys/eventfd.hpp"
#include "sys/unix_socket.hpp"

namespace pollwire {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

FdPoller makePoller() {
  auto poller = FdPoller::create();
  EXPECT_TRUE(poller.ok());
  return *std::move(poller);
}

TEST(FdPoller, ReportsTheTokenUntilDrained) {
  FdPoller poller = makePoller();
  auto fd = createEventFd();
  ASSERT_TRUE(poller.add(fd->get(), 0xfeedfacecafeu, kFdReadable).ok());
  std::array<FdEvent, 4> events{};
  EXPECT_EQ(*poller.wait(events, 0), 0u);
  signalEventFd(fd->get());
  for (int i = 0; i < 2; i++) {
    ASSERT_EQ(*poller.wait(events, kSecond), 1u);
    EXPECT_EQ(events[0].token, 0xfeedfacecafeu);
    EXPECT_EQ(events[0].events, static_cast<std::uint32_t>(kFdReadable));
  }
  drainEventFd(fd->get());
  EXPECT_EQ(*poller.wait(events, 0), 0u);
}

TEST(FdPoller, OneShotIsSilentUntilModified) {
  FdPoller poller = makePoller();
  auto fd = createEventFd(1);
  ASSERT_TRUE(poller.add(fd->get(), 1, kFdReadable | kFdOneShot).ok());
  std::array<FdEvent, 4> events{};
  EXPECT_EQ(*poller.wait(events, kSecond), 1u);
  EXPECT_EQ(*poller.wait(events, 0), 0u);
  ASSERT_TRUE(poller.modify(fd->get(), 2, kFdReadable | kFdOneShot).ok());
  ASSERT_EQ(*poller.wait(events, kSecond), 1u);
  EXPECT_EQ(events[0].token, 2u);
}

TEST(FdPoller, MoreReadyThanRoomLosesNothing) {
  FdPoller poller = makePoller();
  std::array<Fd, 5> fds;
  for (std::size_t i = 0; i < fds.size(); i++) {
    fds[i] = *createEventFd(1);
    ASSERT_TRUE(poller.add(fds[i].get(), i, kFdReadable | kFdOneShot).ok());
  }
  poller.wake();
  std::uint32_t seen = 0;
  std::array<FdEvent, 2> events{};
  for (int i = 0; i < 8; i++) {
    const std::size_t n = *poller.wait(events, 0);
    for (std::size_t k = 0; k < n; k++) seen |= 1u << events[k].token;
  }
  EXPECT_EQ(seen, 0x1fu);
}

TEST(FdPoller, HangupIsReportedWithoutAsking) {
  FdPoller poller = makePoller();
  auto pair = unixSocketPair();
  ASSERT_TRUE(poller.add((*pair)[0].get(), 5, kFdReadable | kFdPeerClosed).ok());
  (*pair)[1].reset();
  std::array<FdEvent, 4> events{};
  ASSERT_EQ(*poller.wait(events, kSecond), 1u);
  EXPECT_NE(events[0].events & kFdHangup, 0u);
  EXPECT_NE(events[0].events & kFdPeerClosed, 0u);
}

TEST(FdPoller, ErrorsNameTheDescriptor) {
  FdPoller poller = makePoller();
  auto fd = createEventFd();
  EXPECT_EQ(poller.modify(fd->get(), 1, kFdReadable).code(), StatusCode::kNotFound);
  EXPECT_EQ(poller.remove(fd->get()).code(), StatusCode::kNotFound);
  ASSERT_TRUE(poller.add(fd->get(), 1, kFdReadable).ok());
  const Status twice = poller.add(fd->get(), 1, kFdReadable);
  EXPECT_EQ(twice.code(), StatusCode::kAlreadyExists);
  EXPECT_NE(twice.detail().find("descriptor " + std::to_string(fd->get())), std::string::npos);
  EXPECT_EQ(poller.add(fd->get(), FdPoller::kWakeToken, kFdReadable).code(), StatusCode::kInvalidArgument);
  ASSERT_TRUE(poller.remove(fd->get()).ok());
  EXPECT_EQ(poller.wait({}, 0).status().code(), StatusCode::kInvalidArgument);
}

TEST(FdPoller, WakeEndsAWaitInAnotherThread) {
  FdPoller poller = makePoller();
  std::size_t got = 99;
  std::thread waiter([&] {
    std::array<FdEvent, 4> events{};
    got = *poller.wait(events, -1);
  });
  poller.wake();
  waiter.join();
  EXPECT_EQ(got, 0u);
  std::array<FdEvent, 4> events{};
  EXPECT_EQ(*poller.wait(events, 0), 0u);  // the wake-up was consumed
}

TEST(FdPoller, TimeoutIsKeptBelowAMillisecondAndAbove) {
  FdPoller poller = makePoller();
  std::array<FdEvent, 4> events{};
  for (const std::int64_t ns : {std::int64_t{200'000}, std::int64_t{3'000'000}}) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(*poller.wait(events, ns), 0u);
    EXPECT_GE((std::chrono::steady_clock::now() - start).count(), ns);
  }
}

}  // namespace
}  // namespace pollwire
