// The cycle counter: cheap time for poll loops (about 20 cycles, no system call) and its rate. Lcores measure
// turns and deadlines with it; the control plane converts.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#elif !defined(__aarch64__)
#include <ctime>
#endif

namespace pollwire {

// Ticks since an arbitrary start. Not ordered against neighbouring loads and stores.
inline std::uint64_t readTsc() noexcept {
#if defined(__x86_64__)
  return __rdtsc();
#elif defined(__aarch64__)
  std::uint64_t ticks;
  asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
#else
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
#endif
}

// Ticks per second. The first call measures against CLOCK_MONOTONIC_RAW for about 20 ms, so make it at
// start-up; later calls return the same number.
std::uint64_t tscHz();

// One measurement of `milliseconds` length; what `tscHz` caches.
std::uint64_t measureTscHz(std::uint32_t milliseconds);

// Whether the counter runs at a constant rate through frequency changes and sleep states (CPUID 80000007H).
bool tscIsInvariant() noexcept;

}  // namespace pollwire
