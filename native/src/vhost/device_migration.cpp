// What live migration asks of a vhost device: the dirty log on the machine that a guest leaves, memory that
// arrives late on the one that it comes to.
#include <string>
#include <utility>

#include "vhost/vhost_device.hpp"
#include "virtqueue/features.hpp"

namespace pollwire::vhost {

Status Device::setLog(std::uint64_t size, std::uint64_t offset, Fd fd) {
  auto mapped = DirtyLog::map(size, offset, std::move(fd), *memory_);
  if (!mapped) {
    return Status(mapped.status().code(),
                  "vhost device " + std::to_string(id_) + ": " + mapped.status().detail());
  }
  std::swap(log_, *mapped);
  // The old log goes when no ring marks pages in it any more.
  for (auto& ring : rings_) reopen(*ring);
  return {};
}

void Device::setLogAll(bool on) {
  for (auto& ring : rings_) {
    const std::uint64_t features = ring->config.features;
    ring->config.features = on ? features | virtio::kVhostLogAll : features & ~virtio::kVhostLogAll;
    if (ring->config.features != features) reopen(*ring);
  }
}

Status Device::setRingLog(std::uint32_t index, bool logUsed, std::uint64_t usedLogAddr) {
  auto found = ringAt(index);
  if (!found) return found.status();
  Ring& ring = **found;
  ring.config.logUsed = logUsed;
  ring.config.usedLogAddr = usedLogAddr;
  if (ring.queue.logged) reopen(ring);
  return {};
}

Result<Fd> Device::postcopyAdvise() {
  auto fd = postcopy_.advise();
  if (!fd) {
    return Status(fd.status().code(), "vhost device " + std::to_string(id_) + ": " + fd.status().detail());
  }
  return std::move(*fd);
}

Status Device::postcopyListen() { return postcopy_.listen(*memory_); }

Result<std::uint64_t> Device::postcopyAddress(std::uint64_t guestAddr, std::uint64_t size) const {
  for (const auto& region : memory_->regions()) {
    if (region->spec().guestAddr == guestAddr && region->spec().size == size)
      return reinterpret_cast<std::uintptr_t>(region->host());
  }
  return Status(StatusCode::kNotFound, "vhost device " + std::to_string(id_) + ": no such memory region");
}

Status Device::postcopyReady() { return postcopy_.ready(*memory_); }

void Device::postcopyEnd() noexcept {
  postcopy_.end();
  for (auto& ring : rings_) ring->queue.absent.store(false);
}

}  // namespace pollwire::vhost
