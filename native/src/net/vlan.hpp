// VLAN tags (IEEE 802.1Q, 802.1ad) between the Ethernet addresses and the real type.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "net/ether.hpp"

namespace pollwire {

inline constexpr std::size_t kVlanTagLength = 4;
inline constexpr unsigned kMaxVlanTags = 4;

constexpr bool isVlanType(std::uint16_t etherType) noexcept {
  return etherType == kEtherVlan || etherType == kEtherQinq;
}

// Tag control information: priority 3 bits, drop eligible 1 bit, VLAN id 12 bits.
constexpr std::uint16_t vlanId(std::uint16_t tci) noexcept { return tci & 0x0fff; }
constexpr std::uint8_t vlanPriority(std::uint16_t tci) noexcept {
  return static_cast<std::uint8_t>(tci >> 13);
}
constexpr bool vlanDropEligible(std::uint16_t tci) noexcept { return (tci & 0x1000) != 0; }

struct VlanTags {
  std::uint16_t
      etherType;  // what follows the last tag; still a VLAN type when there are more than kMaxVlanTags
  std::uint16_t l2Length;  // Ethernet header and tags: offset of the network header
  std::uint8_t count;
  std::uint16_t outerTci;  // first tag, 0 when there is none
  std::uint16_t innerTci;  // last tag, 0 when there is none
};

// Skips the tags of a frame; empty when the frame ends inside the Ethernet header or a tag.
inline std::optional<VlanTags> walkVlanTags(Bytes frame) noexcept {
  if (!frame.holds(0, EtherView::kLength)) return std::nullopt;
  VlanTags tags{frame.be16(EtherView::kTypeOffset), EtherView::kLength, 0, 0, 0};
  while (isVlanType(tags.etherType) && tags.count < kMaxVlanTags) {
    if (!frame.holds(tags.l2Length, kVlanTagLength)) return std::nullopt;
    tags.innerTci = frame.be16(tags.l2Length);
    if (tags.count == 0) tags.outerTci = tags.innerTci;
    tags.etherType = frame.be16(tags.l2Length + 2u);
    tags.l2Length = static_cast<std::uint16_t>(tags.l2Length + kVlanTagLength);
    tags.count++;
  }
  return tags;
}

}  // namespace pollwire
