// The address space of a ring that needs more than plain translation: every write is noted for a dirty log.
// The twin of DirectSpace; rings whose peer wants nothing of this never run code of it.
#pragma once

#include <cstdint>

#include "base/span.hpp"
#include "guest/address_space.hpp"
#include "guest/dirty_marks.hpp"

namespace pollwire {

// Where the writes to a ring's used part are logged: with VHOST_VRING_F_LOG at the guest-physical address
// that SET_VRING_ADDR names, without it nowhere.
struct UsedLog {
  const std::byte* host = nullptr;
  std::uint64_t bytes = 0;
  bool wanted = false;
  std::uint64_t guest = 0;
};

class GuestSpace : public DirectSpace {
 public:
  static constexpr bool kLogs = true;

  GuestSpace() = default;
  GuestSpace(const RegionTable* table, const DirtyLog* log, const UsedLog& used) noexcept
      : DirectSpace(table), table_(table), log_(log), used_(used), marks_(log) {}

  bool logs() const noexcept { return true; }
  bool logFaulted() const noexcept { return log_->faulted(); }

  // Buffers, by where they lie here: one rule for addresses of every kind.
  PW_INLINE void wrote(const std::byte* data, std::uint64_t length) noexcept {
    std::uint64_t offset = reinterpret_cast<std::uintptr_t>(data) - last_.host;
    if (PW_UNLIKELY(offset >= last_.size)) {
      last_ = table_->rangeOf(data);
      offset = reinterpret_cast<std::uintptr_t>(data) - last_.host;
      if (last_.size == 0) return;
    }
    marks_.add(last_.guest + offset, length);
  }

  // The ring itself: its used part, and the descriptors of a packed one, which count as memory.
  void wroteRing(const std::byte* data, std::uint32_t bytes) noexcept {
    const std::uint64_t offset =
        reinterpret_cast<std::uintptr_t>(data) - reinterpret_cast<std::uintptr_t>(used_.host);
    if (offset >= used_.bytes) wrote(data, bytes);
    else if (used_.wanted) marks_.add(used_.guest + offset, bytes);
  }
  void wroteRing(const RingWrite& write) noexcept { wroteRing(write.data, write.bytes); }

  // Makes the marks visible. Returns how many pages the log has no bit for.
  std::uint64_t flush() noexcept {
    marks_.flush();
    return marks_.takeMissed();
  }

 private:
  const RegionTable* table_ = nullptr;
  const DirtyLog* log_ = nullptr;
  UsedLog used_;
  // The range of the last write.
  RegionTable::HostRange last_{0, 0, 0};
  DirtyMarks marks_;
};

}  // namespace pollwire
