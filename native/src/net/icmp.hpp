// ICMP (RFC 792) and ICMPv6 (RFC 4443) headers: both begin alike.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"

namespace pollwire {

enum IcmpType : std::uint8_t { kIcmpEchoReply = 0, kIcmpEchoRequest = 8 };
enum Icmpv6Type : std::uint8_t {
  kIcmpv6EchoRequest = 128,
  kIcmpv6EchoReply = 129,
  kIcmpv6NeighborSolicitation = 135,
  kIcmpv6NeighborAdvertisement = 136,
};

//   0      1      2       4    6          8
//   | type | code | cksum | id | sequence | data …
class IcmpView {
 public:
  static constexpr std::size_t kLength = 8;
  static constexpr std::size_t kChecksumOffset = 2;

  static std::optional<IcmpView> parse(Bytes message) noexcept {
    if (!message.holds(0, kLength)) return std::nullopt;
    return IcmpView(message);
  }

  std::uint8_t type() const noexcept { return message_.u8(0); }
  std::uint8_t code() const noexcept { return message_.u8(1); }
  std::uint16_t checksum() const noexcept { return message_.be16(kChecksumOffset); }
  // Of echo requests and replies.
  std::uint16_t identifier() const noexcept { return message_.be16(4); }
  std::uint16_t sequence() const noexcept { return message_.be16(6); }
  Bytes payload() const noexcept { return message_.from(kLength); }

 private:
  explicit IcmpView(Bytes message) noexcept : message_(message) {}
  Bytes message_;
};

}  // namespace pollwire
