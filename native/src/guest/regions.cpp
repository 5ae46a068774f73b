#include "guest/regions.hpp"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "base/hex.hpp"

namespace pollwire {

namespace {

std::string describe(const RegionSpec& spec) {
  return "region at guest address " + hex(spec.guestAddr) + ", size " + hex(spec.size) + ", user address " +
         hex(spec.userAddr) + ", file offset " + hex(spec.mmapOffset);
}

bool wraps(std::uint64_t start, std::uint64_t size) { return start + size < start && start + size != 0; }

// First pair of ranges that share an address, after sorting by start.
bool overlaps(const std::vector<RegionTable::Range>& sorted) {
  for (std::size_t i = 1; i < sorted.size(); i++) {
    if (sorted[i].start - sorted[i - 1].start < sorted[i - 1].size) return true;
  }
  return false;
}

}  // namespace

Result<std::shared_ptr<const MappedRegion>> MappedRegion::map(const RegionSpec& spec, Fd fd) {
  if (spec.size == 0) return Status(StatusCode::kBadAddress, describe(spec) + ": the size is 0");
  if (wraps(spec.guestAddr, spec.size) || wraps(spec.userAddr, spec.size) ||
      wraps(spec.mmapOffset, spec.size)) {
    return Status(StatusCode::kBadAddress, describe(spec) + ": an end wraps around 2^64");
  }
  // Before its size is looked at. Not every file can be sealed; the fault guard is for the others.
  (void)::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK);
  Result<FileFacts> facts = fileFacts(fd.get());
  if (!facts) return facts.status();
  if (!facts->regular) {
    return Status(StatusCode::kBadFile,
                  describe(spec) + ": the descriptor is not a memory file (memfd, hugetlbfs or shm)");
  }
  if (spec.mmapOffset + spec.size > facts->size || spec.mmapOffset + spec.size < spec.size) {
    return Status(StatusCode::kBadFile,
                  describe(spec) + ": the file has only " + hex(facts->size) + " bytes");
  }
  Result<Mapping> mapping =
      Mapping::mapFile(fd.get(), spec.mmapOffset, spec.size, MapOptions{.noReserve = true, .noDump = true});
  if (!mapping) return mapping.status();
  auto region = std::make_shared<MappedRegion>();
  region->spec_ = spec;
  region->device_ = facts->device;
  region->inode_ = facts->inode;
  region->mapping_ = std::move(*mapping);
  const auto first =
      reinterpret_cast<std::uintptr_t>(region->mapping_.data()) / facts->pageSize * facts->pageSize;
  const auto end =
      alignUp(reinterpret_cast<std::uintptr_t>(region->mapping_.data()) + spec.size, facts->pageSize);
  region->pages_ = reinterpret_cast<void*>(first);
  region->pagesLength_ = end - first;
  PW_RETURN_IF_ERROR(region->guard_.guard(region->pages_, region->pagesLength_, &region->faulted_));
  return std::shared_ptr<const MappedRegion>(std::move(region));
}

Result<std::shared_ptr<const RegionTable>> RegionTable::build(List regions) {
  if (regions.size() > kMaxRegions) {
    return Status(StatusCode::kOutOfRange, "memory table with " + std::to_string(regions.size()) +
                                               " regions; the limit is " + std::to_string(kMaxRegions));
  }
  auto table = std::make_shared<RegionTable>();
  for (const auto& region : regions) {
    const RegionSpec& spec = region->spec();
    table->byGuest_.push_back(Range{spec.guestAddr, spec.size, region->host()});
    table->byUser_.push_back(Range{spec.userAddr, spec.size, region->host()});
    table->byHost_.push_back(
        HostRange{reinterpret_cast<std::uintptr_t>(region->host()), spec.size, spec.guestAddr});
  }
  const auto byStart = [](const Range& a, const Range& b) { return a.start < b.start; };
  std::sort(table->byGuest_.begin(), table->byGuest_.end(), byStart);
  std::sort(table->byUser_.begin(), table->byUser_.end(), byStart);
  if (overlaps(table->byGuest_))
    return Status(StatusCode::kBadAddress, "memory table: two regions overlap in guest addresses");
  if (overlaps(table->byUser_))
    return Status(StatusCode::kBadAddress, "memory table: two regions overlap in user addresses");
  std::sort(table->byHost_.begin(), table->byHost_.end(),
            [](const HostRange& a, const HostRange& b) { return a.host < b.host; });
  table->regions_ = std::move(regions);
  return std::shared_ptr<const RegionTable>(std::move(table));
}

std::byte* RegionTable::search(const std::vector<Range>& ranges, std::uint64_t addr, std::uint64_t length,
                               const Range** hint) noexcept {
  // The last range that starts at or below `addr`.
  auto after = std::upper_bound(ranges.begin(), ranges.end(), addr,
                                [](std::uint64_t value, const Range& range) { return value < range.start; });
  if (after == ranges.begin()) return nullptr;
  const Range& range = *--after;
  const std::uint64_t offset = addr - range.start;
  if (offset >= range.size || length > range.size - offset) return nullptr;
  if (hint != nullptr) *hint = &range;
  return range.host + offset;
}

RegionTable::Run RegionTable::runAt(std::uint64_t addr) const noexcept {
  const Range* range = nullptr;
  std::byte* data = search(byGuest_, addr, 1, &range);
  if (data == nullptr) return Run{nullptr, 0};
  return Run{data, range->size - (addr - range->start)};
}

RegionTable::HostRange RegionTable::rangeOf(const std::byte* data) const noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  auto after =
      std::upper_bound(byHost_.begin(), byHost_.end(), address,
                       [](std::uint64_t value, const HostRange& range) { return value < range.host; });
  if (after == byHost_.begin()) return HostRange{0, 0, 0};
  const HostRange& range = *--after;
  return address - range.host < range.size ? range : HostRange{0, 0, 0};
}

std::uint64_t RegionTable::guestEnd() const noexcept {
  if (byGuest_.empty()) return 0;
  const Range& last = byGuest_.back();
  const std::uint64_t end = last.start + last.size;
  return end == 0 ? ~std::uint64_t{0} : end;
}

std::byte* RegionTable::findUser(std::uint64_t addr, std::uint64_t length) const noexcept {
  return search(byUser_, addr, length, nullptr);
}

}  // namespace pollwire
