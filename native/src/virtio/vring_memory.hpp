// Memory of a ring that we own: one arena block with the ring's three parts, each on cache lines of its own,
// and room for whatever else the device must see. The peer maps the arena, so that the addresses it is told
// are ours.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "base/result.hpp"
#include "virtqueue/packed_driver.hpp"
#include "virtqueue/split_driver.hpp"

namespace pollwire::virtio {

using DriverRing = std::variant<SplitDriver, PackedDriver>;

// What SET_VRING_ADDR says. Packed: descriptor ring, driver event structure, device event structure.
struct VringAreas {
  std::uint64_t desc = 0;
  std::uint64_t driver = 0;
  std::uint64_t device = 0;
};

struct VringShape {
  std::uint32_t size = 0;
  bool packed = false;
  bool eventIdx = false;
  // Where the ring begins, as SET_VRING_BASE says it.
  std::uint32_t base = 0;
};

class VringMemory {
 public:
  VringMemory() = default;
  VringMemory(VringMemory&& other) noexcept;
  VringMemory& operator=(VringMemory&& other) noexcept;
  ~VringMemory();

  // Fails with the number and the limit when the size is not allowed for the layout, and when the arena is
  // full.
  static Result<VringMemory> allocate(const VringShape& shape, std::uint64_t extraBytes,
                                      const std::string& label);

  bool valid() const noexcept { return offset_ != 0; }
  const VringShape& shape() const noexcept { return shape_; }
  VringAreas areas() const noexcept;
  // The extra bytes, 64-byte aligned.
  std::byte* extra() const noexcept;
  // A ring at its beginning, over zeroed memory. The device must not use the memory at that time.
  DriverRing open() const;

 private:
  VringShape shape_;
  std::uint64_t offset_ = 0;
  std::uint64_t driverAt_ = 0;
  std::uint64_t deviceAt_ = 0;
  std::uint64_t extraAt_ = 0;
  std::uint64_t extraBytes_ = 0;
};

}  // namespace pollwire::virtio
