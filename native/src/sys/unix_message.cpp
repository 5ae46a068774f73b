// Bytes and file descriptors over a Unix stream socket: recvmsg and sendmsg with SCM_RIGHTS.
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstring>

#include "sys/unix_socket.hpp"

namespace pollwire {
namespace {

constexpr std::size_t kRightsRoom = CMSG_SPACE(kMaxFdsPerMessage * sizeof(int));
// Credentials or a security label may come along when somebody set SO_PASSCRED or SO_PASSSEC.
constexpr std::size_t kControlRoom = kRightsRoom + 512;

struct Collected {
  std::size_t received = 0;
  bool overflow = false;
};

// Takes every descriptor out of the control data, whatever else is in there.
Collected collectFds(msghdr& message, FdBatch& fds) noexcept {
  Collected result;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; i++) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      if (!fds.push(fd)) result.overflow = true;
      result.received++;
    }
  }
  return result;
}

}  // namespace

Result<IoResult> unixReceive(int fd, std::span<std::uint8_t> buffer, FdBatch& fds) {
  if (buffer.empty()) return Status(StatusCode::kInvalidArgument, "receive into an empty buffer");
  alignas(cmsghdr) std::uint8_t control[kControlRoom];
  iovec part{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;

  ssize_t bytes;
  do {
    bytes = ::recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (bytes < 0 && errno == EINTR);
  if (bytes < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return IoResult{IoOutcome::kWouldBlock, 0};
    if (errno == ECONNRESET) return IoResult{IoOutcome::kClosed, 0};
    return Status::system(errno, "receive on descriptor " + std::to_string(fd));
  }

  const Collected got = collectFds(message, fds);
  if (got.overflow || (message.msg_flags & MSG_CTRUNC) != 0) {
    fds.clear();
    return Status(StatusCode::kBadFdCount, "a message lost some of its file descriptors (" +
                                               std::to_string(got.received) + " arrived): more than " +
                                               std::to_string(kMaxFdsPerMessage) +
                                               ", or this process has no free descriptors (see ulimit -n)");
  }
  if (bytes == 0) return IoResult{IoOutcome::kClosed, 0};
  return IoResult{IoOutcome::kDone, static_cast<std::size_t>(bytes)};
}

Result<IoResult> unixSend(int fd, std::span<const std::uint8_t> bytes, std::span<const int> fds) {
  if (bytes.empty())
    return Status(StatusCode::kInvalidArgument, "send: no bytes (descriptors need one to travel with)");
  if (fds.size() > kMaxFdsPerMessage) {
    return Status(StatusCode::kBadFdCount, "send: " + std::to_string(fds.size()) +
                                               " file descriptors in one message, the limit is " +
                                               std::to_string(kMaxFdsPerMessage));
  }
  alignas(cmsghdr) std::uint8_t control[kRightsRoom];
  iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    std::memset(control, 0, message.msg_controllen);
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
  }

  ssize_t sent;
  do {
    sent = ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return IoResult{IoOutcome::kWouldBlock, 0};
    if (errno == EPIPE || errno == ECONNRESET) return IoResult{IoOutcome::kClosed, 0};
    return Status::system(errno, "send on descriptor " + std::to_string(fd));
  }
  return IoResult{IoOutcome::kDone, static_cast<std::size_t>(sent)};
}

}  // namespace pollwire
