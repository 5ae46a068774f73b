#include "virtio/virtio_queue.hpp"

#include "ethdev/native_events.hpp"
#include "sys/eventfd.hpp"

namespace pollwire::virtio {

void Queue::breakRing(const char* reason) noexcept {
  broken.store(reason);
  counters->add(kBROKEN, 1);
  slot->closeFromInside(kSlotBroken);
  events::push(events::Event{events::Type::kRingBroken, events::Side::kVirtio, device, index, reason});
}

void Queue::kick() noexcept {
  const SignalResult result = signalPeerEventFd(kickFd);
  counters->add(result == SignalResult::kFailed ? kNOTIFICATIONS_FAILED : kNOTIFICATIONS, 1);
}

}  // namespace pollwire::virtio
