// The header before every packet on a virtio-net ring (virtio 1.2 §5.1.6). 12 bytes with VERSION_1 or
// MRG_RXBUF, 10 without.
#pragma once

#include <cstddef>
#include <cstdint>

#include "virtqueue/features.hpp"

namespace pollwire::virtio {

// 0      1        2        4         6           8            10           12
// | flags| gsoType| hdrLen | gsoSize | csumStart | csumOffset | numBuffers |
struct NetHdr {
  std::uint8_t flags;
  std::uint8_t gsoType;
  std::uint16_t hdrLen;
  std::uint16_t gsoSize;
  std::uint16_t csumStart;
  std::uint16_t csumOffset;
  std::uint16_t numBuffers;
};
static_assert(sizeof(NetHdr) == 12 && offsetof(NetHdr, csumStart) == 6 && offsetof(NetHdr, numBuffers) == 10);

enum NetHdrFlag : std::uint8_t { kNeedsCsum = 1, kDataValid = 2 };
enum GsoType : std::uint8_t { kGsoNone = 0, kGsoTcpv4 = 1, kGsoUdp = 3, kGsoTcpv6 = 4, kGsoEcn = 0x80 };

constexpr std::uint32_t netHdrLen(std::uint64_t features) noexcept {
  return (features & (kVersion1 | kNetMrgRxbuf)) != 0 ? 12 : 10;
}

}  // namespace pollwire::virtio
