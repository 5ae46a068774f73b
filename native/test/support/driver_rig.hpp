// DriverRig: a driver-side ring and the device side of the same layout over plain memory, for tests that step
// both. The layouts are SplitLayout and PackedLayout; addresses are pointers.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "virtqueue/packed_device.hpp"
#include "virtqueue/packed_driver.hpp"
#include "virtqueue/split_device.hpp"
#include "virtqueue/split_driver.hpp"

namespace pollwire::test {

// 64-byte aligned, zeroed.
class LineMemory {
 public:
  explicit LineMemory(std::size_t bytes) : lines_(bytes / 64 + 1) {}
  template <typename T>
  T* at(std::size_t offset) {
    return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(lines_.data()) + offset);
  }

 private:
  struct alignas(64) Line {
    std::byte bytes[64] = {};
  };
  std::vector<Line> lines_;
};

struct SplitLayout {
  using Driver = SplitDriver;
  using Device = SplitDevice;
  static constexpr bool kPacked = false;
  // Near the end, so that every test takes the indices past 65,535.
  static constexpr std::uint32_t startFor(std::uint32_t) { return 65530; }

  static std::size_t bytes(std::uint32_t size) {
    return 16ull * size + 128 + 2ull * size + 128 + 8ull * size + 128;
  }
  static Driver driver(LineMemory& memory, std::uint32_t size, std::uint32_t base, bool eventIdx) {
    return Driver(desc(memory), avail(memory, size), used(memory, size), size, base, eventIdx);
  }
  static Device device(LineMemory& memory, std::uint32_t size, std::uint32_t base, bool eventIdx) {
    return Device(desc(memory), avail(memory, size), used(memory, size), size,
                  static_cast<std::uint16_t>(base), eventIdx, true);
  }
  static split::Desc* desc(LineMemory& memory) { return memory.at<split::Desc>(0); }
  static split::Avail* avail(LineMemory& memory, std::uint32_t size) {
    return memory.at<split::Avail>(16ull * size);
  }
  static split::Used* used(LineMemory& memory, std::uint32_t size) {
    return memory.at<split::Used>(16ull * size + (2ull * size + 6 + 63) / 64 * 64);
  }
};

struct PackedLayout {
  using Driver = PackedDriver;
  using Device = PackedDevice;
  static constexpr bool kPacked = true;
  static constexpr std::uint32_t startFor(std::uint32_t size) {
    const std::uint32_t half = packed::withWrap(size - 1, true);
    return packed::makeBase(half, half);
  }

  static std::size_t bytes(std::uint32_t size) { return 16ull * size + 8; }
  static Driver driver(LineMemory& memory, std::uint32_t size, std::uint32_t base, bool eventIdx) {
    return Driver(desc(memory), event(memory, size, 0), event(memory, size, 4), size, base, eventIdx);
  }
  static Device device(LineMemory& memory, std::uint32_t size, std::uint32_t base, bool eventIdx) {
    return Device(desc(memory), event(memory, size, 0), event(memory, size, 4), size, base, eventIdx, true);
  }
  static packed::Desc* desc(LineMemory& memory) { return memory.at<packed::Desc>(0); }
  static packed::EventSuppress* event(LineMemory& memory, std::uint32_t size, std::size_t at) {
    return memory.at<packed::EventSuppress>(16ull * size + at);
  }
};

// Every address is memory of this process.
struct FlatSpace {
  std::byte* translate(std::uint64_t addr, std::uint32_t, Access) {
    return reinterpret_cast<std::byte*>(addr);
  }
  bool collect(std::uint64_t, std::uint32_t, Access, PieceList&) { return false; }
};

template <class Layout>
struct DriverRig {
  explicit DriverRig(std::uint32_t size, bool eventIdx = false)
      : memory(Layout::bytes(size)),
        driver(Layout::driver(memory, size, Layout::startFor(size), eventIdx)),
        device(Layout::device(memory, size, driver.base(), eventIdx)) {}

  // Posts `count` buffers of one element with cookies from `cookie` on; `addr` and `len` follow from the
  // cookie.
  template <bool kInOrder>
  std::uint32_t post(std::uint32_t count, std::uint32_t cookie, std::uint16_t flags = 0) {
    const std::uint32_t posted =
        driver.template post<kInOrder>(count, flags, [&](std::uint32_t i, DriverBuffer& buffer) {
          buffer = DriverBuffer{addrOf(cookie + i), lenOf(cookie + i), cookie + i};
          return true;
        });
    driver.publish();
    return posted;
  }
  static std::uint64_t addrOf(std::uint32_t cookie) { return 0x10'0000'0000ull + 4096ull * cookie; }
  static std::uint32_t lenOf(std::uint32_t cookie) { return 64 + cookie % 1000; }

  std::vector<Head> heads(std::uint32_t max = 64) {
    std::vector<Head> list(max);
    const std::uint32_t ready = device.available();
    EXPECT_NE(ready, Layout::Device::kBroken);
    list.resize(device.gather(list.data(), 0, std::min(ready, max)));
    return list;
  }
  // Answers these heads in this order, as having been written `len` bytes each.
  void answer(const std::vector<Head>& list, std::uint32_t len = 0) {
    std::uint32_t entries = 0;
    for (const Head& head : list) {
      device.putUsed(entries, head, len);
      entries += head.count;
    }
    device.publish(entries, entries);
  }
  // Answers all of them by naming the last (in-order devices may).
  void answerBatch(const std::vector<Head>& list, std::uint32_t len = 0) {
    std::uint32_t entries = 0;
    for (const Head& head : list) entries += head.count;
    device.putUsed(0, list.back(), len);
    device.publish(entries, entries);
  }

  struct Collected {
    std::uint32_t count;
    std::vector<std::uint32_t> cookies;
    std::vector<std::uint32_t> lengths;
  };
  template <bool kInOrder>
  Collected collect(std::uint32_t max = 64) {
    Collected result{0, std::vector<std::uint32_t>(max), std::vector<std::uint32_t>(max)};
    result.count = driver.template collect<kInOrder>(result.cookies.data(), result.lengths.data(), max);
    const std::uint32_t got = result.count == Layout::Driver::kBroken ? 0 : result.count;
    result.cookies.resize(got);
    result.lengths.resize(got);
    return result;
  }

  LineMemory memory;
  typename Layout::Driver driver;
  typename Layout::Device device;
};

}  // namespace pollwire::test
