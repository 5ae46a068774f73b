// Counters of one burst slot: u64 each, in the arena, written by the one lcore that polls the slot, read by
// anybody. A drop always has a name. The order here is the order TypeScript reads (layout_export.cpp).
#pragma once

#include <cstdint>

#include "base/shared.hpp"

namespace pollwire {

// clang-format off
#define PW_COUNTERS(X)                                                                    \
  X(PACKETS, "packets moved")                                                             \
  X(BYTES, "bytes moved, without any virtio header")                                      \
  X(MULTICAST, "of those, to a multicast address")                                        \
  X(BROADCAST, "of those, to the broadcast address")                                      \
  X(SIZE_UNDER, "shorter than 64 bytes")                                                  \
  X(SIZE_64, "exactly 64 bytes")                                                          \
  X(SIZE_65, "65 to 127 bytes")                                                           \
  X(SIZE_128, "128 to 255 bytes")                                                         \
  X(SIZE_256, "256 to 511 bytes")                                                         \
  X(SIZE_512, "512 to 1023 bytes")                                                        \
  X(SIZE_1024, "1024 to 1518 bytes")                                                      \
  X(SIZE_1519, "more than 1518 bytes")                                                    \
  X(RX_NO_MBUF, "rx: the pool was empty")                                                 \
  X(RX_BAD_CHAIN, "rx: a descriptor chain broke a rule (loop, bounds, flags)")            \
  X(RX_BAD_ADDRESS, "rx: a buffer lies outside the peer's memory")                        \
  X(RX_BAD_LENGTH, "rx: shorter than header and Ethernet, or too long")                   \
  X(RX_BAD_OFFLOAD, "rx: a header that asks for something impossible")                    \
  X(RX_FILTERED_UNICAST, "rx: for another station, while promiscuous mode is off")        \
  X(RX_FILTERED_MULTICAST, "rx: for a group that nobody here listens to")                 \
  X(RX_FILTERED_VLAN, "rx: of a VLAN that is not in the table")                           \
  X(TX_RING_FULL, "tx: no free descriptors (packets stay with the caller)")               \
  X(TX_BAD_CHAIN, "tx: a descriptor chain broke a rule")                                  \
  X(TX_BAD_ADDRESS, "tx: a buffer lies outside the peer's memory")                        \
  X(TX_TOO_BIG, "tx: larger than the peer's buffers allow")                               \
  X(TX_BAD_MBUF, "tx: an mbuf whose lengths contradict each other")                       \
  X(TX_NO_MBUF, "tx: the pool had no mbufs for the rest of a packet to be cut")           \
  X(TX_SEGMENTED, "tx: packets that were cut in software")                                \
  X(NOTIFICATIONS, "call eventfd signalled")                                              \
  X(NOTIFICATIONS_SUPPRESSED, "call not signalled because the peer did not want it")      \
  X(NOTIFICATIONS_FAILED, "call eventfd could not take the signal")                       \
  X(IOTLB_HITS, "translations found")                                                     \
  X(IOTLB_MISSES, "translations asked for")                                               \
  X(POLLS, "bursts that ran")                                                             \
  X(BROKEN, "times the ring was stopped because the peer broke its rules")                \
  X(LOG_MISSED, "pages written that the peer's dirty log has no bit for")
// clang-format on

enum Counter : std::uint32_t {
#define PW_COUNTER_ENUM(name, text) k##name,
  PW_COUNTERS(PW_COUNTER_ENUM)
#undef PW_COUNTER_ENUM
      kCounterCount
};

struct Counters {
  std::uint64_t value[kCounterCount];

  // Single writer: a plain read and a relaxed store, so that readers never see a torn word.
  PW_INLINE void add(Counter counter, std::uint64_t by) noexcept {
    storeRelaxed(value[counter], loadRelaxed(value[counter]) + by);
  }
};

}  // namespace pollwire
