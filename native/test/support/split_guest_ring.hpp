// SplitGuestRing: the driver's side of a split ring (virtio 1.2 §2.7), small and literal, with raw access for
// tests that break the rules. FakeGuest builds packets on it; a ring of another layout needs the same
// members.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/shared.hpp"
#include "base/wrap16.hpp"
#include "support/guest_memory.hpp"
#include "vhost/ring_setup.hpp"
#include "virtqueue/features.hpp"
#include "virtqueue/layout_split.hpp"

namespace pollwire::test {

// One element of a chain.
struct Segment {
  std::uint64_t addr;
  std::uint32_t len;
  bool write;
};

enum class Placement : std::uint8_t {
  kDirect,    // descriptors of the ring
  kIndirect,  // one descriptor of the ring, the rest in a table
  kMixed,     // the first in the ring, the rest in a table
};

struct UsedChain {
  std::uint16_t id;
  std::uint32_t len;
};

class SplitGuestRing {
 public:
  // Bits that this layout needs.
  static constexpr std::uint64_t kFeatures = 0;

  // Guest addresses of the three parts.
  const std::uint64_t desc;
  const std::uint64_t avail;
  const std::uint64_t used;

  // Both indices begin at `start`.
  SplitGuestRing(GuestMemory& memory, std::uint32_t size, std::uint64_t features, std::uint16_t start)
      : desc(memory.alloc(split::descBytes(size), 16)),
        avail(memory.alloc(split::availBytes(size, true), 2)),
        used(memory.alloc(split::usedBytes(size, true), 4)),
        memory_(memory),
        size_(size),
        eventIdx_((features & virtio::kRingEventIdx) != 0),
        next_(start),
        seen_(start) {
    for (std::uint32_t i = size; i > 0; i--) free_.push_back(static_cast<std::uint16_t>(i - 1));
    setAvailIdx(start);
    setUsedIdx(start);
  }

  vhost::RingConfig config(std::uint64_t features) const {
    return vhost::RingConfig{
        size_, memory_.userAddr(desc), memory_.userAddr(avail), memory_.userAddr(used), next_, features};
  }
  std::uint32_t size() const { return size_; }
  // Ring memory that the device may write.
  std::vector<GuestRange> deviceWrites() const { return {{used, split::usedBytes(size_, true)}}; }

  // A driver that keeps the rules.

  // Puts a chain into the ring; its id. Nothing when there are too few free descriptors.
  std::optional<std::uint16_t> add(std::span<const Segment> chain, Placement placement) {
    const std::size_t inRing = placement == Placement::kDirect  ? chain.size()
                               : placement == Placement::kMixed ? 2
                                                                : 1;
    if (free_.size() < inRing) return std::nullopt;
    std::vector<std::uint16_t> ids(free_.rbegin(), free_.rbegin() + static_cast<std::ptrdiff_t>(inRing));
    free_.resize(free_.size() - inRing);
    if (placement == Placement::kDirect) {
      for (std::size_t i = 0; i < chain.size(); i++) {
        const bool last = i + 1 == chain.size();
        setDesc(ids[i], chain[i].addr, chain[i].len, flagsOf(chain[i], !last),
                last ? std::uint16_t{0xdead} : ids[i + 1]);
      }
    } else {
      const std::size_t before = inRing - 1;
      if (before == 1) setDesc(ids[0], chain[0].addr, chain[0].len, flagsOf(chain[0], true), ids[1]);
      const std::uint64_t table = writeTable(ids[0], chain.subspan(before));
      setDesc(ids[before], table, static_cast<std::uint32_t>(16 * (chain.size() - before)), split::kIndirect,
              0xbeef);
    }
    inFlight_[ids[0]] = ids;
    offer(ids[0]);
    return ids[0];
  }
  // Shows everything that was added to the device.
  void publish() { setAvailIdx(next_); }
  bool hasUsed() const { return usedIdx() != seen_; }
  std::vector<UsedChain> collect() {
    std::vector<UsedChain> list;
    for (; seen_ != usedIdx(); seen_ = wrap16::advance(seen_, 1)) {
      const split::UsedElem element = usedEntry(seen_);
      const auto id = static_cast<std::uint16_t>(element.id);
      const auto found = inFlight_.find(id);
      if (element.id >= size_ || found == inFlight_.end()) {
        ADD_FAILURE() << "used element " << seen_ << " names chain " << element.id
                      << ", which is not in flight";
        return list;
      }
      free_.insert(free_.end(), found->second.rbegin(), found->second.rend());
      inFlight_.erase(found);
      list.push_back(UsedChain{id, element.len});
    }
    return list;
  }
  std::uint32_t inFlight() const { return static_cast<std::uint32_t>(inFlight_.size()); }
  // Whether the driver wants a call for the next used element, or none at all.
  void wantCalls(bool wanted) {
    if (eventIdx_) setUsedEvent(wanted ? seen_ : wrap16::advance(seen_, 0x8000));
    else storeRelaxed(*memory_.as<std::uint16_t>(avail), wanted ? 0 : split::kAvailNoInterrupt);
  }
  // Whether the device asks for a kick for the last `count` chains, published at once.
  bool kickWanted(std::uint16_t count) const { return kickWantedAt(next_, count); }
  // Whether it asks for one for the next chain: somebody sleeps.
  bool kickAwaited() const { return kickWantedAt(wrap16::advance(next_, 1), 1); }

