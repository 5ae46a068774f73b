// Device side of a packed virtqueue (virtio 1.2 §2.8): looks at what the driver made available, hands it back
// as used. The twin of SplitDevice, with the same interface; positions count ring entries, of which a list
// takes several. The peer is hostile: what decides is loaded once, each walk is bounded by the ring size.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/shared.hpp"
#include "base/span.hpp"
#include "virtqueue/head.hpp"
#include "virtqueue/layout_packed.hpp"
#include "virtqueue/packed_events.hpp"

namespace pollwire {

class PackedDevice {
 public:
  static constexpr std::uint32_t kBroken = ~0u;

  PackedDevice() = default;
  // `base` as SET_VRING_BASE carries it. Everything taken is answered before a burst ends, so that the used
  // side stands where the available side does; peers that send no used half (0) are right too.
  PackedDevice(packed::Desc* desc, packed::EventSuppress* driverEvent, packed::EventSuppress* deviceEvent,
               std::uint32_t size, std::uint32_t base, bool eventIdx, bool indirect) noexcept
      : desc_(desc),
        driverEvent_(driverEvent),
        deviceEvent_(deviceEvent),
        size_(size),
        avail_{packed::positionOf(base), packed::wrapOf(base)},
        used_(avail_),
        eventIdx_(eventIdx),
        indirect_(indirect) {}

  // There is no index in memory to go on from.
  void adoptUsed() noexcept {}

  // Continues where `other` stands, whose ring lies elsewhere now.
  void takeOver(const PackedDevice& other) noexcept {
    avail_ = other.avail_;
    used_ = other.used_;
    unsignalled_ = other.unsignalled_;
  }

  std::uint32_t size() const noexcept { return size_; }
  std::uint32_t nextAvail() const noexcept { return packed::withWrap(avail_.position, avail_.wrap); }
  std::uint32_t usedIdx() const noexcept { return packed::withWrap(used_.position, used_.wrap); }
  // There is no index in memory; where we stand is all there is to say.
  std::uint32_t availIdx() const noexcept { return nextAvail(); }
  std::uint32_t base() const noexcept { return packed::makeBase(nextAvail(), usedIdx()); }

  // 0: nothing is available. Otherwise at most this many chains are; gather() tells how many.
  PW_INLINE std::uint32_t available() const noexcept {
    return isAvailable(loadAcquire(desc_[avail_.position].word), avail_.wrap) ? size_ : 0;
  }

  // Chains that wait, for queue-count queries: looks at every available descriptor.
  std::uint32_t waiting() const noexcept {
    std::uint32_t chains = 0;
    Cursor at = avail_;
    for (std::uint32_t left = size_; left > 0; left--) {
      const std::uint64_t word = loadAcquire(desc_[at.position].word);
      if (!isAvailable(word, at.wrap)) break;
      if ((packed::flagsOf(word) & kDescNext) == 0) chains++;
      at = stepped(at, 1);
    }
    return chains;
  }

  // Copies up to `count` available heads, skipping `from` ring entries after the next one to answer. A list
  // whose tail is not available yet counts as not available. kBroken: the next chain has no end (§2.8.19: no
  // longer than the ring).
  PW_INLINE std::uint32_t gather(Head* heads, std::uint32_t from, std::uint32_t count) const noexcept {
    Cursor at = stepped(avail_, from);
    std::uint32_t left = size_ - from;
    std::uint32_t found = 0;
    for (; found < count && left > 0; found++) {
      // P1: pairs with the driver's release of the flags; makes the rest of the descriptor visible.
      const std::uint64_t word = loadAcquire(desc_[at.position].word);
      if (!isAvailable(word, at.wrap)) break;
      Head& head = heads[found];
      head.addr = loadRelaxed(desc_[at.position].addr);
      head.len = packed::lenOf(word);
      head.flags = packed::flagsOf(word);
      head.next = static_cast<std::uint16_t>(at.position);
      head.id = packed::idOf(word);
      head.count = 1;
      head.bad = false;
      if (PW_UNLIKELY((head.flags & kDescNext) != 0)) {
        const std::uint32_t length = findTail(head, at, left);
        if (length == 0) break;
        if (length == kBroken) return found == 0 ? kBroken : found;
      }
      left -= head.count;
      at = stepped(at, head.count);
    }
    return found;
  }

