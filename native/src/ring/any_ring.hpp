// AnyRing: a ring whose policies are known at run time only, for rings that TypeScript creates (ring port,
// fan-out between lcores). One predictable branch per burst over ring.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ring/ring.hpp"

namespace pollwire {

class AnyRing {
 public:
  // Makes a ring in `memory` (ringBytesFor(capacity) bytes, kCacheLine aligned); an invalid object for a bad
  // capacity.
  static AnyRing create(void* memory, std::uint32_t capacity, RingSide producers,
                        RingSide consumers) noexcept {
    void* ring = nullptr;
    const bool single = producers == RingSide::kSingle;
    if (consumers == RingSide::kSingle) {
      ring = single ? made(SpscRing::create(memory, capacity)) : made(MpscRing::create(memory, capacity));
    } else {
      ring = single ? made(SpmcRing::create(memory, capacity)) : made(MpmcRing::create(memory, capacity));
    }
    return AnyRing(ring, static_cast<std::uint32_t>(producers) << 1 | static_cast<std::uint32_t>(consumers));
  }

  AnyRing() noexcept = default;
  bool valid() const noexcept { return ring_ != nullptr; }

  std::uint32_t enqueueBulk(const std::uint32_t* from, std::uint32_t n) noexcept {
    return visit([=](auto& ring) { return ring.enqueueBulk(from, n); });
  }
  std::uint32_t enqueueBurst(const std::uint32_t* from, std::uint32_t n) noexcept {
    return visit([=](auto& ring) { return ring.enqueueBurst(from, n); });
  }
  std::uint32_t dequeueBulk(std::uint32_t* to, std::uint32_t n) noexcept {
    return visit([=](auto& ring) { return ring.dequeueBulk(to, n); });
  }
  std::uint32_t dequeueBurst(std::uint32_t* to, std::uint32_t n) noexcept {
    return visit([=](auto& ring) { return ring.dequeueBurst(to, n); });
  }
  std::uint32_t count() const noexcept {
    return visit([](auto& ring) { return ring.count(); });
  }
  std::uint32_t freeCount() const noexcept {
    return visit([](auto& ring) { return ring.freeCount(); });
  }
  std::uint32_t capacity() const noexcept {
    return visit([](auto& ring) { return ring.capacity(); });
  }

 private:
  AnyRing(void* ring, std::uint32_t kind) noexcept : ring_(ring), kind_(kind) {}

  static void* made(void* ring) noexcept { return ring; }

  template <typename F>
  PW_INLINE std::uint32_t visit(F&& call) const noexcept {
    switch (kind_) {
      case 3:
        return call(*static_cast<SpscRing*>(ring_));
      case 2:
        return call(*static_cast<SpmcRing*>(ring_));
      case 1:
        return call(*static_cast<MpscRing*>(ring_));
      default:
        return call(*static_cast<MpmcRing*>(ring_));
    }
  }

  void* ring_ = nullptr;
  std::uint32_t kind_ = 0;  // producers single << 1 | consumers single
};

}  // namespace pollwire
