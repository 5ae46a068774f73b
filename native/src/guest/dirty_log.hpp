// The bitmap in which the front-end wants every page of guest memory marked that this process writes, while
// it moves the guest elsewhere: one bit per 4 KiB of guest-physical address, shared memory. Made by vhost/
// for SET_LOG_BASE; marks come through DirtyMarks.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "base/shared.hpp"
#include "guest/fault_guard.hpp"
#include "guest/regions.hpp"
#include "sys/fd.hpp"
#include "sys/mapping.hpp"

namespace pollwire {

class DirtyLog {
 public:
  // Of the protocol, whatever the page size of either side.
  static constexpr std::uint32_t kPageShift = 12;

  // Maps [offset, offset + size) of `fd`, which is closed in any case. Refuses a file that is shorter, an
  // offset that no atomic word begins at, and a log that ends before `memory` does.
  static Result<std::shared_ptr<const DirtyLog>> map(std::uint64_t size, std::uint64_t offset, Fd fd,
                                                     const RegionTable& memory);

  // Pages that have a bit.
  std::uint64_t pages() const noexcept { return pages_; }
  // The front-end took the file away; marks go nowhere.
  bool faulted() const noexcept { return faulted_.load(); }
  // Marks pages of the 64 that begin at 64 * `word`; all of them are below pages().
  PW_INLINE void mark(std::uint64_t word, std::uint64_t bits) const noexcept {
    orRelease(words_[word], bits);
  }

 private:
  std::uint64_t* words_ = nullptr;
  std::uint64_t pages_ = 0;
  std::atomic<bool> faulted_{false};
  Mapping mapping_;
  FaultGuard guard_;
};

}  // namespace pollwire
