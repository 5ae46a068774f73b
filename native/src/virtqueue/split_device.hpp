// Device side of a split virtqueue (virtio 1.2 §2.7): looks at what the driver made available, hands it back
// as used. Knows neither packets nor sockets. The peer is hostile: each word is loaded once, each walk is
// bounded.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/shared.hpp"
#include "base/span.hpp"
#include "base/wrap16.hpp"
#include "virtqueue/head.hpp"
#include "virtqueue/layout_split.hpp"

namespace pollwire {

class SplitDevice {
 public:
  static constexpr std::uint32_t kBroken = ~0u;

  SplitDevice() = default;
  // `present`: the ring's memory may be read now; otherwise adoptUsed() does, before anything else.
  SplitDevice(split::Desc* desc, split::Avail* avail, split::Used* used, std::uint32_t size,
              std::uint16_t base, bool eventIdx, bool indirect, bool present = true) noexcept
      : desc_(desc),
        avail_(avail),
        used_(used),
        size_(size),
        mask_(static_cast<std::uint16_t>(size - 1)),
        nextAvail_(base),
        // A device that starts, or starts again, continues where the used ring stands with what it had
        // answered.
        usedIdx_(present ? loadRelaxed(used->idx) : base),
        signalled_(usedIdx_),
        eventIdx_(eventIdx),
        indirect_(indirect) {}

  void adoptUsed() noexcept {
    usedIdx_ = loadRelaxed(used_->idx);
    signalled_ = usedIdx_;
  }

  // Continues where `other` stands, whose ring lies elsewhere now. The used index in memory is the peer's to
  // change, so it is not asked again.
  void takeOver(const SplitDevice& other) noexcept {
    nextAvail_ = other.nextAvail_;
    usedIdx_ = other.usedIdx_;
    signalled_ = other.signalled_;
  }

  // Takes the chain at `index` next.
  void resumeAt(std::uint16_t index) noexcept { nextAvail_ = index; }

  std::uint32_t size() const noexcept { return size_; }
  std::uint16_t nextAvail() const noexcept { return nextAvail_; }
  std::uint16_t usedIdx() const noexcept { return usedIdx_; }
  std::uint16_t availIdx() const noexcept { return loadAcquire(avail_->idx); }
  // What GET_VRING_BASE reports.
  std::uint32_t base() const noexcept { return nextAvail_; }

  // How many chains wait. kBroken when the driver's index is further ahead than the ring has entries
  // (§2.7.13.1).
  PW_INLINE std::uint32_t available() const noexcept {
    // S1: pairs with the driver's release of avail->idx; makes its ring entries and descriptors visible.
    const std::uint16_t ahead = wrap16::distance(loadAcquire(avail_->idx), nextAvail_);
    return PW_LIKELY(ahead <= size_) ? ahead : kBroken;
  }

  // Chains that wait, for queue-count queries.
  std::uint32_t waiting() const noexcept {
    const std::uint32_t ready = available();
    return ready == kBroken ? 0 : ready;
  }

  // Copies the first `count` heads after the next one to answer, skipping `from` ring entries. All of them
  // must be available(). Returns `count` (a packed ring may have fewer).
  PW_INLINE std::uint32_t gather(Head* heads, std::uint32_t from, std::uint32_t count) const noexcept {
    for (std::uint32_t i = 0; i < count; i++) {
      loadHead(heads[i], loadRelaxed(avail_->ring[(nextAvail_ + from + i) & mask_]));
    }
    return count;
  }

  // The heads that follow `from` ring entries after the next one to answer, for as long as they are single
  // buffers in the direction kAccess inside one region of `space`. All `count` of them must be available().
  // `touch` sees each address once, to prefetch it.
  template <Access kAccess, typename Space, typename Touch>
  PW_INLINE std::uint32_t singles(Single* out, std::uint32_t from, std::uint32_t count, Space& space,
                                  Touch&& touch) const noexcept {
    const std::uint32_t at = nextAvail_ + from;
    const std::uint32_t mask = mask_;
    const std::uint32_t size = size_;
    const split::Desc* const table = desc_;
    const std::uint16_t* const ring = avail_->ring;
    auto hot = space.hot();
    for (std::uint32_t i = 0; i < count; i++) {
      const std::uint16_t id = loadRelaxed(ring[(at + i) & mask]);
      if (PW_UNLIKELY(id >= size)) return i;
      const DescCopy desc = copyDesc(table + id);
      if (PW_UNLIKELY((desc.word >> 32 & kDescShape) != singleShape(kAccess))) return i;
      const auto len = static_cast<std::uint32_t>(desc.word);
      std::byte* const data = translateHot(space, hot, desc.addr, len, kAccess);
      if (PW_UNLIKELY(data == nullptr)) return i;
      touch(data);
      out[i] = Single{data, len, id};
    }
    return count;
  }

