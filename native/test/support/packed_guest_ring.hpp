// PackedGuestRing: the driver's side of a packed ring (virtio 1.2 §2.8), small and literal, with raw access
// for tests that break the rules. The members of SplitGuestRing, so that FakeGuest and VhostLink run on it;
// independent of PackedDriver.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/shared.hpp"
#include "support/guest_memory.hpp"
#include "support/split_guest_ring.hpp"
#include "vhost/ring_setup.hpp"
#include "virtqueue/features.hpp"
#include "virtqueue/layout_packed.hpp"

namespace pollwire::test {

class PackedGuestRing {
 public:
  static constexpr std::uint64_t kFeatures = virtio::kRingPacked;

  // Guest addresses of the descriptor ring, the driver's and the device's event structures.
  const std::uint64_t desc;
  const std::uint64_t avail;
  const std::uint64_t used;

  // Begins at descriptor `start` modulo the size, with wrap counter 1.
  PackedGuestRing(GuestMemory& memory, std::uint32_t size, std::uint64_t features, std::uint16_t start)
      : desc(memory.alloc(packed::descBytes(size), 16)),
        avail(memory.alloc(4, 4)),
        used(memory.alloc(4, 4)),
        memory_(memory),
        size_(size),
        eventIdx_((features & virtio::kRingEventIdx) != 0),
        next_{start % size, true},
        seen_(next_),
        left_(size) {
    for (std::uint32_t i = size; i > 0; i--) free_.push_back(static_cast<std::uint16_t>(i - 1));
  }

  vhost::RingConfig config(std::uint64_t features) const {
    const std::uint32_t half = packed::withWrap(next_.position, next_.wrap);
    return vhost::RingConfig{size_,
                             memory_.userAddr(desc),
                             memory_.userAddr(avail),
                             memory_.userAddr(used),
                             packed::makeBase(half, half),
                             features};
  }
  std::uint32_t size() const { return size_; }
  // Ring memory that the device may write.
  std::vector<GuestRange> deviceWrites() const { return {{desc, packed::descBytes(size_)}, {used, 4}}; }

  // A driver that keeps the rules.

  // Puts a chain into the ring; its id. Nothing when there are too few free descriptors.
  std::optional<std::uint16_t> add(std::span<const Segment> chain, Placement placement) {
    // §2.8.7 knows no chain that is half in the ring and half in a table.
    EXPECT_NE(placement, Placement::kMixed);
    const std::size_t inRing = placement == Placement::kDirect ? chain.size() : 1;
    if (left_ < inRing || free_.empty()) return std::nullopt;
    const std::uint16_t id = free_.back();
    free_.pop_back();
    left_ -= static_cast<std::uint32_t>(inRing);
    inFlight_[id] = static_cast<std::uint32_t>(inRing);
    if (placement == Placement::kDirect) {
      for (std::size_t i = 0; i < chain.size(); i++) {
        const bool last = i + 1 == chain.size();
        push(chain[i].addr, chain[i].len, last ? id : std::uint16_t{0xdead}, flagsOf(chain[i], !last));
      }
    } else {
      const std::uint64_t table = writeTable(id, chain);
      push(table, static_cast<std::uint32_t>(16 * chain.size()), id, packed::kIndirect);
    }
    return id;
  }
  // Shows everything that was added to the device, the first descriptor last.
  void publish() {
    for (auto at = pending_.rbegin(); at != pending_.rend(); ++at)
      storeRelease(wordAt(at->position), at->word);
    pending_.clear();
  }
  bool hasUsed() const {
    return (packed::flagsOf(loadAcquire(wordAt(seen_.position))) & packed::kOwnerBits) ==
               packed::usedBits(seen_.wrap) &&
           !inFlight_.empty();
  }
  std::vector<UsedChain> collect() {
    std::vector<UsedChain> list;
    while (hasUsed()) {
      const std::uint64_t word = loadAcquire(wordAt(seen_.position));
      const std::uint16_t id = packed::idOf(word);
      const auto found = inFlight_.find(id);
      if (found == inFlight_.end()) {
        ADD_FAILURE() << "descriptor " << seen_.position << " names buffer " << id
                      << ", which is not in flight";
        return list;
      }
      const std::uint32_t len = packed::lenOf(word);
      EXPECT_EQ((packed::flagsOf(word) & packed::kWrite) != 0, len != 0)
          << "WRITE says whether there is data";
      seen_ = after(seen_, found->second);
      left_ += found->second;
      inFlight_.erase(found);
      free_.push_back(id);
      list.push_back(UsedChain{id, len});
    }
    return list;
  }
  std::uint32_t inFlight() const { return static_cast<std::uint32_t>(inFlight_.size()); }
  // Whether the driver wants a call for the next used descriptor, or none at all.
  void wantCalls(bool wanted) {
    if (!wanted) setDriverEvent(packed::kEventDisable << 16);
    else if (!eventIdx_) setDriverEvent(packed::kEventEnable << 16);
    else setDriverEvent(packed::withWrap(seen_.position, seen_.wrap) | packed::kEventDesc << 16);
  }
  // Whether the device asked for a kick for the last `count` descriptors that became visible.
  bool kickWanted(std::uint16_t count) const {
    const std::uint32_t event = *memory_.as<std::uint32_t>(used);
    if ((event >> 16) == packed::kEventDisable) return false;
    if ((event >> 16) != packed::kEventDesc) return true;
    Place at = next_;
    for (std::uint16_t i = 0; i < count; i++) {
      at = at.position == 0 ? Place{size_ - 1, !at.wrap} : Place{at.position - 1, at.wrap};
      if (packed::withWrap(at.position, at.wrap) == (event & 0xffff)) return true;
    }
    return false;
  }