  // Raw access.

  void setDesc(std::uint32_t index, std::uint64_t addr, std::uint32_t len, std::uint16_t flags,
               std::uint16_t next) {
    *memory_.as<split::Desc>(desc + 16ull * index) = split::Desc{addr, len, flags, next};
  }
  // Puts a head into the next entry of the available ring, whatever it is.
  void offer(std::uint16_t head) {
    *memory_.as<std::uint16_t>(avail + 4 + 2ull * (next_ % size_)) = head;
    next_ = wrap16::advance(next_, 1);
  }
  void setAvailFlags(std::uint16_t flags) { storeRelaxed(*memory_.as<std::uint16_t>(avail), flags); }
  void setAvailIdx(std::uint16_t index) { storeRelease(*memory_.as<std::uint16_t>(avail + 2), index); }
  void setUsedIdx(std::uint16_t index) { storeRelease(*memory_.as<std::uint16_t>(used + 2), index); }
  void setUsedEvent(std::uint16_t index) {
    storeRelaxed(*memory_.as<std::uint16_t>(avail + 4 + 2ull * size_), index);
  }
  std::uint16_t usedIdx() const { return loadAcquire(*memory_.as<std::uint16_t>(used + 2)); }
  split::UsedElem usedEntry(std::uint16_t index) const {
    return *memory_.as<split::UsedElem>(used + 4 + 8ull * (index % size_));
  }
  std::uint16_t nextAvail() const { return next_; }
  // Used elements that collect() has not seen yet; those of raw chains are taken out by skipUsed().
  std::uint16_t pendingUsed() const { return wrap16::distance(usedIdx(), seen_); }
  split::UsedElem skipUsed() {
    const split::UsedElem element = usedEntry(seen_);
    seen_ = wrap16::advance(seen_, 1);
    return element;
  }

 private:
  bool kickWantedAt(std::uint16_t published, std::uint32_t count) const {
    fullFence();
    if (!eventIdx_) return (loadRelaxed(*memory_.as<std::uint16_t>(used)) & split::kUsedNoNotify) == 0;
    const std::uint16_t event = loadRelaxed(*memory_.as<std::uint16_t>(used + 4 + 8ull * size_));
    return wrap16::needEvent(event, published, wrap16::advance(published, 0x10000u - count));
  }

  static std::uint16_t flagsOf(const Segment& segment, bool next) {
    return static_cast<std::uint16_t>((segment.write ? split::kWrite : 0) | (next ? split::kNext : 0));
  }

  // The table of chain `id`; its place is used again by the next chain with that id.
  std::uint64_t writeTable(std::uint16_t id, std::span<const Segment> chain) {
    Table& table = tables_[id];
    if (table.entries < chain.size()) {
      table = Table{memory_.alloc(16 * chain.size(), 16, memory_.lastRegion()), chain.size()};
    }
    for (std::size_t i = 0; i < chain.size(); i++) {
      const bool last = i + 1 == chain.size();
      *memory_.as<split::Desc>(table.addr + 16 * i) = split::Desc{
          chain[i].addr, chain[i].len, flagsOf(chain[i], !last), static_cast<std::uint16_t>(i + 1)};
    }
    return table.addr;
  }

  struct Table {
    std::uint64_t addr = 0;
    std::size_t entries = 0;
  };

  GuestMemory& memory_;
  std::uint32_t size_;
  bool eventIdx_;
  std::uint16_t next_;
  std::uint16_t seen_;
  std::vector<std::uint16_t> free_;
  std::map<std::uint16_t, std::vector<std::uint16_t>> inFlight_;
  std::map<std::uint16_t, Table> tables_;
};

}  // namespace pollwire::test
