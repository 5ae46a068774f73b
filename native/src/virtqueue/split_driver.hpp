// Driver side of a split virtqueue (virtio 1.2 §2.7): posts buffers, takes back what the device used. Knows
// neither packets nor sockets. The device is not trusted: nothing that it can write is read back, except for
// the used ring, of which each element is loaded once and compared with what was posted.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include "base/shared.hpp"
#include "base/wrap16.hpp"
#include "virtqueue/driver_ids.hpp"
#include "virtqueue/head.hpp"
#include "virtqueue/layout_split.hpp"

namespace pollwire {

class SplitDriver {
 public:
  static constexpr std::uint32_t kBroken = ~0u;

  SplitDriver() = default;
  // `size` is a power of two. The caller zeroed the memory.
  SplitDriver(split::Desc* desc, split::Avail* avail, split::Used* used, std::uint32_t size,
              std::uint32_t base, bool eventIdx)
      : desc_(desc),
        avail_(avail),
        used_(used),
        size_(size),
        mask_(size - 1),
        nextAvail_(static_cast<std::uint16_t>(base)),
        kicked_(nextAvail_),
        nextUsed_(nextAvail_),
        free_(size),
        eventIdx_(eventIdx),
        ids_(size),
        links_(std::make_unique<std::uint16_t[]>(size)) {
    storeRelaxed(avail_->idx, nextAvail_);
    storeRelaxed(used_->idx, nextUsed_);
    setCallWanted(false);
  }

  std::uint32_t size() const noexcept { return size_; }
  // Descriptors that can be posted.
  std::uint32_t free() const noexcept { return free_; }
  // Buffers that the device has.
  std::uint32_t inFlight() const noexcept { return inFlight_; }
  std::uint32_t availIdx() const noexcept { return nextAvail_; }
  std::uint32_t usedIdx() const noexcept { return nextUsed_; }
  // What SET_VRING_BASE says for a ring of which nothing was used yet.
  std::uint32_t base() const noexcept { return nextUsed_; }

  // The id of the buffer that is posted next: no other in flight has it.
  template <bool kInOrder>
  std::uint32_t nextId() const noexcept {
    return idAt<kInOrder>(0);
  }

  // Posts buffers of one element for as long as `fill(i, buffer)` returns true: at most `limit`, and no more
  // than there are free descriptors. Returns how many; publish() shows them to the device.
  template <bool kInOrder, typename Fill>
  PW_INLINE std::uint32_t post(std::uint32_t limit, std::uint16_t flags, Fill&& fill) noexcept {
    const std::uint32_t count = std::min(limit, free_);
    const std::uint32_t mask = mask_;
    const std::uint32_t take = ids_.take;
    const std::uint32_t idx = nextAvail_;
    split::Desc* const desc = desc_;
    std::uint16_t* const ring = avail_->ring;
    std::uint32_t* const cookies = ids_.cookies.get();
    const std::uint16_t* const freeIds = ids_.free.get();
    std::uint32_t i = 0;
    for (; i < count; i++) {
      DriverBuffer buffer;
      if (PW_UNLIKELY(!fill(i, buffer))) break;
      const std::uint32_t id = kInOrder ? (take + i) & mask : freeIds[(take + i) & mask];
      storeDesc(desc + id, buffer.addr, buffer.len | static_cast<std::uint64_t>(flags) << 32);
      cookies[id] = buffer.cookie;
      storeRelaxed(ring[(idx + i) & mask], id);
    }
    tookIds(i, 1);
    return i;
  }

  // Posts one buffer of `count` elements as a chain of descriptors; free() >= count.
  template <bool kInOrder>
  void postList(const Element* elements, std::uint32_t count, std::uint32_t cookie) noexcept {
    const std::uint32_t head = idAt<kInOrder>(0);
    std::uint32_t id = head;
    for (std::uint32_t i = 0; i < count; i++) {
      const bool more = i + 1 < count;
      const std::uint32_t next = more ? idAt<kInOrder>(i + 1) : 0;
      const std::uint32_t flags = elements[i].flags | (more ? kDescNext : 0u);
      storeDesc(
          desc_ + id, elements[i].addr,
          elements[i].len | static_cast<std::uint64_t>(flags) << 32 | static_cast<std::uint64_t>(next) << 48);
      links_[id] = static_cast<std::uint16_t>(next);
      id = next;
    }
    ids_.cookies[head] = cookie;
    ids_.lengths[head] = static_cast<std::uint16_t>(count);
    lists_ += count > 1;
    storeRelaxed(avail_->ring[nextAvail_ & mask_], head);
    tookIds(1, count);
  }

