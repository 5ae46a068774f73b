// Names for the small integers that cross the addon, and the limits they live within.
#pragma once

#include <cstdint>

namespace pollwire {

// An mbuf: its byte offset in the arena divided by 64. 0 = none.
using Handle = std::uint32_t;
inline constexpr Handle kNoHandle = 0;
inline constexpr unsigned kHandleShift = 6;

inline constexpr std::uint32_t kMaxLcores = 128;
inline constexpr std::uint32_t kMaxPorts = 64;
inline constexpr std::uint32_t kMaxQueues = 128;
inline constexpr std::uint32_t kMaxSlots = 16384;
inline constexpr std::uint32_t kMaxPools = 64;
inline constexpr std::uint32_t kMaxRings = 4096;
inline constexpr std::uint32_t kMaxBurst = 512;

}  // namespace pollwire
