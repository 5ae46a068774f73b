// Ethernet II: addresses and the frame header. Called by the packet parsers and the ports' address filters.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>

#include "base/bytes.hpp"

namespace pollwire {

enum EtherType : std::uint16_t {
  kEtherIpv4 = 0x0800,
  kEtherArp = 0x0806,
  kEtherTeb = 0x6558,  // Ethernet inside GRE or GENEVE
  kEtherRarp = 0x8035,
  kEtherVlan = 0x8100,
  kEtherIpv6 = 0x86dd,
  kEtherMpls = 0x8847,
  kEtherMplsMulticast = 0x8848,
  kEtherPppoeDiscovery = 0x8863,
  kEtherPppoeSession = 0x8864,
  kEtherQinq = 0x88a8,
  kEtherLldp = 0x88cc,
  kEther1588 = 0x88f7,
  kEtherFcoe = 0x8906,
  kEtherNsh = 0x894f,
};

struct MacAddress {
  std::array<std::uint8_t, 6> bytes{};

  static MacAddress load(const void* from) noexcept {
    MacAddress mac;
    std::memcpy(mac.bytes.data(), from, mac.bytes.size());
    return mac;
  }
  void store(void* to) const noexcept { std::memcpy(to, bytes.data(), bytes.size()); }

  bool operator==(const MacAddress&) const noexcept = default;
  // The group bit of the first byte; set for the broadcast address too.
  bool isMulticast() const noexcept { return (bytes[0] & 1) != 0; }
  bool isBroadcast() const noexcept { return *this == MacAddress{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}; }
  bool isZero() const noexcept { return *this == MacAddress{}; }
  bool isLocallyAdministered() const noexcept { return (bytes[0] & 2) != 0; }
  // Fit to be a port's own address.
  bool isAssignable() const noexcept { return !isMulticast() && !isZero(); }
};

//   0       6       12
//   | dst   | src   | type | payload …
class EtherView {
 public:
  static constexpr std::size_t kLength = 14;
  static constexpr std::size_t kTypeOffset = 12;

  static std::optional<EtherView> parse(Bytes frame) noexcept {
    if (!frame.holds(0, kLength)) return std::nullopt;
    return EtherView(frame);
  }

  MacAddress destination() const noexcept { return MacAddress::load(frame_.data()); }
  MacAddress source() const noexcept { return MacAddress::load(frame_.data() + 6); }
  // Type or, below 0x600, an IEEE 802.3 length.
  std::uint16_t type() const noexcept { return frame_.be16(kTypeOffset); }
  Bytes payload() const noexcept { return frame_.from(kLength); }

 private:
  explicit EtherView(Bytes frame) noexcept : frame_(frame) {}
  Bytes frame_;
};

}  // namespace pollwire
