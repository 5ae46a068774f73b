// ARP and RARP for IPv4 over Ethernet (RFC 826, RFC 903).
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "net/ether.hpp"

namespace pollwire {

enum ArpOperation : std::uint16_t { kArpRequest = 1, kArpReply = 2, kRarpRequest = 3, kRarpReply = 4 };

//   0      2       4     5     6    8           14          18          24
//   | htype| ptype | hlen| plen| op | sender mac| sender ip | target mac| target ip |
class ArpView {
 public:
  static constexpr std::size_t kLength = 28;

  // Empty unless it is complete and about IPv4 over Ethernet.
  static std::optional<ArpView> parse(Bytes arp) noexcept {
    if (!arp.holds(0, kLength) || arp.be16(0) != 1 || arp.be16(2) != kEtherIpv4 || arp.u8(4) != 6 ||
        arp.u8(5) != 4) {
      return std::nullopt;
    }
    return ArpView(arp);
  }

  std::uint16_t operation() const noexcept { return arp_.be16(6); }
  MacAddress senderMac() const noexcept { return MacAddress::load(arp_.data() + 8); }
  std::uint32_t senderIp() const noexcept { return arp_.be32(14); }
  MacAddress targetMac() const noexcept { return MacAddress::load(arp_.data() + 18); }
  std::uint32_t targetIp() const noexcept { return arp_.be32(24); }

 private:
  explicit ArpView(Bytes arp) noexcept : arp_(arp) {}
  Bytes arp_;
};

}  // namespace pollwire
