#include "guest/iotlb.hpp"

#include <algorithm>
#include <string>

#include "base/hex.hpp"

namespace pollwire {

namespace {

bool continues(const Iotlb::Range& a, const Iotlb::Range& b) noexcept {
  return a.last + 1 == b.first && a.host + (b.first - a.first) == b.host && a.permission == b.permission;
}

}  // namespace

Status Iotlb::update(std::uint64_t iova, std::uint64_t last, std::uint64_t user, std::uint8_t permission,
                     const RegionTable& memory) {
  const std::uint64_t span = last - iova;
  if (last < iova || user + span < user) {
    return Status(StatusCode::kBadAddress, "IOTLB update of " + hex(iova) + " to " + hex(last) +
                                               " at user address " + hex(user) +
                                               ": a range wraps around 2^64");
  }
  invalidate(iova, last);
  bool found = false;
  for (const auto& region : memory.regions()) {
    const RegionSpec& spec = region->spec();
    const std::uint64_t from = std::max(user, spec.userAddr);
    const std::uint64_t to = std::min(user + span, spec.userAddr + spec.size - 1);
    if (from > to) continue;
    found = true;
    insert(
        Range{iova + (from - user), iova + (to - user), region->host() + (from - spec.userAddr), permission});
  }
  if (found) return {};
  return Status(StatusCode::kBadAddress, "IOTLB update of " + hex(iova) + ": user address " + hex(user) +
                                             " is not inside the memory table");
}

void Iotlb::invalidate(std::uint64_t iova, std::uint64_t last) {
  const auto from = std::partition_point(ranges_.begin(), ranges_.end(),
                                         [iova](const Range& range) { return range.last < iova; });
  const auto to =
      std::partition_point(from, ranges_.end(), [last](const Range& range) { return range.first <= last; });
  if (from == to) return;
  // What sticks out at either side stays.
  const Range head = *from;
  const Range tail = *(to - 1);
  auto at = ranges_.erase(from, to);
  if (tail.last > last) {
    at = ranges_.insert(at, Range{last + 1, tail.last, tail.host + (last + 1 - tail.first), tail.permission});
  }
  if (head.first < iova) ranges_.insert(at, Range{head.first, iova - 1, head.host, head.permission});
}

void Iotlb::insert(const Range& range) {
  if (ranges_.size() >= kMaxRanges) {
    victim_ = (victim_ + 1) % ranges_.size();
    ranges_.erase(ranges_.begin() + static_cast<std::ptrdiff_t>(victim_));
  }
  auto at = std::upper_bound(ranges_.begin(), ranges_.end(), range.first,
                             [](std::uint64_t value, const Range& other) { return value < other.first; });
  at = ranges_.insert(at, range);
  if (at + 1 != ranges_.end() && continues(*at, *(at + 1))) {
    at->last = (at + 1)->last;
    ranges_.erase(at + 1);
  }
  if (at != ranges_.begin() && continues(*(at - 1), *at)) {
    (at - 1)->last = at->last;
    ranges_.erase(at);
  }
}

const Iotlb::Range* Iotlb::find(std::uint64_t iova, Access access) const noexcept {
  auto after = std::upper_bound(ranges_.begin(), ranges_.end(), iova,
                                [](std::uint64_t value, const Range& range) { return value < range.first; });
  if (after == ranges_.begin()) return nullptr;
  const Range& range = *--after;
  return iova <= range.last && (range.permission & permissionFor(access)) != 0 ? &range : nullptr;
}

std::byte* Iotlb::translate(std::uint64_t iova, std::uint64_t bytes, Access access) const noexcept {
  const Range* range = find(iova, access);
  if (range == nullptr || (bytes != 0 && bytes - 1 > range->last - iova)) return nullptr;
  return range->host + (iova - range->first);
}

}  // namespace pollwire
