// Driver side of a packed virtqueue (virtio 1.2 §2.8): posts buffers, takes back what the device used. The
// twin of SplitDriver, with the same interface. The device is not trusted: of a descriptor only the word that
// says "used" is read back, once, and compared with what was posted.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/shared.hpp"
#include "virtqueue/driver_ids.hpp"
#include "virtqueue/head.hpp"
#include "virtqueue/layout_packed.hpp"
#include "virtqueue/packed_events.hpp"

namespace pollwire {

class PackedDriver {
 public:
  static constexpr std::uint32_t kBroken = ~0u;

  PackedDriver() = default;
  // The caller zeroed the memory. `base` is packed::kFreshBase, or where a test wants to begin.
  PackedDriver(packed::Desc* desc, packed::EventSuppress* driverEvent, packed::EventSuppress* deviceEvent,
               std::uint32_t size, std::uint32_t base, bool eventIdx)
      : desc_(desc),
        driverEvent_(driverEvent),
        deviceEvent_(deviceEvent),
        size_(size),
        avail_{packed::positionOf(base), packed::wrapOf(base)},
        used_(avail_),
        free_(size),
        eventIdx_(eventIdx),
        ids_(size) {
    setCallWanted(false);
  }

  std::uint32_t size() const noexcept { return size_; }
  // Descriptors that can be posted.
  std::uint32_t free() const noexcept { return free_; }
  // Buffers that the device has.
  std::uint32_t inFlight() const noexcept { return inFlight_; }
  std::uint32_t availIdx() const noexcept { return packed::withWrap(avail_.position, avail_.wrap); }
  std::uint32_t usedIdx() const noexcept { return packed::withWrap(used_.position, used_.wrap); }
  // What SET_VRING_BASE says for a ring of which nothing was used yet.
  std::uint32_t base() const noexcept { return packed::makeBase(usedIdx(), usedIdx()); }

  // The id of the buffer that is posted next: no other in flight has it.
  template <bool kInOrder>
  std::uint32_t nextId() const noexcept {
    return kInOrder ? ids_.take : ids_.free[ids_.take];
  }

  // Posts buffers of one element for as long as `fill(i, buffer)` returns true: at most `limit`, and no more
  // than there are free descriptors. Returns how many; publish() shows them to the device.
  template <bool kInOrder, typename Fill>
  PW_INLINE std::uint32_t post(std::uint32_t limit, std::uint16_t flags, Fill&& fill) noexcept {
    const std::uint32_t count = std::min(limit, free_);
    const std::uint32_t size = size_;
    packed::Desc* const desc = desc_;
    std::uint32_t* const cookies = ids_.cookies.get();
    const std::uint16_t* const freeIds = ids_.free.get();
    Cursor at = avail_;
    std::uint32_t take = ids_.take;
    std::uint32_t bits = flags | packed::availBits(at.wrap);
    std::uint32_t i = 0;
    for (; i < count; i++) {
      DriverBuffer buffer;
      if (PW_UNLIKELY(!fill(i, buffer))) break;
      const std::uint32_t id = kInOrder ? take : freeIds[take];
      cookies[id] = buffer.cookie;
      write(desc, at.position, buffer.addr,
            packed::makeWord(buffer.len, static_cast<std::uint16_t>(id), bits));
      if (PW_UNLIKELY(++take == size)) take = 0;
      if (PW_UNLIKELY(++at.position == size)) {
        at = Cursor{0, !at.wrap};
        bits = flags | packed::availBits(at.wrap);
      }
    }
    ids_.take = take;
    posted(at, i, i);
    return i;
  }

  // Posts one buffer of `count` elements as a list of descriptors; free() >= count.
  template <bool kInOrder>
  void postList(const Element* elements, std::uint32_t count, std::uint32_t cookie) noexcept {
    const std::uint32_t id = nextId<kInOrder>();
    Cursor at = avail_;
    for (std::uint32_t i = 0; i < count; i++) {
      const std::uint32_t flags =
          elements[i].flags | packed::availBits(at.wrap) | (i + 1 < count ? kDescNext : 0u);
      write(desc_, at.position, elements[i].addr,
            packed::makeWord(elements[i].len, static_cast<std::uint16_t>(id), flags));
      at = stepped(at, 1);
    }
    ids_.cookies[id] = cookie;
    ids_.lengths[id] = static_cast<std::uint16_t>(count);
    lists_ += count > 1;
    ids_.take = ids_.take + 1 == size_ ? 0 : ids_.take + 1;
    posted(at, 1, count);
  }