  // Posts one buffer whose elements writeTable() wrote to `table`; free() >= 1.
  template <bool kInOrder>
  void postIndirect(std::uint64_t table, std::uint32_t entries, std::uint32_t cookie) noexcept {
    post<kInOrder>(1, split::kIndirect, [&](std::uint32_t, DriverBuffer& buffer) noexcept {
      buffer = DriverBuffer{table, entries * static_cast<std::uint32_t>(sizeof(split::Desc)), cookie};
      return true;
    });
  }

  // §2.7.5.3: a table of its own, chained by `next` from entry 0.
  static void writeTable(std::byte* table, const Element* elements, std::uint32_t count) noexcept {
    for (std::uint32_t i = 0; i < count; i++) {
      const bool more = i + 1 < count;
      const std::uint32_t flags = elements[i].flags | (more ? kDescNext : 0u);
      const std::uint64_t next = more ? i + 1 : 0;
      storeDesc(table + i * sizeof(split::Desc), elements[i].addr,
                elements[i].len | static_cast<std::uint64_t>(flags) << 32 | next << 48);
    }
  }

  PW_INLINE void publish() noexcept {
    // S3: pairs with the device's acquire of avail->idx (§2.7.13.3: ring entries before the index).
    storeRelease(avail_->idx, nextAvail_);
  }

  // Whether the device wants a kick for what was published since the last one (§2.7.10). Contains the
  // store-load fence.
  PW_INLINE bool wantsKick() noexcept {
    fullFence();
    const std::uint16_t before = kicked_;
    kicked_ = nextAvail_;
    if (eventIdx_) return wrap16::needEvent(loadRelaxed(*availEvent()), nextAvail_, before);
    return (loadRelaxed(used_->flags) & split::kUsedNoNotify) == 0;
  }

  // Asks the device to call on used buffers, or not to (§2.7.7).
  void setCallWanted(bool wanted) noexcept {
    if (eventIdx_) storeRelaxed(*usedEvent(), wanted ? nextUsed_ : wrap16::advance(nextUsed_, 0xffff));
    else storeRelaxed(avail_->flags, wanted ? 0 : split::kAvailNoInterrupt);
    fullFence();
  }

  // Used buffers that wait to be collected; never more than are in flight.
  std::uint32_t waiting() const noexcept {
    return std::min<std::uint32_t>(wrap16::distance(loadAcquire(used_->idx), nextUsed_), inFlight_);
  }

  // Takes back at most `max` used buffers: cookies, and how many bytes the device says that it wrote (or
  // kWholeBuffer). kBroken: the next one is not in flight, or the index ran ahead of what is.
  template <bool kInOrder>
  PW_INLINE std::uint32_t collect(std::uint32_t* cookies, std::uint32_t* lengths,
                                  std::uint32_t max) noexcept {
    const std::uint32_t ready = published();
    if (PW_UNLIKELY(ready == kBroken)) return kBroken;
    const std::uint32_t count = std::min(ready, max);
    if (count == 0) return 0;
    if constexpr (kInOrder) return collectOrdered(cookies, lengths, count, ready);
    else return collectAny<true>(cookies, lengths, count);
  }

  // The same without lengths, for buffers that the device only reads. In order, the count alone says which
  // ones.
  template <bool kInOrder>
  PW_INLINE std::uint32_t reclaim(std::uint32_t* cookies, std::uint32_t max) noexcept {
    const std::uint32_t ready = published();
    if (PW_UNLIKELY(ready == kBroken)) return kBroken;
    const std::uint32_t count = std::min(ready, max);
    if (count == 0) return 0;
    if constexpr (kInOrder) {
      takeOldest(cookies, count);
      return count;
    } else {
      return collectAny<false>(cookies, nullptr, count);
    }
  }

