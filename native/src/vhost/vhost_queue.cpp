#include "vhost/vhost_queue.hpp"

#include "ethdev/native_events.hpp"

namespace pollwire::vhost {

void Queue::breakRing(const char* reason) noexcept {
  broken.store(reason);
  counters->add(kBROKEN, 1);
  slot->closeFromInside(kSlotBroken);
  events::push(events::Event{events::Type::kRingBroken, events::Side::kVhost, device, index, reason});
}

bool Queue::breakIfFaulted() noexcept {
  faultsSeen = FaultGuard::faults();
  if (!space.faulted()) return false;
  breakRing("MEMORY_FAULT");
  return true;
}

void Queue::call() noexcept {
  const SignalResult result = signalPeerEventFd(callFd);
  counters->add(result == SignalResult::kFailed ? kNOTIFICATIONS_FAILED : kNOTIFICATIONS, 1);
}

}  // namespace pollwire::vhost