  // Posts one buffer whose elements writeTable() wrote to `table`; free() >= 1.
  template <bool kInOrder>
  void postIndirect(std::uint64_t table, std::uint32_t entries, std::uint32_t cookie) noexcept {
    post<kInOrder>(1, packed::kIndirect, [&](std::uint32_t, DriverBuffer& buffer) noexcept {
      buffer = DriverBuffer{table, entries * static_cast<std::uint32_t>(sizeof(packed::Desc)), cookie};
      return true;
    });
  }

  // §2.8.7: a table of its own, in order, with no flag but WRITE.
  static void writeTable(std::byte* table, const Element* elements, std::uint32_t count) noexcept {
    for (std::uint32_t i = 0; i < count; i++) {
      storeDesc(table + i * sizeof(packed::Desc), elements[i].addr,
                packed::makeWord(elements[i].len, 0, elements[i].flags));
    }
  }

  PW_INLINE void publish() noexcept {
    if (pending_ == nullptr) return;
    // P3: pairs with the device's acquire of the flags (§2.8.19.1.1: the first one after all others).
    storeRelease(pending_->word, pendingWord_);
    pending_ = nullptr;
  }

  // Whether the device wants a kick for what was published since the last one (§2.8.10). Contains the
  // store-load fence.
  PW_INLINE bool wantsKick() noexcept {
    fullFence();
    const std::uint32_t moved = unkicked_;
    unkicked_ = 0;
    return packed::wantsEvent(loadRelaxed(deviceEvent_->word), size_, avail_.position, avail_.wrap, moved,
                              eventIdx_);
  }

  // Asks the device to call on used buffers, or not to (§2.8.10).
  void setCallWanted(bool wanted) noexcept {
    storeRelaxed(driverEvent_->word, packed::suppressWord(wanted, used_.position, used_.wrap, eventIdx_));
    fullFence();
  }

  // Used buffers that wait to be collected, of those that have a used descriptor of their own.
  std::uint32_t waiting() const noexcept {
    std::uint32_t buffers = batchLeft_;
    Cursor at = used_;
    for (std::uint32_t left = inFlight_ - batchLeft_; left > 0; left--) {
      const std::uint64_t word = loadAcquire(desc_[at.position].word);
      if ((packed::flagsOf(word) & packed::kOwnerBits) != packed::usedBits(at.wrap)) break;
      const std::uint32_t id = packed::idOf(word);
      if (id >= size_) break;
      buffers++;
      at = stepped(at, ids_.lengths[id]);
    }
    return buffers;
  }

  // Takes back at most `max` used buffers: cookies, and how many bytes the device says that it wrote (or
  // kWholeBuffer). kBroken: the next one is not in flight, or its flags say what no device may say.
  template <bool kInOrder>
  PW_INLINE std::uint32_t collect(std::uint32_t* cookies, std::uint32_t* lengths,
                                  std::uint32_t max) noexcept {
    if constexpr (kInOrder) return collectOrdered<true>(cookies, lengths, max);
    else return collectAny<true>(cookies, lengths, max);
  }

  // The same without lengths, for buffers that the device only reads.
  template <bool kInOrder>
  PW_INLINE std::uint32_t reclaim(std::uint32_t* cookies, std::uint32_t max) noexcept {
    if constexpr (kInOrder) return collectOrdered<false>(cookies, nullptr, max);
    else return collectAny<false>(cookies, nullptr, max);
  }

  // Hands every cookie in flight to `sink` and forgets it. The ring is unusable afterwards.
  template <bool kInOrder, typename Sink>
  void abandon(Sink&& sink) {
    std::uint32_t id = ids_.give;
    for (std::uint32_t left = kInOrder ? inFlight_ : size_; left > 0; left--) {
      if (ids_.cookies[id] != 0) sink(ids_.cookies[id]);
      id = id + 1 == size_ ? 0 : id + 1;
    }
    ids_.reset(size_);
    pending_ = nullptr;
    inFlight_ = 0;
    free_ = 0;
  }

