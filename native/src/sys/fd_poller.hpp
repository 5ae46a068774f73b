// FdPoller: epoll with a 64-bit token per descriptor and a wake-up from other threads. The binding's watcher
// thread lives in wait(); the idle strategies of lcores sleep in it on the kick eventfds of their queues.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "sys/fd.hpp"

namespace pollwire {

// Bits for `add`, `modify` and `FdEvent::events`; combine with |.
enum FdEvents : std::uint32_t {
  kFdReadable = 1u << 0,
  kFdWritable = 1u << 1,
  kFdPeerClosed = 1u << 2,  // the peer shut down its writing half
  kFdHangup = 1u << 3,      // reported always
  kFdError = 1u << 4,       // reported always
  kFdOneShot = 1u << 5,     // report once, then stay silent until `modify`
  kFdEdge = 1u << 6,        // report changes only
};

struct FdEvent {
  std::uint64_t token;
  std::uint32_t events;
};

class FdPoller {
 public:
  // Reserved for the wake-up.
  static constexpr std::uint64_t kWakeToken = UINT64_MAX;
  // Most events one `wait` returns.
  static constexpr std::size_t kMaxEvents = 64;

  static Result<FdPoller> create();

  // Watches `fd`; ALREADY_EXISTS when it is watched. The token comes back with each event.
  Status add(int fd, std::uint64_t token, std::uint32_t events);
  // Changes events and token; arms a one-shot again. NOT_FOUND when `fd` is not watched.
  Status modify(int fd, std::uint64_t token, std::uint32_t events);
  // Stops watching. Call it before closing `fd`. A `wait` that is returning in another thread can still
  // deliver one event with the old token, so give every registration a token of its own.
  Status remove(int fd);

  // Waits for events: `timeoutNs` < 0 for ever, 0 not at all. Returns how many were written to `out`: 0 after
  // a timeout, a wake-up or a signal. One thread at a time.
  Result<std::size_t> wait(std::span<FdEvent> out, std::int64_t timeoutNs);

  // Makes the present or else the next `wait` return at once. Any thread.
  void wake() noexcept;

  // The epoll descriptor: readable when there are events, so that another loop can watch it.
  int fd() const noexcept { return epoll_.get(); }

 private:
  FdPoller(Fd epoll, Fd wake) noexcept : epoll_(std::move(epoll)), wake_(std::move(wake)) {}
  Status control(int operation, const char* verb, int fd, std::uint64_t token, std::uint32_t events);

  Fd epoll_;
  Fd wake_;
};

}  // namespace pollwire
