#include "offload/ether_edit.hpp"

#include <cstddef>

#include "mbuf/mbuf_ops.hpp"

namespace pollwire::offload {

void setSplitAddresses(Mbuf* packet, const EtherAddresses& addresses) noexcept {
  if (packet->pktLen < kEtherAddresses || !isConsistent(packet)) return;
  std::byte bytes[kEtherAddresses];
  addresses.store(bytes);
  (void)writePacket(packet, 0, bytes);
}

void swapSplitAddresses(Mbuf* packet) noexcept {
  if (packet->pktLen < kEtherAddresses || !isConsistent(packet)) return;
  std::byte bytes[kEtherAddresses];
  (void)readPacket(packet, 0, bytes);
  setSplitAddresses(packet, EtherAddresses::load(bytes).swapped());
}

}  // namespace pollwire::offload
