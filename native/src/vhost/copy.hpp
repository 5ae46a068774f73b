// Copies between guest buffers and mbufs. Small frames are copied inline by overlapping vector moves, exactly
// `length` bytes on both sides (a guest buffer may end at the end of a mapping); larger ones go to memcpy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/compiler.hpp"

namespace pollwire {

namespace detail {

struct Block16 {
  alignas(1) unsigned char bytes[16];
};

PW_INLINE void copy16(std::byte* to, const std::byte* from) noexcept { __builtin_memcpy(to, from, 16); }

// `Count` blocks from the front and the same number counted from the end; they overlap in the middle.
template <unsigned Count>
PW_INLINE void copyEnds(std::byte* to, const std::byte* from, std::size_t length) noexcept {
  Block16 front[Count];
  Block16 back[Count];
  for (unsigned i = 0; i < Count; i++) __builtin_memcpy(&front[i], from + 16 * i, 16);
  for (unsigned i = 0; i < Count; i++) __builtin_memcpy(&back[i], from + length - 16 * (Count - i), 16);
  for (unsigned i = 0; i < Count; i++) __builtin_memcpy(to + 16 * i, &front[i], 16);
  for (unsigned i = 0; i < Count; i++) __builtin_memcpy(to + length - 16 * (Count - i), &back[i], 16);
}

PW_INLINE void copyTiny(std::byte* to, const std::byte* from, std::size_t length) noexcept {
  if (length >= 8) {
    std::uint64_t front;
    std::uint64_t back;
    __builtin_memcpy(&front, from, 8);
    __builtin_memcpy(&back, from + length - 8, 8);
    __builtin_memcpy(to, &front, 8);
    __builtin_memcpy(to + length - 8, &back, 8);
  } else {
    for (std::size_t i = 0; i < length; i++) to[i] = from[i];
  }
}

}  // namespace detail

PW_INLINE void copyBytes(std::byte* to, const std::byte* from, std::size_t length) noexcept {
  if (PW_LIKELY(length >= 32 && length <= 128)) {
    if (length <= 64) detail::copyEnds<2>(to, from, length);
    else detail::copyEnds<4>(to, from, length);
  } else if (length > 128) {
    std::memcpy(to, from, length);
  } else if (length >= 16) {
    detail::copyEnds<1>(to, from, length);
  } else {
    detail::copyTiny(to, from, length);
  }
}

}  // namespace pollwire
