// Edits of the Ethernet addresses of a whole burst: what forwarders do to every packet, in one pass while the
// packets are warm. Called by binding/ between a receive and a send, and for a burst at rest.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/compiler.hpp"
#include "mbuf/mbuf.hpp"

namespace pollwire::offload {

inline constexpr std::uint32_t kEtherAddresses = 12;

// Destination and source as they lie in a frame: eight bytes and four.
struct EtherAddresses {
  std::uint64_t front;
  std::uint32_t back;

  PW_INLINE static EtherAddresses load(const std::byte* from) noexcept {
    EtherAddresses both;
    std::memcpy(&both.front, from, sizeof both.front);
    std::memcpy(&both.back, from + sizeof both.front, sizeof both.back);
    return both;
  }
  PW_INLINE void store(std::byte* to) const noexcept {
    std::memcpy(to, &front, sizeof front);
    std::memcpy(to + sizeof front, &back, sizeof back);
  }
  // Little-endian words: the destination is the lower 48 bits of `front`, the source the 48 after them.
  PW_INLINE EtherAddresses swapped() const noexcept {
    const std::uint64_t source = front >> 48 | static_cast<std::uint64_t>(back) << 16;
    return EtherAddresses{source | front << 48, static_cast<std::uint32_t>(front >> 16)};
  }
};

// Whether both addresses lie in the first segment, and that inside its buffer: TypeScript writes these
// fields.
PW_INLINE bool hasAddresses(const Mbuf& mbuf) noexcept {
  return mbuf.dataLen >= kEtherAddresses && mbuf.dataOff + kEtherAddresses <= mbuf.bufLen;
}

// Packets whose first segment is shorter than both addresses; reads and writes across segments. Packets that
// are shorter themselves stay as they are.
void swapSplitAddresses(Mbuf* packet) noexcept;
void setSplitAddresses(Mbuf* packet, const EtherAddresses& addresses) noexcept;

// Exchanges destination and source address of each packet.
PW_INLINE void swapAddresses(const Handle* handles, std::uint32_t count) noexcept {
  // In a register: for all the compiler knows, the stores below could change it.
  std::byte* const arena = arenaBase();
#pragma GCC unroll 4
  for (std::uint32_t i = 0; i < count; i++) {
    Mbuf* const mbuf = mbufIn(arena, handles[i]);
    if (PW_UNLIKELY(!hasAddresses(*mbuf))) {
      swapSplitAddresses(mbuf);
      continue;
    }
    std::byte* const data = dataOf(mbuf);
    EtherAddresses::load(data).swapped().store(data);
  }
}

// Writes destination and source address of each packet.
PW_INLINE void setAddresses(const Handle* handles, std::uint32_t count,
                            const EtherAddresses& addresses) noexcept {
  for (std::uint32_t i = 0; i < count; i++) {
    Mbuf* const mbuf = mbufOf(handles[i]);
    if (PW_UNLIKELY(!hasAddresses(*mbuf))) setSplitAddresses(mbuf, addresses);
    else addresses.store(dataOf(mbuf));
  }
}

}  // namespace pollwire::offload
