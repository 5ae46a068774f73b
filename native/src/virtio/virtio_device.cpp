#include "virtio/virtio_device.hpp"

#include <algorithm>
#include <utility>

#include "ethdev/slot_table.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "sys/eventfd.hpp"

namespace pollwire::virtio {

namespace {

// rx posts fresh buffers at least this many at a time, tx frees used ones: the ring's shared lines change
// hands less often.
constexpr std::uint32_t kRefillAt = 16;

std::uint32_t rxDescriptors(void* context) noexcept {
  return std::visit([](const auto& ring) { return ring.waiting(); },
                    static_cast<const Queue*>(context)->ring);
}

std::uint32_t txDescriptors(void* context) noexcept {
  return std::visit([](const auto& ring) { return ring.inFlight(); },
                    static_cast<const Queue*>(context)->ring);
}

bool armCalls(void* context, bool wanted) noexcept {
  return std::visit(
      [wanted](auto& ring) {
        ring.setCallWanted(wanted);
        return ring.waiting() != 0;
      },
      static_cast<Queue*>(context)->ring);
}

Status noSuch(const std::string& what) { return Status(StatusCode::kNotFound, what); }

}  // namespace

Device::Device(std::uint32_t id, std::uint32_t queues) : id_(id), filter_(std::make_unique<RxFilter>()) {
  for (std::uint32_t i = 0; i < queues; i++) {
    rings_.push_back(std::make_unique<Ring>());
    rings_.back()->queue.device = id;
    rings_.back()->queue.index = i;
    rings_.back()->queue.filter = filter_.get();
  }
}

Device::~Device() {
  for (std::uint32_t i = 0; i < rings_.size(); i++) (void)unbind(i);
  releaseQuarantine();
}

std::string Device::nameOf(const Ring& ring) const {
  return "virtio device " + std::to_string(id_) + ", queue " + std::to_string(ring.queue.index);
}

Result<Device::Ring*> Device::ringAt(std::uint32_t queue) {
  if (queue >= rings_.size()) {
    return noSuch("virtio device " + std::to_string(id_) + " has queues 0 to " +
                  std::to_string(rings_.size() - 1) + ", not " + std::to_string(queue));
  }
  return rings_[queue].get();
}

Result<QueueAreas> Device::setup(std::uint32_t index, Direction direction, const QueueConfig& config) {
  auto found = ringAt(index);
  if (!found) return found.status();
  Ring& ring = **found;
  if (ring.started) return Status(StatusCode::kBadState, nameOf(ring) + " runs; stop it first");
  const std::uint64_t features = config.features;
  VringShape shape;
  shape.size = config.size;
  shape.packed = (features & kRingPacked) != 0;
  shape.eventIdx = (features & kRingEventIdx) != 0;
  shape.base = shape.packed ? config.packedBase : config.splitBase;
  const std::uint32_t slotBytes = (features & kRingIndirectDesc) != 0 ? kSlotWithTable : kTableAt;
  const std::uint64_t extra = direction == Direction::kTx ? std::uint64_t{slotBytes} * config.size : 0;
  // The old block goes first: a set-up repeated for a new back-end finds its room again.
  ring.memory = VringMemory();
  auto memory = VringMemory::allocate(shape, extra, nameOf(ring));
  if (!memory) return memory.status();
  ring.memory = std::move(*memory);
  ring.direction = direction;
  Queue& queue = ring.queue;
  queue.features = features;
  queue.headerLen = netHdrLen(features);
  queue.anyLayout = (features & (kVersion1 | kAnyLayout)) != 0;
  queue.slots = extra != 0 ? ring.memory.extra() : nullptr;
  queue.slotBytes = slotBytes;
  queue.threshold =
      direction == Direction::kRx ? std::clamp(config.size / 8, 1u, kRefillAt) : config.size / 2;
  return QueueAreas{ring.memory.areas(), shape.base};
}

Status Device::bind(std::uint32_t index, std::uint32_t slot, const BindOptions& options) {
  auto found = ringAt(index);
  if (!found) return found.status();
  Ring& ring = **found;
  if (ring.queue.slot != nullptr)
    return Status(StatusCode::kBusy, nameOf(ring) + " is bound to a slot already");
  BurstSlot* target = slots::byId(slot);
  if (target == nullptr || target->counters() == nullptr)
    return noSuch("there is no queue slot " + std::to_string(slot));
  ring.pool = options.pool;
  if (Mempool* pool = Mempool::byId(ring.pool)) pool->retain();
  ring.queue.port = options.port;
  ring.queue.counters = target->counters();
  ring.queue.slot = target;
  target->close(kSlotRingStopped);
  return {};
}

Status Device::unbind(std::uint32_t index) {
  auto stopped = stop(index);
  if (!stopped) return stopped.status();
  Ring& ring = *rings_[index];
  Queue& queue = ring.queue;
  if (queue.slot == nullptr) return {};
  queue.slot->unbind();
  queue.slot = nullptr;
  if (Mempool* pool = Mempool::byId(ring.pool)) pool->release();
  ring.pool = ~0u;
  queue.counters = nullptr;
  return {};
}

Status Device::setStripVlan(std::uint32_t index, bool wanted) {
  auto found = ringAt(index);
  if (!found) return found.status();
  Ring& ring = **found;
  ring.queue.stripVlan = wanted;
  if (ring.started && ring.direction == Direction::kRx) {
    ring.queue.slot->bind(selectRx(ring.queue), &ring.queue, rxDescriptors);
  }
  return {};
}

Status Device::setRxFilter(const RxFilterSettings& settings) {
  auto made = RxFilter::make(settings);
  if (!made) {
    return Status(made.status().code(),
                  "virtio device " + std::to_string(id_) + ": " + made.status().detail());
  }
  std::unique_ptr<const RxFilter> next = std::make_unique<RxFilter>(*made);
  for (const auto& ring : rings_) {
    Queue& queue = ring->queue;
    if (!ring->started || ring->direction != Direction::kRx) {
      queue.filter = next.get();
      continue;
    }
    {
      // Every filter suits every burst function, so that the two need not change in one step.
      const BurstSlot::Hold hold(*queue.slot);
      queue.filter = next.get();
    }
    queue.slot->bind(selectRx(queue), &queue, rxDescriptors);
  }
  filter_ = std::move(next);
  return {};
}

Status Device::start(std::uint32_t index) {
  auto found = ringAt(index);
  if (!found) return found.status();
  Ring& ring = **found;
  Queue& queue = ring.queue;
  if (ring.started) return Status(StatusCode::kBadState, nameOf(ring) + " runs already; stop it first");
  if (!ring.memory.valid())
    return Status(StatusCode::kBadState, nameOf(ring) + " has no ring; set it up first");
  if (queue.slot == nullptr) return Status(StatusCode::kBadState, nameOf(ring) + " is not bound to a slot");
  const bool rx = ring.direction == Direction::kRx;
  queue.pool = Mempool::byId(ring.pool);
  if (rx && queue.pool == nullptr) {
    return noSuch(nameOf(ring) + ": rx needs a pool; there is none with id " + std::to_string(ring.pool));
  }
  queue.bufferLen = rx ? queue.pool->segmentRoom() + queue.headerLen : 0;
  queue.ring = ring.memory.open();
  queue.broken.store(nullptr);
  if (rx) fillRx(queue);
  ring.started = true;
  queue.slot->bind(rx ? selectRx(queue) : selectTx(queue), &queue, rx ? rxDescriptors : txDescriptors);
  queue.slot->setWait(ring.call.get(), rx ? armCalls : nullptr);
  queue.slot->open(kSlotRingStopped | kSlotBroken);
  return {};
}

Result<std::uint32_t> Device::stop(std::uint32_t index, Reclaim reclaim) {
  auto found = ringAt(index);
  if (!found) return found.status();
  Ring& ring = **found;
  if (!ring.started) return 0u;
  ring.queue.slot->close(kSlotRingStopped);
  ring.started = false;
  std::vector<Handle> posted;
  if (ring.direction == Direction::kRx) abandonRx(ring.queue, posted);
  else abandonTx(ring.queue, posted);
  if (reclaim == Reclaim::kNow) freeBurst(posted.data(), static_cast<std::uint32_t>(posted.size()));
  else quarantine_.insert(quarantine_.end(), posted.begin(), posted.end());
  return static_cast<std::uint32_t>(posted.size());
}

Status Device::release(std::uint32_t index) {
  auto stopped = stop(index);
  if (!stopped) return stopped.status();
  rings_[index]->memory = VringMemory();
  return {};
}

Status Device::adopt(const Ring& ring, const char* what, const Fd& fd) const {
  if (!fd.valid()) return {};
  Status status = adoptEventFd(fd.get());
  if (status.ok()) return {};
  return Status(status.code(), nameOf(ring) + ": " + what + ": " + status.detail());
}

Status Device::setKick(std::uint32_t index, Fd fd) {
  auto found = ringAt(index);
  if (!found) return found.status();
  Ring& ring = **found;
  PW_RETURN_IF_ERROR(adopt(ring, "kick", fd));
  const int kickFd = fd.get();
  if (ring.queue.slot != nullptr) {
    const BurstSlot::Hold hold(*ring.queue.slot);
    ring.queue.kickFd = kickFd;
  } else {
    ring.queue.kickFd = kickFd;
  }
  ring.kick = std::move(fd);
  // What was posted while there was no way to say so would stay unseen by a device that sleeps.
  if (ring.started && ring.kick.valid()) (void)signalPeerEventFd(ring.kick.get());
  return {};
}

Status Device::setCall(std::uint32_t index, Fd fd) {
  auto found = ringAt(index);
  if (!found) return found.status();
  Ring& ring = **found;
  PW_RETURN_IF_ERROR(adopt(ring, "call", fd));
  // The slot lets go of the old descriptor before it is closed.
  if (ring.started) ring.queue.slot->setWait(fd.get(), ring.direction == Direction::kRx ? armCalls : nullptr);
  ring.call = std::move(fd);
  return {};
}

Status Device::wantCalls(std::uint32_t index, bool wanted) {
  auto found = ringAt(index);
  if (!found) return found.status();
  Ring& ring = **found;
  if (!ring.started) return {};
  const BurstSlot::Hold hold(*ring.queue.slot);
  (void)armCalls(&ring.queue, wanted);
  return {};
}

Result<QueueState> Device::state(std::uint32_t index) const {
  auto found = const_cast<Device*>(this)->ringAt(index);
  if (!found) return found.status();
  const Ring& ring = **found;
  const char* broken = ring.queue.broken.load();
  QueueState state{ring.started, broken == nullptr ? "" : broken, ring.memory.shape().size, 0, 0, 0};
  if (ring.started) {
    std::visit(
        [&state](const auto& layout) {
          state.inFlight = layout.inFlight();
          state.availIdx = layout.availIdx();
          state.usedIdx = layout.usedIdx();
        },
        ring.queue.ring);
  }
  return state;
}

void Device::releaseQuarantine() noexcept {
  freeBurst(quarantine_.data(), static_cast<std::uint32_t>(quarantine_.size()));
  quarantine_.clear();
}

}  // namespace pollwire::virtio
