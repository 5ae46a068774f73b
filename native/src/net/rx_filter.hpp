// What a network card lets through: frames to its own addresses, groups it listens to, VLANs of its table.
// Built by the control plane and never changed afterwards; read by the receive bursts that were chosen for it
// (virtio/rx.cpp).
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/compiler.hpp"
#include "base/endian.hpp"
#include "base/result.hpp"
#include "net/ether.hpp"
#include "net/vlan.hpp"

namespace pollwire {

// One bit for each VLAN id.
using VlanTable = std::array<std::uint64_t, 64>;

struct RxFilterSettings {
  // Every address. The VLAN table holds all the same.
  bool promiscuous = true;
  // Every group address.
  bool allMulticast = true;
  // Tagged frames only when their id is in the table; untagged ones always (virtio 1.2 §5.1.6.5.3).
  bool filterVlans = false;
  // The port's own address first, further ones and groups behind it in any order.
  std::vector<MacAddress> addresses;
  VlanTable vlans{};
};

class RxFilter {
 public:
  static constexpr std::size_t kMaxAddresses = 128;
  // Bytes of a frame that decide: addresses, type, tag control.
  static constexpr std::uint32_t kLooksAt = 16;

  enum class Verdict : std::uint8_t { kPass, kOtherUnicast, kOtherMulticast, kOtherVlan };

  // Lets everything through.
  RxFilter() noexcept = default;
  // OUT_OF_RANGE for more than kMaxAddresses addresses.
  static Result<RxFilter> make(const RxFilterSettings& settings);

  // Whether any frame at all can be stopped: what the choice of a burst function depends on.
  bool active() const noexcept { return !promiscuous_ || filterVlans_; }

  // `length` bytes of a frame from its beginning, at least 14; more than kLooksAt do not matter.
  PW_INLINE Verdict judge(const std::byte* frame, std::uint32_t length) const noexcept {
    if (filterVlans_ && length >= kLooksAt && loadBe16(frame + EtherView::kTypeOffset) == kEtherVlan) {
      const unsigned id = vlanId(loadBe16(frame + EtherView::kLength));
      if ((vlans_[id / 64] >> (id % 64) & 1u) == 0) return Verdict::kOtherVlan;
    }
    if (promiscuous_) return Verdict::kPass;
    const std::uint64_t destination = keyAt(frame);
    if (PW_LIKELY(destination == own_)) return Verdict::kPass;
    if ((std::to_integer<unsigned>(frame[0]) & 1u) != 0) {
      const bool wanted = allMulticast_ || destination == kBroadcast || holds(destination);
      return wanted ? Verdict::kPass : Verdict::kOtherMulticast;
    }
    return holds(destination) ? Verdict::kPass : Verdict::kOtherUnicast;
  }

 private:
  // Twice as many places as addresses: a search always ends at an empty one.
  static constexpr std::uint32_t kPlaces = 256;
  // Set in every key, so that none is 0, which is an empty place.
  static constexpr std::uint64_t kKey = 1ull << 48;
  static constexpr std::uint64_t kBroadcast = kKey | 0xffff'ffff'ffffull;

  static PW_INLINE std::uint64_t keyAt(const void* address) noexcept {
    std::uint32_t first;
    std::uint16_t last;
    std::memcpy(&first, address, sizeof first);
    std::memcpy(&last, static_cast<const std::byte*>(address) + sizeof first, sizeof last);
    return kKey | static_cast<std::uint64_t>(last) << 32 | first;
  }
  static PW_INLINE std::uint32_t placeOf(std::uint64_t key) noexcept {
    return static_cast<std::uint32_t>(key * 0x9e37'79b9'7f4a'7c15ull >> 56);
  }
  PW_INLINE bool holds(std::uint64_t key) const noexcept {
    for (std::uint32_t at = placeOf(key); places_[at] != 0; at = (at + 1) % kPlaces) {
      if (places_[at] == key) return true;
    }
    return false;
  }
  void insert(std::uint64_t key) noexcept;

  bool promiscuous_ = true;
  bool allMulticast_ = true;
  bool filterVlans_ = false;
  std::uint64_t own_ = 0;
  std::array<std::uint64_t, kPlaces> places_{};
  VlanTable vlans_{};
};

}  // namespace pollwire
