// The mbuf header: one hot cache line per packet segment, followed directly by its buffer.
// TypeScript reads the same bytes through generated offsets (layout_export.cpp); keep both in step.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/compiler.hpp"
#include "base/ids.hpp"
#include "mem/arena.hpp"

namespace pollwire {

//        0        2        4        6        8        10       12       14
//   0  | bufAddr                          | dataOff| refcnt | nbSegs | port  |
//  16  | pktLen          | dataLen| vlan  | next            | olFlags        |
//  32  | packetType      | hashRss        |l2|l4| l3   | tsoSeg | vlanOut    |
//  48  | bufLen |pl|fl   | ext            | timestamp                        |
//  64  | headroom (128) | data …
//
// A free mbuf in its pool always has refcnt 1, nbSegs 1, next 0, flags 0 and bufAddr = its own buffer, so
// that taking it out costs no store.
struct alignas(64) Mbuf {
  std::byte* bufAddr;
  std::uint16_t dataOff;
  std::uint16_t refcnt;
  std::uint16_t nbSegs;
  std::uint16_t port;
  std::uint32_t pktLen;
  std::uint16_t dataLen;
  std::uint16_t vlanTci;
  Handle next;
  std::uint32_t olFlags;
  std::uint32_t packetType;
  std::uint32_t hashRss;
  std::uint8_t l2Len;
  std::uint8_t l4Len;
  std::uint16_t l3Len;
  std::uint16_t tsoSegsz;
  std::uint16_t vlanTciOuter;
  std::uint16_t bufLen;
  std::uint8_t pool;
  std::uint8_t flags;
  Handle ext;
  std::uint64_t timestamp;
};

inline constexpr std::uint32_t kMbufHeader = 64;
inline constexpr std::uint32_t kHeadroom = 128;
inline constexpr std::uint16_t kNoPort = 0xffff;

static_assert(sizeof(Mbuf) == kMbufHeader);
static_assert(offsetof(Mbuf, dataOff) == 8 && offsetof(Mbuf, refcnt) == 10 && offsetof(Mbuf, nbSegs) == 12 &&
              offsetof(Mbuf, port) == 14);
static_assert(offsetof(Mbuf, pktLen) == 16 && offsetof(Mbuf, dataLen) == 20 &&
              offsetof(Mbuf, vlanTci) == 22 && offsetof(Mbuf, next) == 24 && offsetof(Mbuf, olFlags) == 28);
static_assert(offsetof(Mbuf, packetType) == 32 && offsetof(Mbuf, l2Len) == 40 &&
              offsetof(Mbuf, tsoSegsz) == 44);
static_assert(offsetof(Mbuf, bufLen) == 48 && offsetof(Mbuf, pool) == 50 && offsetof(Mbuf, flags) == 51 &&
              offsetof(Mbuf, ext) == 52 && offsetof(Mbuf, timestamp) == 56);

// Mbuf::flags. Both mean that bufAddr is not this mbuf's own buffer.
enum MbufFlag : std::uint8_t {
  kMbufClone = 1,     // payload belongs to the mbuf `ext`
  kMbufExternal = 2,  // payload is outside the arena; `ext` names who gets it back
};

// Mbuf::olFlags. RX_* are set by a driver, TX_* are asked for by the application.
enum OlFlag : std::uint32_t {
  kRxVlan = 1u << 0,
  kRxVlanStripped = 1u << 1,
  kRxIpCksumBad = 1u << 2,
  kRxIpCksumGood = 1u << 3,
  kRxL4CksumBad = 1u << 4,
  kRxL4CksumGood = 1u << 5,
  // Not verified and not needed: the data came from memory, never over a wire (both bits set, as ethdev has
  // it).
  kRxL4CksumNone = kRxL4CksumBad | kRxL4CksumGood,
  kRxLro = 1u << 6,
  kRxRssHash = 1u << 7,
  kTxVlan = 1u << 16,
  kTxIpCksum = 1u << 17,
  kTxTcpCksum = 1u << 18,
  kTxUdpCksum = 1u << 19,
  kTxTcpSeg = 1u << 20,
  kTxUdpSeg = 1u << 21,
  kTxIpv4 = 1u << 22,
  kTxIpv6 = 1u << 23,
};

// `arena` is arenaBase(), for a loop to keep.
PW_INLINE Mbuf* mbufIn(std::byte* arena, Handle handle) noexcept {
  return reinterpret_cast<Mbuf*>(arena + (static_cast<std::uint64_t>(handle) << kHandleShift));
}

PW_INLINE Mbuf* mbufOf(Handle handle) noexcept { return mbufIn(arenaBase(), handle); }

PW_INLINE Handle handleOf(const Mbuf* mbuf) noexcept {
  return static_cast<Handle>(
      static_cast<std::uint64_t>(reinterpret_cast<const std::byte*>(mbuf) - arenaBase()) >> kHandleShift);
}

PW_INLINE std::byte* ownBuffer(Mbuf* mbuf) noexcept {
  return reinterpret_cast<std::byte*>(mbuf) + kMbufHeader;
}

PW_INLINE std::byte* dataOf(const Mbuf* mbuf) noexcept { return mbuf->bufAddr + mbuf->dataOff; }

PW_INLINE std::uint32_t headroomOf(const Mbuf* mbuf) noexcept { return mbuf->dataOff; }

PW_INLINE std::uint32_t tailroomOf(const Mbuf* mbuf) noexcept {
  const std::uint32_t end = static_cast<std::uint32_t>(mbuf->dataOff) + mbuf->dataLen;
  return end < mbuf->bufLen ? mbuf->bufLen - end : 0;
}

// A fresh single-segment packet of `length` bytes behind the default headroom, with nothing left of the last
// packet's metadata. All in one cache line, as whole words: [8, 48) of the drawing above.
PW_INLINE void resetForRx(Mbuf* mbuf, std::uint16_t port, std::uint32_t length) noexcept {
  static_assert(kNoHandle == 0);
  auto* const words = reinterpret_cast<std::byte*>(mbuf) + offsetof(Mbuf, dataOff);
  const auto put = [words](unsigned at, std::uint64_t word) noexcept {
    // One store each, built in a register: assembled in memory, the parts would be waited for.
    asm("" : "+r"(word));
    __builtin_memcpy(words + at, &word, sizeof word);
  };
  put(0, kHeadroom | 1ull << 16 | 1ull << 32 | static_cast<std::uint64_t>(port) << 48);
  put(8, length | static_cast<std::uint64_t>(length & 0xffff) << 32);
  const std::uint64_t zero = 0;
  __builtin_memcpy(words + 16, &zero, 8);
  __builtin_memcpy(words + 24, &zero, 8);
  __builtin_memcpy(words + 32, &zero, 8);
}

}  // namespace pollwire
