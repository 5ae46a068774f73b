// A ring as the front-end describes it, and the device-side ring that it becomes. Called by Device when a
// ring starts and when the memory table changes.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <variant>

#include "base/result.hpp"
#include "guest/guest_space.hpp"
#include "guest/regions.hpp"
#include "virtqueue/inflight_packed.hpp"
#include "virtqueue/inflight_split.hpp"
#include "virtqueue/packed_device.hpp"
#include "virtqueue/split_device.hpp"

namespace pollwire::vhost {

// The first two are what openRing() makes; InflightArea turns them into the others.
using DeviceRing = std::variant<SplitDevice, PackedDevice, InflightSplit, InflightPacked>;

// As the front-end set it. With RING_PACKED among the features, `avail` and `used` are the driver's and the
// device's event structures, and `base` holds the available index and wrap counter in its lower half, the
// used ones above.
struct RingConfig {
  std::uint32_t size = 0;
  std::uint64_t desc = 0;
  std::uint64_t avail = 0;
  std::uint64_t used = 0;
  std::uint32_t base = 0;
  std::uint64_t features = 0;
  // VHOST_VRING_F_LOG: writes to the used part are logged as if it lay at this guest-physical address.
  bool logUsed = false;
  std::uint64_t usedLogAddr = 0;
};

// A part of a ring as the front-end names it: by its user address, or behind an IOMMU by a virtual one.
struct RingPart {
  const char* name;
  std::uint64_t address;
  std::uint64_t bytes;
  std::uint64_t align;
  // How the device uses it.
  Access access;
};
std::array<RingPart, 3> partsOf(const RingConfig& config) noexcept;

// Where a part lies here; nullptr: not in one piece, or nowhere.
using FindPart = std::function<std::byte*(const RingPart&)>;

// Makes the ring of its parts. `base` replaces config.base. Fails, naming part and value, when a size, an
// index, an alignment or an address is wrong. Not `present`: nothing of the ring is read.
Result<DeviceRing> openRing(const RingConfig& config, const FindPart& find, std::uint32_t base,
                            bool present = true);
// The same with parts named by user addresses.
Result<DeviceRing> openRing(const RingConfig& config, const RegionTable& table, std::uint32_t base,
                            bool present = true);

// What the log has to know of the ring's used part.
UsedLog usedLogOf(const RingConfig& config, const RegionTable& table);

// `running` on the memory of `opened`, which is the same ring at another place.
DeviceRing moveRing(const DeviceRing& running, DeviceRing opened);

}  // namespace pollwire::vhost
