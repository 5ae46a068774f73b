// How an idle lcore sleeps: on the kicks of its rx slots, until a kick, a wake-up from another thread, or a
// deadline.
#pragma once

#include <cstdint>
#include <span>

namespace pollwire::idle {

// Arms every slot, sleeps at most `microseconds`, disarms. True when there is (or may be) work.
bool wait(std::uint32_t lcore, std::span<const std::uint32_t> slots, std::uint32_t microseconds) noexcept;
// Makes the present or the next wait of `lcore` return.
void wake(std::uint32_t lcore) noexcept;

}  // namespace pollwire::idle
