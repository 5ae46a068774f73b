// What an operator asks of a ring: how much waits in it, whether its driver has ever written to the memory
// that we see, whether a kick lies there unread. Control plane only; nothing of the ring is changed.
#include <poll.h>

#include <algorithm>
#include <optional>

#include "ethdev/slot_table.hpp"
#include "vhost/vhost_device.hpp"
#include "virtqueue/features.hpp"

namespace pollwire::vhost {

namespace {

bool allZero(const std::byte* data, std::uint64_t bytes) {
  return data != nullptr &&
         std::all_of(data, data + bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

Result<RingInspection> Device::inspect(std::uint32_t index) {
  auto found = ringAt(index);
  if (!found) return found.status();
  const Ring& ring = **found;
  RingInspection seen{};
  pollfd kick{ring.kick.get(), POLLIN, 0};
  seen.kickPending = ring.kick.valid() && ::poll(&kick, 1, 0) == 1 && (kick.revents & POLLIN) != 0;
  // Pages may be absent while a postcopy migration runs; only bursts may wait for them.
  if (!ring.live() || ring.queue.absent.load() || ring.queue.untouched.load()) return seen;
  std::optional<BurstSlot::Hold> hold;
  if (ring.queue.slot != nullptr) hold.emplace(*ring.queue.slot);
  seen.waiting = std::visit([](const auto& layout) { return layout.waiting(); }, ring.queue.ring);
  // Descriptors are the first thing that a driver writes, and it never clears them all.
  seen.blank = allZero(memory_->findUser(ring.config.desc, split::descBytes(ring.config.size)),
                       split::descBytes(ring.config.size));
  return seen;
}

Result<bool> Device::signalDriver(std::uint32_t index) {
  auto found = ringAt(index);
  if (!found) return found.status();
  const Ring& ring = **found;
  if (!ring.call.valid()) return false;
  return signalPeerEventFd(ring.call.get()) != SignalResult::kFailed;
}

}  // namespace pollwire::vhost
