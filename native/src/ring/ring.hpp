// Bounded FIFO ring of 32-bit handles in memory that the caller gives (the arena), shared by threads of one
// process. Each side is for a single thread or for many, fixed by the type. Under the shared ring of every
// mempool and the ring port. Bulk moves all or nothing, burst as many as possible; both return how many were
// moved.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <thread>

#include "base/compiler.hpp"
#include "base/shared.hpp"

namespace pollwire {

enum class RingSide : std::uint8_t { kMulti = 0, kSingle = 1 };

namespace detail {

// One end of the ring. Indices run freely through 32 bits; slot = index & mask.
struct alignas(kCacheLine) RingEnd {
  std::uint32_t head = 0;            // next index to claim; unused when the end is single
  std::uint32_t tail = 0;            // everything before it is done and visible to the other end
  std::uint32_t cachedOpposite = 0;  // the other end's tail when last read; used when the end is single
};

}  // namespace detail

//   0  | capacity | mask | policies |
// 128  | producer: head | tail | cachedOpposite |
// 256  | consumer: head | tail | cachedOpposite |
// 384  | slots, u32 each, a power of two of them |
// Every other line is empty: the prefetcher that fetches lines in pairs would make the ends collide.
struct RingHeader {
  alignas(kCacheLine) std::uint32_t capacity;
  std::uint32_t mask;
  RingSide producers;
  RingSide consumers;
  alignas(kCacheLine) std::byte gap0[kCacheLine];
  detail::RingEnd producer;
  alignas(kCacheLine) std::byte gap1[kCacheLine];
  detail::RingEnd consumer;
  alignas(kCacheLine) std::byte gap2[kCacheLine];
};

static_assert(offsetof(RingHeader, producer) == 128 && offsetof(RingHeader, consumer) == 256);
static_assert(sizeof(RingHeader) == 384);

inline constexpr std::uint32_t kRingMaxCapacity = 1u << 31;

// Bytes that a ring for `capacity` handles needs, at kCacheLine alignment.
constexpr std::size_t ringBytesFor(std::uint32_t capacity) noexcept {
  return sizeof(RingHeader) + std::bit_ceil(static_cast<std::size_t>(capacity)) * sizeof(std::uint32_t);
}

template <RingSide Producers, RingSide Consumers>
class Ring : private RingHeader {
 public:
  static constexpr std::size_t bytesFor(std::uint32_t capacity) noexcept { return ringBytesFor(capacity); }

  // Makes an empty ring in `memory` (bytesFor(capacity) bytes, kCacheLine aligned). Any capacity from 1 to
  // 2^31 is honoured exactly; nullptr otherwise. There is nothing to destroy.
  static Ring* create(void* memory, std::uint32_t capacity) noexcept {
    if (capacity == 0 || capacity > kRingMaxCapacity) return nullptr;
    Ring* ring = new (memory) Ring();
    ring->RingHeader::capacity = capacity;
    ring->mask = std::bit_ceil(capacity) - 1;
    ring->producers = Producers;
    ring->consumers = Consumers;
    return ring;
  }

  std::uint32_t capacity() const noexcept { return RingHeader::capacity; }

  PW_INLINE std::uint32_t enqueueBulk(const std::uint32_t* from, std::uint32_t n) noexcept {
    return enqueue<true>(from, n);
  }
  PW_INLINE std::uint32_t enqueueBurst(const std::uint32_t* from, std::uint32_t n) noexcept {
    return enqueue<false>(from, n);
  }
  PW_INLINE std::uint32_t dequeueBulk(std::uint32_t* to, std::uint32_t n) noexcept {
    return dequeue<true>(to, n);
  }
  PW_INLINE std::uint32_t dequeueBurst(std::uint32_t* to, std::uint32_t n) noexcept {
    return dequeue<false>(to, n);
  }

  // Handles inside. A snapshot: exact only when nobody moves handles.
  std::uint32_t count() const noexcept {
    // In this order the difference is never negative; it can be too large when handles pass in between.
    const std::uint32_t taken = loadAcquire(consumer.tail);
    const std::uint32_t inside = loadAcquire(producer.tail) - taken;
    return inside < capacity() ? inside : capacity();
  }
  std::uint32_t freeCount() const noexcept { return capacity() - count(); }

 private:
  Ring() = default;

  std::uint32_t* slots() noexcept {
    return reinterpret_cast<std::uint32_t*>(static_cast<RingHeader*>(this) + 1);
  }

