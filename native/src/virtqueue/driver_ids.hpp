// What a driver-side ring remembers about its buffers, in memory that the device cannot reach: which ids are
// free, the cookie of each one in flight, and the length of lists. Used by SplitDriver (ids are descriptors)
// and PackedDriver (ids are buffers). A device that answers with anything else is caught by comparing with
// this.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "base/compiler.hpp"

namespace pollwire {

// A buffer of one element as the caller posts it. The cookie comes back when it is used; 0 is not a cookie.
struct DriverBuffer {
  std::uint64_t addr;
  std::uint32_t len;
  std::uint32_t cookie;
};

// One element of a list or of an indirect table. `flags`: kDescWrite or 0.
struct Element {
  std::uint64_t addr;
  std::uint32_t len;
  std::uint16_t flags;
};

// Length of a buffer that an in-order device skipped: used completely, as posted (virtio 1.2 §2.7.9, §2.8.8).
inline constexpr std::uint32_t kWholeBuffer = ~0u;

// Ids go round: taken at `take`, given back at `give`. A device that keeps the order gives them back as they
// were taken, so that id and position stay equal: an in-order ring needs no list of free ids.
struct DriverIds {
  std::unique_ptr<std::uint32_t[]> cookies;
  std::unique_ptr<std::uint16_t[]> free;
  // Descriptors of the buffer that begins with this id; 1 unless a list is in flight.
  std::unique_ptr<std::uint16_t[]> lengths;
  std::uint32_t take = 0;
  std::uint32_t give = 0;

  DriverIds() = default;
  explicit DriverIds(std::uint32_t size)
      : cookies(std::make_unique<std::uint32_t[]>(size)),
        free(std::make_unique<std::uint16_t[]>(size)),
        lengths(std::make_unique<std::uint16_t[]>(size)) {
    reset(size);
  }

  void reset(std::uint32_t size) noexcept {
    for (std::uint32_t i = 0; i < size; i++) free[i] = static_cast<std::uint16_t>(i);
    std::fill_n(cookies.get(), size, 0u);
    std::fill_n(lengths.get(), size, std::uint16_t{1});
    take = 0;
    give = 0;
  }
};

// A 16-byte descriptor in two halves; the compiler makes one store of it.
PW_INLINE void storeDesc(void* to, std::uint64_t addr, std::uint64_t word) noexcept {
  const std::uint64_t both[2] = {addr, word};
  __builtin_memcpy(to, both, sizeof both);
}

}  // namespace pollwire
