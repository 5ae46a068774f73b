// eventfds: kick and call of virtqueues, wake-ups of our own threads. Data-path code signals and drains, so
// both are noexcept and never wait.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "sys/fd.hpp"

namespace pollwire {

// A non-blocking, close-on-exec eventfd.
Result<Fd> createEventFd(std::uint32_t initial = 0);

// Checks that a descriptor from a peer is an eventfd (BAD_FILE otherwise: a pipe or a file on a hung server
// could stop an lcore) and makes it non-blocking. The flag belongs to the open file, so the peer sees it and
// can clear it again.
Status adoptEventFd(int fd);

enum class SignalResult : std::uint8_t {
  kSignalled,
  kFull,    // the counter is saturated: the reader has a notification pending anyway
  kFailed,  // not a usable descriptor
};

// Adds 1 in one system call. Only for descriptors that are non-blocking: `createEventFd`, `adoptEventFd`.
SignalResult signalEventFd(int fd) noexcept;

// As `signalEventFd`, for a descriptor that a peer holds too: looks whether it is still non-blocking, and for
// room where it is not. Costs a second system call (about as much again). A hostile peer would have to
// change flag and counter between the two to make it wait.
SignalResult signalPeerEventFd(int fd) noexcept;

// Reads and clears the counter; 0 when nothing was pending or the descriptor is unusable. Never waits.
std::uint64_t drainEventFd(int fd) noexcept;

}  // namespace pollwire
