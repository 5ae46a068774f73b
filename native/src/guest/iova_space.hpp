// The address space of a ring behind an IOMMU: addresses of descriptors are I/O virtual ones, which the
// front-end translates when asked. What is not translated yet is noted here and asked for by the control
// plane; the burst leaves the chain where it is. Writes are logged as in a GuestSpace when there is a log.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/span.hpp"
#include "guest/guest_space.hpp"
#include "guest/iotlb.hpp"

namespace pollwire {

class IovaSpace : public GuestSpace {
 public:
  static constexpr bool kMisses = true;

  // An address that a burst wanted and could not have.
  struct Miss {
    std::uint64_t iova;
    Access access;
    // The front-end was asked.
    bool asked;
    // It does not answer: the chain is a bad one.
    bool failed;
  };
  // Asked for at a time; a burst looks this far ahead.
  static constexpr std::uint32_t kMaxMisses = 32;

  IovaSpace() = default;
  IovaSpace(const RegionTable* table, const Iotlb* iotlb, const DirtyLog* log) noexcept
      : GuestSpace(table, log, UsedLog{}), iotlb_(iotlb), logs_(log != nullptr) {}

  bool logs() const noexcept { return logs_; }
  void wrote(const std::byte* data, std::uint64_t length) noexcept {
    if (logs_) GuestSpace::wrote(data, length);
  }

  std::byte* translate(std::uint64_t addr, std::uint32_t length, Access access) noexcept {
    const Iotlb::Range* range = iotlb_->find(addr, access);
    if (range == nullptr) {
      note(addr, access);
      return nullptr;
    }
    hits_++;
    // What goes on behind its end is for collect().
    return length == 0 || length - 1 <= range->last - addr ? range->host + (addr - range->first) : nullptr;
  }
  // Nothing is remembered from one buffer to the next: permissions may differ.
  RegionTable::Range hot() const noexcept { return RegionTable::Range{0, 0, nullptr}; }

  bool collect(std::uint64_t addr, std::uint32_t length, Access access, PieceList& pieces) noexcept {
    if (length > 0 && addr + length - 1 < addr) return false;
    while (length > 0) {
      const Iotlb::Range* range = iotlb_->find(addr, access);
      if (range == nullptr) {
        note(addr, access);
        return false;
      }
      const std::uint64_t left = range->last - addr;
      const auto piece = left >= length ? length : static_cast<std::uint32_t>(left + 1);
      if (!pieces.push(range->host + (addr - range->first), piece)) return false;
      addr += piece;
      length -= piece;
    }
    return true;
  }

  // Around the walk of one chain: whether it ended at an address that was, or has to be, asked for.
  void beginChain() noexcept { waits_ = false; }
  bool waits() const noexcept { return waits_; }
  // After a chain with a failed address was dropped: what comes to the same address is asked for again.
  void forgetFailed() noexcept {
    const Miss* const end =
        std::remove_if(misses_, misses_ + count_, [](const Miss& miss) { return miss.failed; });
    count_ = static_cast<std::uint32_t>(end - misses_);
  }

  std::uint64_t takeHits() noexcept { return std::exchange(hits_, 0u); }
  // Misses noted since the last time; the control plane has to be told of them.
  std::uint32_t takeFresh() noexcept { return std::exchange(fresh_, 0u); }

  // Control plane, while no burst is inside.
  std::uint32_t missCount() const noexcept { return count_; }
  Miss& miss(std::uint32_t index) noexcept { return misses_[index]; }
  // A translation came for [first, last].
  void answered(std::uint64_t first, std::uint64_t last) noexcept {
    const Miss* const end = std::remove_if(
        misses_, misses_ + count_, [&](const Miss& miss) { return miss.iova >= first && miss.iova <= last; });
    count_ = static_cast<std::uint32_t>(end - misses_);
  }

 private:
  PW_NOINLINE void note(std::uint64_t addr, Access access) noexcept {
    Miss* const end = misses_ + count_;
    Miss* const known = std::find_if(
        misses_, end, [&](const Miss& miss) { return miss.iova == addr && miss.access == access; });
    if (known == end) {
      waits_ = true;
      if (count_ == kMaxMisses) return;
      misses_[count_++] = Miss{addr, access, false, false};
      fresh_++;
    } else if (!known->failed) {
      waits_ = true;
    }
  }

  const Iotlb* iotlb_ = nullptr;
  bool logs_ = false;
  bool waits_ = false;
  std::uint32_t count_ = 0;
  std::uint32_t fresh_ = 0;
  std::uint64_t hits_ = 0;
  Miss misses_[kMaxMisses];
};

}  // namespace pollwire
