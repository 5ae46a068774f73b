// Arithmetic on 16-bit ring indices that run freely and wrap at 65,536.
// Used by both layouts and both sides of a virtqueue; no other code subtracts ring indices.
#pragma once

#include <cstdint>

namespace pollwire::wrap16 {

// How far `next` is ahead of `seen`, 0 … 65,535.
constexpr std::uint16_t distance(std::uint16_t next, std::uint16_t seen) noexcept {
  return static_cast<std::uint16_t>(next - seen);
}

constexpr std::uint16_t advance(std::uint16_t index, std::uint32_t by) noexcept {
  return static_cast<std::uint16_t>(index + by);
}

// virtio 1.2 §2.7.7.2: true when moving the index from `before` to `after` passed `event`.
constexpr bool needEvent(std::uint16_t event, std::uint16_t after, std::uint16_t before) noexcept {
  return static_cast<std::uint16_t>(after - event - 1) < static_cast<std::uint16_t>(after - before);
}

}  // namespace pollwire::wrap16