  // The heads that follow `from` ring entries after the next one to answer, for as long as they are available
  // single buffers in the direction kAccess inside one region of `space`. `touch` sees each address once, to
  // prefetch it.
  template <Access kAccess, typename Space, typename Touch>
  PW_INLINE std::uint32_t singles(Single* out, std::uint32_t from, std::uint32_t count, Space& space,
                                  Touch&& touch) const noexcept {
    constexpr std::uint32_t kMask = packed::kOwnerBits | kDescShape;
    const std::uint32_t most = std::min(count, size_ - from);
    const std::uint32_t size = size_;
    const packed::Desc* const ring = desc_;
    Cursor at = stepped(avail_, from);
    std::uint32_t want = packed::availBits(at.wrap) | singleShape(kAccess);
    auto hot = space.hot();
    for (std::uint32_t i = 0; i < most; i++) {
      // P1, as in gather().
      const std::uint64_t word = loadAcquire(ring[at.position].word);
      if (PW_UNLIKELY((packed::flagsOf(word) & kMask) != want)) return i;
      const std::uint32_t len = packed::lenOf(word);
      std::byte* const data = translateHot(space, hot, loadRelaxed(ring[at.position].addr), len, kAccess);
      if (PW_UNLIKELY(data == nullptr)) return i;
      touch(data);
      out[i] = Single{data, len, packed::idOf(word)};
      if (PW_UNLIKELY(++at.position == size)) {
        at = Cursor{0, !at.wrap};
        want = packed::availBits(at.wrap) | singleShape(kAccess);
      }
    }
    return most;
  }

  // Asks for the lines that `count` used descriptors will be stored to.
  PW_INLINE void prefetchUsed(std::uint32_t) const noexcept {
    // They are those that the heads were just read from.
  }

  // Shows every element of the chain to `sink(addr, len, isWrite)`, in order. Ends early with what `sink`
  // answers beside kGood. A list is copied here once more; the shape must still be the one that gather() saw,
  // so that the outcome is one snapshot of it.
  template <typename Space, typename Sink>
  ChainVerdict each(const Head& head, Space& space, Sink&& sink) const noexcept {
    if (head.flags & kDescIndirect) return eachOfTable(head, space, sink);
    std::uint64_t addr = head.addr;
    std::uint32_t len = head.len;
    std::uint16_t flags = head.flags;
    Cursor at{head.next, false};
    for (std::uint32_t i = 0;; i++) {
      const ChainVerdict verdict = sink(addr, len, (flags & kDescWrite) != 0);
      if (verdict != ChainVerdict::kGood) return verdict;
      const bool last = i + 1u == head.count;
      if (((flags & kDescNext) != 0) == last) return ChainVerdict::kBadChain;
      if (last) return ChainVerdict::kGood;
      at = stepped(at, 1);
      const DescCopy copy = copyDesc(desc_ + at.position);
      addr = copy.addr;
      len = packed::lenOf(copy.word);
      flags = packed::flagsOf(copy.word);
      // §2.8.7: a list is of one kind.
      if (flags & kDescIndirect) return ChainVerdict::kBadChain;
    }
  }

  // Translates the whole chain, which has one direction, into `pieces` (appended).
  template <typename Space>
  ChainVerdict walk(const Head& head, Access access, Space& space, PieceList& pieces) const noexcept {
    // DPDK's driver leaves WRITE on table elements of what it sends. They are only read, which does no harm.
    const bool anyDirection = access == Access::kRead && (head.flags & kDescIndirect) != 0;
    return each(head, space, [&](std::uint64_t addr, std::uint32_t len, bool isWrite) noexcept {
      if (!anyDirection && isWrite != (access == Access::kWrite)) return ChainVerdict::kBadChain;
      return addElement(space, addr, len, access, pieces);
    });
  }

  // Writes the used descriptor `position` entries after those already published: `len` bytes were written
  // into the chain.
  PW_INLINE void putUsed(std::uint32_t position, std::uint16_t id, std::uint32_t len) noexcept {
    const Cursor at = stepped(used_, position);
    // §2.8.4: WRITE says that there is data.
    const std::uint32_t flags = packed::usedBits(at.wrap) | (len != 0 ? kDescWrite : 0u);
    const std::uint64_t word = packed::makeWord(len, id, flags);
    // The driver polls the first one only: it is written last, by publish().
    if (position == 0) first_ = word;
    else storeRelaxed(desc_[at.position].word, word);
  }

  PW_INLINE void putUsed(std::uint32_t position, const Head& head, std::uint32_t len) noexcept {
    putUsed(position, head.id, len);
  }

  // Takes `consumed` entries from the available side and shows the used descriptors of `answered` entries to
  // the driver.
  PW_INLINE void publish(std::uint32_t consumed, std::uint32_t answered) noexcept {
    avail_ = stepped(avail_, consumed);
    if (PW_UNLIKELY(answered == 0)) return;
    // P2: pairs with the driver's acquire of the flags (§2.8.9: the first buffer after the rest).
    storeRelease(desc_[used_.position].word, first_);
    used_ = stepped(used_, answered);
    unsignalled_ += answered;
  }

  // Whether the driver wants a call for what was published since the last one (§2.8.10). Contains the
  // store-load fence.
  PW_INLINE bool wantsCall() noexcept {
    fullFence();
    const std::uint32_t moved = unsignalled_;
    unsignalled_ = 0;
    return packed::wantsEvent(loadRelaxed(driverEvent_->word), size_, used_.position, used_.wrap, moved,
                              eventIdx_);
  }

