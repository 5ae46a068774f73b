// What can be done to packets beyond taking them from a pool: freeing chains, walking, copying, joining.
// Burst functions use freeBurst and freeChain; the rest serves the binding and the slow paths.
#pragma once

#include <cstdint>
#include <span>

#include "base/shared.hpp"
#include "mbuf/mbuf.hpp"
#include "mbuf/mempool.hpp"

namespace pollwire {

// True when the mbuf can go straight back: not shared, not chained, its own buffer. One branch. The acquire
// pairs with the release of the reference that another thread gave up last.
PW_INLINE bool isPlain(const Mbuf* mbuf) noexcept {
  const std::uint32_t shared = loadAcquire(mbuf->refcnt) ^ 1u;
  const std::uint32_t chained = (mbuf->nbSegs ^ 1u) | mbuf->next;
  return (shared | chained | mbuf->flags) == 0;
}

// Gives one reference of every segment up; segments whose last reference that was return to their pools.
void freeChain(Handle head) noexcept;

// Frees `count` packets. The common case, plain mbufs of one pool, is one bulk put.
PW_INLINE void freeBurst(const Handle* handles, std::uint32_t count) noexcept {
  std::uint32_t i = 0;
  while (i < count) {
    const std::uint8_t pool = mbufOf(handles[i])->pool;
    const std::uint32_t from = i;
    while (i < count) {
      const Mbuf* mbuf = mbufOf(handles[i]);
      if (PW_UNLIKELY(!isPlain(mbuf) || mbuf->pool != pool)) break;
      i++;
    }
    if (i > from) Mempool::byId(pool)->putBulk(handles + from, i - from);
    if (i < count && !isPlain(mbufOf(handles[i]))) freeChain(handles[i++]);
  }
}

// A packet whose lengths agree: nbSegs segments, each inside its buffer, summing up to pktLen. TypeScript
// writes these fields, so a driver asks before it walks a chain.
bool isConsistent(const Mbuf* head) noexcept;

// Copies packet bytes [offset, offset + size) across segments; returns the number copied.
std::uint32_t readPacket(const Mbuf* head, std::uint32_t offset, std::span<std::byte> target) noexcept;
std::uint32_t writePacket(Mbuf* head, std::uint32_t offset, std::span<const std::byte> source) noexcept;

// Appends at most 65,535 bytes, taking more segments from the head's pool as needed; bytes that a clone
// shares are not touched. False and unchanged when there are more bytes or the pool is empty.
bool appendPacket(Handle head, std::span<const std::byte> source) noexcept;

// Joins two packets. False when the result would have more than 65,535 segments.
bool joinChains(Handle head, Handle tail) noexcept;

// Deep copy, metadata included; kNoHandle when `pool` runs empty.
Handle copyPacket(Handle head, Mempool& pool) noexcept;

// Second packet that shares every segment's payload; kNoHandle when `pool` runs empty or a segment has 65,535
// owners.
Handle clonePacket(Handle head, Mempool& pool) noexcept;

// Gives a fresh mbuf of one segment the buffer of an mbuf of `pool` in place of its own, behind the default
// headroom. The two are freed together, as the clone that it is and its owner. False when `pool` is empty.
bool borrowBuffer(Handle mbuf, Mempool& pool) noexcept;

// Moves all data into the first segment; false when it does not fit there, the first segment is shared, or
// the packet is not consistent.
bool linearize(Handle head) noexcept;

}  // namespace pollwire
