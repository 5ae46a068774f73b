// Which lcore the calling thread is: the index into every pool's caches. Set by lcoreEnter in the binding.
#pragma once

#include <cstdint>

#include "base/compiler.hpp"
#include "base/ids.hpp"

namespace pollwire {

inline constexpr std::uint32_t kNoLcore = ~0u;

namespace detail {
extern PW_THREAD_LOCAL std::uint32_t lcoreId;
}

PW_INLINE std::uint32_t currentLcore() noexcept { return detail::lcoreId; }
inline void setCurrentLcore(std::uint32_t id) noexcept { detail::lcoreId = id; }

}  // namespace pollwire
