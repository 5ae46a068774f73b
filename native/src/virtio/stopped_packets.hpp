// What a receive burst does with packets that a filter stops. Used by the filtering variants of rx.cpp.
#pragma once

#include <cstdint>

#include "base/counters.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "net/rx_filter.hpp"

namespace pollwire::virtio {

// The packet belongs to the caller; its first bytes may lie in several segments.
PW_INLINE RxFilter::Verdict judgePacket(const RxFilter& filter, const Mbuf* packet) noexcept {
  const std::uint32_t length = packet->dataLen;
  if (PW_LIKELY(length >= RxFilter::kLooksAt || packet->nbSegs == 1)) {
    return filter.judge(dataOf(packet), length);
  }
  std::byte start[RxFilter::kLooksAt] = {};
  return filter.judge(start, readPacket(packet, 0, start));
}

// What a filter stopped during one burst: counted under the reason at once, freed in bulk.
class StoppedPackets {
 public:
  explicit StoppedPackets(Counters& counters) noexcept : counters_(counters) {}
  StoppedPackets(const StoppedPackets&) = delete;
  StoppedPackets& operator=(const StoppedPackets&) = delete;
  ~StoppedPackets() { flush(); }

  void add(Handle packet, RxFilter::Verdict verdict) noexcept {
    switch (verdict) {
      case RxFilter::Verdict::kPass:
        return;
      case RxFilter::Verdict::kOtherUnicast:
        counters_.add(kRX_FILTERED_UNICAST, 1);
        break;
      case RxFilter::Verdict::kOtherMulticast:
        counters_.add(kRX_FILTERED_MULTICAST, 1);
        break;
      case RxFilter::Verdict::kOtherVlan:
        counters_.add(kRX_FILTERED_VLAN, 1);
        break;
    }
    packets_[count_++] = packet;
    if (count_ == kMost) flush();
  }

 private:
  static constexpr std::uint32_t kMost = 64;

  void flush() noexcept {
    freeBurst(packets_, count_);
    count_ = 0;
  }

  Counters& counters_;
  std::uint32_t count_ = 0;
  Handle packets_[kMost];
};

}  // namespace pollwire::virtio
