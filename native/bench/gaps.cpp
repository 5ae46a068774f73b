// What the machine itself does to a loop that never rests: reads the clock over and over on one CPU and
// reports the gaps between two readings. Whatever is seen here was no forwarding program's doing: interrupts,
// the scheduler, the hypervisor. Run by tools/bench/stall.mjs: `bench_gaps CPU SECONDS MICROSECONDS` prints
// one line of JSON: the largest gap in microseconds, how many were above the given limit, and the seconds
// that it ran.
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "sys/tsc.hpp"

namespace {

using Clock = std::chrono::steady_clock;

bool pin(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return sched_setaffinity(0, sizeof set, &set) == 0;
}

// Ticks of the time-stamp counter per microsecond.
double rateOfClock() {
  const auto start = Clock::now();
  const std::uint64_t from = pollwire::readTsc();
  while (Clock::now() - start < std::chrono::milliseconds(50)) {
  }
  const auto ticks = static_cast<double>(pollwire::readTsc() - from);
  return ticks / std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: bench_gaps CPU SECONDS MICROSECONDS\n");
    return 2;
  }
  if (!pin(static_cast<unsigned>(std::strtoul(argv[1], nullptr, 10)))) {
    std::fprintf(stderr, "bench_gaps: CPU %s cannot be used here\n", argv[1]);
    return 1;
  }
  const double perUs = rateOfClock();
  const double seconds = std::strtod(argv[2], nullptr);
  const auto limit = static_cast<std::uint64_t>(std::strtod(argv[3], nullptr) * perUs);
  const auto length = static_cast<std::uint64_t>(seconds * 1e6 * perUs);
  std::uint64_t longest = 0;
  std::uint64_t above = 0;
  const std::uint64_t start = pollwire::readTsc();
  for (std::uint64_t last = start; last - start < length;) {
    const std::uint64_t now = pollwire::readTsc();
    const std::uint64_t gap = now - last;
    longest = std::max(longest, gap);
    above += gap > limit ? 1 : 0;
    last = now;
  }
  std::printf("{\"longestUs\":%.1f,\"above\":%llu,\"seconds\":%g}\n", static_cast<double>(longest) / perUs,
              static_cast<unsigned long long>(above), seconds);
  return 0;
}
