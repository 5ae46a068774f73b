// The peer's memory as an immutable snapshot: built from a memory table by the control plane, swapped whole
// while the rings that use it are paused. The only code that turns a guest address into a pointer.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/compiler.hpp"
#include "base/result.hpp"
#include "guest/fault_guard.hpp"
#include "sys/fd.hpp"
#include "sys/mapping.hpp"

namespace pollwire {

// One row of a memory table as it arrived.
struct RegionSpec {
  std::uint64_t guestAddr;
  std::uint64_t size;
  std::uint64_t userAddr;
  std::uint64_t mmapOffset;
};

// A mapped region; shared by every snapshot that still contains it.
class MappedRegion {
 public:
  // Maps [mmapOffset, mmapOffset + size) of `fd`, which is closed in any case. Where the file allows it, it
  // can no longer be shrunk afterwards.
  static Result<std::shared_ptr<const MappedRegion>> map(const RegionSpec& spec, Fd fd);

  const RegionSpec& spec() const noexcept { return spec_; }
  std::byte* host() const noexcept { return reinterpret_cast<std::byte*>(mapping_.data()); }
  // The pages that hold it.
  void* pages() const noexcept { return pages_; }
  std::size_t pagesLength() const noexcept { return pagesLength_; }
  // The peer took memory away that was accessed; zeros lie in its place.
  bool faulted() const noexcept { return faulted_.load(); }
  bool sameFile(const FileFacts& facts) const noexcept {
    return facts.device == device_ && facts.inode == inode_;
  }

 private:
  RegionSpec spec_{};
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
  void* pages_ = nullptr;
  std::size_t pagesLength_ = 0;
  std::atomic<bool> faulted_{false};
  Mapping mapping_;
  FaultGuard guard_;
};

class RegionTable {
 public:
  // What the protocol's memory-slot messages may build up to.
  static constexpr std::uint32_t kMaxRegions = 509;

  struct Range {
    std::uint64_t start;
    std::uint64_t size;
    std::byte* host;
  };

  using List = std::vector<std::shared_ptr<const MappedRegion>>;

  // Refuses overlaps, wraps and too many regions, naming the field.
  static Result<std::shared_ptr<const RegionTable>> build(List regions);

  const List& regions() const noexcept { return regions_; }
  bool empty() const noexcept { return regions_.empty(); }
  bool faulted() const noexcept {
    return std::any_of(regions_.begin(), regions_.end(),
                       [](const auto& region) { return region->faulted(); });
  }

  // By guest-physical address: buffers. nullptr when [addr, addr + length) is not inside one region.
  PW_INLINE std::byte* find(std::uint64_t addr, std::uint64_t length, const Range*& hint) const noexcept {
    if (PW_LIKELY(hint != nullptr)) {
      const std::uint64_t offset = addr - hint->start;
      if (PW_LIKELY(offset < hint->size && length <= hint->size - offset)) return hint->host + offset;
    }
    return search(byGuest_, addr, length, &hint);
  }

  // The range that holds `addr` and the bytes from there to its end; {nullptr, 0} when none does.
  struct Run {
    std::byte* data;
    std::uint64_t length;
  };
  Run runAt(std::uint64_t addr) const noexcept;

  // The guest-physical range that a pointer into this memory belongs to, for the dirty log; size 0: none.
  struct HostRange {
    std::uint64_t host;
    std::uint64_t size;
    std::uint64_t guest;
  };
  HostRange rangeOf(const std::byte* data) const noexcept;

  // One past the highest guest-physical address; 2^64 - 1 when the memory reaches the very end.
  std::uint64_t guestEnd() const noexcept;

  // By front-end user address: rings.
  std::byte* findUser(std::uint64_t addr, std::uint64_t length) const noexcept;

 private:
  static std::byte* search(const std::vector<Range>& ranges, std::uint64_t addr, std::uint64_t length,
                           const Range** hint) noexcept;

  List regions_;
  std::vector<Range> byGuest_;
  std::vector<Range> byUser_;
  std::vector<HostRange> byHost_;
};

}  // namespace pollwire