  // Raw access.

  // The next descriptor, marked available at the next publish(); the driver forgets that it has it.
  void push(std::uint64_t addr, std::uint32_t len, std::uint16_t id, std::uint32_t flags) {
    memory_.as<packed::Desc>(desc + 16ull * next_.position)->addr = addr;
    pending_.push_back(
        Pending{next_.position, packed::makeWord(len, id, flags | packed::availBits(next_.wrap))});
    next_ = after(next_, 1);
  }
  void setDesc(std::uint32_t index, std::uint64_t addr, std::uint64_t word) {
    *memory_.as<packed::Desc>(desc + 16ull * index) = packed::Desc{addr, word};
  }
  std::uint64_t& wordAt(std::uint32_t position) const {
    return memory_.as<packed::Desc>(desc + 16ull * position)->word;
  }
  void setDriverEvent(std::uint32_t word) { storeRelaxed(*memory_.as<std::uint32_t>(avail), word); }
  std::uint32_t deviceEvent() const { return loadRelaxed(*memory_.as<std::uint32_t>(used)); }
  std::uint32_t nextPosition() const { return next_.position; }
  bool nextWrap() const { return next_.wrap; }

 private:
  struct Place {
    std::uint32_t position;
    bool wrap;
  };
  struct Pending {
    std::uint32_t position;
    std::uint64_t word;
  };
  struct Table {
    std::uint64_t addr = 0;
    std::size_t entries = 0;
  };

  static std::uint32_t flagsOf(const Segment& segment, bool next) {
    return (segment.write ? 2u : 0u) | (next ? 1u : 0u);
  }
  Place after(Place at, std::uint32_t by) const {
    for (; by > 0; by--) at = at.position + 1 == size_ ? Place{0, !at.wrap} : Place{at.position + 1, at.wrap};
    return at;
  }

  // The table of buffer `id`; its place is used again by the next buffer with that id.
  std::uint64_t writeTable(std::uint16_t id, std::span<const Segment> chain) {
    Table& table = tables_[id];
    if (table.entries < chain.size()) {
      table = Table{memory_.alloc(16 * chain.size(), 16, memory_.lastRegion()), chain.size()};
    }
    for (std::size_t i = 0; i < chain.size(); i++) {
      *memory_.as<packed::Desc>(table.addr + 16 * i) =
          packed::Desc{chain[i].addr, packed::makeWord(chain[i].len, 0xbeef, flagsOf(chain[i], false))};
    }
    return table.addr;
  }

  GuestMemory& memory_;
  std::uint32_t size_;
  bool eventIdx_;
  Place next_;
  Place seen_;
  std::uint32_t left_;
  std::vector<std::uint16_t> free_;
  std::map<std::uint16_t, std::uint32_t> inFlight_;
  std::map<std::uint16_t, Table> tables_;
  std::vector<Pending> pending_;
};

}  // namespace pollwire::test
