// Virtio feature bits that change how rings and headers are read (virtio 1.2 §6, §5.1.3). The full list with
// names is TypeScript's (vhost-user/features.ts); this is what the data path branches on.
#pragma once

#include <cstdint>

namespace pollwire::virtio {

constexpr std::uint64_t bit(unsigned number) noexcept { return 1ull << number; }

inline constexpr std::uint64_t kNetCsum = bit(0);
inline constexpr std::uint64_t kNetGuestCsum = bit(1);
inline constexpr std::uint64_t kNetGuestTso4 = bit(7);
inline constexpr std::uint64_t kNetGuestTso6 = bit(8);
inline constexpr std::uint64_t kNetGuestEcn = bit(9);
inline constexpr std::uint64_t kNetGuestUfo = bit(10);
inline constexpr std::uint64_t kNetHostTso4 = bit(11);
inline constexpr std::uint64_t kNetHostTso6 = bit(12);
inline constexpr std::uint64_t kNetHostEcn = bit(13);
inline constexpr std::uint64_t kNetHostUfo = bit(14);
inline constexpr std::uint64_t kNetMrgRxbuf = bit(15);
inline constexpr std::uint64_t kVhostLogAll = bit(26);
// A device that takes header and data in one descriptor; VERSION_1 implies it.
inline constexpr std::uint64_t kAnyLayout = bit(27);
inline constexpr std::uint64_t kRingIndirectDesc = bit(28);
inline constexpr std::uint64_t kRingEventIdx = bit(29);
inline constexpr std::uint64_t kVersion1 = bit(32);
inline constexpr std::uint64_t kAccessPlatform = bit(33);
inline constexpr std::uint64_t kRingPacked = bit(34);
inline constexpr std::uint64_t kInOrder = bit(35);

}  // namespace pollwire::virtio
