// Byte layout of the region in which a back-end notes what it has taken and not answered (vhost-user,
// "Inflight I/O tracking"). The front-end keeps it across a crash of the back-end and does not look inside.
// One queue after the other; InflightSplit and InflightPacked write it, vhost/inflight_area cuts it up.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/compiler.hpp"

namespace pollwire::inflight {

// 0 is a region that nobody has used yet.
inline constexpr std::uint16_t kVersion = 1;

// 0          1         6      8         16
// | inflight | padding | next | counter |
struct SplitEntry {
  std::uint8_t inflight;
  std::uint8_t padding[5];
  // The one answered before this one in the same batch.
  std::uint16_t next;
  // Order in which chains were taken.
  std::uint64_t counter;
};
static_assert(sizeof(SplitEntry) == 16 && offsetof(SplitEntry, next) == 6 &&
              offsetof(SplitEntry, counter) == 8);

// 0          8         10        12                14         16
// | features | version | entries | last batch head | used idx | entry[entries], by head index
struct SplitQueue {
  std::uint64_t features;
  std::uint16_t version;
  std::uint16_t entries;
  std::uint16_t lastBatchHead;
  std::uint16_t usedIdx;
};
static_assert(sizeof(SplitQueue) == 16 && offsetof(SplitQueue, usedIdx) == 14);

// 0          1         2      4      6     8         16   18      20    24     32
// | inflight | padding | next | last | num | counter | id | flags | len | addr |
struct PackedEntry {
  std::uint8_t inflight;
  std::uint8_t padding;
  // The next element of this chain, or the next free entry.
  std::uint16_t next;
  // Heads: the chain's last entry and its length.
  std::uint16_t last;
  std::uint16_t num;
  std::uint64_t counter;
  // The descriptor as the driver wrote it; on the ring its place is written over.
  std::uint16_t id;
  std::uint16_t flags;
  std::uint32_t len;
  std::uint64_t addr;
};
static_assert(sizeof(PackedEntry) == 32 && offsetof(PackedEntry, counter) == 8 &&
              offsetof(PackedEntry, id) == 16 && offsetof(PackedEntry, addr) == 24);

// 0          8         10        12          14              16     24        32
// | features | version | entries | free head | old free head | used | padding | entry[entries]
// `used` is four fields that only mean something together: used idx (16 bits), old used idx (16), used wrap
// (8), old used wrap (8), and 16 bits of padding. One aligned store changes them all.
struct PackedQueue {
  std::uint64_t features;
  std::uint16_t version;
  std::uint16_t entries;
  std::uint16_t freeHead;
  std::uint16_t oldFreeHead;
  std::uint64_t used;
  std::uint8_t padding[8];
};
static_assert(sizeof(PackedQueue) == 32 && offsetof(PackedQueue, freeHead) == 12 &&
              offsetof(PackedQueue, used) == 16);

inline constexpr std::uint64_t kQueueAlign = 64;

// Bytes from one queue to the next.
constexpr std::uint64_t queueBytes(std::uint32_t entries, bool packed) noexcept {
  return alignUp(packed ? sizeof(PackedQueue) + sizeof(PackedEntry) * std::uint64_t{entries}
                        : sizeof(SplitQueue) + sizeof(SplitEntry) * std::uint64_t{entries},
                 kQueueAlign);
}

}  // namespace pollwire::inflight
