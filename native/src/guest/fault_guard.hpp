// What keeps the process alive when a peer takes memory away that it shared with us (truncates the file, runs
// out of huge pages): the SIGBUS that a later access raises is caught, zeros are mapped over the whole range,
// and the range is marked. Held by every mapped region; rings ask for the mark once per burst and give up.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/compiler.hpp"
#include "base/result.hpp"

namespace pollwire {

class FaultGuard {
 public:
  // Ranges guarded at one time, of all devices of the process.
  static constexpr std::uint32_t kMaxRanges = 8192;

  FaultGuard() noexcept = default;
  ~FaultGuard() { release(); }
  FaultGuard(const FaultGuard&) = delete;
  FaultGuard& operator=(const FaultGuard&) = delete;

  // Guards a mapping until release(); `base` and `length` are those that mmap took. `mark` becomes true at
  // the first fault and outlives the guard. The first call installs the process's SIGBUS handler; faults
  // elsewhere go on to the handler that was there before.
  Status guard(void* base, std::size_t length, std::atomic<bool>* mark);
  // Before the range is unmapped.
  void release() noexcept;

  // Faults caught so far in the process. A burst that sees another number than the last one looks at its own
  // marks.
  PW_INLINE static std::uint32_t faults() noexcept { return count_.load(); }
  // From the signal handler.
  static void countFault() noexcept { count_.fetch_add(1); }

 private:
  static std::atomic<std::uint32_t> count_;

  std::uint32_t range_ = ~0u;
};

}  // namespace pollwire