  // Shows every element of the chain to `sink(addr, len, isWrite)`, in order: descriptors of the ring, then
  // at most one indirect table. Ends early with what `sink` answers beside kGood. Bounded by the ring size.
  template <typename Space, typename Sink>
  ChainVerdict each(const Head& head, Space& space, Sink&& sink) const noexcept {
    split::Desc desc{head.addr, head.len, head.flags, head.next};
    const split::Desc* table = desc_;
    std::uint32_t tableSize = size_;
    alignas(split::Desc) std::byte copied[kMaxCopiedTable * sizeof(split::Desc)];
    std::uint64_t bytes = 0;
    for (std::uint32_t budget = size_; budget > 0; budget--) {
      if (PW_UNLIKELY((desc.flags & split::kIndirect) != 0)) {
        // §2.7.5.3: negotiated, the last of its chain, a multiple of 16 bytes, not inside another. WRITE
        // means nothing here.
        if (!indirect_ || table != desc_ || (desc.flags & split::kNext) != 0) return ChainVerdict::kBadChain;
        if (desc.len == 0 || desc.len % sizeof(split::Desc) != 0) return ChainVerdict::kBadChain;
        tableSize = static_cast<std::uint32_t>(desc.len / sizeof(split::Desc));
        if (tableSize > size_) return ChainVerdict::kBadChain;
        table = reinterpret_cast<const split::Desc*>(tableAt(space, desc.addr, tableSize, copied));
        if (table == nullptr) return ChainVerdict::kBadAddress;
        // A table that lies over the ring's own would be both at once.
        if (table < desc_ + size_ && desc_ < table + tableSize) return ChainVerdict::kBadChain;
        desc = load(table);
        if (desc.flags & split::kIndirect) return ChainVerdict::kBadChain;
      }
      const ChainVerdict verdict = sink(desc.addr, desc.len, (desc.flags & split::kWrite) != 0);
      if (PW_UNLIKELY(verdict != ChainVerdict::kGood)) return verdict;
      bytes += desc.len;
      if ((desc.flags & split::kNext) == 0) {
        // §2.7.4.2: a chain holds less than 2^32 bytes.
        return bytes <= UINT32_MAX ? ChainVerdict::kGood : ChainVerdict::kBadChain;
      }
      if (desc.next >= tableSize) return ChainVerdict::kBadChain;
      desc = load(table + desc.next);
    }
    return ChainVerdict::kBadChain;
  }

  // Translates the whole chain, which has one direction, into `pieces` (appended). Bounded by the ring size
  // and by what `pieces` takes.
  template <typename Space>
  ChainVerdict walk(const Head& head, Access access, Space& space, PieceList& pieces) const noexcept {
    return each(head, space, [&](std::uint64_t addr, std::uint32_t len, bool isWrite) noexcept {
      if (isWrite != (access == Access::kWrite)) return ChainVerdict::kBadChain;
      return addElement(space, addr, len, access, pieces);
    });
  }

  // Writes the used element `position` after those already published: `len` bytes were written into the
  // chain.
  PW_INLINE void putUsed(std::uint32_t position, std::uint16_t id, std::uint32_t len) noexcept {
    split::UsedElem& element = used_->ring[(usedIdx_ + position) & mask_];
    // One 8-byte store.
    const std::uint64_t both = static_cast<std::uint64_t>(id) | (static_cast<std::uint64_t>(len) << 32);
    std::memcpy(&element, &both, sizeof both);
  }

  // Asks for the lines that the next `count` used elements and the index will be stored to: the driver read
  // them last.
  PW_INLINE void prefetchUsed(std::uint32_t count) const noexcept {
    constexpr std::uint32_t kPerLine = kCacheLine / sizeof(split::UsedElem);
    for (std::uint32_t i = 0; i < count; i += kPerLine) {
      PW_PREFETCH_WRITE(&used_->ring[(usedIdx_ + i) & mask_]);
    }
    PW_PREFETCH_WRITE(&used_->idx);
  }

