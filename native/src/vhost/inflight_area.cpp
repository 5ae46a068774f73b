#include "vhost/inflight_area.hpp"

#include <string>
#include <utility>

#include "virtqueue/layout_inflight.hpp"

namespace pollwire::vhost {

Result<MemoryFile> InflightArea::create(std::uint32_t rings, std::uint32_t ringSize, bool packed) {
  MemoryFileOptions options;
  options.name = "pollwire-inflight";
  options.size = rings * inflight::queueBytes(ringSize, packed);
  options.hugePages = HugePages::kNever;
  return createMemoryFile(options);
}

Result<std::shared_ptr<const InflightArea>> InflightArea::map(const InflightSpec& spec, bool packed, Fd fd) {
  const std::uint64_t need = spec.rings * inflight::queueBytes(spec.ringSize, packed);
  if (spec.rings == 0 || spec.ringSize == 0 || spec.ringSize > split::kMaxSize || spec.size < need) {
    return Status(StatusCode::kOutOfRange, "an in-flight region of " + std::to_string(spec.size) +
                                               " bytes for " + std::to_string(spec.rings) + " rings of " +
                                               std::to_string(spec.ringSize) + "; " + std::to_string(need) +
                                               " are needed");
  }
  if (spec.offset % alignof(inflight::PackedQueue) != 0) {
    return Status(StatusCode::kBadAddress,
                  "the in-flight region at offset " + std::to_string(spec.offset) + " is not aligned to 8");
  }
  // No more than is needed, whatever was announced.
  auto memory = MappedRegion::map(RegionSpec{0, need, 0, spec.offset}, std::move(fd));
  if (!memory) return Status(memory.status().code(), "the in-flight region: " + memory.status().detail());
  auto area = std::make_shared<InflightArea>();
  area->spec_ = spec;
  area->memory_ = std::move(*memory);
  return std::shared_ptr<const InflightArea>(std::move(area));
}

Result<DeviceRing> InflightArea::track(std::uint32_t index, const DeviceRing& ring, bool keepBase) const {
  const auto* packedRing = std::get_if<PackedDevice>(&ring);
  if (index >= spec_.rings) {
    return Status(StatusCode::kOutOfRange,
                  "the in-flight region has no place for it, only for " + std::to_string(spec_.rings));
  }
  const std::uint64_t step = inflight::queueBytes(spec_.ringSize, packedRing != nullptr);
  if (memory_->spec().size < spec_.rings * step) {
    return Status(StatusCode::kOutOfRange, "the in-flight region was made for split rings; give a new one");
  }
  const InflightSlice slice{memory_->host() + index * step, spec_.ringSize, memory_};
  if (packedRing != nullptr) {
    auto opened = InflightPacked::open(*packedRing, slice);
    if (!opened) return opened.status();
    return DeviceRing(std::move(*opened));
  }
  auto opened = InflightSplit::open(std::get<SplitDevice>(ring), slice, keepBase);
  if (!opened) return opened.status();
  return DeviceRing(std::move(*opened));
}

}  // namespace pollwire::vhost
