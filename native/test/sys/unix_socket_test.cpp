// Unix sockets: paths, stale files, descriptors in messages.
#include "sys/unix_socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <vector>

#include "support/temp_dir.hpp"
#include "sys/eventfd.hpp"

namespace pollwire {
namespace {

using test::openFdCount;
using test::TempDir;

std::vector<std::uint8_t> bytesOf(std::string_view text) { return {text.begin(), text.end()}; }

struct Pair {
  Pair() {
    auto fds = unixSocketPair();
    EXPECT_TRUE(fds.ok());
    a = std::move((*fds)[0]);
    b = std::move((*fds)[1]);
  }
  Fd a, b;
};

TEST(UnixPath, LengthLimitIs107) {
  EXPECT_TRUE(checkUnixPath(std::string(107, 'x')).ok());
  const Status tooLong = checkUnixPath(std::string(108, 'x'));
  EXPECT_EQ(tooLong.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(tooLong.detail().find("is 108 bytes long, the limit is 107"), std::string::npos);
  EXPECT_EQ(checkUnixPath("").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(checkUnixPath(std::string_view("a\0b", 3)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(unixListen(std::string(200, 'y')).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(unixConnect(std::string(200, 'y')).status().code(), StatusCode::kInvalidArgument);
}

TEST(UnixPath, LongestPathWorks) {
  const TempDir dir;
  std::string path = dir.file("s");
  path.append(kUnixPathMax - path.size(), 's');
  auto listener = unixListen(path);
  ASSERT_TRUE(listener.ok()) << listener.status().detail();
  EXPECT_TRUE(unixConnect(path).ok());
}

TEST(UnixSocket, ListenConnectAccept) {
  const TempDir dir;
  auto listener = unixListen(dir.file("s"), 4, 0660);
  ASSERT_TRUE(listener.ok());
  struct stat facts {};
  ASSERT_EQ(stat(dir.file("s").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777u, 0660u);
  EXPECT_EQ(unixAccept(listener->get()).status().code(), StatusCode::kAgain);
  auto client = unixConnect(dir.file("s"));
  ASSERT_TRUE(client.ok());
  auto server = unixAccept(listener->get());
  ASSERT_TRUE(server.ok());
  for (const int fd : {listener->get(), client->get(), server->get()}) {
    EXPECT_NE(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  }
  EXPECT_EQ(peerCredentials(server->get())->pid, getpid());
  EXPECT_EQ(unixListen(dir.file("s")).status().code(), StatusCode::kAddressInUse);
}

TEST(UnixSocket, FullBacklogIsAgainAndCountsAsLive) {
  const TempDir dir;
  auto listener = unixListen(dir.file("s"), 0);
  std::vector<Fd> clients;
  Status last;
  for (int i = 0; i < 16 && last.ok(); i++) {
    auto client = unixConnect(dir.file("s"));
    last = client.status();
    if (client.ok()) clients.push_back(*std::move(client));
  }
  EXPECT_EQ(last.code(), StatusCode::kAgain);
  EXPECT_TRUE(last.retryable());
  EXPECT_EQ(*probeSocketPath(dir.file("s")), SocketPathState::kLive);
}

TEST(UnixSocket, ProbeTellsAbsentStaleLiveAndForeign) {
  const TempDir dir;
  EXPECT_EQ(*probeSocketPath(dir.file("s")), SocketPathState::kAbsent);
  EXPECT_EQ(unixConnect(dir.file("s")).status().code(), StatusCode::kNotFound);
  {
    auto listener = unixListen(dir.file("s"));
    EXPECT_EQ(*probeSocketPath(dir.file("s")), SocketPathState::kLive);
  }
  EXPECT_EQ(*probeSocketPath(dir.file("s")), SocketPathState::kStale);
  EXPECT_EQ(unixConnect(dir.file("s")).status().code(), StatusCode::kConnectionRefused);
  ASSERT_TRUE(removeSocketFile(dir.file("s")).ok());
  EXPECT_EQ(*probeSocketPath(dir.file("s")), SocketPathState::kAbsent);
  EXPECT_TRUE(removeSocketFile(dir.file("s")).ok());

  std::ofstream(dir.file("f")) << "data";
  EXPECT_EQ(*probeSocketPath(dir.file("f")), SocketPathState::kNotSocket);
  EXPECT_EQ(removeSocketFile(dir.file("f")).code(), StatusCode::kBadFile);
  EXPECT_EQ(access(dir.file("f").c_str(), F_OK), 0);
  EXPECT_EQ(probeSocketPath(dir.file("f") + "/x").status().sysErrno(), ENOTDIR);
}

TEST(UnixSocket, NothingThereWouldBlockAndCloseIsSeen) {
  Pair pair;
  std::vector<std::uint8_t> buffer(16);
  FdBatch fds;
  EXPECT_EQ(unixReceive(pair.a.get(), buffer, fds)->outcome, IoOutcome::kWouldBlock);
  const auto hello = bytesOf("hello");
  EXPECT_EQ(unixSend(pair.b.get(), hello)->bytes, 5u);
  auto got = unixReceive(pair.a.get(), buffer, fds);
  EXPECT_EQ(got->outcome, IoOutcome::kDone);
  EXPECT_EQ(got->bytes, 5u);
  EXPECT_EQ(std::memcmp(buffer.data(), "hello", 5), 0);
  pair.b.reset();
  EXPECT_EQ(unixReceive(pair.a.get(), buffer, fds)->outcome, IoOutcome::kClosed);
  EXPECT_EQ(unixSend(pair.a.get(), hello)->outcome, IoOutcome::kClosed);  // and no SIGPIPE
}

TEST(UnixSocket, PeerThatLeavesDataUnreadIsClosedNotAnError) {
  Pair pair;
  std::vector<std::uint8_t> buffer(16);
  FdBatch fds;
  ASSERT_TRUE(unixSend(pair.a.get(), bytesOf("unread")).ok());
  pair.b.reset();
  EXPECT_EQ(unixReceive(pair.a.get(), buffer, fds)->outcome, IoOutcome::kClosed);  // ECONNRESET
}

TEST(UnixSocket, FullBufferWouldBlockAndShortWritesAreCounted) {
  Pair pair;
  const std::vector<std::uint8_t> big(1 << 20, 7);
  std::size_t sent = 0;
  for (;;) {
    auto result = unixSend(pair.a.get(), big);
    ASSERT_TRUE(result.ok());
    if (result->outcome != IoOutcome::kDone) {
      EXPECT_EQ(result->outcome, IoOutcome::kWouldBlock);
      break;
    }
    sent += result->bytes;
  }
  EXPECT_GT(sent, 0u);
  std::vector<std::uint8_t> buffer(1 << 16);
  FdBatch fds;
  std::size_t received = 0;
  for (auto got = unixReceive(pair.b.get(), buffer, fds); got->outcome == IoOutcome::kDone;
       got = unixReceive(pair.b.get(), buffer, fds)) {
    received += got->bytes;
  }
  EXPECT_EQ(received, sent);
}

TEST(UnixSocket, DescriptorsArriveUsableCloseOnExecAndInOrder) {
  Pair pair;
  std::vector<Fd> events;
  std::vector<int> numbers;
  for (std::uint32_t i = 0; i < kMaxFdsPerMessage; i++) {
    events.push_back(*createEventFd(i + 1));
    numbers.push_back(events.back().get());
  }
  ASSERT_TRUE(unixSend(pair.a.get(), bytesOf("x"), numbers).ok());
  events.clear();
  std::vector<std::uint8_t> buffer(16);
  FdBatch fds;
  ASSERT_TRUE(unixReceive(pair.b.get(), buffer, fds).ok());
  ASSERT_EQ(fds.size(), kMaxFdsPerMessage);
  for (std::uint32_t i = 0; i < kMaxFdsPerMessage; i++) {
    const Fd fd = fds.take(i);
    EXPECT_NE(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(drainEventFd(fd.get()), i + 1);
    EXPECT_EQ(fds.peek(i), -1);
  }
}

TEST(UnixSocket, DescriptorsThatNobodyTakesAreClosed) {
  Pair pair;
  auto event = createEventFd();
  const std::size_t before = openFdCount();
  {
    const int numbers[] = {event->get(), event->get(), event->get()};
    ASSERT_TRUE(unixSend(pair.a.get(), bytesOf("x"), numbers).ok());
    std::vector<std::uint8_t> buffer(16);
    FdBatch fds;
    ASSERT_TRUE(unixReceive(pair.b.get(), buffer, fds).ok());
    EXPECT_EQ(fds.size(), 3u);
    EXPECT_EQ(openFdCount(), before + 3);
    const Fd one = fds.take(1);
  }
  EXPECT_EQ(openFdCount(), before);
}

TEST(UnixSocket, DescriptorsBelongToTheHeaderThatIsReadSeparately) {
  Pair pair;
  auto event = createEventFd();
  const int number[] = {event->get()};
  ASSERT_TRUE(unixSend(pair.a.get(), bytesOf("AAAAaa")).ok());
  ASSERT_TRUE(unixSend(pair.a.get(), bytesOf("BBBBbb"), number).ok());
  std::vector<std::uint8_t> header(4), payload(2);
  for (const std::size_t want : {0u, 1u}) {
    FdBatch fds;
    ASSERT_EQ(unixReceive(pair.b.get(), header, fds)->bytes, 4u);
    ASSERT_EQ(unixReceive(pair.b.get(), payload, fds)->bytes, 2u);
    EXPECT_EQ(fds.size(), want);
  }
}

TEST(UnixSocket, TooManyDescriptorsToSendIsAClearError) {
  Pair pair;
  const std::vector<int> numbers(kMaxFdsPerMessage + 1, pair.a.get());
  EXPECT_EQ(unixSend(pair.a.get(), bytesOf("x"), numbers).status().code(), StatusCode::kBadFdCount);
  EXPECT_EQ(unixSend(pair.a.get(), {}, {}).status().code(), StatusCode::kInvalidArgument);
  const int bad[] = {987654};
  EXPECT_EQ(unixSend(pair.a.get(), bytesOf("x"), bad).status().sysErrno(), EBADF);
}

TEST(UnixSocket, TruncatedControlDataIsAnErrorThatLeaksNothing) {
  Pair pair;
  auto event = createEventFd();
  const std::vector<int> numbers(40, event->get());
  ASSERT_TRUE(unixSend(pair.a.get(), bytesOf("x"), numbers).ok());
  const std::size_t before = openFdCount();
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  rlimit small = limit;
  small.rlim_cur = static_cast<rlim_t>(event->get()) + 8;  // room for a few of the forty
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &small), 0);
  std::vector<std::uint8_t> buffer(16);
  FdBatch fds;
  const auto got = unixReceive(pair.b.get(), buffer, fds);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(got.status().code(), StatusCode::kBadFdCount) << got.status().detail();
  EXPECT_TRUE(fds.empty());
  EXPECT_EQ(openFdCount(), before);
}

TEST(UnixSocket, AFullBatchRefusesMoreAndClosesThem) {
  Pair pair;
  auto event = createEventFd();
  const std::vector<int> many(200, event->get());
  std::vector<std::uint8_t> buffer(1);
  const std::size_t before = openFdCount();
  {
    FdBatch fds;
    ASSERT_TRUE(unixSend(pair.a.get(), bytesOf("x"), many).ok());
    ASSERT_TRUE(unixSend(pair.a.get(), bytesOf("y"), many).ok());
    ASSERT_TRUE(unixReceive(pair.b.get(), buffer, fds).ok());
    EXPECT_EQ(unixReceive(pair.b.get(), buffer, fds).status().code(), StatusCode::kBadFdCount);
  }
  EXPECT_EQ(openFdCount(), before);
}

TEST(UnixSocket, OtherControlMessagesAreIgnored) {
  Pair pair;
  const int on = 1;
  ASSERT_EQ(setsockopt(pair.b.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
  auto event = createEventFd(3);
  const int number[] = {event->get()};
  ASSERT_TRUE(unixSend(pair.a.get(), bytesOf("x"), number).ok());
  std::vector<std::uint8_t> buffer(16);
  FdBatch fds;
  ASSERT_TRUE(unixReceive(pair.b.get(), buffer, fds).ok());
  ASSERT_EQ(fds.size(), 1u);
  EXPECT_EQ(drainEventFd(fds.peek(0)), 3u);
}

}  // namespace
}  // namespace pollwire
