#include "vhost/vhost_device.hpp"

#include <algorithm>
#include <optional>
#include <type_traits>
#include <utility>

#include "ethdev/slot_table.hpp"
#include "virtqueue/net_hdr.hpp"

namespace pollwire::vhost {

namespace {

void setKickWanted(Queue& queue, bool wanted) noexcept {
  std::visit([wanted](auto& layout) { layout.setKickWanted(wanted); }, queue.ring);
  queue.logEvent();
}

// What GET_VRING_BASE reports.
std::uint32_t baseOf(const DeviceRing& ring) noexcept {
  return std::visit([](const auto& layout) { return layout.base(); }, ring);
}

std::uint32_t usedDescriptors(void* context) noexcept {
  if (static_cast<const Queue*>(context)->absent.load()) return 0;
  return std::visit([](const auto& ring) { return ring.waiting(); },
                    static_cast<const Queue*>(context)->ring);
}

bool armKicks(void* context, bool wanted) noexcept {
  auto& queue = *static_cast<Queue*>(context);
  setKickWanted(queue, wanted);
  return queue.hasInjected.load() ||
         std::visit([](const auto& ring) { return ring.available() != 0; }, queue.ring);
}

constexpr std::size_t kMinFrame = 14;
constexpr std::size_t kMaxInjected = 65535;
// A front-end may ask for them while nobody polls the ring.
constexpr std::size_t kMaxWaiting = 64;

Status noSuch(const std::string& what) { return Status(StatusCode::kNotFound, what); }

}  // namespace

Device::Device(std::uint32_t id, std::uint32_t rings) : id_(id) {
  memory_ = RegionTable::build({}).value();
  for (std::uint32_t i = 0; i < rings; i++) {
    rings_.push_back(std::make_unique<Ring>());
    rings_.back()->queue.device = id;
    rings_.back()->queue.index = i;
  }
}

Device::~Device() {
  // An lcore may wait inside a ring for a page that nobody will bring.
  postcopyEnd();
  for (std::uint32_t i = 0; i < rings_.size(); i++) (void)unbind(i);
}

std::string Device::nameOf(const Ring& ring) const {
  return "vhost device " + std::to_string(id_) + ", ring " + std::to_string(ring.queue.index);
}

Result<Device::Ring*> Device::ringAt(std::uint32_t ring) {
  if (ring >= rings_.size()) {
    return noSuch("vhost device " + std::to_string(id_) + " has rings 0 to " +
                  std::to_string(rings_.size() - 1) + ", not " + std::to_string(ring));
  }
  return rings_[ring].get();
}

Result<std::vector<std::uint32_t>> Device::setMemory(const std::vector<RegionSpec>& specs,
                                                     std::vector<Fd> fds) {
  if (specs.size() != fds.size()) {
    return Status(StatusCode::kBadFdCount, "vhost device " + std::to_string(id_) + ": a memory table of " +
                                               std::to_string(specs.size()) + " regions came with " +
                                               std::to_string(fds.size()) + " descriptors");
  }
  RegionTable::List regions;
  for (std::size_t i = 0; i < specs.size(); i++) {
    const auto same =
        std::find_if(memory_->regions().begin(), memory_->regions().end(), [&](const auto& old) {
          const RegionSpec& spec = old->spec();
          if (spec.guestAddr != specs[i].guestAddr || spec.size != specs[i].size ||
              spec.userAddr != specs[i].userAddr || spec.mmapOffset != specs[i].mmapOffset) {
            return false;
          }
          const auto facts = fileFacts(fds[i].get());
          return facts.ok() && old->sameFile(*facts);
        });
    if (same != memory_->regions().end()) {
      regions.push_back(*same);
      continue;
    }
    auto mapped = MappedRegion::map(specs[i], std::move(fds[i]));
    if (!mapped) return mapped.status();
    regions.push_back(std::move(*mapped));
  }
  auto table = RegionTable::build(std::move(regions));
  if (!table) return table.status();
  return swapMemory(std::move(*table));
}

Result<std::vector<std::uint32_t>> Device::addRegion(const RegionSpec& spec, Fd fd) {
  auto mapped = MappedRegion::map(spec, std::move(fd));
  if (!mapped) return mapped.status();
  RegionTable::List regions = memory_->regions();
  regions.push_back(std::move(*mapped));
  auto table = RegionTable::build(std::move(regions));
  if (!table) return table.status();
  return swapMemory(std::move(*table));
}

Result<std::vector<std::uint32_t>> Device::removeRegion(const RegionSpec& spec) {
  RegionTable::List regions = memory_->regions();
  const auto found = std::find_if(regions.begin(), regions.end(), [&](const auto& region) {
    return region->spec().guestAddr == spec.guestAddr && region->spec().size == spec.size &&
           region->spec().userAddr == spec.userAddr;
  });
  if (found == regions.end())
    return noSuch("vhost device " + std::to_string(id_) + ": no such memory region to remove");
  regions.erase(found);
  auto table = RegionTable::build(std::move(regions));
  if (!table) return table.status();
  return swapMemory(std::move(*table));
}

Status Device::setInflight(const InflightSpec& spec, bool packed, Fd fd) {
  for (const auto& ring : rings_) {
    if (ring->started)
      return Status(StatusCode::kBadState, nameOf(*ring) + " runs; its in-flight region cannot change");
  }
  auto area = InflightArea::map(spec, packed, std::move(fd));
  if (!area) return area.status();
  inflight_ = std::move(*area);
  return {};
}

std::vector<std::uint32_t> Device::swapMemory(std::shared_ptr<const RegionTable> table) {
  std::vector<std::uint32_t> stopped;
  for (auto& ring : rings_) {
    if (!ring->started) continue;
    if (ring->queue.iommu) {
      suspend(*ring);
      continue;
    }
    if (ring->queue.slot != nullptr) ring->queue.slot->close(kSlotRingStopped);
    auto translated = openRing(ring->config, *table, baseOf(ring->queue.ring), !postcopy_.active());
    if (translated.ok()) {
      ring->queue.ring = moveRing(ring->queue.ring, std::move(*translated));
      useMemory(*ring, *table);
    } else {
      ring->answeredBase = ring->base = baseOf(ring->queue.ring);
      ring->started = false;
      if (ring->chains != nullptr) ring->chains->forget();
      ring->queue.broken.store("MEMORY_GONE");
      if (ring->queue.counters != nullptr) ring->queue.counters->add(kBROKEN, 1);
      stopped.push_back(ring->queue.index);
    }
  }
  // The old mappings go only now, when no ring points into them.
  std::swap(memory_, table);
  // What was translated lay in the old ones.
  iotlb_.clear();
  for (auto& ring : rings_) {
    if (ring->waiting) (void)openBehindIommu(*ring);
    apply(*ring);
  }
  return stopped;
}

Status Device::bind(std::uint32_t index, std::uint32_t slot, Direction direction,
                    const BindOptions& options) {
  auto found = ringAt(index);
  if (!found) return found.status();
  Ring& ring = **found;
  if (ring.queue.slot != nullptr)
    return Status(StatusCode::kBusy, nameOf(ring) + " is bound to a queue already");
  if (ring.chains != nullptr) return Status(StatusCode::kBusy, nameOf(ring) + " serves requests");
  BurstSlot* target = slots::byId(slot);
  if (target == nullptr || target->counters() == nullptr)
    return noSuch("there is no queue slot " + std::to_string(slot));
  Mempool* pool = Mempool::byId(options.pool);
  if (direction == Direction::kRx && pool == nullptr) {
    return noSuch(nameOf(ring) + ": rx needs a pool; there is none with id " + std::to_string(options.pool));
  }
  ring.queue.pool = pool;
  if (pool != nullptr) pool->retain();
  ring.queue.buffers = direction == Direction::kRx ? Mempool::byId(options.buffers) : nullptr;
  if (ring.queue.buffers != nullptr) ring.queue.buffers->retain();
  ring.queue.port = options.port;
  ring.queue.linear = options.linear;
  ring.queue.stripVlan = options.stripVlan;
  ring.queue.legacyFlags = options.legacyFlags;
  ring.queue.counters = target->counters();
  ring.queue.slot = target;
  ring.slot = slot;
  ring.direction = direction;
  target->close(kSlotRingStopped | kSlotRingDisabled |
                (ring.queue.broken.load() != nullptr ? kSlotBroken : 0u));
  apply(ring);
  return {};
}

Status Device::unbind(std::uint32_t index) {
  auto found = ringAt(index);
  if (!found) return found.status();
  Ring& ring = **found;
  if (ring.queue.slot == nullptr) return {};
  ring.queue.slot->unbind(&ring.queue);
  ring.queue.slot = nullptr;
  if (ring.queue.pool != nullptr) ring.queue.pool->release();
  ring.queue.pool = nullptr;
  if (ring.queue.buffers != nullptr) ring.queue.buffers->release();
  ring.queue.buffers = nullptr;
  ring.queue.counters = nullptr;
  ring.slot = ~0u;
  return {};
}

void Device::apply(Ring& ring) {
  BurstSlot* slot = ring.queue.slot;
  if (slot == nullptr) return;
  if (!ring.live()) {
    slot->close(kSlotRingStopped);
    return;
  }
  slot->bind(ring.direction == Direction::kRx ? selectRx(ring.queue) : selectTx(ring.queue), &ring.queue,
             usedDescriptors);
  slot->setWait(ring.kick.get(), armKicks);
  if (ring.enabled) slot->open(kSlotRingDisabled);
  else slot->close(kSlotRingDisabled);
  slot->open(kSlotRingStopped);
}

void Device::useMemory(Ring& ring, const RegionTable& table) {
  ring.queue.space = DirectSpace(&table);
  ring.queue.logged = log_ != nullptr && (ring.config.features & virtio::kVhostLogAll) != 0;
  if (ring.queue.iommu) {
    ring.queue.iova = IovaSpace(&table, &iotlb_, ring.queue.logged ? log_.get() : nullptr);
    return;
  }
  ring.queue.guest =
      ring.queue.logged ? GuestSpace(&table, log_.get(), usedLogOf(ring.config, table)) : GuestSpace();
}

void Device::reopen(Ring& ring) {
  if (!ring.live()) return;
  if (ring.queue.slot != nullptr) ring.queue.slot->close(kSlotRingStopped);
  useMemory(ring, *memory_);
  apply(ring);
}

Status Device::startRing(std::uint32_t index, const RingConfig& config) {
  auto found = ringAt(index);
  if (!found) return found.status();
  Ring& ring = **found;
  if (ring.started) return Status(StatusCode::kBadState, nameOf(ring) + " runs already; stop it first");
  if (memory_->faulted()) {
    return Status(StatusCode::kBadFile,
                  nameOf(ring) + ": its memory was taken away by the peer; a new memory table is needed");
  }
  if (postcopy_.listening() && !postcopy_.active()) {
    return Status(StatusCode::kBadState, nameOf(ring) + ": the front-end has not confirmed its memory yet");
  }
  ring.queue.faultsSeen = FaultGuard::faults();
  ring.queue.iommu = (config.features & virtio::kAccessPlatform) != 0;
  if (ring.queue.iommu) return startBehindIommu(ring, config);
  auto translated = openRing(config, *memory_, config.base, !postcopy_.active());
  if (translated.ok()) translated = resume(ring, index, std::move(*translated), config.base);
  if (!translated)
    return Status(translated.status().code(), nameOf(ring) + ": " + translated.status().detail());
  begin(ring, config, *translated);
  return {};
}

void Device::begin(Ring& ring, const RingConfig& config, const DeviceRing& translated) {
  ring.config = config;
  ring.queue.ring = translated;
  useMemory(ring, *memory_);
  ring.queue.headerLen = virtio::netHdrLen(config.features);
  ring.queue.features = config.features;
  ring.queue.broken.store(nullptr);
  ring.queue.absent.store(postcopy_.active());
  ring.queue.untouched.store(postcopy_.active());
  if (!postcopy_.active()) setKickWanted(ring.queue, false);
  if (ring.queue.slot != nullptr) ring.queue.slot->open(kSlotBroken);
  ring.started = true;
  ring.waiting = false;
  apply(ring);
}

void Device::suspend(Ring& ring) {
  if (!ring.live()) return;
  if (ring.queue.slot != nullptr) ring.queue.slot->close(kSlotRingStopped);
  ring.answeredBase = ring.base = baseOf(ring.queue.ring);
  ring.waiting = true;
}

// docs/decisions/0012: whose word counts for where a ring goes on.
Result<DeviceRing> Device::resume(const Ring& ring, std::uint32_t index, DeviceRing opened,
                                  std::uint32_t base) {
  // Nothing of the guest's memory may be read yet, so that there is only the base to go by.
  if (postcopy_.active()) return opened;
  const bool own = ring.answeredBase == base;
  if (inflight_ != nullptr) return inflight_->track(index, opened, own);
  if (auto* split = std::get_if<SplitDevice>(&opened); split != nullptr && !own) {
    split->resumeAt(split->usedIdx());
  }
  return opened;
}

Result<std::uint32_t> Device::stopRing(std::uint32_t index) {
  auto found = ringAt(index);
  if (!found) return found.status();
  Ring& ring = **found;
  if (!ring.started) return ring.base;
  if (ring.chains != nullptr) ring.chains->forget();
  suspend(ring);
  ring.answeredBase = ring.base;
  ring.started = false;
  ring.waiting = false;
  ring.lacking.clear();
  ring.queue.ring = SplitDevice();
  return ring.base;
}

Status Device::checkedFd(Ring& ring, const char* what, const Fd& fd) const {
  if (!fd.valid()) return {};
  Status status = adoptEventFd(fd.get());
  if (status.ok()) return {};
  return Status(status.code(), nameOf(ring) + ": " + what + ": " + status.detail());
}

Status Device::setKick(std::uint32_t index, Fd fd) {
  auto found = ringAt(index);
  if (!found) return found.status();
  Ring& ring = **found;
  PW_RETURN_IF_ERROR(checkedFd(ring, "kick", fd));
  // The slot lets go of the old descriptor before it is closed.
  if (ring.queue.slot != nullptr && ring.live()) ring.queue.slot->setWait(fd.get(), armKicks);
  ring.kick = std::move(fd);
  return {};
}

Status Device::setCall(std::uint32_t index, Fd fd) {
  auto found = ringAt(index);
  if (!found) return found.status();
  Ring& ring = **found;
  PW_RETURN_IF_ERROR(checkedFd(ring, "call", fd));
  const int callFd = fd.get();
  if (ring.queue.slot != nullptr) {
    const BurstSlot::Hold hold(*ring.queue.slot);
    ring.queue.callFd = callFd;
    // What the guest was owed until now is settled by the signal below; 16-bit distances do not survive long
    // silences.
    if (ring.live() && !ring.queue.absent.load())
      (void)std::visit([](auto& layout) { return layout.wantsCall(); }, ring.queue.ring);
  } else {
    ring.queue.callFd = callFd;
  }
  ring.call = std::move(fd);
  // What was published while there was nobody to call would stay unseen by a driver that sleeps.
  if (ring.started && ring.call.valid()) (void)signalPeerEventFd(ring.call.get());
  return {};
}

Status Device::enableRing(std::uint32_t index, bool enabled) {
  auto found = ringAt(index);
  if (!found) return found.status();
  (*found)->enabled = enabled;
  apply(**found);
  return {};
}

Status Device::wantKicks(std::uint32_t index, bool wanted) {
  auto found = ringAt(index);
  if (!found) return found.status();
  Ring& ring = **found;
  if (!ring.live()) return {};
  if (ring.queue.absent.load()) {
    return Status(StatusCode::kBusy, nameOf(ring) + ": its memory is still arriving; poll it meanwhile");
  }
  if (ring.queue.slot == nullptr) {
    setKickWanted(ring.queue, wanted);
    return {};
  }
  const BurstSlot::Hold hold(*ring.queue.slot);
  setKickWanted(ring.queue, wanted);
  return {};
}

Result<RingState> Device::state(std::uint32_t index) const {
  auto found = const_cast<Device*>(this)->ringAt(index);
  if (!found) return found.status();
  const Ring& ring = **found;
  // A burst may be inside, and its indices are plain words.
  std::optional<BurstSlot::Hold> hold;
  if (ring.queue.slot != nullptr) hold.emplace(*ring.queue.slot);
  const char* broken = ring.queue.broken.load();
  RingState state{ring.started, ring.enabled, broken == nullptr ? "" : broken, ring.base, 0, 0, 0};
  if (ring.live()) {
    const bool absent = ring.queue.absent.load();
    std::visit(
        [&state, absent](const auto& layout) {
          state.lastAvail = layout.nextAvail();
          state.lastUsed = layout.usedIdx();
          state.availIdx = absent ? layout.nextAvail() : layout.availIdx();
          state.usedIdx = layout.usedIdx();
        },
        ring.queue.ring);
  }
  return state;
}

Result<ChainQueue*> Device::chains(std::uint32_t index) {
  auto found = ringAt(index);
  if (!found) return found.status();
  Ring& ring = **found;
  if (ring.queue.slot != nullptr) return Status(StatusCode::kBusy, nameOf(ring) + " is bound to a queue");
  if (ring.chains == nullptr) ring.chains = std::make_unique<ChainQueue>(ring.queue);
  return ring.chains.get();
}

Result<int> Device::kickFd(std::uint32_t index) {
  auto found = ringAt(index);
  if (!found) return found.status();
  return (*found)->kick.get();
}

Status Device::inject(std::uint32_t index, std::vector<std::byte> frame) {
  auto found = ringAt(index);
  if (!found) return found.status();
  Ring& ring = **found;
  if (frame.size() < kMinFrame || frame.size() > kMaxInjected) {
    return Status(StatusCode::kOutOfRange, nameOf(ring) + ": a frame of " + std::to_string(frame.size()) +
                                               " bytes cannot be injected; give 14 to 65535");
  }
  if (ring.queue.slot == nullptr || ring.direction != Direction::kRx) {
    return Status(StatusCode::kBadState, nameOf(ring) + " is not bound to an rx queue");
  }
  const BurstSlot::Hold hold(*ring.queue.slot);
  if (ring.queue.injected.size() == kMaxWaiting) {
    return Status(StatusCode::kBusy, nameOf(ring) + ": " + std::to_string(kMaxWaiting) +
                                         " injected frames wait already; poll the rx queue");
  }
  ring.queue.injected.push_back(std::move(frame));
  ring.queue.hasInjected.store(true);
  return {};
}

}  // namespace pollwire::vhost
