// A ring, its driver and its in-flight region in one block of memory that can be photographed: what the crash
// tests of InflightSplit and InflightPacked have in common. The driver is a value, so that it can be put back
// to where it was when an image was taken.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <vector>

#include "base/shared.hpp"
#include "base/wrap16.hpp"
#include "support/store_trace.hpp"
#include "virtqueue/inflight_packed.hpp"
#include "virtqueue/inflight_split.hpp"

namespace pollwire::test {

inline constexpr std::uint32_t kInflightRing = 8;
inline constexpr std::size_t kRegionAt = 1024;
inline constexpr std::size_t kBlock = 4096;

// What a driver posted and got back, by serial number. Chain n has buffers at 0x1000 * (n + 1) and on.
struct DriverLog {
  std::map<std::uint16_t, std::uint32_t> inFlight;  // id to serial number
  std::uint32_t posted = 0;
  std::vector<std::uint32_t> returned;

  void got(std::uint16_t id) {
    const auto found = inFlight.find(id);
    ASSERT_NE(found, inFlight.end()) << "buffer " << id << " came back that the device does not have";
    returned.push_back(found->second);
    inFlight.erase(found);
  }
  std::uint16_t freeId() const {
    std::uint16_t id = 0;
    while (inFlight.count(id) != 0) id++;
    return id;
  }
};

inline std::uint64_t addressOf(std::uint32_t serial, std::uint32_t element) {
  return 0x1000ull * (serial + 1) + 0x100ull * element;
}

struct SplitRig {
  using Ring = InflightSplit;
  // 2 bytes before the indices wrap.
  static constexpr std::uint16_t kStart = 65534;

  struct Driver : DriverLog {
    std::byte* memory = nullptr;
    std::uint16_t next = kStart;
    std::uint16_t seen = kStart;

    split::Desc* desc() const { return reinterpret_cast<split::Desc*>(memory); }
    split::Avail* avail() const { return reinterpret_cast<split::Avail*>(memory + 256); }
    split::Used* used() const { return reinterpret_cast<split::Used*>(memory + 512); }

    void post(std::uint32_t) {
      const std::uint16_t id = freeId();
      desc()[id] = split::Desc{addressOf(posted, 0), 100 + posted, 0, 0};
      avail()->ring[next % kInflightRing] = id;
      inFlight[id] = posted++;
      avail()->idx = ++next;
    }
    void collect() {
      for (; seen != used()->idx; seen++)
        got(static_cast<std::uint16_t>(used()->ring[seen % kInflightRing].id));
    }
  };

  static Driver begin(std::byte* memory) {
    Driver driver;
    driver.memory = memory;
    driver.avail()->idx = driver.used()->idx = kStart;
    return driver;
  }
  // As after a restart: the base that the front-end remembers is of no use.
  static Result<Ring> open(std::byte* memory) {
    auto* const used = reinterpret_cast<split::Used*>(memory + 512);
    const SplitDevice ring(reinterpret_cast<split::Desc*>(memory),
                           reinterpret_cast<split::Avail*>(memory + 256), used, kInflightRing, 0, true, true);
    return Ring::open(ring, InflightSlice{memory + kRegionAt, kInflightRing, nullptr}, false);
  }
};

struct PackedRig {
  using Ring = InflightPacked;
  // Not a power of two; close to the end of the first lap.
  static constexpr std::uint32_t kSize = 7;
  static constexpr std::uint32_t kStart = 5;

  struct Driver : DriverLog {
    std::byte* memory = nullptr;
    std::uint32_t position = kStart;
    bool wrap = true;
    std::uint32_t seen = kStart;
    bool seenWrap = true;
    std::map<std::uint16_t, std::uint32_t> lengths;

    packed::Desc* desc() const { return reinterpret_cast<packed::Desc*>(memory); }

    void post(std::uint32_t count) {
      const std::uint16_t id = freeId();
      std::uint64_t first = 0;
      const std::uint32_t start = position;
      for (std::uint32_t i = 0; i < count; i++) {
        const std::uint32_t flags =
            packed::availBits(wrap) | (i + 1 < count ? std::uint32_t{packed::kNext} : 0u);
        // The id is in the last descriptor of a list.
        const std::uint64_t word =
            packed::makeWord(100 + posted, i + 1 == count ? id : std::uint16_t{0x5555}, flags);
        desc()[position].addr = addressOf(posted, i);
        if (i == 0) first = word;
        else desc()[position].word = word;
        step(position, wrap, 1);
      }
      desc()[start].word = first;
      inFlight[id] = posted++;
      lengths[id] = count;
    }
    void collect() {
      while (!inFlight.empty()) {
        const std::uint64_t word = desc()[seen].word;
        if ((packed::flagsOf(word) & packed::kOwnerBits) != packed::usedBits(seenWrap)) return;
        const std::uint16_t id = packed::idOf(word);
        got(id);
        if (testing::Test::HasFatalFailure()) return;
        step(seen, seenWrap, lengths[id]);
      }
    }
    static void step(std::uint32_t& position, bool& wrap, std::uint32_t by) {
      position += by;
      if (position < kSize) return;
      position -= kSize;
      wrap = !wrap;
    }
  };

  static Driver begin(std::byte* memory) {
    Driver driver;
    driver.memory = memory;
    return driver;
  }
  // As after a restart: the base that the front-end remembers is the one of long ago.
  static Result<Ring> open(std::byte* memory) {
    const std::uint32_t half = packed::withWrap(kStart, true);
    const PackedDevice ring(reinterpret_cast<packed::Desc*>(memory),
                            reinterpret_cast<packed::EventSuppress*>(memory + 512),
                            reinterpret_cast<packed::EventSuppress*>(memory + 516), kSize,
                            packed::makeBase(half, half), true, true);
    return Ring::open(ring, InflightSlice{memory + kRegionAt, kInflightRing, nullptr});
  }
};

}  // namespace pollwire::test
