// Per-packet accounting shared by every native burst function: packets, bytes, size classes, multicast and
// broadcast.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "base/counters.hpp"

namespace pollwire {

// Size class of a frame of `length` bytes (RFC 2819's bins as ethdev names them).
PW_INLINE Counter sizeClass(std::uint32_t length) noexcept {
  if (length < 64) return kSIZE_UNDER;
  if (length == 64) return kSIZE_64;
  if (length < 1024) return static_cast<Counter>(kSIZE_65 + std::bit_width(length) - 7);
  return length <= 1518 ? kSIZE_1024 : kSIZE_1519;
}
static_assert(kSIZE_512 == kSIZE_65 + 3 && kSIZE_1024 == kSIZE_512 + 1 && kSIZE_1519 == kSIZE_1024 + 1);

// Counts one frame; `data` points at its first 6 bytes.
PW_INLINE void countFrame(Counters& counters, const std::byte* data, std::uint32_t length) noexcept {
  counters.add(sizeClass(length), 1);
  if (PW_UNLIKELY((std::to_integer<unsigned>(data[0]) & 1u) != 0)) {
    static constexpr unsigned char kAll[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    counters.add(std::memcmp(data, kAll, 6) == 0 ? kBROADCAST : kMULTICAST, 1);
  }
}

// The same for a whole burst: neighbours of one length are counted together, and everything reaches the
// counters once, when the burst ends.
class BurstStats {
 public:
  explicit BurstStats(Counters& counters) noexcept : counters_(counters) {}
  BurstStats(const BurstStats&) = delete;
  BurstStats& operator=(const BurstStats&) = delete;
  PW_INLINE ~BurstStats() { flushRun(); }

  // `data` points at the frame's first 6 bytes.
  PW_INLINE void add(const std::byte* data, std::uint32_t length) noexcept {
    if (PW_UNLIKELY(length != runLength_)) {
      flushRun();
      run_ = 0;
      runLength_ = length;
    }
    run_++;
    if (PW_UNLIKELY((std::to_integer<unsigned>(data[0]) & 1u) != 0)) countGroup(counters_, data);
  }

 private:
  PW_INLINE void flushRun() noexcept {
    if (run_ != 0) countRun(counters_, runLength_, run_);
  }
  // Static, so that the object itself stays in registers.
  static void countRun(Counters& counters, std::uint32_t length, std::uint32_t run) noexcept {
    counters.add(sizeClass(length), run);
    counters.add(kPACKETS, run);
    counters.add(kBYTES, static_cast<std::uint64_t>(length) * run);
  }
  static void countGroup(Counters& counters, const std::byte* data) noexcept {
    static constexpr unsigned char kAll[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    counters.add(std::memcmp(data, kAll, 6) == 0 ? kBROADCAST : kMULTICAST, 1);
  }

  Counters& counters_;
  std::uint32_t runLength_ = 0;
  std::uint32_t run_ = 0;
};

}  // namespace pollwire
