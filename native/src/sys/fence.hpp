// Asymmetric fence: a Dekker-style pair (store mine, look at yours) where one side runs per burst and the
// other rarely. The light side costs nothing once membarrier is registered; the heavy side interrupts the
// CPUs that run this process. Used where an lcore enters a queue and the control plane pauses it.
#pragma once

#include "base/shared.hpp"

namespace pollwire {

namespace detail {
inline bool membarrierRegistered = false;  // written once, read with loadRelaxed
}

// Registers the process for private expedited membarrier. True when the kernel offers it; false means that
// both sides use full fences: correct, and slower. The first call decides; call it before lcores start.
bool registerAsymmetricFence() noexcept;

// Per burst. Pairs with asymmetricHeavyFence in another thread of this process.
PW_INLINE void asymmetricLightFence() noexcept {
  if (PW_LIKELY(loadRelaxed(detail::membarrierRegistered))) {
    asm volatile("" ::: "memory");  // the heavy side makes the CPU fence for us
  } else {
    fullFence();
  }
}

// Rare, some microseconds. What this thread stored before is visible to every thread after its next light
// fence, and what they stored before their last one is visible here.
void asymmetricHeavyFence() noexcept;

}  // namespace pollwire
