// IPv4 (RFC 791) and IPv6 (RFC 8200) headers, and the bounded walk over IPv6 extension headers (ip.cpp).
// Called by the packet parser, checksum offload and RSS.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"

namespace pollwire {

enum IpProtocol : std::uint8_t {
  kIpHopByHop = 0,
  kIpIcmp = 1,
  kIpIgmp = 2,
  kIpIpv4 = 4,
  kIpTcp = 6,
  kIpUdp = 17,
  kIpIpv6 = 41,
  kIpRouting = 43,
  kIpFragment = 44,
  kIpGre = 47,
  kIpEsp = 50,
  kIpAuthentication = 51,
  kIpIcmpv6 = 58,
  kIpNoNext = 59,
  kIpDestinationOptions = 60,
  kIpSctp = 132,
  kIpMobility = 135,
  kIpHip = 139,
  kIpShim6 = 140,
};

//   0    1     2     4    6        8    9      10       12    16    20
//   |v|hl| tos | len | id | fragm. | ttl| prot | cksum  | src | dst | options …
class Ipv4View {
 public:
  static constexpr std::size_t kMinLength = 20;
  static constexpr std::size_t kChecksumOffset = 10;

  // Empty when version, header length or total length contradict each other or the header is cut.
  static std::optional<Ipv4View> parse(Bytes packet) noexcept {
    if (!packet.holds(0, kMinLength) || packet.u8(0) >> 4 != 4) return std::nullopt;
    const Ipv4View view(packet);
    if (view.headerLength() < kMinLength || !packet.holds(0, view.headerLength())) return std::nullopt;
    if (view.totalLength() != 0 && view.totalLength() < view.headerLength()) return std::nullopt;
    return view;
  }

  std::size_t headerLength() const noexcept { return (packet_.u8(0) & 0x0fu) * 4u; }
  std::uint8_t tos() const noexcept { return packet_.u8(1); }
  // 0 in packets of more than 65,535 bytes that wait for segmentation.
  std::uint16_t totalLength() const noexcept { return packet_.be16(2); }
  std::uint16_t identification() const noexcept { return packet_.be16(4); }
  bool moreFragments() const noexcept { return (packet_.be16(6) & 0x2000) != 0; }
  bool dontFragment() const noexcept { return (packet_.be16(6) & 0x4000) != 0; }
  // In bytes.
  std::uint32_t fragmentOffset() const noexcept { return (packet_.be16(6) & 0x1fffu) * 8u; }
  bool isFragment() const noexcept { return (packet_.be16(6) & 0x3fff) != 0; }
  std::uint8_t ttl() const noexcept { return packet_.u8(8); }
  std::uint8_t protocol() const noexcept { return packet_.u8(9); }
  std::uint16_t checksum() const noexcept { return packet_.be16(kChecksumOffset); }
  std::uint32_t source() const noexcept { return packet_.be32(12); }
  std::uint32_t destination() const noexcept { return packet_.be32(16); }
  // Source and destination address, 8 bytes: what RSS and the pseudo header take.
  Bytes addresses() const noexcept { return packet_.from(12).first(8); }
  Bytes header() const noexcept { return packet_.first(headerLength()); }
  // Without padding behind the packet; shorter than announced when the bytes end before.
  Bytes payload() const noexcept {
    return (totalLength() != 0 ? packet_.first(totalLength()) : packet_).from(headerLength());
  }
  // The bytes end before the packet does.
  bool isTruncated() const noexcept { return packet_.size() < totalLength(); }

 private:
  explicit Ipv4View(Bytes packet) noexcept : packet_(packet) {}
  Bytes packet_;
};

//   0            4       6      7     8     24    40
//   |v|class|flow| length| next | hops| src | dst | extension headers …
class Ipv6View {
 public:
  static constexpr std::size_t kLength = 40;

  static std::optional<Ipv6View> parse(Bytes packet) noexcept {
    if (!packet.holds(0, kLength) || packet.u8(0) >> 4 != 6) return std::nullopt;
    return Ipv6View(packet);
  }

  std::uint8_t trafficClass() const noexcept { return static_cast<std::uint8_t>(packet_.be16(0) >> 4); }
  std::uint32_t flowLabel() const noexcept { return packet_.be32(0) & 0xfffff; }
  // 0 in jumbograms and in packets of more than 65,535 bytes that wait for segmentation.
  std::uint16_t payloadLength() const noexcept { return packet_.be16(4); }
  std::uint8_t nextHeader() const noexcept { return packet_.u8(6); }
  std::uint8_t hopLimit() const noexcept { return packet_.u8(7); }
  Bytes source() const noexcept { return packet_.from(8).first(16); }
  Bytes destination() const noexcept { return packet_.from(24).first(16); }
  // Source and destination address, 32 bytes.
  Bytes addresses() const noexcept { return packet_.from(8).first(32); }
  // Extension headers and all, without padding behind the packet.
  Bytes payload() const noexcept { return bounded().from(kLength); }
  bool isTruncated() const noexcept { return packet_.size() < kLength + payloadLength(); }
  // From the first byte of the header to the end of the packet.
  Bytes bounded() const noexcept {
    return payloadLength() != 0 ? packet_.first(kLength + payloadLength()) : packet_;
  }

 private:
  explicit Ipv6View(Bytes packet) noexcept : packet_(packet) {}
  Bytes packet_;
};

struct Ipv6Extensions {
  std::uint8_t protocol = 0;        // of what follows; also ESP and "no next header"
  std::uint16_t headerLength = 40;  // fixed header and all extension headers, bytes
  bool present = false;             // there is at least one extension header
  bool complete = true;  // false: cut, too many, or too long; `protocol` is the one that could not be read
  bool fragment = false;
  std::uint32_t fragmentOffset = 0;  // bytes; nothing after the fragment header is looked at when not 0
  // Offsets, from the start of the IPv6 header, of the addresses that stand for source and destination in RSS
  // (virtio 1.2 §5.1.6.4.3.4): home address option, routing header of type 2. 0 = none.
  std::uint16_t homeAddress = 0;
  std::uint16_t routeAddress = 0;
};

inline constexpr unsigned kMaxIpv6Extensions = 8;

constexpr bool isIpv6Extension(std::uint8_t protocol) noexcept {
  switch (protocol) {
    case kIpHopByHop:
    case kIpRouting:
    case kIpFragment:
    case kIpAuthentication:
    case kIpDestinationOptions:
    case kIpMobility:
    case kIpHip:
    case kIpShim6:
      return true;
    default:
      return false;
  }
}

// Follows the extension headers, at most kMaxIpv6Extensions of them and 64 KiB.
Ipv6Extensions walkIpv6Extensions(const Ipv6View& ip) noexcept;

}  // namespace pollwire
