// eventfd: counts, and that nothing here ever waits.
#include "sys/eventfd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace pollwire {
namespace {

constexpr std::uint64_t kFull = 0xfffffffffffffffe;

TEST(EventFd, CountsAndDrains) {
  auto fd = createEventFd(2);
  ASSERT_TRUE(fd.ok());
  EXPECT_NE(fcntl(fd->get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(fd->get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(signalEventFd(fd->get()), SignalResult::kSignalled);
  EXPECT_EQ(signalPeerEventFd(fd->get()), SignalResult::kSignalled);
  EXPECT_EQ(drainEventFd(fd->get()), 4u);
  EXPECT_EQ(drainEventFd(fd->get()), 0u);
}

TEST(EventFd, FullCounterDoesNotBlock) {
  auto fd = createEventFd();
  ASSERT_TRUE(fd.ok());
  ASSERT_EQ(eventfd_write(fd->get(), kFull), 0);
  EXPECT_EQ(signalEventFd(fd->get()), SignalResult::kFull);
  EXPECT_EQ(signalPeerEventFd(fd->get()), SignalResult::kFull);
  EXPECT_EQ(drainEventFd(fd->get()), kFull);
}

TEST(EventFd, FullBlockingPeerDescriptorDoesNotBlock) {
  const Fd fd(eventfd(0, EFD_CLOEXEC));  // a peer's, in blocking mode
  ASSERT_EQ(eventfd_write(fd.get(), kFull), 0);
  EXPECT_EQ(signalPeerEventFd(fd.get()), SignalResult::kFull);
  EXPECT_EQ(drainEventFd(fd.get()), kFull);
  EXPECT_EQ(drainEventFd(fd.get()), 0u);  // empty and blocking: must return
  EXPECT_EQ(signalPeerEventFd(fd.get()), SignalResult::kSignalled);
}

TEST(EventFd, AdoptingMakesASignalSafe) {
  const Fd fd(eventfd(0, EFD_CLOEXEC));
  ASSERT_TRUE(adoptEventFd(fd.get()).ok());
  ASSERT_EQ(eventfd_write(fd.get(), kFull), 0);
  EXPECT_EQ(signalEventFd(fd.get()), SignalResult::kFull);
}

TEST(EventFd, AdoptingRefusesEverythingElse) {
  int pipeFds[2];
  ASSERT_EQ(pipe2(pipeFds, O_CLOEXEC), 0);
  const Fd reader(pipeFds[0]), writer(pipeFds[1]);
  const Status status = adoptEventFd(writer.get());
  EXPECT_EQ(status.code(), StatusCode::kBadFile);
  EXPECT_NE(status.detail().find("not an eventfd"), std::string::npos) << status.detail();
  EXPECT_EQ(adoptEventFd(-1).code(), StatusCode::kBadFile);
  const Fd file(open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_EQ(adoptEventFd(file.get()).code(), StatusCode::kBadFile);
}

TEST(EventFd, ClosedDescriptorFailsQuietly) {
  int number = -1;
  {
    auto fd = createEventFd();
    number = fd->get();
  }
  EXPECT_EQ(signalEventFd(number), SignalResult::kFailed);
  EXPECT_EQ(signalPeerEventFd(number), SignalResult::kFailed);
  EXPECT_EQ(drainEventFd(number), 0u);
  EXPECT_EQ(signalPeerEventFd(-1), SignalResult::kFailed);
  EXPECT_EQ(drainEventFd(-1), 0u);
}

}  // namespace
}  // namespace pollwire
