// TCP header (RFC 9293).
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"

namespace pollwire {

enum TcpFlag : std::uint8_t {
  kTcpFin = 0x01,
  kTcpSyn = 0x02,
  kTcpRst = 0x04,
  kTcpPsh = 0x08,
  kTcpAck = 0x10,
  kTcpUrg = 0x20,
  kTcpEce = 0x40,
  kTcpCwr = 0x80,
};

//   0     2     4     8     12    13      14      16      18      20
//   | src | dst | seq | ack | off | flags | window| cksum | urgent| options …
class TcpView {
 public:
  static constexpr std::size_t kMinLength = 20;
  static constexpr std::size_t kSequenceOffset = 4;
  static constexpr std::size_t kFlagsOffset = 13;
  static constexpr std::size_t kChecksumOffset = 16;

  // Empty when the header is cut or its length is impossible.
  static std::optional<TcpView> parse(Bytes segment) noexcept {
    if (!segment.holds(0, kMinLength)) return std::nullopt;
    const TcpView view(segment);
    if (view.headerLength() < kMinLength || !segment.holds(0, view.headerLength())) return std::nullopt;
    return view;
  }

  std::uint16_t sourcePort() const noexcept { return segment_.be16(0); }
  std::uint16_t destinationPort() const noexcept { return segment_.be16(2); }
  std::uint32_t sequence() const noexcept { return segment_.be32(kSequenceOffset); }
  std::uint32_t acknowledgment() const noexcept { return segment_.be32(8); }
  std::size_t headerLength() const noexcept { return (segment_.u8(12) >> 4) * 4u; }
  std::uint8_t flags() const noexcept { return segment_.u8(kFlagsOffset); }
  std::uint16_t window() const noexcept { return segment_.be16(14); }
  std::uint16_t checksum() const noexcept { return segment_.be16(kChecksumOffset); }
  Bytes options() const noexcept { return segment_.first(headerLength()).from(kMinLength); }
  // To the end of the bytes given: TCP has no length of its own.
  Bytes payload() const noexcept { return segment_.from(headerLength()); }

 private:
  explicit TcpView(Bytes segment) noexcept : segment_(segment) {}
  Bytes segment_;
};

}  // namespace pollwire
