// Event suppression of a packed ring (virtio 1.2 §2.8.10): whether one side wants to hear of what the other
// has just published. The same for both directions, so both ring classes use it.
#pragma once

#include <cstdint>

#include "base/shared.hpp"
#include "virtqueue/layout_packed.hpp"

namespace pollwire::packed {

// True when moving `moved` descriptors up to (`position`, `wrap`) calls for a notification, given the peer's
// structure. Reserved flags and an offset outside the ring read as "enabled": at worst a notification too
// many.
constexpr bool wantsEvent(std::uint32_t suppress, std::uint32_t size, std::uint32_t position, bool wrap,
                          std::uint32_t moved, bool eventIdx) noexcept {
  const std::uint32_t flags = suppress >> 16 & 3u;
  if (flags == kEventDisable) return false;
  if (flags != kEventDesc || !eventIdx) return true;
  const std::uint32_t offset = positionOf(suppress);
  if (offset >= size) return true;
  // On a line where the present lap begins at 0, the descriptors of this move are [position - moved,
  // position).
  const auto end = static_cast<std::int64_t>(position);
  std::int64_t event = offset;
  if (wrapOf(suppress) != wrap) event -= size;
  return event < end && event >= end - static_cast<std::int64_t>(moved);
}

// The structure that asks for a notification when (`position`, `wrap`) is reached, or for none.
constexpr std::uint32_t suppressWord(bool wanted, std::uint32_t position, bool wrap, bool eventIdx) noexcept {
  if (!wanted) return kEventDisable << 16;
  return eventIdx ? withWrap(position, wrap) | kEventDesc << 16 : kEventEnable << 16;
}

}  // namespace pollwire::packed