  // Hands every cookie in flight to `sink` and forgets it. The ring is unusable afterwards.
  template <bool kInOrder, typename Sink>
  void abandon(Sink&& sink) {
    if constexpr (kInOrder) {
      while (inFlight_ > 0) sink(takeOldest());
    } else {
      for (std::uint32_t id = 0; id < size_; id++) {
        if (ids_.cookies[id] != 0) sink(ids_.cookies[id]);
      }
    }
    ids_.reset(size_);
    inFlight_ = 0;
    free_ = 0;
  }

 private:
  // Used elements that the device shows and we have not taken.
  PW_INLINE std::uint32_t published() const noexcept {
    // S4: pairs with the device's release of used->idx; makes its elements and what it wrote into buffers
    // visible.
    const std::uint32_t ready = wrap16::distance(loadAcquire(used_->idx), nextUsed_);
    return PW_LIKELY(ready <= inFlight_) ? ready : kBroken;
  }

  // The element at `at`, loaded once.
  PW_INLINE std::uint64_t usedAt(std::uint32_t at) const noexcept {
    std::uint64_t both;
    std::memcpy(&both, &used_->ring[at & mask_], sizeof both);
    asm("" : "+r"(both));
    return both;
  }

  template <bool kLengths>
  PW_INLINE std::uint32_t collectAny(std::uint32_t* out, std::uint32_t* lengths,
                                     std::uint32_t count) noexcept {
    const std::uint32_t mask = mask_;
    const std::uint32_t size = size_;
    const std::uint32_t used = nextUsed_;
    const bool lists = lists_ != 0;
    std::uint32_t* const cookies = ids_.cookies.get();
    std::uint16_t* const freeIds = ids_.free.get();
    std::uint32_t give = ids_.give;
    const std::uint32_t before = give;
    std::uint32_t i = 0;
    for (; i < count; i++) {
      const std::uint64_t element = usedAt(used + i);
      const auto id = static_cast<std::uint32_t>(element);
      if (PW_UNLIKELY(id >= size)) break;
      const std::uint32_t cookie = cookies[id];
      if (PW_UNLIKELY(cookie == 0)) break;
      cookies[id] = 0;
      out[i] = cookie;
      if constexpr (kLengths) lengths[i] = static_cast<std::uint32_t>(element >> 32);
      if (PW_UNLIKELY(lists && ids_.lengths[id] != 1)) {
        give = releaseList(id, give);
      } else {
        freeIds[give & mask] = static_cast<std::uint16_t>(id);
        give++;
      }
    }
    gaveIds(i, give - before);
    return PW_LIKELY(i != 0) ? i : kBroken;
  }

  PW_INLINE std::uint32_t collectOrdered(std::uint32_t* out, std::uint32_t* lengths, std::uint32_t count,
                                         std::uint32_t ready) noexcept {
    std::uint32_t i = 0;
    if (PW_LIKELY(lists_ == 0 && batchLeft_ == 0)) {
      for (; i < count; i++) {
        const std::uint64_t element = usedAt(nextUsed_ + i);
        const std::uint32_t id = (ids_.give + i) & mask_;
        if (PW_UNLIKELY(static_cast<std::uint32_t>(element) != id)) break;
        out[i] = ids_.cookies[id];
        lengths[i] = static_cast<std::uint32_t>(element >> 32);
      }
      gaveIds(i, i);
      if (PW_LIKELY(i != 0)) return i;
    }
    return collectBatch(out, lengths, count, ready);
  }

  // §2.7.9: one element may answer for a whole batch and names its last buffer; those before it were used
  // completely.
  PW_NOINLINE std::uint32_t collectBatch(std::uint32_t* out, std::uint32_t* lengths, std::uint32_t count,
                                         std::uint32_t ready) noexcept {
    for (std::uint32_t i = 0; i < count; i++) {
      if (batchLeft_ == 0) {
        const std::uint64_t element = usedAt(nextUsed_);
        batchLeft_ = buffersUpTo(static_cast<std::uint32_t>(element), ready - i);
        batchLen_ = static_cast<std::uint32_t>(element >> 32);
        if (batchLeft_ == 0) return i != 0 ? i : kBroken;
      }
      batchLeft_--;
      lengths[i] = batchLeft_ == 0 ? batchLen_ : kWholeBuffer;
      out[i] = takeOldest();
    }
    return count;
  }

