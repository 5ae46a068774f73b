// Byte layout of a packed virtqueue (virtio 1.2 §2.8). Both sides of a ring read it through this file only.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace pollwire::packed {

static_assert(std::endian::native == std::endian::little,
              "rings are little-endian; a big-endian host needs swaps here");

// §2.8.13   0          8      12   14      16
//           | addr     | len  | id | flags |
// The second half is read and written as one 64-bit word: a used descriptor is that word, and the flags that
// hand a descriptor over travel with the length and id that they cover.
struct Desc {
  std::uint64_t addr;
  std::uint64_t word;
};
static_assert(sizeof(Desc) == 16 && offsetof(Desc, word) == 8);

// kAvail and kUsed differ in an available descriptor and are equal in a used one (§2.8.1).
enum DescFlag : std::uint16_t { kNext = 1, kWrite = 2, kIndirect = 4, kAvail = 1u << 7, kUsed = 1u << 15 };

constexpr std::uint64_t makeWord(std::uint32_t len, std::uint16_t id, std::uint32_t flags) noexcept {
  return len | static_cast<std::uint64_t>(id) << 32 | static_cast<std::uint64_t>(flags) << 48;
}
constexpr std::uint32_t lenOf(std::uint64_t word) noexcept { return static_cast<std::uint32_t>(word); }
constexpr std::uint16_t idOf(std::uint64_t word) noexcept { return static_cast<std::uint16_t>(word >> 32); }
constexpr std::uint16_t flagsOf(std::uint64_t word) noexcept {
  return static_cast<std::uint16_t>(word >> 48);
}

// What the two bits read while the wrap counter is `wrap`.
constexpr std::uint16_t availBits(bool wrap) noexcept { return wrap ? kAvail : kUsed; }
constexpr std::uint16_t usedBits(bool wrap) noexcept { return wrap ? kAvail | kUsed : 0; }
inline constexpr std::uint16_t kOwnerBits = kAvail | kUsed;

// §2.8.14   0            15     16      18          32
//           | off          wrap | flags | reserved  |    in bits
// One 32-bit word, so that offset and flags are never seen apart.
struct EventSuppress {
  std::uint32_t word;
};
static_assert(sizeof(EventSuppress) == 4 && alignof(EventSuppress) == 4);

enum EventFlags : std::uint32_t { kEventEnable = 0, kEventDisable = 1, kEventDesc = 2 };

// A ring position with its wrap counter in bit 15: event offsets, and each half of a vring base.
constexpr std::uint32_t withWrap(std::uint32_t position, bool wrap) noexcept {
  return position | (wrap ? 0x8000u : 0);
}
constexpr std::uint32_t positionOf(std::uint32_t half) noexcept { return half & 0x7fffu; }
constexpr bool wrapOf(std::uint32_t half) noexcept { return (half & 0x8000u) != 0; }

// §2.8: up to 2^15 entries, any number of them.
inline constexpr std::uint32_t kMaxSize = 32768;
constexpr std::uint64_t descBytes(std::uint32_t size) noexcept { return 16ull * size; }

// A base as SET_VRING_BASE carries it: the available half below, the used half above.
constexpr std::uint32_t makeBase(std::uint32_t availHalf, std::uint32_t usedHalf) noexcept {
  return availHalf | usedHalf << 16;
}
// Where a fresh ring stands (§2.8.1: wrap counters start at 1).
inline constexpr std::uint32_t kFreshBase = makeBase(0x8000u, 0x8000u);

}  // namespace pollwire::packed
