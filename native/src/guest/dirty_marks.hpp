// Marks of one ring that are not in the shared log yet: an atomic word per 64 pages once a burst instead of
// one per packet. Part of a GuestSpace.
#pragma once

#include <cstdint>

#include "base/compiler.hpp"
#include "guest/dirty_log.hpp"

namespace pollwire {

class DirtyMarks {
 public:
  DirtyMarks() = default;
  explicit DirtyMarks(const DirtyLog* log) noexcept : log_(log) {}

  // After `length` bytes were written at a guest-physical address. A full cache is flushed at once, which is
  // never too early: the bytes are there.
  PW_INLINE void add(std::uint64_t addr, std::uint64_t length) noexcept {
    if (length == 0) return;
    const std::uint64_t last = (addr + length - 1) >> DirtyLog::kPageShift;
    for (std::uint64_t page = addr >> DirtyLog::kPageShift; page <= last; page++) addPage(page);
  }

  // To the shared log.
  void flush() noexcept {
    for (std::uint32_t i = 0; i < count_; i++) log_->mark(cache_[i].word, cache_[i].bits);
    count_ = 0;
    at_ = 0;
  }

  // Pages that have no bit, since the last time.
  std::uint64_t takeMissed() noexcept {
    const std::uint64_t missed = missed_;
    missed_ = 0;
    return missed;
  }

 private:
  struct Marked {
    std::uint64_t word;
    std::uint64_t bits;
  };
  static constexpr std::uint32_t kCached = 32;

  PW_INLINE void addPage(std::uint64_t page) noexcept {
    if (PW_UNLIKELY(page >= log_->pages())) {
      missed_++;
      return;
    }
    const std::uint64_t word = page / 64;
    const std::uint64_t bit = std::uint64_t{1} << page % 64;
    if (PW_LIKELY(count_ != 0 && cache_[at_].word == word)) cache_[at_].bits |= bit;
    else addWord(word, bit);
  }

  PW_NOINLINE void addWord(std::uint64_t word, std::uint64_t bit) noexcept {
    for (at_ = 0; at_ < count_ && cache_[at_].word != word;) at_++;
    if (at_ == kCached) flush();
    if (at_ == count_) cache_[count_++] = Marked{word, 0};
    cache_[at_].bits |= bit;
  }

  const DirtyLog* log_ = nullptr;
  std::uint32_t count_ = 0;
  // The entry of the last mark.
  std::uint32_t at_ = 0;
  std::uint64_t missed_ = 0;
  Marked cache_[kCached];
};

}  // namespace pollwire
