// Unix stream sockets: paths, listening, connecting. Data and descriptors: unix_message.cpp.
#include "sys/unix_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace pollwire {
namespace {

sockaddr_un addressOf(std::string_view path) noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) noexcept {
  return reinterpret_cast<const sockaddr*>(&address);
}

Result<Fd> streamSocket() {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return Status::system(errno, "create a Unix socket");
  return Fd(fd);
}

// connect() on a fresh socket; the errno, 0 on success.
int connectErrno(int fd, std::string_view path) noexcept {
  const sockaddr_un address = addressOf(path);
  while (::connect(fd, generic(address), sizeof address) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

}  // namespace

bool FdBatch::push(int fd) noexcept {
  if (count_ == fds_.size()) {
    ::close(fd);
    return false;
  }
  fds_[count_++] = fd;
  return true;
}

void FdBatch::clear() noexcept {
  for (std::size_t i = 0; i < count_; i++) {
    if (fds_[i] >= 0) ::close(fds_[i]);
  }
  count_ = 0;
}

Status checkUnixPath(std::string_view path) {
  if (path.empty()) return Status(StatusCode::kInvalidArgument, "socket path is empty");
  if (path.find('\0') != std::string_view::npos) {
    return Status(StatusCode::kInvalidArgument, "socket path contains a NUL byte");
  }
  if (path.size() > kUnixPathMax) {
    return Status(StatusCode::kInvalidArgument,
                  "socket path " + std::string(path) + " is " + std::to_string(path.size()) +
                      " bytes long, the limit is " + std::to_string(kUnixPathMax));
  }
  return {};
}

Result<Fd> unixListen(std::string_view path, int backlog, mode_t mode) {
  PW_RETURN_IF_ERROR(checkUnixPath(path));
  auto socket = streamSocket();
  if (!socket.ok()) return socket;
  const sockaddr_un address = addressOf(path);
  if (::bind(socket->get(), generic(address), sizeof address) != 0) {
    return Status::system(errno, "bind " + std::string(path));
  }
  // Nobody can connect before listen(), so the mode is in force for the first connection.
  if ((mode != 0 && ::chmod(address.sun_path, mode) != 0) || ::listen(socket->get(), backlog) != 0) {
    Status status = Status::system(errno, "listen on " + std::string(path));
    ::unlink(address.sun_path);
    return status;
  }
  return socket;
}

Result<SocketPathState> probeSocketPath(std::string_view path) {
  PW_RETURN_IF_ERROR(checkUnixPath(path));
  struct stat facts {};
  if (::stat(addressOf(path).sun_path, &facts) != 0) {
    if (errno == ENOENT) return SocketPathState::kAbsent;
    return Status::system(errno, "inspect " + std::string(path));
  }
  if (!S_ISSOCK(facts.st_mode)) return SocketPathState::kNotSocket;
  auto socket = streamSocket();
  if (!socket.ok()) return socket.status();
  switch (const int err = connectErrno(socket->get(), path)) {
    case 0:
    case EAGAIN:
    case EPROTOTYPE:
      return SocketPathState::kLive;  // EPROTOTYPE: a listener of another socket type
    case ECONNREFUSED:
      return SocketPathState::kStale;
    case ENOENT:
      return SocketPathState::kAbsent;
    default:
      return Status::system(err, "probe " + std::string(path));
  }
}

Status removeSocketFile(std::string_view path) {
  PW_RETURN_IF_ERROR(checkUnixPath(path));
  const sockaddr_un address = addressOf(path);
  struct stat facts {};
  if (::lstat(address.sun_path, &facts) != 0) {
    if (errno == ENOENT) return {};
    return Status::system(errno, "inspect " + std::string(path));
  }
  if (!S_ISSOCK(facts.st_mode)) {
    return Status(StatusCode::kBadFile, std::string(path) + " is not a socket and is not removed");
  }
  if (::unlink(address.sun_path) != 0 && errno != ENOENT) {
    return Status::system(errno, "remove " + std::string(path));
  }
  return {};
}

Result<Fd> unixAccept(int listenFd) {
  for (;;) {
    const int fd = ::accept4(listenFd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) return Fd(fd);
    if (errno == EINTR) continue;
    const int err = errno == ECONNABORTED ? EAGAIN : errno;
    return Status::system(err, "accept a connection");
  }
}

Result<Fd> unixConnect(std::string_view path) {
  PW_RETURN_IF_ERROR(checkUnixPath(path));
  auto socket = streamSocket();
  if (!socket.ok()) return socket;
  if (const int err = connectErrno(socket->get(), path); err != 0) {
    return Status::system(err, "connect to " + std::string(path));
  }
  return socket;
}

Result<std::array<Fd, 2>> unixSocketPair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) {
    return Status::system(errno, "create a socket pair");
  }
  return std::array<Fd, 2>{Fd(fds[0]), Fd(fds[1])};
}

Result<PeerCredentials> peerCredentials(int fd) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
    return Status::system(errno, "read the peer credentials of descriptor " + std::to_string(fd));
  }
  return PeerCredentials{peer.pid, peer.uid, peer.gid};
}

}  // namespace pollwire