 private:
  struct Cursor {
    std::uint32_t position;
    bool wrap;
  };

  enum class Owner : std::uint8_t { kDevice, kUs, kNonsense };

  // Whose the descriptor at the used position is. It was written by us for this lap, so that anything but
  // "available" and "used" in this lap's colours is an impossible state.
  static PW_INLINE Owner ownerOf(std::uint64_t word, bool wrap) noexcept {
    const std::uint32_t bits = packed::flagsOf(word) & packed::kOwnerBits;
    if (PW_LIKELY(bits == packed::usedBits(wrap))) return Owner::kUs;
    return PW_LIKELY(bits == packed::availBits(wrap)) ? Owner::kDevice : Owner::kNonsense;
  }

  PW_INLINE Cursor stepped(Cursor at, std::uint32_t by) const noexcept {
    at.position += by;
    if (at.position >= size_) {
      at.position -= size_;
      at.wrap = !at.wrap;
    }
    return at;
  }

  // The first descriptor since the last publish() keeps its old flags until then.
  PW_INLINE void write(packed::Desc* desc, std::uint32_t position, std::uint64_t addr,
                       std::uint64_t word) noexcept {
    if (PW_UNLIKELY(pending_ == nullptr)) {
      storeRelaxed(desc[position].addr, addr);
      pending_ = desc + position;
      pendingWord_ = word;
    } else {
      storeDesc(desc + position, addr, word);
    }
  }

  PW_INLINE void posted(Cursor to, std::uint32_t buffers, std::uint32_t entries) noexcept {
    avail_ = to;
    free_ -= entries;
    inFlight_ += buffers;
    unkicked_ += entries;
  }

  template <bool kLengths>
  PW_INLINE std::uint32_t collectAny(std::uint32_t* out, std::uint32_t* lengths, std::uint32_t max) noexcept {
    const std::uint32_t count = std::min(max, inFlight_);
    const std::uint32_t size = size_;
    const bool lists = lists_ != 0;
    const packed::Desc* const desc = desc_;
    std::uint32_t* const cookies = ids_.cookies.get();
    std::uint16_t* const freeIds = ids_.free.get();
    Cursor at = used_;
    std::uint32_t give = ids_.give;
    std::uint32_t entries = 0;
    bool broken = false;
    std::uint32_t i = 0;
    for (; i < count; i++) {
      // P4: pairs with the device's release of the flags; makes what it wrote into the buffer visible.
      const std::uint64_t word = loadAcquire(desc[at.position].word);
      const Owner owner = ownerOf(word, at.wrap);
      if (owner == Owner::kDevice) break;
      const std::uint32_t id = packed::idOf(word);
      const std::uint32_t cookie = PW_LIKELY(owner == Owner::kUs && id < size) ? cookies[id] : 0;
      if (PW_UNLIKELY(cookie == 0)) {
        broken = true;
        break;
      }
      cookies[id] = 0;
      out[i] = cookie;
      if constexpr (kLengths) lengths[i] = packed::lenOf(word);
      freeIds[give] = static_cast<std::uint16_t>(id);
      if (PW_UNLIKELY(++give == size)) give = 0;
      const std::uint32_t length = PW_UNLIKELY(lists) ? endList(id) : 1;
      entries += length;
      at = stepped(at, length);
    }
    ids_.give = give;
    taken(at, i, entries);
    return PW_UNLIKELY(broken && i == 0) ? kBroken : i;
  }

