#include "virtio/control_queue.hpp"

#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include "sys/eventfd.hpp"
#include "virtqueue/features.hpp"

namespace pollwire::virtio {

namespace {
constexpr std::uint32_t kCookie = 1;
// VIRTIO_NET_OK; everything else is an error.
constexpr std::uint8_t kAckOk = 0;
constexpr std::uint8_t kAckNone = 0xff;
}  // namespace

Result<std::unique_ptr<ControlQueue>> ControlQueue::create(std::uint32_t size, std::uint64_t features) {
  if (size < kMinSize) {
    return Status(StatusCode::kOutOfRange,
                  "control queue of " + std::to_string(size) + " descriptors; give at least 4");
  }
  VringShape shape;
  shape.size = size;
  shape.packed = (features & kRingPacked) != 0;
  shape.eventIdx = (features & kRingEventIdx) != 0;
  shape.base = shape.packed ? packed::kFreshBase : 0;
  auto memory = VringMemory::allocate(shape, sizeof(Exchange), "control queue");
  if (!memory) return memory.status();
  std::unique_ptr<ControlQueue> queue(new ControlQueue());
  queue->memory_ = std::move(*memory);
  queue->reset();
  return queue;
}

Status ControlQueue::setKick(Fd fd) {
  if (fd.valid()) PW_RETURN_IF_ERROR(adoptEventFd(fd.get()));
  kick_ = std::move(fd);
  return {};
}

Status ControlQueue::send(std::uint8_t commandClass, std::uint8_t command, std::span<const std::byte> data) {
  if (broken_)
    return Status(StatusCode::kRingBroken, "control queue: the device broke the ring; reset it first");
  if (pending_) return Status(StatusCode::kBusy, "control queue: the last command is not answered yet");
  if (data.size() > kMaxData) {
    return Status(StatusCode::kOutOfRange, "control queue: " + std::to_string(data.size()) +
                                               " bytes of data; a command takes at most " +
                                               std::to_string(kMaxData));
  }
  Exchange& shared = exchange();
  shared.commandClass = commandClass;
  shared.command = command;
  if (!data.empty()) std::memcpy(shared.data, data.data(), data.size());
  storeRelaxed(shared.ack, kAckNone);
  const auto addressOf = [](const void* at) {
    return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(at));
  };
  Element elements[3] = {{addressOf(&shared.commandClass), 2, 0}};
  std::uint32_t count = 1;
  if (!data.empty())
    elements[count++] = Element{addressOf(shared.data), static_cast<std::uint32_t>(data.size()), 0};
  elements[count++] = Element{addressOf(&shared.ack), 1, kDescWrite};
  const bool kick = std::visit(
      [&](auto& ring) {
        ring.template postList<false>(elements, count, kCookie);
        ring.publish();
        return ring.wantsKick();
      },
      ring_);
  pending_ = true;
  if (kick && kick_.valid()) (void)signalPeerEventFd(kick_.get());
  return {};
}

ControlQueue::Answer ControlQueue::poll() noexcept {
  if (broken_) return Answer::kBroken;
  if (!pending_) return Answer::kIdle;
  std::uint32_t cookie = 0;
  const std::uint32_t used =
      std::visit([&cookie](auto& ring) { return ring.template reclaim<false>(&cookie, 1); }, ring_);
  if (used == 0) return Answer::kPending;
  if (used != 1 || cookie != kCookie) {
    broken_ = true;
    return Answer::kBroken;
  }
  pending_ = false;
  return loadRelaxed(exchange().ack) == kAckOk ? Answer::kOk : Answer::kError;
}

void ControlQueue::reset() {
  ring_ = memory_.open();
  pending_ = false;
  broken_ = false;
}

}  // namespace pollwire::virtio
