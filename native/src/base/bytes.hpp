// Bytes: a read-only view of untrusted bytes. Every parser asks `holds` first and reads at offsets
// afterwards; a checked build traps on a read outside, so that a forgotten question shows in the tests.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/compiler.hpp"
#include "base/endian.hpp"

namespace pollwire {

class Bytes {
 public:
  constexpr Bytes() noexcept = default;
  Bytes(const void* data, std::size_t size) noexcept
      : data_(static_cast<const std::uint8_t*>(data)), size_(size) {}
  Bytes(std::span<const std::uint8_t> bytes) noexcept : Bytes(bytes.data(), bytes.size()) {}
  Bytes(std::span<const std::byte> bytes) noexcept : Bytes(bytes.data(), bytes.size()) {}

  const std::uint8_t* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  // Whether `length` bytes can be read at `offset`; right for any numbers.
  bool holds(std::size_t offset, std::size_t length) const noexcept {
    return offset <= size_ && length <= size_ - offset;
  }

  // What follows `offset`; empty when that is the end or beyond.
  Bytes from(std::size_t offset) const noexcept {
    return offset < size_ ? Bytes(data_ + offset, size_ - offset) : Bytes();
  }
  // The first `count` bytes, or all when there are fewer.
  Bytes first(std::size_t count) const noexcept { return Bytes(data_, std::min(count, size_)); }

  PW_INLINE std::uint8_t u8(std::size_t offset) const noexcept { return *at(offset, 1); }
  PW_INLINE std::uint16_t be16(std::size_t offset) const noexcept { return loadBe16(at(offset, 2)); }
  PW_INLINE std::uint32_t be32(std::size_t offset) const noexcept { return loadBe32(at(offset, 4)); }

 private:
  PW_INLINE const std::uint8_t* at(std::size_t offset, [[maybe_unused]] std::size_t length) const noexcept {
#if POLLWIRE_CHECKED
    if (!holds(offset, length)) __builtin_trap();
#endif
    return data_ + offset;
  }

  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace pollwire
