#include "vhost/ring_setup.hpp"

#include <string>

#include "virtqueue/features.hpp"

namespace pollwire::vhost {

namespace {

// One part of a ring: where the peer says that it is, and where that lies here.
struct RingArea {
  const char* name;
  std::uint64_t address;
  std::uint64_t bytes;
  std::uint64_t align;
  std::byte* host;

  template <typename T>
  T* as() const noexcept {
    return reinterpret_cast<T*>(host);
  }
};

Status locate(RingArea& area, const RegionTable& table) {
  const std::string name = std::string("the ") + area.name;
  if (area.address % area.align != 0) {
    return Status(StatusCode::kBadAddress,
                  name + " is not aligned to " + std::to_string(area.align) + " bytes");
  }
  area.host = table.findUser(area.address, area.bytes);
  if (area.host == nullptr) {
    return Status(StatusCode::kBadAddress,
                  name + " (" + std::to_string(area.bytes) + " bytes) is not inside one memory region");
  }
  if (reinterpret_cast<std::uintptr_t>(area.host) % area.align != 0) {
    return Status(StatusCode::kBadAddress, name + " lies at an odd offset of its file");
  }
  return {};
}

}  // namespace

Result<DeviceRing> openRing(const RingConfig& config, const RegionTable& table, std::uint32_t base,
                            bool present) {
  const bool eventIdx = (config.features & virtio::kRingEventIdx) != 0;
  const bool indirect = (config.features & virtio::kRingIndirectDesc) != 0;
  const bool isPacked = (config.features & virtio::kRingPacked) != 0;
  // virtio 1.2 §2.7, §2.8: a split ring's size is a power of two, a packed one's need not be.
  if (config.size == 0 || config.size > split::kMaxSize || (!isPacked && !isPowerOfTwo(config.size))) {
    return Status(StatusCode::kOutOfRange, "size " + std::to_string(config.size) + " is not " +
                                               (isPacked ? "a number" : "a power of two") +
                                               " from 1 to 32768");
  }
  if (isPacked && packed::positionOf(base) >= config.size) {
    return Status(StatusCode::kOutOfRange, "base index " + std::to_string(packed::positionOf(base)) +
                                               " is outside a ring of " + std::to_string(config.size));
  }
  RingArea areas[3];
  if (isPacked) {
    areas[0] = {"descriptor ring", config.desc, packed::descBytes(config.size), 16, nullptr};
    areas[1] = {"driver event structure", config.avail, sizeof(packed::EventSuppress), 4, nullptr};
    areas[2] = {"device event structure", config.used, sizeof(packed::EventSuppress), 4, nullptr};
  } else {
    areas[0] = {"descriptor table", config.desc, split::descBytes(config.size), 16, nullptr};
    areas[1] = {"available ring", config.avail, split::availBytes(config.size, eventIdx), 2, nullptr};
    areas[2] = {"used ring", config.used, split::usedBytes(config.size, eventIdx), 4, nullptr};
  }
  for (RingArea& area : areas) {
    PW_RETURN_IF_ERROR(locate(area, table));
  }
  if (isPacked) {
    return DeviceRing(PackedDevice(areas[0].as<packed::Desc>(), areas[1].as<packed::EventSuppress>(),
                                   areas[2].as<packed::EventSuppress>(), config.size, base, eventIdx,
                                   indirect));
  }
  return DeviceRing(SplitDevice(areas[0].as<split::Desc>(), areas[1].as<split::Avail>(),
                                areas[2].as<split::Used>(), config.size, static_cast<std::uint16_t>(base),
                                eventIdx, indirect, present));
}

UsedLog usedLogOf(const RingConfig& config, const RegionTable& table) {
  const bool eventIdx = (config.features & virtio::kRingEventIdx) != 0;
  const bool isPacked = (config.features & virtio::kRingPacked) != 0;
  const std::uint64_t bytes =
      isPacked ? sizeof(packed::EventSuppress) : split::usedBytes(config.size, eventIdx);
  return UsedLog{table.findUser(config.used, bytes), bytes, config.logUsed, config.usedLogAddr};
}

}  // namespace pollwire::vhost
