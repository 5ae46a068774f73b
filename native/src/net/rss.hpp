// Receive side scaling in software: the Toeplitz hash over addresses and ports, with the selection rules and
// hash types of virtio-net, and the choice of a queue. Called by ports without RSS of their own and by the
// hash report.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/bytes.hpp"
#include "net/ptype.hpp"

namespace pollwire {

// What may be hashed: numbers of virtio 1.2 §5.1.6.4.3.
enum RssType : std::uint32_t {
  kRssIpv4 = 1u << 0,
  kRssTcpv4 = 1u << 1,
  kRssUdpv4 = 1u << 2,
  kRssIpv6 = 1u << 3,
  kRssTcpv6 = 1u << 4,
  kRssUdpv6 = 1u << 5,
  kRssIpEx = 1u << 6,
  kRssTcpEx = 1u << 7,
  kRssUdpEx = 1u << 8,
  kRssAll = (1u << 9) - 1,
};

// What was hashed: numbers of virtio 1.2 §5.1.6.4.4 (hash_report).
enum class RssReport : std::uint16_t {
  kNone = 0,
  kIpv4 = 1,
  kTcpv4 = 2,
  kUdpv4 = 3,
  kIpv6 = 4,
  kTcpv6 = 5,
  kUdpv6 = 6,
  kIpv6Ex = 7,
  kTcpv6Ex = 8,
  kUdpv6Ex = 9,
};

struct RssHash {
  std::uint32_t value = 0;
  RssReport report = RssReport::kNone;
};

inline constexpr std::size_t kRssKeyLength = 40;
// Two IPv6 addresses and two ports: what a 40-byte key is long enough for.
inline constexpr std::size_t kRssMaxInput = kRssKeyLength - 4;

// The key of the published verification suite; the default where nobody sets one.
inline constexpr std::array<std::uint8_t, kRssKeyLength> kDefaultRssKey = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

// A key prepared for hashing: one 32-bit window per half byte of input and value of it (4.5 KiB, so that it
// stays in the first-level cache).
class ToeplitzKey {
 public:
  explicit ToeplitzKey(std::span<const std::uint8_t, kRssKeyLength> key = kDefaultRssKey) noexcept;

  // Hash of up to kRssMaxInput bytes; what is beyond is ignored.
  std::uint32_t hash(Bytes input) const noexcept;

 private:
  std::array<std::array<std::uint32_t, 16>, kRssMaxInput * 2> table_;
};

// The definition, bit by bit: the yardstick for ToeplitzKey in tests.
std::uint32_t toeplitzBitwise(std::span<const std::uint8_t, kRssKeyLength> key, Bytes input) noexcept;

// Hashes the outer headers of a frame as `types` (RssType bits) asks; `layout` comes from parsePacket(frame).
RssHash hashPacket(const ToeplitzKey& key, std::uint32_t types, Bytes frame,
                   const PacketLayout& layout) noexcept;

// Queue of a hash: `table` has a power of two of entries. Packets without a hash go to `unclassified`.
inline std::uint16_t selectQueue(std::span<const std::uint16_t> table, std::uint16_t unclassified,
                                 RssHash hash) noexcept {
  if (hash.report == RssReport::kNone || table.empty()) return unclassified;
  return table[hash.value & (table.size() - 1)];
}

}  // namespace pollwire
