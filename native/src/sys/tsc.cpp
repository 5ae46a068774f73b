// Rate of the cycle counter, measured against the kernel's clock: the rate that CPUID reports is missing or
// rounded on many virtual machines.
#include "sys/tsc.hpp"

#include <algorithm>
#include <ctime>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace pollwire {
namespace {

struct Sample {
  std::uint64_t ticks;
  std::uint64_t ns;
};

std::uint64_t monotonicRawNs() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

// The tightest of several readings: one that was interrupted between counter and clock is not used.
Sample takeSample() noexcept {
  Sample best{0, 0};
  std::uint64_t bestWidth = UINT64_MAX;
  for (int i = 0; i < 16; i++) {
    const std::uint64_t before = readTsc();
    const std::uint64_t ns = monotonicRawNs();
    const std::uint64_t width = readTsc() - before;
    if (width < bestWidth) {
      bestWidth = width;
      best = {before + width / 2, ns};
    }
  }
  return best;
}

}  // namespace

std::uint64_t measureTscHz(std::uint32_t milliseconds) {
  const Sample first = takeSample();
  timespec pause{milliseconds / 1000, static_cast<long>(milliseconds % 1000) * 1'000'000};
  while (::nanosleep(&pause, &pause) != 0) {
  }
  const Sample last = takeSample();
  const std::uint64_t ns = std::max<std::uint64_t>(last.ns - first.ns, 1);
  return static_cast<std::uint64_t>(static_cast<double>(last.ticks - first.ticks) * 1e9 /
                                    static_cast<double>(ns));
}

std::uint64_t tscHz() {
#if defined(__aarch64__)
  std::uint64_t hz;
  asm("mrs %0, cntfrq_el0" : "=r"(hz));
  return hz;
#elif defined(__x86_64__)
  static const std::uint64_t hz = measureTscHz(20);
  return hz;
#else
  return 1'000'000'000u;
#endif
}

bool tscIsInvariant() noexcept {
#if defined(__x86_64__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(0x80000007u, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1u << 8)) != 0;
#else
  return true;
#endif
}

}  // namespace pollwire
