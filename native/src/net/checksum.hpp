// Internet checksum (RFC 1071): sums over contiguous bytes and over the segments of a packet, pseudo headers,
// and incremental update (RFC 1624). Called by offload/ when a peer did not negotiate checksum offload, and
// by engines. All 16-bit values are in host order: write them with storeBe16.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "net/ip.hpp"

namespace pollwire {

// One's complement sum that grows segment by segment. A segment may have an odd length; the next one
// continues at the odd position.
class ChecksumSum {
 public:
  ChecksumSum() noexcept = default;

  void add(Bytes bytes) noexcept;
  // Words of their own, wherever the bytes stand.
  void addWord(std::uint16_t value) noexcept { sum_ += convertOrder<std::endian::big>(value); }
  void addWord32(std::uint32_t value) noexcept {
    addWord(static_cast<std::uint16_t>(value >> 16));
    addWord(static_cast<std::uint16_t>(value));
  }

  // The sum, not complemented: what a pseudo-header seed in a packet is (virtio 1.2 §5.1.6.2, NEEDS_CSUM).
  std::uint16_t folded() const noexcept;
  // What the checksum field of IPv4, TCP and ICMP holds.
  std::uint16_t finish() const noexcept { return static_cast<std::uint16_t>(~folded()); }
  // As finish, with 0xffff for 0, which in UDP would say "no checksum".
  std::uint16_t finishUdp() const noexcept {
    const std::uint16_t value = finish();
    return value != 0 ? value : std::uint16_t{0xffff};
  }
  // Over a range that contains its own checksum field: true when it is right.
  bool verifies() const noexcept { return folded() == 0xffff; }

 private:
  std::uint64_t sum_ = 0;  // 16-bit words as they stand in memory; at most a few 2^32, so it never overflows
  bool odd_ = false;
};

// Of contiguous bytes whose checksum field holds 0 or a pseudo-header seed.
std::uint16_t internetChecksum(Bytes bytes) noexcept;

// True when a header or message with its checksum in place is right.
bool verifyChecksum(Bytes bytes) noexcept;

// `addresses`: source and destination as they stand in the IP header, 8 or 32 bytes. `length`: bytes of
// header and payload of the transport protocol; 0 for the seed of a segmentation offload.
ChecksumSum pseudoHeader(Bytes addresses, std::uint8_t protocol, std::uint32_t length) noexcept;

// RFC 1624: the checksum after one 16-bit (32-bit) field changed, without looking at the rest.
std::uint16_t updateChecksum(std::uint16_t checksum, std::uint16_t before, std::uint16_t after) noexcept;
std::uint16_t updateChecksum32(std::uint16_t checksum, std::uint32_t before, std::uint32_t after) noexcept;

namespace detail {

// Sum of the 16-bit words as they stand in memory (a last odd byte with a zero behind it), not folded. The
// two give sums that fold to the same value; tests compare them.
std::uint64_t sumWordsScalar(const std::uint8_t* data, std::size_t size) noexcept;
#if defined(__x86_64__)
std::uint64_t sumWordsAvx2(const std::uint8_t* data, std::size_t size) noexcept;
#endif
bool haveAvx2() noexcept;

// Brings a sum down to 16 bits, carries added back in. 0 only for a sum of 0.
constexpr std::uint16_t foldSum(std::uint64_t sum) noexcept {
  sum = (sum >> 32) + (sum & 0xffffffff);
  sum = (sum >> 16) + (sum & 0xffff);
  sum = (sum >> 16) + (sum & 0xffff);
  return static_cast<std::uint16_t>((sum >> 16) + (sum & 0xffff));
}

}  // namespace detail

}  // namespace pollwire