  // For a dirty log: the descriptors that the next `count` answers are written to, of which publish() writes
  // the first, and what setKickWanted() writes.
  RingWrites answers(std::uint32_t count) const noexcept {
    const std::uint32_t before = std::min(count, size_ - used_.position);
    return RingWrites{bytesOf(desc_ + used_.position), before * kEntry, bytesOf(desc_),
                      (count - before) * kEntry};
  }
  RingWrite shown() const noexcept { return RingWrite{bytesOf(desc_ + used_.position), kEntry}; }
  RingWrite event() const noexcept { return RingWrite{bytesOf(deviceEvent_), sizeof *deviceEvent_}; }

  // Asks the driver to kick on new buffers, or not to (§2.8.10).
  void setKickWanted(bool wanted) noexcept {
    storeRelaxed(deviceEvent_->word, packed::suppressWord(wanted, avail_.position, avail_.wrap, eventIdx_));
    fullFence();
  }

 private:
  static constexpr std::uint32_t kEntry = sizeof(packed::Desc);

  static const std::byte* bytesOf(const void* at) noexcept { return static_cast<const std::byte*>(at); }

 protected:
  struct Cursor {
    std::uint32_t position;
    bool wrap;
  };

  Cursor availCursor() const noexcept { return avail_; }
  Cursor usedCursor() const noexcept { return used_; }
  // Both sides go on here.
  void resumeAt(Cursor at) noexcept { avail_ = used_ = at; }
  packed::Desc& descAt(Cursor at) const noexcept { return desc_[at.position]; }

  static PW_INLINE bool isAvailable(std::uint64_t word, bool wrap) noexcept {
    return (packed::flagsOf(word) & packed::kOwnerBits) == packed::availBits(wrap);
  }

  // `by` entries further, at most one lap.
  PW_INLINE Cursor stepped(Cursor at, std::uint32_t by) const noexcept {
    at.position += by;
    if (at.position >= size_) {
      at.position -= size_;
      at.wrap = !at.wrap;
    }
    return at;
  }

 private:
  // Completes a head that begins a list: its length, and the id, which is in the last descriptor (§2.8.6). 0:
  // the tail is not available yet. kBroken: no end within `left` entries of a ring that shows nothing else.
  PW_NOINLINE std::uint32_t findTail(Head& head, Cursor at, std::uint32_t left) const noexcept {
    for (std::uint32_t length = 2; length <= left; length++) {
      at = stepped(at, 1);
      const std::uint64_t word = loadAcquire(desc_[at.position].word);
      if (!isAvailable(word, at.wrap)) return 0;
      if ((packed::flagsOf(word) & kDescNext) == 0) {
        head.id = packed::idOf(word);
        head.count = static_cast<std::uint16_t>(length);
        return length;
      }
    }
    return kBroken;
  }

  template <typename Space, typename Sink>
  ChainVerdict eachOfTable(const Head& head, Space& space, Sink& sink) const noexcept {
    // §2.8.7: negotiated, alone, a multiple of 16 bytes, no longer than the ring.
    if (!indirect_ || head.count != 1 || (head.flags & kDescNext) != 0) return ChainVerdict::kBadChain;
    if (head.len == 0 || head.len % sizeof(packed::Desc) != 0) return ChainVerdict::kBadChain;
    const auto entries = static_cast<std::uint32_t>(head.len / sizeof(packed::Desc));
    if (entries > size_) return ChainVerdict::kBadChain;
    alignas(packed::Desc) std::byte copied[kMaxCopiedTable * sizeof(packed::Desc)];
    const std::byte* table = tableAt(space, head.addr, entries, copied);
    if (table == nullptr) return ChainVerdict::kBadAddress;
    for (std::uint32_t i = 0; i < entries; i++) {
      const DescCopy copy = copyDesc(table + i * sizeof(packed::Desc));
      // §2.8.7: WRITE alone has a meaning here. Other bits are ignored (real drivers leave them set), except
      // for a table inside a table, which nobody means.
      const std::uint16_t flags = packed::flagsOf(copy.word);
      if (flags & kDescIndirect) return ChainVerdict::kBadChain;
      const ChainVerdict verdict = sink(copy.addr, packed::lenOf(copy.word), (flags & kDescWrite) != 0);
      if (verdict != ChainVerdict::kGood) return verdict;
    }
    return ChainVerdict::kGood;
  }

  packed::Desc* desc_ = nullptr;
  packed::EventSuppress* driverEvent_ = nullptr;
  packed::EventSuppress* deviceEvent_ = nullptr;
  std::uint32_t size_ = 0;
  Cursor avail_{0, true};
  Cursor used_{0, true};
  // Descriptors used since the driver was last told or found not to care.
  std::uint32_t unsignalled_ = 0;
  // The used descriptor that publish() writes last.
  std::uint64_t first_ = 0;
  bool eventIdx_ = false;
  bool indirect_ = false;
};

}  // namespace pollwire
