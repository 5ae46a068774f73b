// epoll behind FdPoller.
#include "sys/fd_poller.hpp"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <string>

#include "sys/eventfd.hpp"

namespace pollwire {
namespace {

constexpr std::pair<std::uint32_t, std::uint32_t> kEventBits[] = {
    {kFdReadable, EPOLLIN}, {kFdWritable, EPOLLOUT},    {kFdPeerClosed, EPOLLRDHUP}, {kFdHangup, EPOLLHUP},
    {kFdError, EPOLLERR},   {kFdOneShot, EPOLLONESHOT}, {kFdEdge, EPOLLET},
};

std::uint32_t toEpoll(std::uint32_t events) noexcept {
  std::uint32_t bits = 0;
  for (const auto& [ours, theirs] : kEventBits) bits |= (events & ours) != 0 ? theirs : 0;
  return bits;
}

std::uint32_t fromEpoll(std::uint32_t bits) noexcept {
  std::uint32_t events = 0;
  for (const auto& [ours, theirs] : kEventBits) events |= (bits & theirs) != 0 ? ours : 0;
  return events;
}

int waitNs(int epoll, epoll_event* events, int room, std::int64_t timeoutNs) noexcept {
#ifdef SYS_epoll_pwait2
  const timespec timeout{timeoutNs / 1'000'000'000, static_cast<long>(timeoutNs % 1'000'000'000)};
  const long ready =
      ::syscall(SYS_epoll_pwait2, epoll, events, room, timeoutNs < 0 ? nullptr : &timeout, nullptr, 0);
  if (ready >= 0 || errno != ENOSYS) return static_cast<int>(ready);
#endif
  // Before Linux 5.11: whole milliseconds, rounded up so that a short wait does not become a busy loop.
  const std::int64_t ms =
      timeoutNs < 0 ? -1 : std::min<std::int64_t>((timeoutNs + 999'999) / 1'000'000, INT32_MAX);
  return ::epoll_wait(epoll, events, room, static_cast<int>(ms));
}

}  // namespace

Result<FdPoller> FdPoller::create() {
  Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return Status::system(errno, "create an epoll descriptor");
  auto wake = createEventFd();
  if (!wake.ok()) return wake.status();
  FdPoller poller(std::move(epoll), *std::move(wake));
  PW_RETURN_IF_ERROR(poller.control(EPOLL_CTL_ADD, "watch", poller.wake_.get(), kWakeToken, kFdReadable));
  return poller;
}

Status FdPoller::control(int operation, const char* verb, int fd, std::uint64_t token, std::uint32_t events) {
  epoll_event event{};
  event.events = toEpoll(events);
  event.data.u64 = token;
  if (::epoll_ctl(epoll_.get(), operation, fd, &event) == 0) return {};
  return Status::system(errno, std::string(verb) + " descriptor " + std::to_string(fd));
}

Status FdPoller::add(int fd, std::uint64_t token, std::uint32_t events) {
  if (token == kWakeToken) return Status(StatusCode::kInvalidArgument, "token 2^64 - 1 is reserved");
  return control(EPOLL_CTL_ADD, "watch", fd, token, events);
}

Status FdPoller::modify(int fd, std::uint64_t token, std::uint32_t events) {
  if (token == kWakeToken) return Status(StatusCode::kInvalidArgument, "token 2^64 - 1 is reserved");
  return control(EPOLL_CTL_MOD, "change watching of", fd, token, events);
}

Status FdPoller::remove(int fd) { return control(EPOLL_CTL_DEL, "stop watching", fd, 0, 0); }

Result<std::size_t> FdPoller::wait(std::span<FdEvent> out, std::int64_t timeoutNs) {
  if (out.empty()) return Status(StatusCode::kInvalidArgument, "wait for descriptors: no room for events");
  std::array<epoll_event, kMaxEvents> events;
  // Never more than the caller has room for: a one-shot or edge event that is fetched and dropped would be
  // lost.
  const int room = static_cast<int>(std::min(out.size(), kMaxEvents));
  const int ready = waitNs(epoll_.get(), events.data(), room, timeoutNs);
  if (ready < 0) {
    if (errno == EINTR) return std::size_t{0};
    return Status::system(errno, "wait for descriptors");
  }
  std::size_t count = 0;
  bool woken = false;
  for (int i = 0; i < ready; i++) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == kWakeToken) {
      woken = true;
    } else {
      out[count++] = {event.data.u64, fromEpoll(event.events)};
    }
  }
  if (woken) drainEventFd(wake_.get());
  return count;
}

void FdPoller::wake() noexcept { signalEventFd(wake_.get()); }

}  // namespace pollwire
