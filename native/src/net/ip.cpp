// The walk over IPv6 extension headers (RFC 8200 §4).
#include "net/ip.hpp"

namespace pollwire {
namespace {

constexpr std::uint8_t kOptionPad1 = 0;
constexpr std::uint8_t kOptionHomeAddress = 201;

// Offset of the 16-byte home address in a destination options header (RFC 6275 §6.3), 0 when there is none.
std::uint16_t findHomeAddress(Bytes packet, std::size_t start, std::size_t length) noexcept {
  const std::size_t end = start + length;
  std::size_t at = start + 2;
  while (at + 2 <= end) {
    const std::uint8_t type = packet.u8(at);
    if (type == kOptionPad1) {
      at++;
      continue;
    }
    const std::size_t size = packet.u8(at + 1);
    if (size > end - at - 2) return 0;
    if (type == kOptionHomeAddress) return size == 16 ? static_cast<std::uint16_t>(at + 2) : std::uint16_t{0};
    at += 2 + size;
  }
  return 0;
}

// All but two kinds count their length in units of 8 bytes beyond the first.
std::size_t extensionLength(std::uint8_t protocol, std::uint8_t lengthField) noexcept {
  if (protocol == kIpFragment) return 8;
  if (protocol == kIpAuthentication) return (lengthField + 2u) * 4u;
  return (lengthField + 1u) * 8u;
}

}  // namespace

Ipv6Extensions walkIpv6Extensions(const Ipv6View& ip) noexcept {
  const Bytes packet = ip.bounded();
  Ipv6Extensions result;
  result.protocol = ip.nextHeader();
  std::size_t at = Ipv6View::kLength;
  for (unsigned seen = 0; isIpv6Extension(result.protocol); seen++) {
    result.present = true;
    if (seen == kMaxIpv6Extensions || !packet.holds(at, 8)) {
      result.complete = false;
      break;
    }
    const std::size_t length = extensionLength(result.protocol, packet.u8(at + 1));
    if (!packet.holds(at, length) || at + length > UINT16_MAX) {
      result.complete = false;
      break;
    }
    if (result.protocol == kIpFragment) {
      result.fragment = true;
      result.fragmentOffset = packet.be16(at + 2) & 0xfff8u;
    } else if (result.protocol == kIpDestinationOptions && result.homeAddress == 0) {
      result.homeAddress = findHomeAddress(packet, at, length);
    } else if (result.protocol == kIpRouting && packet.u8(at + 2) == 2 && length == 24) {
      result.routeAddress = static_cast<std::uint16_t>(at + 8);
    }
    result.protocol = packet.u8(at);
    at += length;
    if (result.fragment && result.fragmentOffset != 0) break;
  }
  result.headerLength = static_cast<std::uint16_t>(at);
  return result;
}

}  // namespace pollwire
