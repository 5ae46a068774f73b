// The table of all burst slots of the process and their counters in the arena. Ports and the vhost library
// take slots from it; lcores index it on every burst.
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "ethdev/burst_slot.hpp"

namespace pollwire::slots {

// A closed, unbound slot with zeroed counters.
Result<std::uint32_t> allocate();
// Closes and unbinds it first; no burst is inside afterwards.
void release(std::uint32_t id);
// Gives every slot back; for tests and process teardown.
void releaseAll();

namespace detail {
extern BurstSlot table[kMaxSlots];
}

PW_INLINE BurstSlot* byId(std::uint32_t id) noexcept { return id < kMaxSlots ? &detail::table[id] : nullptr; }

// Byte offset of the slot's counters in the arena.
std::uint64_t countersOffset(std::uint32_t id) noexcept;

}  // namespace pollwire::slots
