#include "vhost/ring_setup.hpp"

#include <string>

#include "virtqueue/features.hpp"

namespace pollwire::vhost {

namespace {

Result<std::byte*> locate(const RingPart& part, const FindPart& find) {
  const std::string name = std::string("the ") + part.name;
  if (part.address % part.align != 0) {
    return Status(StatusCode::kBadAddress,
                  name + " is not aligned to " + std::to_string(part.align) + " bytes");
  }
  std::byte* const host = find(part);
  if (host == nullptr) {
    return Status(StatusCode::kBadAddress,
                  name + " (" + std::to_string(part.bytes) + " bytes) is not inside one memory region");
  }
  if (reinterpret_cast<std::uintptr_t>(host) % part.align != 0) {
    return Status(StatusCode::kBadAddress, name + " lies at an odd offset of its file");
  }
  return host;
}

template <typename T>
T* as(std::byte* host) noexcept {
  return reinterpret_cast<T*>(host);
}

}  // namespace

std::array<RingPart, 3> partsOf(const RingConfig& config) noexcept {
  const bool eventIdx = (config.features & virtio::kRingEventIdx) != 0;
  if ((config.features & virtio::kRingPacked) != 0) {
    constexpr std::uint64_t kEvent = sizeof(packed::EventSuppress);
    return {RingPart{"descriptor ring", config.desc, packed::descBytes(config.size), 16, Access::kWrite},
            RingPart{"driver event structure", config.avail, kEvent, 4, Access::kRead},
            RingPart{"device event structure", config.used, kEvent, 4, Access::kWrite}};
  }
  const std::uint64_t avail = split::availBytes(config.size, eventIdx);
  const std::uint64_t used = split::usedBytes(config.size, eventIdx);
  return {RingPart{"descriptor table", config.desc, split::descBytes(config.size), 16, Access::kRead},
          RingPart{"available ring", config.avail, avail, 2, Access::kRead},
          RingPart{"used ring", config.used, used, 4, Access::kWrite}};
}

Result<DeviceRing> openRing(const RingConfig& config, const RegionTable& table, std::uint32_t base,
                            bool present) {
  const auto find = [&table](const RingPart& part) { return table.findUser(part.address, part.bytes); };
  return openRing(config, find, base, present);
}

Result<DeviceRing> openRing(const RingConfig& config, const FindPart& find, std::uint32_t base,
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
  std::byte* hosts[3];
  std::byte** host = hosts;
  for (const RingPart& part : partsOf(config)) {
    auto found = locate(part, find);
    if (!found) return found.status();
    *host++ = *found;
  }
  if (isPacked) {
    return DeviceRing(PackedDevice(as<packed::Desc>(hosts[0]), as<packed::EventSuppress>(hosts[1]),
                                   as<packed::EventSuppress>(hosts[2]), config.size, base, eventIdx,
                                   indirect));
  }
  return DeviceRing(SplitDevice(as<split::Desc>(hosts[0]), as<split::Avail>(hosts[1]),
                                as<split::Used>(hosts[2]), config.size, static_cast<std::uint16_t>(base),
                                eventIdx, indirect, present));
}

UsedLog usedLogOf(const RingConfig& config, const RegionTable& table) {
  const bool eventIdx = (config.features & virtio::kRingEventIdx) != 0;
  const bool isPacked = (config.features & virtio::kRingPacked) != 0;
  const std::uint64_t bytes =
      isPacked ? sizeof(packed::EventSuppress) : split::usedBytes(config.size, eventIdx);
  return UsedLog{table.findUser(config.used, bytes), bytes, config.logUsed, config.usedLogAddr};
}

DeviceRing moveRing(const DeviceRing& running, DeviceRing opened) {
  if (auto* split = std::get_if<SplitDevice>(&opened)) {
    const auto* tracked = std::get_if<InflightSplit>(&running);
    split->takeOver(tracked != nullptr ? *tracked : std::get<SplitDevice>(running));
    if (tracked != nullptr) return tracked->movedTo(*split);
  } else if (auto* packed = std::get_if<PackedDevice>(&opened)) {
    const auto* tracked = std::get_if<InflightPacked>(&running);
    packed->takeOver(tracked != nullptr ? *tracked : std::get<PackedDevice>(running));
    if (tracked != nullptr) return tracked->movedTo(*packed);
  }
  return opened;
}

}  // namespace pollwire::vhost
