// The part of a vhost device that serves rings behind an IOMMU: translations come and go, rings rest while
// their own addresses have none.
#include <algorithm>
#include <memory>
#include <utility>

#include "vhost/vhost_device.hpp"

namespace pollwire::vhost {

namespace {

constexpr std::uint64_t kPageMask = 4095;
// Missing pages of one ring that are asked for at a time.
constexpr std::size_t kMaxLacking = 64;

bool overlaps(const RingConfig& config, std::uint64_t first, std::uint64_t last) noexcept {
  const auto parts = partsOf(config);
  return std::any_of(parts.begin(), parts.end(), [&](const RingPart& part) {
    return part.bytes != 0 && part.address <= last && first <= part.address + (part.bytes - 1);
  });
}

// No burst is inside any of the slots.
class HeldSlots {
 public:
  void add(BurstSlot* slot) {
    if (slot != nullptr) held_.push_back(std::make_unique<BurstSlot::Hold>(*slot));
  }

 private:
  std::vector<std::unique_ptr<BurstSlot::Hold>> held_;
};

}  // namespace

Status Device::startBehindIommu(Ring& ring, const RingConfig& config) {
  ring.config = config;
  ring.base = config.base;
  ring.queue.broken.store(nullptr);
  ring.started = true;
  ring.waiting = true;
  Status status = openBehindIommu(ring);
  if (!status.ok()) {
    ring.started = false;
    ring.waiting = false;
  }
  return status;
}

std::vector<Device::Lack> Device::lackOf(const Ring& ring) const {
  std::vector<Lack> lacking;
  for (const RingPart& part : partsOf(ring.config)) {
    if (part.bytes == 0) continue;
    const std::uint64_t last = part.address + (part.bytes - 1);
    for (std::uint64_t at = part.address; at <= last && lacking.size() < kMaxLacking;) {
      const Iotlb::Range* range = iotlb_.find(at, part.access);
      std::uint64_t end = at | kPageMask;
      if (range != nullptr) {
        end = range->last;
      } else {
        const bool asked = std::any_of(ring.lacking.begin(), ring.lacking.end(), [&](const Lack& lack) {
          return lack.iova == at && lack.access == part.access && lack.asked;
        });
        lacking.push_back(Lack{at, part.access, asked});
      }
      if (end == ~std::uint64_t{0}) break;
      at = end + 1;
    }
  }
  return lacking;
}

Status Device::openBehindIommu(Ring& ring) {
  // What the driver broke stays so, wherever it lies.
  if (ring.queue.broken.load() != nullptr) return {};
  ring.lacking = lackOf(ring);
  if (!ring.lacking.empty()) return {};
  const auto find = [this](const RingPart& part) {
    return iotlb_.translate(part.address, part.bytes, part.access);
  };
  auto translated = openRing(ring.config, find, ring.base, !postcopy_.active());
  if (translated.ok()) translated = resume(ring, ring.queue.index, std::move(*translated), ring.base);
  if (!translated)
    return Status(translated.status().code(), nameOf(ring) + ": " + translated.status().detail());
  begin(ring, ring.config, *translated);
  return {};
}

Status Device::iotlbUpdate(std::uint64_t iova, std::uint64_t last, std::uint64_t user,
                           std::uint8_t permission) {
  Status status;
  for (auto& ring : rings_) {
    if (ring->queue.iommu && overlaps(ring->config, iova, last)) suspend(*ring);
  }
  {
    HeldSlots held;
    for (auto& ring : rings_) held.add(ring->queue.slot);
    status = iotlb_.update(iova, last, user, permission, *memory_);
    for (auto& ring : rings_) ring->queue.iova.answered(iova, last);
  }
  for (auto& ring : rings_) {
    if (!ring->waiting) continue;
    Status opened = openBehindIommu(*ring);
    if (status.ok()) status = std::move(opened);
  }
  return status;
}

void Device::iotlbInvalidate(std::uint64_t iova, std::uint64_t last) {
  for (auto& ring : rings_) {
    if (ring->queue.iommu && overlaps(ring->config, iova, last)) suspend(*ring);
  }
  {
    HeldSlots held;
    for (auto& ring : rings_) held.add(ring->queue.slot);
    iotlb_.invalidate(iova, last);
  }
  for (auto& ring : rings_) {
    if (ring->waiting) (void)openBehindIommu(*ring);
  }
}

std::vector<IotlbMiss> Device::takeMisses(bool again) {
  std::vector<IotlbMiss> misses;
  const auto take = [&](auto& miss) {
    if (!miss.asked || again) misses.push_back(IotlbMiss{miss.iova, miss.access});
    miss.asked = true;
  };
  for (auto& ring : rings_) {
    if (!ring->queue.iommu || !ring->started) continue;
    for (Lack& lack : ring->lacking) take(lack);
    HeldSlots held;
    held.add(ring->queue.slot);
    for (std::uint32_t i = 0; i < ring->queue.iova.missCount(); i++) take(ring->queue.iova.miss(i));
  }
  return misses;
}

void Device::giveUpMiss(std::uint64_t iova) {
  for (auto& ring : rings_) {
    HeldSlots held;
    held.add(ring->queue.slot);
    for (std::uint32_t i = 0; i < ring->queue.iova.missCount(); i++) {
      IovaSpace::Miss& miss = ring->queue.iova.miss(i);
      if (miss.iova == iova) miss.failed = true;
    }
  }
}

}  // namespace pollwire::vhost
