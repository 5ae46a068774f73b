// Compiler vocabulary of the whole core: branch hints, inlining, prefetch, the cache line.
// Depends on nothing; every other header may include it.
#pragma once

#include <cstddef>
#include <cstdint>

#define PW_LIKELY(x) (__builtin_expect(!!(x), 1))
#define PW_UNLIKELY(x) (__builtin_expect(!!(x), 0))
#define PW_INLINE inline __attribute__((always_inline))
#define PW_NOINLINE __attribute__((noinline))
#define PW_PREFETCH(address) (__builtin_prefetch((address), 0, 3))
// A line that this core is about to store to, asked for exclusively. For baseline x86-64 compilers turn the
// builtin into a read prefetch: the line then arrives shared and each store waits for its own upgrade, one
// after the other. Processors without PREFETCHW take it as a no-op.
#if defined(__x86_64__)
#define PW_PREFETCH_WRITE(address) \
  __asm__ volatile("prefetchw %0" ::"m"(*reinterpret_cast<const char*>(address)))
#else
#define PW_PREFETCH_WRITE(address) (__builtin_prefetch((address), 1, 3))
#endif

// Thread-local state that the data path reads on every burst: no __tls_get_addr call.
#define PW_THREAD_LOCAL __attribute__((tls_model("initial-exec"))) thread_local

#ifndef POLLWIRE_CHECKED
#define POLLWIRE_CHECKED 0
#endif

namespace pollwire {

inline constexpr std::size_t kCacheLine = 64;

// Hint to the core that this is a spin loop.
PW_INLINE void cpuRelax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

constexpr std::uint64_t alignUp(std::uint64_t value, std::uint64_t alignment) noexcept {
  return (value + alignment - 1) & ~(alignment - 1);
}

constexpr bool isPowerOfTwo(std::uint64_t value) noexcept { return value != 0 && (value & (value - 1)) == 0; }

}  // namespace pollwire
