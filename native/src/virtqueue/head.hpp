// What a device-side ring hands to the burst loops: the first descriptor of each available chain, copied.
// Shared by SplitDevice and PackedDevice, so that rx and tx are written once for both.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/compiler.hpp"
#include "base/span.hpp"

namespace pollwire {

// Flags with the same value in both layouts (virtio 1.2 §2.7.5, §2.8.3).
inline constexpr std::uint16_t kDescNext = 1;
inline constexpr std::uint16_t kDescWrite = 2;
inline constexpr std::uint16_t kDescIndirect = 4;

struct Head {
  std::uint64_t addr;
  std::uint32_t len;
  std::uint16_t flags;
  // Split: index of the next descriptor. Packed: position of this one in the ring.
  std::uint16_t next;
  std::uint16_t id;
  // Ring entries that the chain takes: 1 on a split ring, the list's length on a packed one.
  std::uint16_t count;
  // The ring entry named no descriptor: there is nothing to look at and nothing to give back.
  bool bad;
};

// A head that is one buffer of the ring itself, already translated: all that a plain copy needs, in two
// words.
struct Single {
  std::byte* data;
  std::uint32_t len;
  std::uint16_t id;
};

// Longest indirect table that is copied because it crosses two regions; longer ones are refused.
inline constexpr std::uint32_t kMaxCopiedTable = 64;

// One descriptor, read once. From here on the values are registers: the compiler cannot go back to the peer's
// memory.
struct DescCopy {
  std::uint64_t addr;
  std::uint64_t word;
};

PW_INLINE DescCopy copyDesc(const void* from) noexcept {
  DescCopy copy;
  std::memcpy(&copy, from, sizeof copy);
  asm("" : "+r"(copy.addr), "+r"(copy.word));
  return copy;
}

// Where an indirect table of `entries` descriptors can be read: in place, or in `copied` when it crosses
// regions. nullptr: a part is outside the peer's memory, or it crosses and is too long to copy.
template <typename Space>
const std::byte* tableAt(Space& space, std::uint64_t addr, std::uint32_t entries,
                         std::byte* copied) noexcept {
  const auto bytes = static_cast<std::uint32_t>(entries * sizeof(DescCopy));
  if (const std::byte* table = space.translate(addr, bytes, Access::kRead)) return table;
  if (entries > kMaxCopiedTable) return nullptr;
  PieceList pieces;
  if (!space.collect(addr, bytes, Access::kRead, pieces)) return nullptr;
  std::byte* out = copied;
  for (std::uint32_t i = 0; i < pieces.count(); i++) {
    std::memcpy(out, pieces[i].data, pieces[i].length);
    out += pieces[i].length;
  }
  return copied;
}

// One buffer inside one region, which most often is the one of the buffer before, `hot`.
template <typename Space, typename Hot>
PW_INLINE std::byte* translateHot(Space& space, Hot& hot, std::uint64_t addr, std::uint32_t len,
                                  Access access) noexcept {
  const std::uint64_t offset = addr - hot.start;
  if (PW_LIKELY(offset < hot.size && len <= hot.size - offset)) return hot.host + offset;
  std::byte* const data = space.translate(addr, len, access);
  hot = space.hot();
  return data;
}

// Adds one element of a chain to `pieces`, after its direction was checked. Empty elements count against the
// bound.
template <typename Space>
PW_INLINE ChainVerdict addElement(Space& space, std::uint64_t addr, std::uint32_t len, Access access,
                                  PieceList& pieces) noexcept {
  if (PW_UNLIKELY(!pieces.step())) return ChainVerdict::kTooLong;
  if (len == 0) return ChainVerdict::kGood;
  std::byte* data = space.translate(addr, len, access);
  if (PW_LIKELY(data != nullptr))
    return pieces.push(data, len) ? ChainVerdict::kGood : ChainVerdict::kTooLong;
  if (space.collect(addr, len, access, pieces)) return ChainVerdict::kGood;
  return pieces.full() ? ChainVerdict::kTooLong : ChainVerdict::kBadAddress;
}

// The flags that make a head something else than a single buffer, and what they are for one of the direction
// `access`.
inline constexpr std::uint16_t kDescShape = kDescNext | kDescIndirect | kDescWrite;
constexpr std::uint16_t singleShape(Access access) noexcept {
  return access == Access::kWrite ? kDescWrite : 0;
}

// True when the chain is one buffer in the ring itself with exactly the direction that `access` needs.
PW_INLINE bool isSingle(const Head& head, Access access) noexcept {
  return (head.flags & kDescShape) == singleShape(access) && !head.bad;
}

}  // namespace pollwire