  // How many buffers in flight, the oldest first, end with the one whose head is `id`; 0: none of the first
  // `limit`.
  std::uint32_t buffersUpTo(std::uint32_t id, std::uint32_t limit) const noexcept {
    std::uint32_t at = ids_.give & mask_;
    for (std::uint32_t buffers = 1; buffers <= limit; buffers++) {
      if (at == id) return buffers;
      at = (at + ids_.lengths[at]) & mask_;
    }
    return 0;
  }

  // In-order: the cookies of the `count` buffers that were posted first.
  PW_INLINE void takeOldest(std::uint32_t* out, std::uint32_t count) noexcept {
    if (PW_UNLIKELY(lists_ != 0)) {
      for (std::uint32_t i = 0; i < count; i++) out[i] = takeOldest();
      return;
    }
    const std::uint32_t* const cookies = ids_.cookies.get();
    const std::uint32_t give = ids_.give;
    const std::uint32_t mask = mask_;
    for (std::uint32_t i = 0; i < count; i++) out[i] = cookies[(give + i) & mask];
    gaveIds(count, count);
  }

  std::uint32_t takeOldest() noexcept {
    const std::uint32_t head = ids_.give & mask_;
    const std::uint32_t entries = ids_.lengths[head];
    if (entries != 1) {
      ids_.lengths[head] = 1;
      lists_--;
    }
    gaveIds(1, entries);
    return ids_.cookies[head];
  }

  PW_NOINLINE std::uint32_t releaseList(std::uint32_t id, std::uint32_t give) noexcept {
    const std::uint32_t entries = ids_.lengths[id];
    ids_.lengths[id] = 1;
    lists_--;
    for (std::uint32_t i = 0; i < entries; i++) {
      ids_.free[give++ & mask_] = static_cast<std::uint16_t>(id);
      id = links_[id];
    }
    return give;
  }

  template <bool kInOrder>
  std::uint32_t idAt(std::uint32_t ahead) const noexcept {
    const std::uint32_t at = (ids_.take + ahead) & mask_;
    return kInOrder ? at : ids_.free[at];
  }

  PW_INLINE void tookIds(std::uint32_t buffers, std::uint32_t entriesEach) noexcept {
    ids_.take += buffers * entriesEach;
    free_ -= buffers * entriesEach;
    inFlight_ += buffers;
    nextAvail_ = wrap16::advance(nextAvail_, buffers);
  }

  PW_INLINE void gaveIds(std::uint32_t buffers, std::uint32_t entries) noexcept {
    ids_.give += entries;
    free_ += entries;
    inFlight_ -= buffers;
    nextUsed_ = wrap16::advance(nextUsed_, buffers);
  }

  std::uint16_t* usedEvent() const noexcept { return &avail_->ring[size_]; }
  std::uint16_t* availEvent() const noexcept { return reinterpret_cast<std::uint16_t*>(&used_->ring[size_]); }

  split::Desc* desc_ = nullptr;
  split::Avail* avail_ = nullptr;
  split::Used* used_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t mask_ = 0;
  std::uint16_t nextAvail_ = 0;
  // The available index at the last look at the device's wish for kicks.
  std::uint16_t kicked_ = 0;
  std::uint16_t nextUsed_ = 0;
  std::uint32_t free_ = 0;
  std::uint32_t inFlight_ = 0;
  // Buffers of several descriptors among those in flight.
  std::uint32_t lists_ = 0;
  // In-order: what is left of the batch that the last used element answered for, and that element's length.
  std::uint32_t batchLeft_ = 0;
  std::uint32_t batchLen_ = 0;
  bool eventIdx_ = false;
  DriverIds ids_;
  // The next descriptor of a list in flight.
  std::unique_ptr<std::uint16_t[]> links_;
};

}  // namespace pollwire
