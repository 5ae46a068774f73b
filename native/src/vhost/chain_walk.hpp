// The walk of one chain on either kind of address space: behind an IOMMU a chain may have to wait for a
// translation, and the addresses of the chains after it are asked for together with its own.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/span.hpp"
#include "virtqueue/head.hpp"

namespace pollwire::vhost {

// Translates the chain into `pieces`. kWaits only where translations may come later; the chain stays where it
// is then.
template <class Ring, class Space>
PW_INLINE ChainVerdict walkChain(const Ring& ring, const Head& head, Access access, Space& space,
                                 PieceList& pieces) noexcept {
  if constexpr (!Space::kMisses) {
    return ring.walk(head, access, space, pieces);
  } else {
    space.beginChain();
    const ChainVerdict verdict = ring.walk(head, access, space, pieces);
    if (PW_LIKELY(verdict != ChainVerdict::kBadAddress)) return verdict;
    if (space.waits()) return ChainVerdict::kWaits;
    space.forgetFailed();
    return verdict;
  }
}

// Notes what the next heads, `from` ring entries on, lack as well: one round trip for all of them.
template <class Ring, class Space>
PW_NOINLINE void lookAhead(const Ring& ring, std::uint32_t from, std::uint32_t ready, Access access,
                           Space& space) noexcept {
  Head head{};
  for (std::uint32_t i = 0; i < std::min(ready, Space::kMaxMisses); i++) {
    const std::uint32_t gathered = ring.gather(&head, from, 1);
    if (gathered != 1) return;
    if (!head.bad) {
      const bool table = (head.flags & kDescIndirect) != 0;
      (void)space.translate(head.addr, head.len, table ? Access::kRead : access);
    }
    from += head.count;
  }
}

}  // namespace pollwire::vhost
