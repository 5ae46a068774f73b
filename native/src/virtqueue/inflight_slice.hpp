// The part of an in-flight region that belongs to one ring: memory that a front-end keeps and could change.
// Cut by vhost/inflight_area, written by InflightSplit and InflightPacked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace pollwire {

struct InflightSlice {
  std::byte* data = nullptr;
  // Descriptors that it has room for.
  std::uint32_t entries = 0;
  // Keeps the memory mapped.
  std::shared_ptr<const void> memory;
};

}  // namespace pollwire
