// Takes the VLAN tag out of a received packet in software (ethdev's VLAN_STRIP). Called by vhost/ and virtio/
// for each packet of a burst, after it was received, on queues that ask for it.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/bytes.hpp"
#include "base/endian.hpp"
#include "mbuf/mbuf.hpp"
#include "net/ether.hpp"
#include "net/ptype.hpp"
#include "net/vlan.hpp"

namespace pollwire::offload {

// Moves the outermost 802.1Q tag of a packet into vlanTci, and says so in olFlags (RX_VLAN,
// RX_VLAN_STRIPPED). The packet belongs to the caller alone. Header lengths and packetType follow when they
// are known. Other packets stay as they are.
PW_INLINE void stripVlan(Mbuf& mbuf) noexcept {
  constexpr std::size_t kAddresses = 12;
  if (mbuf.dataLen < EtherView::kLength + kVlanTagLength) return;
  std::byte* data = dataOf(&mbuf);
  if (loadBe16(data + kAddresses) != kEtherVlan) return;
  mbuf.vlanTci = loadBe16(data + kAddresses + 2);
  mbuf.olFlags |= kRxVlan | kRxVlanStripped;
  std::memmove(data + kVlanTagLength, data, kAddresses);
  mbuf.dataOff = static_cast<std::uint16_t>(mbuf.dataOff + kVlanTagLength);
  mbuf.dataLen = static_cast<std::uint16_t>(mbuf.dataLen - kVlanTagLength);
  mbuf.pktLen -= static_cast<std::uint32_t>(kVlanTagLength);
  if (mbuf.l2Len >= EtherView::kLength + kVlanTagLength) {
    mbuf.l2Len = static_cast<std::uint8_t>(mbuf.l2Len - kVlanTagLength);
  }
  const std::uint32_t l2 = mbuf.packetType & PTYPE_L2_MASK;
  if (PW_LIKELY(l2 != PTYPE_L2_ETHER_VLAN && l2 != PTYPE_L2_ETHER_QINQ)) return;
  const auto left = walkVlanTags(Bytes(dataOf(&mbuf), mbuf.dataLen));
  const std::uint32_t now = !left || left->count == 0 ? PTYPE_L2_ETHER
                            : left->count == 1        ? PTYPE_L2_ETHER_VLAN
                                                      : PTYPE_L2_ETHER_QINQ;
  mbuf.packetType = (mbuf.packetType & ~static_cast<std::uint32_t>(PTYPE_L2_MASK)) | now;
}

}  // namespace pollwire::offload
