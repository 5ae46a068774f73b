// The control queue of a virtio-net device (virtio 1.2 §5.1.6.5): one command at a time, posted as a chain of
// its header, its data and a byte for the answer. Polled by the control plane; no thread waits here.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/result.hpp"
#include "sys/fd.hpp"
#include "virtio/vring_memory.hpp"

namespace pollwire::virtio {

class ControlQueue {
 public:
  // A MAC table of 256 entries and two counts.
  static constexpr std::uint32_t kMaxData = 2048;
  static constexpr std::uint32_t kMinSize = 4;

  enum class Answer : std::uint8_t {
    kIdle,     // no command was sent
    kPending,  // the device has not answered yet
    kOk,
    kError,   // the device refused it
    kBroken,  // the device broke the ring; it has to be reset
  };

  // A ring of its own in the arena; `size` is at least 4. The layout and event index come from `features`.
  static Result<std::unique_ptr<ControlQueue>> create(std::uint32_t size, std::uint64_t features);

  VringAreas areas() const noexcept { return memory_.areas(); }
  std::uint32_t base() const noexcept { return memory_.shape().base; }
  std::uint32_t size() const noexcept { return memory_.shape().size; }

  // Eventfd by which we notify the device; owned from here on, also when it is refused.
  Status setKick(Fd fd);

  // Posts one command. BUSY while one is pending; RING_BROKEN after kBroken; OUT_OF_RANGE for more than
  // kMaxData bytes.
  Status send(std::uint8_t commandClass, std::uint8_t command, std::span<const std::byte> data);
  // The answer to the last command; each is told once.
  Answer poll() noexcept;
  // A fresh ring, over a device that was reset.
  void reset();

 private:
  // What the device sees of a command.
  struct Exchange {
    std::uint8_t commandClass;
    std::uint8_t command;
    std::byte data[kMaxData];
    std::uint8_t ack;
  };

  ControlQueue() = default;
  Exchange& exchange() const noexcept { return *reinterpret_cast<Exchange*>(memory_.extra()); }

  VringMemory memory_;
  DriverRing ring_;
  Fd kick_;
  bool pending_ = false;
  bool broken_ = false;
};

}  // namespace pollwire::virtio
