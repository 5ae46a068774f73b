// eventfd calls that never wait and never throw.
#include "sys/eventfd.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

namespace pollwire {

Result<Fd> createEventFd(std::uint32_t initial) {
  const int fd = ::eventfd(initial, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) return Status::system(errno, "create an eventfd");
  return Fd(fd);
}

Status adoptEventFd(int fd) {
  // The kernel has no other way to tell an eventfd from any other descriptor. The link reads
  // "anon_inode:[eventfd]".
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  char target[64];
  const ssize_t length = ::readlink(link.c_str(), target, sizeof target);
  if (length < 0)
    return Status::withErrno(StatusCode::kBadFile, errno, "inspect descriptor " + std::to_string(fd));
  const std::string_view kind(target, static_cast<std::size_t>(length));
  if (kind != "anon_inode:[eventfd]") {
    return Status(StatusCode::kBadFile,
                  "descriptor " + std::to_string(fd) + " is " + std::string(kind) + ", not an eventfd");
  }
  return setNonBlocking(fd);
}

SignalResult signalEventFd(int fd) noexcept {
  const std::uint64_t one = 1;
  for (;;) {
    if (::write(fd, &one, sizeof one) == static_cast<ssize_t>(sizeof one)) return SignalResult::kSignalled;
    if (errno == EAGAIN) return SignalResult::kFull;
    if (errno != EINTR) return SignalResult::kFailed;
  }
}

SignalResult signalPeerEventFd(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return SignalResult::kFailed;
  if ((flags & O_NONBLOCK) == 0) {
    // Not adopted, or the peer took the flag away. Asking for room is slower, so only then.
    pollfd room{fd, POLLOUT, 0};
    const int ready = ::poll(&room, 1, 0);
    if (ready == 0) return SignalResult::kFull;
    if (ready < 0 || (room.revents & POLLOUT) == 0) return SignalResult::kFailed;
  }
  return signalEventFd(fd);
}

std::uint64_t drainEventFd(int fd) noexcept {
  // A descriptor shared with a peer may be blocking, so look before reading.
  pollfd pending{fd, POLLIN, 0};
  if (::poll(&pending, 1, 0) <= 0 || (pending.revents & POLLIN) == 0) return 0;
  std::uint64_t count = 0;
  while (::read(fd, &count, sizeof count) != static_cast<ssize_t>(sizeof count)) {
    if (errno != EINTR) return 0;
  }
  return count;
}

}  // namespace pollwire
