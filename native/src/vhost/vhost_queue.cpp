#include "vhost/vhost_queue.hpp"

#include "ethdev/native_events.hpp"

namespace pollwire::vhost {

void Queue::breakRing(const char* reason) noexcept {
  broken.store(reason);
  // A ring of requests has neither.
  if (counters != nullptr) counters->add(kBROKEN, 1);
  if (slot != nullptr) slot->closeFromInside(kSlotBroken);
  events::push(events::Event{events::Type::kRingBroken, events::Side::kVhost, device, index, reason});
}

bool Queue::breakIfFaulted() noexcept {
  faultsSeen = FaultGuard::faults();
  if (space.faulted()) {
    breakRing("MEMORY_FAULT");
  } else if (logged && guest.logFaulted()) {
    // Packets would still flow, but the guest would arrive without them.
    breakRing("LOG_FAULT");
  } else {
    return false;
  }
  return true;
}

void Queue::flushLog() noexcept {
  const std::uint64_t missed = guest.flush();
  if (PW_UNLIKELY(missed != 0)) counters->add(kLOG_MISSED, missed);
}

void Queue::logEvent() noexcept {
  if (!logged) return;
  guest.wroteRing(std::visit([](const auto& layout) { return layout.event(); }, ring));
  const std::uint64_t missed = guest.flush();
  if (missed != 0 && counters != nullptr) counters->add(kLOG_MISSED, missed);
}

void Queue::call() noexcept {
  const SignalResult result = signalPeerEventFd(callFd);
  counters->add(result == SignalResult::kFailed ? kNOTIFICATIONS_FAILED : kNOTIFICATIONS, 1);
}

}  // namespace pollwire::vhost