  PW_INLINE void putUsed(std::uint32_t position, const Head& head, std::uint32_t len) noexcept {
    putUsed(position, head.id, len);
  }

  // Takes `consumed` heads from the available side and shows `answered` used elements to the driver.
  PW_INLINE void publish(std::uint32_t consumed, std::uint32_t answered) noexcept {
    nextAvail_ = wrap16::advance(nextAvail_, consumed);
    usedIdx_ = wrap16::advance(usedIdx_, answered);
    // S2: pairs with the driver's acquire of used->idx (§2.7.13.3: elements before the index).
    storeRelease(used_->idx, usedIdx_);
  }

  // Whether the driver wants a call for what was published since the last one (§2.7.7.1). Contains the
  // store-load fence.
  PW_INLINE bool wantsCall() noexcept {
    fullFence();
    if (eventIdx_) {
      const std::uint16_t before = signalled_;
      signalled_ = usedIdx_;
      return wrap16::needEvent(loadRelaxed(*usedEvent()), usedIdx_, before);
    }
    return (loadRelaxed(avail_->flags) & split::kAvailNoInterrupt) == 0;
  }

  // For a dirty log: what the used elements of the next `count` answers are written to, and then what
  // publish() and setKickWanted() write.
  RingWrites answers(std::uint32_t count) const noexcept {
    const std::uint32_t first = usedIdx_ & mask_;
    const std::uint32_t before = std::min(count, size_ - first);
    return RingWrites{bytesOf(used_->ring + first), before * kElement, bytesOf(used_->ring),
                      (count - before) * kElement};
  }
  RingWrite shown() const noexcept { return RingWrite{bytesOf(used_), sizeof(std::uint16_t) * 2}; }
  RingWrite event() const noexcept {
    return eventIdx_ ? RingWrite{bytesOf(availEvent()), sizeof(std::uint16_t)}
                     : RingWrite{bytesOf(used_), sizeof(std::uint16_t)};
  }

  // Asks the driver to kick on new buffers, or not to (§2.7.10). With EVENT_IDX "not" means an event index
  // that lies behind: at worst one kick in 65,536 buffers.
  void setKickWanted(bool wanted) noexcept {
    if (eventIdx_) {
      if (wanted) storeRelaxed(*availEvent(), nextAvail_);
      else storeRelaxed(*availEvent(), wrap16::advance(nextAvail_, 0xffff));
    } else {
      storeRelaxed(used_->flags, wanted ? 0 : split::kUsedNoNotify);
    }
    fullFence();
  }

 protected:
  // The chain that begins at descriptor `id`, which the peer has named.
  PW_INLINE void loadHead(Head& head, std::uint16_t id) const noexcept {
    head.id = id;
    head.count = 1;
    head.bad = id >= size_;
    if (PW_UNLIKELY(head.bad)) {
      head.len = 0;
      head.flags = 0;
      return;
    }
    const split::Desc desc = load(desc_ + id);
    head.addr = desc.addr;
    head.len = desc.len;
    head.flags = desc.flags;
    head.next = desc.next;
  }

 private:
  static constexpr std::uint32_t kElement = sizeof(split::UsedElem);

  static const std::byte* bytesOf(const void* at) noexcept { return static_cast<const std::byte*>(at); }

  static PW_INLINE split::Desc load(const split::Desc* from) noexcept {
    const DescCopy copy = copyDesc(from);
    return split::Desc{copy.addr, static_cast<std::uint32_t>(copy.word),
                       static_cast<std::uint16_t>(copy.word >> 32),
                       static_cast<std::uint16_t>(copy.word >> 48)};
  }

  std::uint16_t* usedEvent() const noexcept { return &avail_->ring[size_]; }
  std::uint16_t* availEvent() const noexcept { return reinterpret_cast<std::uint16_t*>(&used_->ring[size_]); }

  split::Desc* desc_ = nullptr;
  split::Avail* avail_ = nullptr;
  split::Used* used_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint16_t mask_ = 0;
  std::uint16_t nextAvail_ = 0;
  std::uint16_t usedIdx_ = 0;
  std::uint16_t signalled_ = 0;
  bool eventIdx_ = false;
  bool indirect_ = false;
};

}  // namespace pollwire
