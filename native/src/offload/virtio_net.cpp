#include "offload/virtio_net.hpp"

namespace pollwire::offload {

bool fromHeader(Mbuf& mbuf, const virtio::NetHdr& header, std::uint64_t features) noexcept {
  if (header.flags == 0 && header.gsoType == virtio::kGsoNone) return true;
  if ((header.flags & virtio::kDataValid) != 0 && (features & virtio::kNetCsum) != 0) mbuf.olFlags |= kRxL4CksumGood;
  return header.gsoType == virtio::kGsoNone;
}

bool toHeader(Mbuf&, virtio::NetHdr&, std::uint64_t) noexcept { return false; }

}  // namespace pollwire::offload
