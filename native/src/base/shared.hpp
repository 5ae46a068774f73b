// Ordered access to words that another thread or another process also touches.
// The only place outside ring/, virtqueue/ and ethdev/ that names a memory order; everyone else calls these.
#pragma once

#include <atomic>
#include <type_traits>

#include "base/compiler.hpp"

namespace pollwire {

template <typename T>
PW_INLINE T loadRelaxed(const T& word) noexcept {
  static_assert(std::is_integral_v<T> && sizeof(T) <= 8);
  return std::atomic_ref<T>(const_cast<T&>(word)).load(std::memory_order_relaxed);
}

template <typename T>
PW_INLINE T loadAcquire(const T& word) noexcept {
  static_assert(std::is_integral_v<T> && sizeof(T) <= 8);
  return std::atomic_ref<T>(const_cast<T&>(word)).load(std::memory_order_acquire);
}

template <typename T, typename V>
PW_INLINE void storeRelaxed(T& word, V value) noexcept {
  static_assert(std::is_integral_v<T> && sizeof(T) <= 8);
  std::atomic_ref<T>(word).store(static_cast<T>(value), std::memory_order_relaxed);
}

template <typename T, typename V>
PW_INLINE void storeRelease(T& word, V value) noexcept {
  static_assert(std::is_integral_v<T> && sizeof(T) <= 8);
  std::atomic_ref<T>(word).store(static_cast<T>(value), std::memory_order_release);
}

// Sets bits of a word that another process clears; what this thread stored before is visible with them.
template <typename T>
PW_INLINE void orRelease(T& word, T bits) noexcept {
  static_assert(std::is_unsigned_v<T> && sizeof(T) <= 8);
  std::atomic_ref<T>(word).fetch_or(bits, std::memory_order_release);
}

// Store-load barrier: what this thread stored is visible before what it loads next.
PW_INLINE void fullFence() noexcept { std::atomic_thread_fence(std::memory_order_seq_cst); }

}  // namespace pollwire
