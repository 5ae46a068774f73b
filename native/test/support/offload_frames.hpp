// Frames for the offload tests, with checksums by the plainest arithmetic there is, and the questions that
// those tests ask of a frame: is its checksum right, or is it the seed that virtio asks for.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "net/ether.hpp"
#include "net/ip.hpp"
#include "support/arena_test.hpp"
#include "support/frames.hpp"

namespace pollwire::test {

enum class Field : std::uint8_t { kZero, kSeed, kRight };

struct FrameShape {
  bool ipv6 = false;
  bool tcp = true;
  unsigned vlans = 0;
  unsigned ipOptions = 0;   // IPv4, multiple of 4
  unsigned tcpOptions = 0;  // multiple of 4
  unsigned payload = 100;
  unsigned padding = 0;
  unsigned tcpFlags = 0x18;

  std::uint8_t protocol() const { return tcp ? 6 : 17; }
  unsigned l2() const { return 14 + 4 * vlans; }
  unsigned l3() const { return ipv6 ? 40 : 20 + ipOptions; }
  unsigned l4() const { return tcp ? 20 + tcpOptions : 8; }
  unsigned l4Start() const { return l2() + l3(); }
  unsigned l4Bytes() const { return l4() + payload; }
  unsigned field() const { return l4Start() + (tcp ? 16u : 6u); }
  unsigned bytes() const { return l4Start() + l4Bytes() + padding; }
};

// Sum of big-endian words, carries added back, not complemented.
inline std::uint16_t plainSum(std::span<const std::uint8_t> bytes, std::uint64_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); i++) sum += i % 2 == 0 ? bytes[i] * 256u : bytes[i];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

inline std::uint16_t plainSeed(std::span<const std::uint8_t> frame, const FrameShape& shape) {
  const auto addresses = shape.ipv6 ? frame.subspan(shape.l2() + 8, 32) : frame.subspan(shape.l2() + 12, 8);
  return plainSum(addresses, shape.protocol() + std::uint64_t{shape.l4Bytes()});
}

inline std::uint16_t wordAt(std::span<const std::uint8_t> frame, unsigned at) {
  return static_cast<std::uint16_t>(frame[at] << 8 | frame[at + 1]);
}

inline std::uint16_t fieldOf(std::span<const std::uint8_t> frame, const FrameShape& shape) {
  return wordAt(frame, shape.field());
}

// Sum over pseudo header and transport bytes is all ones.
inline bool checksumIsRight(std::span<const std::uint8_t> frame, const FrameShape& shape) {
  return plainSum(frame.subspan(shape.l4Start(), shape.l4Bytes()), plainSeed(frame, shape)) == 0xffff;
}

inline bool ipChecksumIsRight(std::span<const std::uint8_t> frame, const FrameShape& shape) {
  return plainSum(frame.subspan(shape.l2(), shape.l3())) == 0xffff;
}

inline void putWord(std::span<std::uint8_t> frame, unsigned at, unsigned value) {
  frame[at] = static_cast<std::uint8_t>(value >> 8);
  frame[at + 1] = static_cast<std::uint8_t>(value);
}

inline std::vector<std::uint8_t> makeFrame(const FrameShape& shape, Field field, bool ipChecksum = true) {
  Frame frame;
  const unsigned network = shape.ipv6 ? kEtherIpv6 : kEtherIpv4;
  frame.ether(shape.vlans > 0 ? static_cast<unsigned>(kEtherVlan) : network);
  for (unsigned i = 0; i < shape.vlans; i++)
    frame.vlan(7 + i, i + 1 < shape.vlans ? static_cast<unsigned>(kEtherVlan) : network);
  if (shape.ipv6) frame.ipv6(shape.protocol(), shape.l4Bytes());
  else frame.ipv4(shape.protocol(), shape.l4Bytes(), shape.ipOptions);
  if (shape.tcp) frame.tcp(1234, 80, shape.tcpOptions);
  else frame.udp(1234, 53, shape.payload);
  for (unsigned i = 0; i < shape.payload; i++) frame.u8((i * 37 + shape.payload * 11) & 0xff);
  frame.zeros(shape.padding);
  auto& bytes = frame.bytes();
  if (shape.tcp) bytes[shape.l4Start() + 13] = static_cast<std::uint8_t>(shape.tcpFlags);
  if (!shape.ipv6 && ipChecksum) {
    putWord(bytes, shape.l2() + 10, ~plainSum(std::span(bytes).subspan(shape.l2(), shape.l3())) & 0xffffu);
  }
  if (field == Field::kSeed) putWord(bytes, shape.field(), plainSeed(bytes, shape));
  if (field == Field::kRight) {
    const unsigned sum =
        plainSum(std::span(bytes).subspan(shape.l4Start(), shape.l4Bytes()), plainSeed(bytes, shape));
    putWord(bytes, shape.field(), ~sum & 0xffffu);
  }
  return bytes;
}

inline std::span<const std::byte> asBytes(const std::vector<std::uint8_t>& frame) {
  return std::as_bytes(std::span(frame));
}

inline std::vector<std::uint8_t> octetsOf(const ByteVector& bytes) {
  std::vector<std::uint8_t> octets;
  for (const std::byte byte : bytes) octets.push_back(std::to_integer<std::uint8_t>(byte));
  return octets;
}

// TCP and UDP over both versions, with and without tags.
inline std::vector<FrameShape> commonShapes() {
  std::vector<FrameShape> shapes;
  for (const bool ipv6 : {false, true}) {
    for (const bool tcp : {false, true}) {
      for (const unsigned vlans : {0u, 1u, 2u}) {
        for (const unsigned payload : {0u, 1u, 100u, 1401u}) {
          FrameShape shape;
          shape.ipv6 = ipv6;
          shape.tcp = tcp;
          shape.vlans = vlans;
          shape.payload = payload;
          shape.tcpOptions = tcp && payload == 100 ? 12 : 0;
          shapes.push_back(shape);
        }
      }
    }
  }
  return shapes;
}

}  // namespace pollwire::test
