// The least work that any implementation of the self-loop must do, on one core: frames are copied from ring
// to ring. Two single-producer single-consumer rings of 16-byte descriptors; a hop reads up to 32 of them,
// takes a buffer from a free list for each, copies the frame, gives the old buffer back, publishes the
// consumer's index, writes descriptors into the other ring and publishes the producer's. No checks, no
// headers, no translation, no statistics, no calls. Run by tools/bench/limit.mjs: `bench_limit [frame
// bytes]...` prints one line of JSON per size. A hop is what testpmd counts as one received packet.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "base/compiler.hpp"
#include "sys/tsc.hpp"

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kBurst = 32;
constexpr std::uint32_t kRingSize = 256;
constexpr std::uint32_t kBuffers = 1024;
constexpr std::uint32_t kFirst = 4 * kBurst;
constexpr double kSecondsPerSize = 0.8;

struct Descriptor {
  std::uint64_t address;
  std::uint32_t length;
  std::uint16_t id;
  std::uint16_t flags;
};
static_assert(sizeof(Descriptor) == 16);

struct Ring {
  alignas(64) std::array<Descriptor, kRingSize> slots{};
  alignas(64) std::atomic<std::uint16_t> produced{0};
  alignas(64) std::atomic<std::uint16_t> consumed{0};
};

class Buffers {
 public:
  explicit Buffers(std::uint32_t frame)
      // As far apart as the mbufs of the measured programs: header 128, headroom 128, and the room.
      : stride_(frame <= 2048 ? 2304 : 9856), memory_(stride_ * kBuffers + 64) {
    base_ = memory_.data() + (64 - reinterpret_cast<std::uintptr_t>(memory_.data()) % 64);
    for (std::uint32_t i = 0; i < kBuffers; i++) free_[count_++] = static_cast<std::uint16_t>(i);
  }

  PW_INLINE std::uint16_t take() noexcept { return free_[--count_]; }
  PW_INLINE void give(std::uint16_t id) noexcept { free_[count_++] = id; }
  PW_INLINE char* at(std::uint16_t id) noexcept { return base_ + id * stride_; }

 private:
  std::size_t stride_;
  std::vector<char> memory_;
  char* base_;
  std::array<std::uint16_t, kBuffers> free_{};
  std::uint32_t count_ = 0;
};

// Short frames are copied in line, whatever the length is at run time; the compiler knows it here.
template <std::uint32_t kBytes>
PW_INLINE void copyFrame(void* to, const void* from, std::uint32_t) noexcept {
  std::memcpy(to, from, kBytes);
}

template <>
PW_INLINE void copyFrame<0>(void* to, const void* from, std::uint32_t bytes) noexcept {
  std::memcpy(to, from, bytes);
}

template <std::uint32_t kBytes>
PW_INLINE std::uint32_t hop(Ring& from, Ring& to, Buffers& buffers) noexcept {
  const auto first = from.consumed.load(std::memory_order_relaxed);
  const auto ready = static_cast<std::uint16_t>(from.produced.load(std::memory_order_acquire) - first);
  const std::uint32_t count = std::min<std::uint32_t>(ready, kBurst);
  std::uint16_t ids[kBurst];
  std::uint32_t lengths[kBurst];
  for (std::uint32_t i = 0; i < count; i++) {
    const Descriptor& slot = from.slots[(first + i) % kRingSize];
    ids[i] = buffers.take();
    lengths[i] = slot.length;
    copyFrame<kBytes>(buffers.at(ids[i]), reinterpret_cast<const void*>(slot.address), slot.length);
    buffers.give(slot.id);
  }
  from.consumed.store(static_cast<std::uint16_t>(first + count), std::memory_order_release);
  const auto next = to.produced.load(std::memory_order_relaxed);
  const auto used = static_cast<std::uint16_t>(next - to.consumed.load(std::memory_order_acquire));
  if (PW_UNLIKELY(kRingSize - used < count)) std::abort();
  for (std::uint32_t i = 0; i < count; i++) {
    to.slots[(next + i) % kRingSize] = {reinterpret_cast<std::uint64_t>(buffers.at(ids[i])), lengths[i],
                                        ids[i], 0};
  }
  to.produced.store(static_cast<std::uint16_t>(next + count), std::memory_order_release);
  return count;
}

void prime(Ring& ring, Buffers& buffers, std::uint32_t frame) {
  for (std::uint32_t i = 0; i < kFirst; i++) {
    const std::uint16_t id = buffers.take();
    std::memset(buffers.at(id), static_cast<int>(i), frame);
    ring.slots[i] = {reinterpret_cast<std::uint64_t>(buffers.at(id)), frame, id, 0};
  }
  ring.produced.store(kFirst, std::memory_order_release);
}

// A compiler barrier between hops: each of them is a call of its own in a real program.
template <std::uint32_t kBytes>
void measure(std::uint32_t frame) {
  const auto rings = std::make_unique<std::array<Ring, 2>>();
  auto& [a, b] = *rings;
  Buffers buffers(frame);
  prime(a, buffers, frame);
  prime(b, buffers, frame);
  const std::uint32_t hops = frame <= 256 ? 50'000 : 10'000;
  double bestNs = 1e9;
  double bestCycles = 1e9;
  const auto end = Clock::now() + std::chrono::duration<double>(kSecondsPerSize);
  while (Clock::now() < end) {
    const auto start = Clock::now();
    const std::uint64_t from = pollwire::readTsc();
    std::uint32_t done = 0;
    while (done < hops) {
      done += hop<kBytes>(a, b, buffers);
      asm volatile("" ::: "memory");
      done += hop<kBytes>(b, a, buffers);
      asm volatile("" ::: "memory");
    }
    const auto cycles = static_cast<double>(pollwire::readTsc() - from);
    const double ns = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
    bestNs = std::min(bestNs, ns / done);
    bestCycles = std::min(bestCycles, cycles / done);
  }
  std::printf("{\"size\":%u,\"rate\":%.0f,\"cycles\":%.2f}\n", frame, 1e9 / bestNs, bestCycles);
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    const auto frame = static_cast<std::uint32_t>(std::strtoul(argv[i], nullptr, 10));
    if (frame < 14 || frame > 9600) {
      std::fprintf(stderr, "bench_limit: %s: give frame lengths of 14 to 9600 bytes\n", argv[i]);
      return 2;
    }
    if (frame == 64) {
      measure<64>(frame);
    } else if (frame == 256) {
      measure<256>(frame);
    } else {
      measure<0>(frame);
    }
  }
  return 0;
}
