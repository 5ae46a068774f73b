// The shared region in which the rings of a device note what they have taken and not answered
// (GET_INFLIGHT_FD, SET_INFLIGHT_FD): made for a front-end that asks for one, mapped when it comes back, and
// cut into one slice for each ring. Called by Device.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "guest/regions.hpp"
#include "sys/mapping.hpp"
#include "vhost/ring_setup.hpp"
#include "virtqueue/inflight_slice.hpp"

namespace pollwire::vhost {

// As SET_INFLIGHT_FD carries it.
struct InflightSpec {
  std::uint64_t size = 0;
  std::uint64_t offset = 0;
  std::uint32_t rings = 0;
  // Descriptors of the largest ring.
  std::uint32_t ringSize = 0;
};

class InflightArea {
 public:
  // A sealed memory file for `rings` rings of at most `ringSize` descriptors, all zero: nobody has used it.
  static Result<MemoryFile> create(std::uint32_t rings, std::uint32_t ringSize, bool packed);

  // Maps what the front-end kept. Fails when it is too small for what it is said to hold, or misaligned.
  static Result<std::shared_ptr<const InflightArea>> map(const InflightSpec& spec, bool packed, Fd fd);

  // The ring with its notes: goes on where the last user of the region ended. `keepBase`: see InflightSplit.
  Result<DeviceRing> track(std::uint32_t index, const DeviceRing& ring, bool keepBase) const;

 private:
  InflightSpec spec_;
  std::shared_ptr<const MappedRegion> memory_;
};

}  // namespace pollwire::vhost
