// The rings of a virtio-net driver, and the operations by which the control plane starts and stops them while
// lcores keep polling. Transport (vhost-user messages, a PCI device) is not its business: it says where rings
// are and takes eventfds. Control plane only, one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "sys/fd.hpp"
#include "virtio/virtio_queue.hpp"
#include "virtio/vring_memory.hpp"

namespace pollwire::virtio {

enum class Direction : std::uint8_t { kRx, kTx };

struct QueueConfig {
  // A power of two for a split ring, any number for a packed one; 1 to 32768.
  std::uint32_t size = 256;
  // Negotiated feature word: layout, header length, mergeable, in-order, indirect, event index, offloads.
  std::uint64_t features = 0;
  // Where a split ring's indices begin. 0 except in tests; peers are told by SET_VRING_BASE.
  std::uint16_t splitBase = 0;
  // The same for a packed ring, as SET_VRING_BASE says it.
  std::uint32_t packedBase = packed::kFreshBase;
};

struct BindOptions {
  std::uint32_t pool = ~0u;
  std::uint16_t port = kNoPort;
};

struct QueueAreas {
  VringAreas addresses;
  // What SET_VRING_BASE has to say.
  std::uint32_t base = 0;
};

// What happens to the mbufs that the device still had when a queue stops.
enum class Reclaim : std::uint8_t {
  // It has let go (GET_VRING_BASE answered, device reset): they return to their pools.
  kNow,
  // It may still write (it crashed, or broke the rules): they are kept out of use until releaseQuarantine().
  kQuarantine,
};

struct QueueState {
  bool started;
  std::string broken;
  std::uint32_t size;
  // Buffers that the device has.
  std::uint32_t inFlight;
  std::uint32_t availIdx;
  std::uint32_t usedIdx;
};

class Device {
 public:
  Device(std::uint32_t id, std::uint32_t queues);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // Memory for a ring, in the arena; replaces what was there. Fails while the queue runs.
  Result<QueueAreas> setup(std::uint32_t queue, Direction direction, const QueueConfig& config);
  // Connects a queue with a slot; rx needs a pool. The slot runs once the queue is started.
  Status bind(std::uint32_t queue, std::uint32_t slot, const BindOptions& options);
  // Stops the queue first.
  Status unbind(std::uint32_t queue);

  // rx: whether VLAN tags are taken out of what arrives; also while the queue runs, from the next burst on.
  Status setStripVlan(std::uint32_t queue, bool wanted);

  // All rx queues: which frames are let through; also while they run, from each queue's next burst on. The
  // rest is dropped and counted. OUT_OF_RANGE for more addresses than a filter holds.
  Status setRxFilter(const RxFilterSettings& settings);

  // Fresh indices, rx buffers posted, slot opened.
  Status start(std::uint32_t queue);
  // Closes the slot and takes every posted mbuf back; how many. After it, the ring's memory is not touched.
  Result<std::uint32_t> stop(std::uint32_t queue, Reclaim reclaim = Reclaim::kNow);
  // Frees the ring's memory; the queue is stopped first.
  Status release(std::uint32_t queue);

  // Eventfd by which we notify the device. Owned from here on, also when it is refused.
  Status setKick(std::uint32_t queue, Fd fd);
  // Eventfd by which the device notifies us: what an idle lcore sleeps on.
  Status setCall(std::uint32_t queue, Fd fd);
  // Whether the device is to call on used buffers.
  Status wantCalls(std::uint32_t queue, bool wanted);
  Result<QueueState> state(std::uint32_t queue) const;

  std::uint32_t quarantined() const noexcept { return static_cast<std::uint32_t>(quarantine_.size()); }
  void releaseQuarantine() noexcept;

 private:
  struct Ring {
    Queue queue;
    VringMemory memory;
    Direction direction = Direction::kRx;
    std::uint32_t pool = ~0u;
    bool started = false;
    Fd kick;
    Fd call;
  };

  Result<Ring*> ringAt(std::uint32_t queue);
  Status adopt(const Ring& ring, const char* what, const Fd& fd) const;
  std::string nameOf(const Ring& ring) const;

  std::uint32_t id_;
  std::unique_ptr<const RxFilter> filter_;
  std::vector<std::unique_ptr<Ring>> rings_;
  std::vector<Handle> quarantine_;
};

}  // namespace pollwire::virtio
