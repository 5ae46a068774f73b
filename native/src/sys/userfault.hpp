// userfaultfd(2): whoever holds the descriptor is told of accesses to pages that are not there yet, and
// supplies them; the thread that asked sleeps meanwhile. Used for guests whose memory arrives while they run
// (postcopy).
#pragma once

#include <cstddef>

#include "base/result.hpp"
#include "sys/fd.hpp"

namespace pollwire {

class Userfault {
 public:
  // Fails where the kernel or a seccomp filter forbids it, and where this process has its memory faulted in
  // at once (mlockall with MCL_FUTURE): no page would ever be missed.
  static Result<Userfault> open();

  // The descriptor to give to whoever serves the faults.
  int fd() const noexcept { return fd_.get(); }
  // Pages of the range that are not there are waited for from now on. Both ends are page boundaries of the
  // mapping.
  Status watch(void* base, std::size_t length);
  // Wakes threads that wait in the range; they find zeros where nothing came.
  void release(void* base, std::size_t length) noexcept;

 private:
  explicit Userfault(Fd fd) noexcept : fd_(std::move(fd)) {}

  Fd fd_;
};

}  // namespace pollwire