  template <bool All>
  PW_INLINE std::uint32_t enqueue(const std::uint32_t* from, std::uint32_t n) noexcept {
    // Claimed indices end `capacity` behind the consumer.
    const Claim claim = claimSlots<All, Producers>(producer, consumer, capacity(), n);
    if (claim.count == 0) return 0;
    const std::uint32_t first = claim.start & mask;
    const std::uint32_t untilEnd = mask + 1 - first;
    if (PW_LIKELY(claim.count <= untilEnd)) {
      copy(slots() + first, from, claim.count);
    } else {
      copy(slots() + first, from, untilEnd);
      copy(slots(), from + untilEnd, claim.count - untilEnd);
    }
    publish<Producers>(producer, claim);
    return claim.count;
  }

  template <bool All>
  PW_INLINE std::uint32_t dequeue(std::uint32_t* to, std::uint32_t n) noexcept {
    // Claimed indices end at the producer.
    const Claim claim = claimSlots<All, Consumers>(consumer, producer, 0, n);
    if (claim.count == 0) return 0;
    const std::uint32_t first = claim.start & mask;
    const std::uint32_t untilEnd = mask + 1 - first;
    if (PW_LIKELY(claim.count <= untilEnd)) {
      copy(to, slots() + first, claim.count);
    } else {
      copy(to, slots() + first, untilEnd);
      copy(to + untilEnd, slots(), claim.count - untilEnd);
    }
    publish<Consumers>(consumer, claim);
    return claim.count;
  }

  struct Claim {
    std::uint32_t start;
    std::uint32_t count;
  };

  // Takes up to `n` indices of `own` that do not pass the tail of `opposite` plus `lead`.
  template <bool All, RingSide Side>
  PW_INLINE static Claim claimSlots(detail::RingEnd& own, const detail::RingEnd& opposite, std::uint32_t lead,
                                    std::uint32_t n) noexcept {
    if constexpr (Side == RingSide::kSingle) {
      const std::uint32_t start = own.tail;  // only this thread writes it
      std::uint32_t room = own.cachedOpposite + lead - start;
      if (PW_UNLIKELY(room < n)) {
        // R1: pairs with the release in publish() of the opposite end. Producer: the slots were read and may
        // be overwritten. Consumer: the slots are filled.
        own.cachedOpposite = loadAcquire(opposite.tail);
        room = own.cachedOpposite + lead - start;
        if (room < n) n = All ? 0 : room;
      }
      return {start, n};
    } else {
      // R2: acquire pairs with the release of the exchange below in other threads of this end: with their
      // head comes at least the opposite tail they saw, so `room` cannot wrap. A head that is too old makes
      // the exchange fail.
      std::uint32_t start = std::atomic_ref<std::uint32_t>(own.head).load(std::memory_order_acquire);
      std::uint32_t take;
      do {
        const std::uint32_t room = loadAcquire(opposite.tail) + lead - start;  // R1, as above
        take = n;
        if (PW_UNLIKELY(room < n)) take = All ? 0 : room;
        if (take == 0) return {start, 0};
      } while (!std::atomic_ref<std::uint32_t>(own.head).compare_exchange_weak(
          start, start + take, std::memory_order_release, std::memory_order_acquire));
      return {start, take};
    }
  }

  template <RingSide Side>
  PW_INLINE static void publish(detail::RingEnd& own, Claim claim) noexcept {
    if constexpr (Side == RingSide::kMulti) {
      // Claims become visible in order. The acquire inside carries the slot accesses of the threads before
      // this one into the release below; without it only our own would be ordered.
      if (PW_UNLIKELY(loadAcquire(own.tail) != claim.start)) waitForTurn(own, claim.start);
    }
    storeRelease(own.tail, claim.start + claim.count);  // R1
  }

  // Another thread of this end claimed before us and has not published yet. It may be descheduled on an
  // overcommitted machine, so give way instead of spinning through our time slice.
  PW_NOINLINE static void waitForTurn(const detail::RingEnd& own, std::uint32_t start) noexcept {
    for (unsigned spins = 1; loadAcquire(own.tail) != start; spins++) {
      if (spins % 256 == 0) {
        std::this_thread::yield();
      } else {
        cpuRelax();
      }
    }
  }

  PW_INLINE static void copy(std::uint32_t* to, const std::uint32_t* from, std::uint32_t n) noexcept {
    std::memcpy(to, from, n * sizeof *to);
  }
};

using SpscRing = Ring<RingSide::kSingle, RingSide::kSingle>;
using SpmcRing = Ring<RingSide::kSingle, RingSide::kMulti>;
using MpscRing = Ring<RingSide::kMulti, RingSide::kSingle>;
using MpmcRing = Ring<RingSide::kMulti, RingSide::kMulti>;

}  // namespace pollwire
