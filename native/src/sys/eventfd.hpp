// eventfds: kick and call of virtqueues, wake-ups of our own threads. Data-path code signals and drains, so
// both are noexcept and never wait.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "sys/fd.hpp"

namespace pollwire {

// A non-blocking, close-on-exec eventfd.
Result<Fd> createEventFd(uint32_t initial = 0);

// Checks that a descriptor from a peer is an eventfd (BAD_FILE otherwise: a pipe or a file on a hung server
// could stop an lcore) and makes it non-blocking. The flag belongs to the open file, so the peer sees it and
// can clear it again.
Status adoptEventFd(int fd);

enum class SignalResult : uint8_t {
  kSignalled,
  kFull,    // the counter is saturated: the reader has a notification pending anyway
  kFailed,  // not a usable descriptor
};

// Adds 1 in one system call. Only for descriptors that are non-blocking: `createEventFd`, `adoptEventFd`.
SignalResult signalEventFd(int fd) noexcept;

// As `signalEventFd`, for a descriptor whose other end may have made it blocking again: asks for room first
// (one more system call) and so does not wait on a full counter.
SignalResult signalPeerEventFd(int fd) noexcept;

// Reads and clears the counter; 0 when nothing was pending or the descriptor is unusable. Never waits.
uint64_t drainEventFd(int fd) noexcept;

}  // namespace pollwire
