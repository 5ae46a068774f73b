// Checked build: who has each mbuf, since when, and what happens to one that is freed twice. Release builds:
// empty inline functions. Owned by a Mempool, called on each allocation and free.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/compiler.hpp"
#include "base/ids.hpp"

namespace pollwire {

#if POLLWIRE_CHECKED

namespace detail {
extern PW_THREAD_LOCAL const char* allocSite;
}

// Names what the calling thread is doing, for leak reports: a string literal.
PW_INLINE void setAllocSite(const char* site) noexcept { detail::allocSite = site; }

class MbufCheck {
 public:
  static constexpr std::uint8_t kPoison = 0xdb;

  void init(std::uint32_t pool, Handle first, std::uint32_t stride, std::uint32_t count);
  void allocated(const Handle* handles, std::uint32_t count) noexcept;
  // False, after a report, when the handle must not go back: freed twice, or not one of this pool's.
  bool freed(Handle handle) noexcept;
  std::vector<std::string> leaks() const;
  // Problems seen so far in this process: double frees, foreign handles, writes after free.
  static std::uint64_t violations() noexcept;

 private:
  struct Track {
    const char* site;
    std::uint32_t lcore;
    std::uint32_t generation;
    std::uint32_t out;
  };

  Track* trackOf(Handle handle) noexcept;

  std::uint32_t pool_ = 0;
  Handle first_ = 0;
  std::uint32_t stride_ = 0;
  std::vector<Track> tracks_;
};

#else

PW_INLINE void setAllocSite(const char*) noexcept {}

class MbufCheck {
 public:
  void init(std::uint32_t, Handle, std::uint32_t, std::uint32_t) {}
  PW_INLINE void allocated(const Handle*, std::uint32_t) noexcept {}
  PW_INLINE bool freed(Handle) noexcept { return true; }
  std::vector<std::string> leaks() const { return {}; }
  static std::uint64_t violations() noexcept { return 0; }
};

#endif

}  // namespace pollwire