  // §2.8.8: one used descriptor may answer for a whole batch and names its last buffer; those before it were
  // used completely.
  template <bool kLengths>
  PW_INLINE std::uint32_t collectOrdered(std::uint32_t* out, std::uint32_t* lengths,
                                         std::uint32_t max) noexcept {
    const std::uint32_t count = std::min(max, inFlight_);
    if (PW_LIKELY(lists_ == 0 && batchLeft_ == 0)) {
      const std::uint32_t taken = collectEach<kLengths>(out, lengths, count);
      if (PW_LIKELY(taken != 0)) return taken;
    }
    std::uint32_t i = 0;
    while (i < count) {
      if (batchLeft_ == 0) {
        const std::uint64_t word = loadAcquire(desc_[used_.position].word);
        const Owner owner = ownerOf(word, used_.wrap);
        if (owner == Owner::kDevice) break;
        const std::uint32_t id = packed::idOf(word);
        const std::uint32_t buffers = (id >= ids_.give ? id : id + size_) - ids_.give + 1;
        if (PW_UNLIKELY(owner == Owner::kNonsense || id >= size_ || buffers > inFlight_))
          return i == 0 ? kBroken : i;
        batchLeft_ = buffers;
        if constexpr (kLengths) batchLen_ = packed::lenOf(word);
      }
      const std::uint32_t part = std::min(batchLeft_, count - i);
      if constexpr (kLengths) {
        for (std::uint32_t k = 0; k < part; k++) lengths[i + k] = kWholeBuffer;
        if (part == batchLeft_) lengths[i + part - 1] = batchLen_;
      }
      takeOldest(out + i, part);
      batchLeft_ -= part;
      i += part;
    }
    return i;
  }

  // In-order, with a used descriptor for each buffer: stops at the first that is not used, or answers for
  // several.
  template <bool kLengths>
  PW_INLINE std::uint32_t collectEach(std::uint32_t* out, std::uint32_t* lengths,
                                      std::uint32_t count) noexcept {
    const std::uint32_t size = size_;
    const packed::Desc* const desc = desc_;
    std::uint32_t* const cookies = ids_.cookies.get();
    Cursor at = used_;
    std::uint32_t give = ids_.give;
    std::uint32_t i = 0;
    for (; i < count; i++) {
      const std::uint64_t word = loadAcquire(desc[at.position].word);
      if (ownerOf(word, at.wrap) != Owner::kUs || packed::idOf(word) != give) break;
      out[i] = cookies[give];
      cookies[give] = 0;
      if constexpr (kLengths) lengths[i] = packed::lenOf(word);
      if (PW_UNLIKELY(++give == size)) give = 0;
      if (PW_UNLIKELY(++at.position == size)) at = Cursor{0, !at.wrap};
    }
    ids_.give = give;
    taken(at, i, i);
    return i;
  }

  // In-order: the cookies of the `count` buffers that were posted first.
  PW_INLINE void takeOldest(std::uint32_t* out, std::uint32_t count) noexcept {
    std::uint32_t give = ids_.give;
    std::uint32_t entries = 0;
    const bool lists = lists_ != 0;
    for (std::uint32_t i = 0; i < count; i++) {
      out[i] = ids_.cookies[give];
      ids_.cookies[give] = 0;
      entries += PW_UNLIKELY(lists) ? endList(give) : 1;
      if (PW_UNLIKELY(++give == size_)) give = 0;
    }
    ids_.give = give;
    taken(stepped(used_, entries), count, entries);
  }

  // Entries of the buffer `id`, which is not in flight any more.
  PW_INLINE std::uint32_t endList(std::uint32_t id) noexcept {
    const std::uint32_t length = ids_.lengths[id];
    if (length != 1) {
      ids_.lengths[id] = 1;
      lists_--;
    }
    return length;
  }

  PW_INLINE void taken(Cursor to, std::uint32_t buffers, std::uint32_t entries) noexcept {
    used_ = to;
    free_ += entries;
    inFlight_ -= buffers;
  }

  packed::Desc* desc_ = nullptr;
  packed::EventSuppress* driverEvent_ = nullptr;
  packed::EventSuppress* deviceEvent_ = nullptr;
  std::uint32_t size_ = 0;
  Cursor avail_{0, true};
  Cursor used_{0, true};
  std::uint32_t free_ = 0;
  std::uint32_t inFlight_ = 0;
  // Buffers of several descriptors among those in flight.
  std::uint32_t lists_ = 0;
  // Descriptors made available since the last look at the device's wish for kicks.
  std::uint32_t unkicked_ = 0;
  // In-order: what is left of the batch that the last used descriptor answered for, and that descriptor's
  // length.
  std::uint32_t batchLeft_ = 0;
  std::uint32_t batchLen_ = 0;
  // The descriptor whose flags publish() writes, and with what.
  packed::Desc* pending_ = nullptr;
  std::uint64_t pendingWord_ = 0;
  bool eventIdx_ = false;
  DriverIds ids_;
};

}  // namespace pollwire
