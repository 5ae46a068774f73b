// What the front-end's IOMMU has allowed so far: I/O virtual addresses of the guest's driver, and the memory
// behind them. Filled and emptied by the control plane while no burst is inside (vhost-user, IOTLB messages);
// read by bursts through an IovaSpace.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "base/span.hpp"
#include "guest/regions.hpp"

namespace pollwire {

// Bits as the protocol has them.
enum IotlbPermission : std::uint8_t { kIotlbRead = 1, kIotlbWrite = 2 };
constexpr std::uint8_t permissionFor(Access access) noexcept {
  return access == Access::kWrite ? kIotlbWrite : kIotlbRead;
}

class Iotlb {
 public:
  // Ranges that are kept; one more drives another out, which is asked for again when it is missed.
  static constexpr std::size_t kMaxRanges = 2048;

  // [first, last] is contiguous here, beginning at `host`.
  struct Range {
    std::uint64_t first;
    std::uint64_t last;
    std::byte* host;
    std::uint8_t permission;
  };

  // [iova, last] lies at the front-end's user address `user` from now on, whatever was there before. Parts
  // outside `memory` stay untranslated. Fails when all of it is outside, or when a range wraps.
  Status update(std::uint64_t iova, std::uint64_t last, std::uint64_t user, std::uint8_t permission,
                const RegionTable& memory);
  // Nothing in [iova, last] is translated any more.
  void invalidate(std::uint64_t iova, std::uint64_t last);
  void clear() noexcept { ranges_.clear(); }

  // The range that holds `iova` and allows `access`; nullptr when none does.
  const Range* find(std::uint64_t iova, Access access) const noexcept;
  // The same for `bytes` of them in one piece.
  std::byte* translate(std::uint64_t iova, std::uint64_t bytes, Access access) const noexcept;
  std::size_t size() const noexcept { return ranges_.size(); }

 private:
  void insert(const Range& range);

  // Sorted, without overlap; neighbours that continue each other are one.
  std::vector<Range> ranges_;
  // Where the next range to be driven out is looked for.
  std::size_t victim_ = 0;
};

}  // namespace pollwire
