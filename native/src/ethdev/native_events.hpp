// What the data path has to tell the control plane, rarely: a ring that broke. Pushed from inside a burst,
// drained by the binding's event pump, which one wake-up callback arms.
#pragma once

#include <cstdint>
#include <vector>

namespace pollwire::events {

// kIotlbMiss: a ring waits for translations.
enum class Type : std::uint32_t { kRingBroken = 1, kIotlbMiss = 2 };
// Which side of a ring; numbers of vhost and virtio devices are counted apart.
enum class Side : std::uint32_t { kVhost, kVirtio };

struct Event {
  Type type;
  Side side;
  std::uint32_t device;
  std::uint32_t ring;
  // A string literal.
  const char* reason;
};

// Any thread. Bounded: when nobody drains, further events are counted and dropped.
void push(const Event& event) noexcept;
std::vector<Event> drain();
// Called after a push, from the pushing thread; must not block. nullptr: none.
void setWake(void (*wake)() noexcept) noexcept;

}  // namespace pollwire::events
