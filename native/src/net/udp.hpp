// UDP header (RFC 768).
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"

namespace pollwire {

enum UdpPort : std::uint16_t { kUdpVxlan = 4789, kUdpVxlanGpe = 4790, kUdpGeneve = 6081 };

//   0     2     4     6       8
//   | src | dst | len | cksum | payload …
class UdpView {
 public:
  static constexpr std::size_t kLength = 8;
  static constexpr std::size_t kChecksumOffset = 6;

  // Empty when the header is cut or the length cannot be right (1 to 7).
  static std::optional<UdpView> parse(Bytes datagram) noexcept {
    if (!datagram.holds(0, kLength)) return std::nullopt;
    const UdpView view(datagram);
    if (view.length() != 0 && view.length() < kLength) return std::nullopt;
    return view;
  }

  std::uint16_t sourcePort() const noexcept { return datagram_.be16(0); }
  std::uint16_t destinationPort() const noexcept { return datagram_.be16(2); }
  // Header and payload; 0 in a jumbogram.
  std::uint16_t length() const noexcept { return datagram_.be16(4); }
  // 0 = none (IPv4 only).
  std::uint16_t checksum() const noexcept { return datagram_.be16(kChecksumOffset); }
  Bytes payload() const noexcept {
    return (length() != 0 ? datagram_.first(length()) : datagram_).from(kLength);
  }

 private:
  explicit UdpView(Bytes datagram) noexcept : datagram_(datagram) {}
  Bytes datagram_;
};

}  // namespace pollwire
