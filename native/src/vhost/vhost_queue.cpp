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
  } else if (logged && tracked().logFaulted()) {
    // Packets would still flow, but the guest would arrive without them.
    breakRing("LOG_FAULT");
  } else {
    return false;
  }
  return true;
}

void Queue::reportMisses() noexcept {
  if (const std::uint64_t hits = iova.takeHits(); hits != 0) counters->add(kIOTLB_HITS, hits);
  if (const std::uint32_t fresh = iova.takeFresh(); fresh != 0) {
    counters->add(kIOTLB_MISSES, fresh);
    events::push(events::Event{events::Type::kIotlbMiss, events::Side::kVhost, device, index, ""});
  }
}

void Queue::flushLog(GuestSpace& log) noexcept {
  const std::uint64_t missed = log.flush();
  if (PW_UNLIKELY(missed != 0)) counters->add(kLOG_MISSED, missed);
}

void Queue::logEvent() noexcept {
  if (!logged) return;
  tracked().wroteRing(std::visit([](const auto& layout) { return layout.event(); }, ring));
  const std::uint64_t missed = tracked().flush();
  if (missed != 0 && counters != nullptr) counters->add(kLOG_MISSED, missed);
}

void Queue::call() noexcept {
  const SignalResult result = signalPeerEventFd(callFd);
  counters->add(result == SignalResult::kFailed ? kNOTIFICATIONS_FAILED : kNOTIFICATIONS, 1);
}

}  // namespace pollwire::vhost
