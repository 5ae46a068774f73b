// Address spaces: how a descriptor's address becomes memory of this process. A ring is specialised on one of
// them at start. DirectSpace: guest-physical addresses, no IOMMU, no dirty log. GuestSpace (guest_space.hpp)
// is for rings that need more.
#pragma once

#include <cstdint>

#include "base/span.hpp"
#include "guest/regions.hpp"

namespace pollwire {

class DirectSpace {
 public:
  // Whether what a burst writes has to be told to the space before it is published.
  static constexpr bool kLogs = false;
  // Whether a translation may come later.
  static constexpr bool kMisses = false;

  DirectSpace() = default;
  explicit DirectSpace(const RegionTable* table) noexcept : table_(table) {}

  // The peer took a part of this memory away.
  bool faulted() const noexcept { return table_->faulted(); }

  // After a write of `length` bytes at `data`, which this space translated.
  PW_INLINE void wrote(const std::byte*, std::uint64_t) noexcept {}

  // Contiguous memory, or nullptr when the range is not inside one region.
  PW_INLINE std::byte* translate(std::uint64_t addr, std::uint32_t length, Access) noexcept {
    return table_->find(addr, length, hint_);
  }

  // The region that the last translation was in, for a loop to keep in registers; empty before the first.
  PW_INLINE RegionTable::Range hot() const noexcept {
    return PW_LIKELY(hint_ != nullptr) ? *hint_ : RegionTable::Range{0, 0, nullptr};
  }

  // Appends the range in as many pieces as it has regions. False: a part is outside, or the list is full.
  bool collect(std::uint64_t addr, std::uint32_t length, Access, PieceList& pieces) noexcept {
    if (length > 0 && addr + length - 1 < addr) return false;
    while (length > 0) {
      const RegionTable::Run run = table_->runAt(addr);
      if (run.data == nullptr) return false;
      const auto piece = run.length < length ? static_cast<std::uint32_t>(run.length) : length;
      if (!pieces.push(run.data, piece)) return false;
      addr += piece;
      length -= piece;
    }
    return true;
  }

 private:
  const RegionTable* table_ = nullptr;
  const RegionTable::Range* hint_ = nullptr;
};

}  // namespace pollwire
