// Unix stream sockets that carry file descriptors: what a vhost-user connection is made of. All sockets are
// non-blocking and close-on-exec, all received descriptors are close-on-exec. Called by the binding
// (TypeScript frames the messages). Nothing here blocks, except for a path lookup.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "sys/fd.hpp"

namespace pollwire {

// Longest path that sockaddr_un holds with its final NUL.
inline constexpr std::size_t kUnixPathMax = 107;
// SCM_MAX_FD of Linux: what one message can carry.
inline constexpr std::size_t kMaxFdsPerMessage = 253;

// Owning list of received descriptors; what is not taken is closed.
class FdBatch {
 public:
  FdBatch() noexcept = default;
  FdBatch(const FdBatch&) = delete;
  FdBatch& operator=(const FdBatch&) = delete;
  ~FdBatch() { clear(); }

  std::size_t size() const noexcept { return count_; }
  bool empty() const noexcept { return count_ == 0; }
  // The descriptor at `i`, -1 when it was taken. Still owned by the batch.
  int peek(std::size_t i) const noexcept { return i < count_ ? fds_[i] : -1; }
  // Moves the descriptor at `i` out; its place stays empty.
  Fd take(std::size_t i) noexcept { return i < count_ ? Fd(std::exchange(fds_[i], -1)) : Fd(); }
  // Owns `fd` from here on; closes it and returns false when the batch is full.
  bool push(int fd) noexcept;
  // Closes all that was not taken.
  void clear() noexcept;

 private:
  std::array<int, kMaxFdsPerMessage> fds_;
  std::size_t count_ = 0;
};

enum class IoOutcome : std::uint8_t {
  kDone,        // `bytes` were moved, at least one
  kWouldBlock,  // nothing was moved; wait for readiness
  kClosed,      // the peer is gone (end of stream, EPIPE, ECONNRESET)
};

struct IoResult {
  IoOutcome outcome;
  std::size_t bytes;
};

// INVALID_ARGUMENT when `path` is empty, holds a NUL or is longer than 107 bytes.
Status checkUnixPath(std::string_view path);

// Binds and listens. ADDRESS_IN_USE when the path exists, whatever it is: call `probeSocketPath` and
// `removeSocketFile` first to replace a stale one. `mode` (e.g. 0660) is set on the file before anyone can
// connect.
Result<Fd> unixListen(std::string_view path, int backlog = 128, mode_t mode = 0);

enum class SocketPathState : std::uint8_t {
  kAbsent,     // no file
  kStale,      // a socket file that nobody listens on
  kLive,       // somebody listens (or listens with a full backlog)
  kNotSocket,  // a file of another kind: never remove it
};

// Looks at what is behind `path` by connecting to it; a live listener sees one connection that closes at
// once.
Result<SocketPathState> probeSocketPath(std::string_view path);

// Unlinks `path` if it is a socket; OK when it does not exist; BAD_FILE when it is something else.
Status removeSocketFile(std::string_view path);

// One pending connection; AGAIN when there is none (or the client gave up meanwhile).
Result<Fd> unixAccept(int listenFd);

// Connects at once or fails: a Unix socket never connects "in progress". AGAIN: the backlog is full;
// NOT_FOUND: no file; CONNECTION_REFUSED: nobody listens. All three are worth a retry for a client that may
// start first.
Result<Fd> unixConnect(std::string_view path);

// A connected pair, for tests and in-process loopback.
Result<std::array<Fd, 2>> unixSocketPair();

// Receives up to `buffer.size()` bytes and appends the descriptors that came with them to `fds`. A stream may
// glue the tail of one message to the next, so read a header and its payload in separate calls: then the
// descriptors belong to the header just read. BAD_FD_COUNT when descriptors were lost (MSG_CTRUNC: too many,
// or no free descriptor in this process): those that arrived are closed and the stream is of no more use.
// Other control messages are ignored.
Result<IoResult> unixReceive(int fd, std::span<std::uint8_t> buffer, FdBatch& fds);

// Sends `bytes` with `fds` (0..253, not consumed) attached to the first byte. After a short write send the
// rest without them. Never raises SIGPIPE.
Result<IoResult> unixSend(int fd, std::span<const std::uint8_t> bytes, std::span<const int> fds = {});

struct PeerCredentials {
  pid_t pid;
  uid_t uid;
  gid_t gid;
};

// Who connected (SO_PEERCRED), for messages and access checks.
Result<PeerCredentials> peerCredentials(int fd);

}  // namespace pollwire
