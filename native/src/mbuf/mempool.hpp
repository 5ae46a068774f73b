// Mempool: a fixed number of equal mbufs in the arena. Bulk allocation and free go through a cache of the
// calling lcore (a plain array, no atomic) over a shared ring that any thread may use. Called by every burst
// function and by the binding.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/shared.hpp"
#include "mbuf/lcore.hpp"
#include "mbuf/mbuf.hpp"
#include "mbuf/mbuf_check.hpp"
#include "ring/ring.hpp"

namespace pollwire {

class Mempool {
 public:
  static constexpr std::uint32_t kMaxCache = 512;
  static constexpr std::uint32_t kMinDataRoom = kHeadroom + 64;

  // `count` mbufs with `dataRoom` bytes of buffer each (headroom included). The pool takes an id that its
  // mbufs carry.
  static Result<std::uint32_t> create(const std::string& name, std::uint32_t count, std::uint32_t dataRoom,
                                      std::uint32_t cacheSize);
  // Fails with BUSY while mbufs are out (and how many) or queues take from it.
  static Status destroy(std::uint32_t id);
  // Destroys whatever is left, for process teardown.
  static void destroyAll() noexcept;
  // nullptr when there is no such pool.
  PW_INLINE static Mempool* byId(std::uint32_t id) noexcept { return id < kMaxPools ? table_[id] : nullptr; }

  // All or nothing: `count` handles, or 0 and nothing taken. The mbufs are reset only as far as their pool
  // invariant says; the caller sets lengths, port and offset.
  PW_INLINE std::uint32_t allocBulk(Handle* out, std::uint32_t count) noexcept {
    Cache* cache = currentCache();
    if (PW_LIKELY(cache != nullptr && cache->length >= count)) {
      takeFromCache(*cache, out, count);
    } else if (PW_UNLIKELY(!refillAndTake(cache, out, count))) {
      return 0;
    }
    check_.allocated(out, count);
    return count;
  }

  PW_INLINE Handle alloc() noexcept {
    Handle handle;
    return allocBulk(&handle, 1) == 1 ? handle : kNoHandle;
  }

  // Puts mbufs back that satisfy the pool invariant (see mbuf.hpp); freeChain in mbuf_ops.hpp handles
  // everything else.
  PW_INLINE void putBulk(const Handle* handles, std::uint32_t count) noexcept {
#if POLLWIRE_CHECKED
    for (std::uint32_t i = 0; i < count; i++) {
      if (check_.freed(handles[i])) putUnchecked(handles + i, 1);
    }
#else
    putUnchecked(handles, count);
#endif
  }

  // A queue that allocates from this pool holds it: the pool cannot go while one does. Control plane only.
  void retain() noexcept { users_++; }
  void release() noexcept { users_--; }

  std::uint32_t id() const noexcept { return id_; }
  const std::string& name() const noexcept { return name_; }
  std::uint32_t size() const noexcept { return count_; }
  std::uint32_t dataRoom() const noexcept { return dataRoom_; }
  std::uint32_t elementSize() const noexcept { return elementSize_; }
  std::uint32_t cacheSize() const noexcept { return cacheSize_; }
  // Largest packet that one mbuf holds behind the default headroom.
  std::uint32_t segmentRoom() const noexcept { return dataRoom_ - kHeadroom; }
  std::uint32_t cached() const noexcept;
  std::uint32_t available() const noexcept;
  // True when `handle` is the start of one of this pool's mbufs.
  bool owns(Handle handle) const noexcept;
  // Returns the calling lcore's cached mbufs to the shared ring.
  void flush(std::uint32_t lcore) noexcept;
  static void flushAll(std::uint32_t lcore) noexcept;
  std::vector<std::string> leaks() const { return check_.leaks(); }

  Mempool(const Mempool&) = delete;
  Mempool& operator=(const Mempool&) = delete;

 private:
  struct alignas(kCacheLine) Cache {
    // Written by the lcore that it belongs to; others read it for counts.
    PW_INLINE void resize(std::uint32_t count) noexcept { storeRelaxed(length, count); }

    std::uint32_t length = 0;
    std::uint32_t limit = 0;
    Handle* handles = nullptr;
  };

  Mempool() = default;

  PW_INLINE Cache* currentCache() noexcept {
    const std::uint32_t lcore = currentLcore();
    return lcore < kMaxLcores && cacheSize_ != 0 ? &caches_[lcore] : nullptr;
  }

  PW_INLINE void putUnchecked(const Handle* handles, std::uint32_t count) noexcept {
    Cache* cache = currentCache();
    if (PW_LIKELY(cache != nullptr && cache->length + count <= cache->limit)) {
      std::uint32_t* slot = cache->handles + cache->length;
      for (std::uint32_t i = 0; i < count; i++) slot[i] = handles[i];
      cache->resize(cache->length + count);
      return;
    }
    spill(cache, handles, count);
  }

  PW_INLINE static void takeFromCache(Cache& cache, Handle* out, std::uint32_t count) noexcept {
    cache.resize(cache.length - count);
    const Handle* from = cache.handles + cache.length;
    for (std::uint32_t i = 0; i < count; i++) out[i] = from[i];
  }

  bool refillAndTake(Cache* cache, Handle* out, std::uint32_t count) noexcept;
  void spill(Cache* cache, const Handle* handles, std::uint32_t count) noexcept;
  void layOut() noexcept;

  static Mempool* table_[kMaxPools];

  std::uint32_t id_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t dataRoom_ = 0;
  std::uint32_t elementSize_ = 0;
  std::uint32_t cacheSize_ = 0;
  std::uint32_t users_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t ringOffset_ = 0;
  MpmcRing* ring_ = nullptr;
  MbufCheck check_;
  std::string name_;
  std::vector<Handle> cacheStorage_;
  Cache caches_[kMaxLcores];
};

}  // namespace pollwire
