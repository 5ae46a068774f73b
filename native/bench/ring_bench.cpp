// What a ring costs per handle in bursts of 32 (and 1, 8, 128): enqueue and dequeue on one thread, and a
// producer and a consumer thread. Prints one line per policy pair and burst size; `native_bench` runs it,
// results go to bench/results.
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "ring/ring.hpp"

namespace {

using namespace pollwire;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kCapacity = 1024;

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

double nsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

void pin(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

template <typename R>
double oneThread(R& ring, std::uint32_t burst) {
  std::vector<std::uint32_t> items(burst, 7);
  const std::uint32_t rounds = 40'000'000 / burst / 8;
  double best = 1e9;
  for (int repeat = 0; repeat < 5; repeat++) {
    const auto start = Clock::now();
    for (std::uint32_t i = 0; i < rounds; i++) {
      ring.enqueueBurst(items.data(), burst);
      ring.dequeueBurst(items.data(), burst);
    }
    best = std::min(best, nsSince(start) / (static_cast<double>(rounds) * burst));
  }
  return best;
}

template <typename R>
double twoThreads(R& ring, std::uint32_t burst) {
  const std::uint64_t total = 4'000'000;
  double best = 1e9;
  for (int repeat = 0; repeat < 3; repeat++) {
    const auto start = Clock::now();
    std::thread producer([&] {
      pin(0);
      std::vector<std::uint32_t> items(burst, 7);
      for (std::uint64_t sent = 0; sent < total;) {
        const auto want = static_cast<std::uint32_t>(std::min<std::uint64_t>(burst, total - sent));
        const std::uint32_t n = ring.enqueueBurst(items.data(), want);
        sent += n;
        if (n == 0) cpuRelax();
      }
    });
    std::thread consumer([&] {
      pin(1);
      std::vector<std::uint32_t> items(burst);
      for (std::uint64_t got = 0; got < total;) {
        const std::uint32_t n = ring.dequeueBurst(items.data(), burst);
        got += n;
        if (n == 0) cpuRelax();
      }
    });
    producer.join();
    consumer.join();
    best = std::min(best, nsSince(start) / static_cast<double>(total));
  }
  return best;
}

template <typename R>
void run(const char* name) {
  std::unique_ptr<void, Free> memory(
      std::aligned_alloc(kCacheLine, alignUp(R::bytesFor(kCapacity), kCacheLine)));
  R* ring = R::create(memory.get(), kCapacity);
  for (const std::uint32_t burst : {1u, 8u, 32u, 128u}) {
    std::printf("%s burst %3u: one thread %6.2f ns per handle (in and out), two threads %6.2f ns\n", name,
                burst, oneThread(*ring, burst), twoThreads(*ring, burst));
  }
}

}  // namespace

int main() {
  run<SpscRing>("SP/SC");
  run<MpscRing>("MP/SC");
  run<SpmcRing>("SP/MC");
  run<MpmcRing>("MP/MC");
  return 0;
}
