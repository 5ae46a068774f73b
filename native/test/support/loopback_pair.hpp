// A vhost device and a virtio driver of one process, joined over the arena: what the benchmarks and the
// loopback tests run. Index 0 is the ring by which the driver receives, 1 the one by which it transmits.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "ethdev/slot_table.hpp"
#include "mbuf/mempool.hpp"
#include "mem/arena.hpp"
#include "vhost/vhost_device.hpp"
#include "virtio/virtio_device.hpp"

namespace pollwire {

struct LoopbackConfig {
  std::uint64_t features = 0;
  std::uint32_t size = 256;
  std::uint16_t splitBase = 0;
  std::uint32_t packedBase = packed::kFreshBase;
  std::uint32_t pool = 0;
};

class LoopbackPair {
 public:
  explicit LoopbackPair(const LoopbackConfig& config) : config_(config), vhost_(0, 2), virtio_(0, 2) {
    Arena* arena = Arena::get();
    const auto base = reinterpret_cast<std::uintptr_t>(arena->base());
    std::vector<Fd> fds;
    fds.emplace_back(::fcntl(arena->fd(), F_DUPFD_CLOEXEC, 0));
    check(vhost_.setMemory({RegionSpec{base, arena->bytes(), base, 0}}, std::move(fds)).status());
    for (std::uint32_t i = 0; i < 2; i++) {
      vhostSlot_[i] = take(slots::allocate());
      virtioSlot_[i] = take(slots::allocate());
      check(virtio_.bind(i, virtioSlot_[i], {config.pool, 1}));
      const auto direction = i == 0 ? vhost::Direction::kTx : vhost::Direction::kRx;
      check(vhost_.bind(i, vhostSlot_[i], direction, {config.pool, 0, false}));
      check(vhost_.enableRing(i, true));
      slots::byId(vhostSlot_[i])->open(kSlotPortStopped);
      slots::byId(virtioSlot_[i])->open(kSlotPortStopped);
    }
    start();
  }

  ~LoopbackPair() {
    stop();
    for (std::uint32_t i = 0; i < 2; i++) {
      (void)virtio_.unbind(i);
      (void)vhost_.unbind(i);
      slots::release(vhostSlot_[i]);
      slots::release(virtioSlot_[i]);
    }
  }

  void start() {
    for (std::uint32_t i = 0; i < 2; i++) {
      virtio::QueueConfig queue;
      queue.size = config_.size;
      queue.features = config_.features;
      queue.splitBase = config_.splitBase;
      queue.packedBase = config_.packedBase;
      const auto direction = i == 0 ? virtio::Direction::kRx : virtio::Direction::kTx;
      const virtio::QueueAreas areas = take(virtio_.setup(i, direction, queue));
      check(virtio_.start(i));
      vhost::RingConfig ring;
      ring.size = config_.size;
      ring.desc = areas.addresses.desc;
      ring.avail = areas.addresses.driver;
      ring.used = areas.addresses.device;
      ring.base = areas.base;
      ring.features = config_.features;
      check(vhost_.startRing(i, ring));
    }
  }

  // As a front-end does it: the device lets go first.
  void stop() {
    for (std::uint32_t i = 0; i < 2; i++) (void)vhost_.stopRing(i);
    for (std::uint32_t i = 0; i < 2; i++) (void)virtio_.stop(i);
  }

  BurstSlot& vhostRx() { return *slots::byId(vhostSlot_[1]); }
  BurstSlot& vhostTx() { return *slots::byId(vhostSlot_[0]); }
  BurstSlot& virtioRx() { return *slots::byId(virtioSlot_[0]); }
  BurstSlot& virtioTx() { return *slots::byId(virtioSlot_[1]); }
  vhost::Device& vhostDevice() { return vhost_; }
  virtio::Device& virtioDevice() { return virtio_; }

  static void check(const Status& status) {
    if (status.ok()) return;
    std::fprintf(stderr, "loopback: %s\n", status.detail().c_str());
    std::abort();
  }
  template <typename T>
  static T take(Result<T> result) {
    check(result.status());
    return std::move(result).value();
  }

 private:
  LoopbackConfig config_;
  vhost::Device vhost_;
  virtio::Device virtio_;
  std::uint32_t vhostSlot_[2];
  std::uint32_t virtioSlot_[2];
};

}  // namespace pollwire
