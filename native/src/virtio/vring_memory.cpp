#include "virtio/vring_memory.hpp"

#include <cstring>
#include <utility>

#include "mem/arena.hpp"

namespace pollwire::virtio {

namespace {

// Two lines, because CPUs fetch lines in pairs: what one side polls never shares a pair with what it writes.
constexpr std::uint64_t kPartAlign = 2 * kCacheLine;

Status checkShape(const VringShape& shape) {
  const bool sizeFits =
      shape.size >= 1 && shape.size <= packed::kMaxSize && (shape.packed || isPowerOfTwo(shape.size));
  if (!sizeFits) {
    return Status(StatusCode::kOutOfRange, "ring size " + std::to_string(shape.size) + "; give " +
                                               (shape.packed ? "a number" : "a power of two") +
                                               " from 1 to 32768");
  }
  if (shape.packed && packed::positionOf(shape.base) >= shape.size) {
    return Status(StatusCode::kOutOfRange, "ring base " + std::to_string(packed::positionOf(shape.base)) +
                                               " is outside a ring of " + std::to_string(shape.size));
  }
  return {};
}

}  // namespace

VringMemory::VringMemory(VringMemory&& other) noexcept { *this = std::move(other); }

VringMemory& VringMemory::operator=(VringMemory&& other) noexcept {
  std::swap(shape_, other.shape_);
  std::swap(offset_, other.offset_);
  std::swap(driverAt_, other.driverAt_);
  std::swap(deviceAt_, other.deviceAt_);
  std::swap(extraAt_, other.extraAt_);
  std::swap(extraBytes_, other.extraBytes_);
  return *this;
}

VringMemory::~VringMemory() {
  Arena* arena = Arena::get();
  if (offset_ != 0 && arena != nullptr) arena->release(offset_);
}

Result<VringMemory> VringMemory::allocate(const VringShape& shape, std::uint64_t extraBytes,
                                          const std::string& label) {
  Status fits = checkShape(shape);
  if (!fits.ok()) return Status(fits.code(), label + ": " + fits.detail());
  Arena* arena = Arena::get();
  if (arena == nullptr) return Status(StatusCode::kBadState, label + ": create the arena first");
  const std::uint64_t driverBytes =
      shape.packed ? sizeof(packed::EventSuppress) : split::availBytes(shape.size, true);
  const std::uint64_t deviceBytes =
      shape.packed ? sizeof(packed::EventSuppress) : split::usedBytes(shape.size, true);
  VringMemory memory;
  memory.shape_ = shape;
  memory.driverAt_ = alignUp(split::descBytes(shape.size), kPartAlign);
  memory.deviceAt_ = alignUp(memory.driverAt_ + driverBytes, kPartAlign);
  memory.extraAt_ = alignUp(memory.deviceAt_ + deviceBytes, kPartAlign);
  memory.extraBytes_ = extraBytes;
  auto offset = arena->allocate(alignUp(memory.extraAt_ + extraBytes, kPartAlign), kPartAlign, label);
  if (!offset) return offset.status();
  memory.offset_ = *offset;
  return memory;
}

VringAreas VringMemory::areas() const noexcept {
  const std::uint64_t at = reinterpret_cast<std::uintptr_t>(arenaBase()) + offset_;
  return VringAreas{at, at + driverAt_, at + deviceAt_};
}

std::byte* VringMemory::extra() const noexcept { return arenaBase() + offset_ + extraAt_; }

DriverRing VringMemory::open() const {
  std::byte* const at = arenaBase() + offset_;
  std::memset(at, 0, extraAt_ + extraBytes_);
  if (shape_.packed) {
    return DriverRing(PackedDriver(
        reinterpret_cast<packed::Desc*>(at), reinterpret_cast<packed::EventSuppress*>(at + driverAt_),
        reinterpret_cast<packed::EventSuppress*>(at + deviceAt_), shape_.size, shape_.base, shape_.eventIdx));
  }
  return DriverRing(
      SplitDriver(reinterpret_cast<split::Desc*>(at), reinterpret_cast<split::Avail*>(at + driverAt_),
                  reinterpret_cast<split::Used*>(at + deviceAt_), shape_.size, shape_.base, shape_.eventIdx));
}

}  // namespace pollwire::virtio
