// Byte layout of a split virtqueue (virtio 1.2 §2.7). Both sides of a ring read it through this file only.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace pollwire::split {

static_assert(std::endian::native == std::endian::little,
              "rings are little-endian; a big-endian host needs swaps here");

// §2.7.5    0          8      12      14     16
//           | addr     | len  | flags | next |
struct Desc {
  std::uint64_t addr;
  std::uint32_t len;
  std::uint16_t flags;
  std::uint16_t next;
};
static_assert(sizeof(Desc) == 16 && offsetof(Desc, len) == 8 && offsetof(Desc, flags) == 12 &&
              offsetof(Desc, next) == 14);

enum DescFlag : std::uint16_t { kNext = 1, kWrite = 2, kIndirect = 4 };

// §2.7.6    flags, idx, ring[size], used_event
struct Avail {
  std::uint16_t flags;
  std::uint16_t idx;
  std::uint16_t ring[];
};
inline constexpr std::uint16_t kAvailNoInterrupt = 1;

// §2.7.8    flags, idx, {id, len}[size], avail_event
struct UsedElem {
  std::uint32_t id;
  std::uint32_t len;
};
struct Used {
  std::uint16_t flags;
  std::uint16_t idx;
  UsedElem ring[];
};
inline constexpr std::uint16_t kUsedNoNotify = 1;
static_assert(offsetof(Avail, ring) == 4 && offsetof(Used, ring) == 4 && sizeof(UsedElem) == 8);

inline constexpr std::uint32_t kMaxSize = 32768;

// Sizes with the event fields, which exist whether EVENT_IDX is negotiated or not (§2.7: ring size + 2
// bytes).
constexpr std::uint64_t descBytes(std::uint32_t size) noexcept { return 16ull * size; }
constexpr std::uint64_t availBytes(std::uint32_t size, bool eventIdx) noexcept {
  return 4ull + 2ull * size + (eventIdx ? 2 : 0);
}
constexpr std::uint64_t usedBytes(std::uint32_t size, bool eventIdx) noexcept {
  return 4ull + 8ull * size + (eventIdx ? 2 : 0);
}

}  // namespace pollwire::split
