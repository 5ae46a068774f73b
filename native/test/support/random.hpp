// Random: 32-bit numbers from a seed, the same on every machine.
#pragma once

#include <cstdint>

namespace pollwire::test {

// xorshift64*; good enough to shuffle and to break rings with.
class Random {
 public:
  using result_type = std::uint32_t;
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ull + 0x1234567) {}

  std::uint32_t operator()() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<std::uint32_t>((state_ * 0x2545f4914f6cdd1dull) >> 32);
  }
  std::uint64_t word() { return static_cast<std::uint64_t>((*this)()) << 32 | (*this)(); }
  std::uint16_t half() { return static_cast<std::uint16_t>((*this)()); }
  std::uint32_t below(std::uint32_t limit) { return (*this)() % limit; }
  static constexpr std::uint32_t min() { return 0; }
  static constexpr std::uint32_t max() { return UINT32_MAX; }

 private:
  std::uint64_t state_;
};

}  // namespace pollwire::test
