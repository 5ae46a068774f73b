// Argument reading for data-path functions: plain Node-API calls, no exceptions, and bounds that keep a wrong
// number from reaching memory outside the arena.
#pragma once

#include <node_api.h>

#include <cstdint>

#include "base/ids.hpp"
#include "mbuf/mbuf.hpp"
#include "mem/arena.hpp"

namespace pollwire::binding {

template <std::size_t N>
struct FastArgs {
  std::uint32_t value[N] = {};

  FastArgs(napi_env env, napi_callback_info info) noexcept {
    std::size_t count = N;
    napi_value raw[N] = {};
    napi_get_cb_info(env, info, &count, raw, nullptr, nullptr);
    for (std::size_t i = 0; i < N; i++) {
      // A value that is not a number leaves 0, which every caller treats as "nothing".
      if (raw[i] != nullptr) napi_get_value_uint32(env, raw[i], &value[i]);
    }
  }
  std::uint32_t operator[](std::size_t index) const noexcept { return value[index]; }
};

PW_INLINE napi_value number(napi_env env, std::uint32_t value) noexcept {
  napi_value out;
  napi_create_uint32(env, value, &out);
  return out;
}

// The burst array at arena word `word`; nullptr unless all of it is inside the arena. `count` is cut to the
// largest burst.
PW_INLINE Handle* burstAt(std::uint32_t word, std::uint32_t& count) noexcept {
  if (count > kMaxBurst) count = kMaxBurst;
  if ((static_cast<std::uint64_t>(word) + count) * 4 > arenaBytes()) return nullptr;
  return reinterpret_cast<Handle*>(arenaBase()) + word;
}

// nullptr for handle 0 and for handles outside the arena.
PW_INLINE Mbuf* mbufArgument(std::uint32_t handle) noexcept {
  if (handle == kNoHandle) return nullptr;
  if ((static_cast<std::uint64_t>(handle) << kHandleShift) + kMbufHeader > arenaBytes()) return nullptr;
  return mbufOf(handle);
}

}  // namespace pollwire::binding
