// Integers of a fixed byte order. Value types (le16 … be32) for structs that describe shared memory or wire
// formats, load and store functions for bytes at any alignment. virtqueue/ and offload/ use the first, net/
// the second.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/compiler.hpp"

namespace pollwire {

template <typename T>
constexpr T byteSwap(T value) noexcept {
  static_assert(std::is_unsigned_v<T>);
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
}

// `value` of this machine as the given order stores it, and back: the conversion is its own inverse.
template <std::endian Order, typename T>
constexpr T convertOrder(T value) noexcept {
  return Order == std::endian::native ? value : byteSwap(value);
}

// An unsigned integer stored in a fixed byte order, as aligned as T itself.
template <typename T, std::endian Order>
class Endian {
 public:
  constexpr Endian() noexcept = default;
  constexpr Endian(T value) noexcept : stored_(convertOrder<Order>(value)) {}
  constexpr operator T() const noexcept { return get(); }
  constexpr T get() const noexcept { return convertOrder<Order>(stored_); }

  // The stored word, for atomic access; convert what is read with `fromStored`.
  constexpr T& stored() noexcept { return stored_; }
  constexpr const T& stored() const noexcept { return stored_; }
  static constexpr T fromStored(T stored) noexcept { return convertOrder<Order>(stored); }
  static constexpr T toStored(T value) noexcept { return convertOrder<Order>(value); }

 private:
  T stored_ = 0;
};

using le16 = Endian<std::uint16_t, std::endian::little>;
using le32 = Endian<std::uint32_t, std::endian::little>;
using le64 = Endian<std::uint64_t, std::endian::little>;
using be16 = Endian<std::uint16_t, std::endian::big>;
using be32 = Endian<std::uint32_t, std::endian::big>;
using be64 = Endian<std::uint64_t, std::endian::big>;

static_assert(sizeof(le16) == 2 && sizeof(le32) == 4 && sizeof(le64) == 8 && alignof(le64) == 8);
static_assert(std::is_trivially_copyable_v<le64> && std::is_standard_layout_v<le64>);

template <typename T, std::endian Order>
PW_INLINE T loadAs(const void* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof value);
  return convertOrder<Order>(value);
}

template <typename T, std::endian Order>
PW_INLINE void storeAs(void* to, T value) noexcept {
  value = convertOrder<Order>(value);
  std::memcpy(to, &value, sizeof value);
}

PW_INLINE std::uint16_t loadLe16(const void* from) noexcept {
  return loadAs<std::uint16_t, std::endian::little>(from);
}
PW_INLINE std::uint32_t loadLe32(const void* from) noexcept {
  return loadAs<std::uint32_t, std::endian::little>(from);
}
PW_INLINE std::uint64_t loadLe64(const void* from) noexcept {
  return loadAs<std::uint64_t, std::endian::little>(from);
}
PW_INLINE std::uint16_t loadBe16(const void* from) noexcept {
  return loadAs<std::uint16_t, std::endian::big>(from);
}
PW_INLINE std::uint32_t loadBe32(const void* from) noexcept {
  return loadAs<std::uint32_t, std::endian::big>(from);
}
PW_INLINE std::uint64_t loadBe64(const void* from) noexcept {
  return loadAs<std::uint64_t, std::endian::big>(from);
}

PW_INLINE void storeLe16(void* to, std::uint16_t value) noexcept {
  storeAs<std::uint16_t, std::endian::little>(to, value);
}
PW_INLINE void storeLe32(void* to, std::uint32_t value) noexcept {
  storeAs<std::uint32_t, std::endian::little>(to, value);
}
PW_INLINE void storeLe64(void* to, std::uint64_t value) noexcept {
  storeAs<std::uint64_t, std::endian::little>(to, value);
}
PW_INLINE void storeBe16(void* to, std::uint16_t value) noexcept {
  storeAs<std::uint16_t, std::endian::big>(to, value);
}
PW_INLINE void storeBe32(void* to, std::uint32_t value) noexcept {
  storeAs<std::uint32_t, std::endian::big>(to, value);
}
PW_INLINE void storeBe64(void* to, std::uint64_t value) noexcept {
  storeAs<std::uint64_t, std::endian::big>(to, value);
}

}  // namespace pollwire
