// A piece of a descriptor chain as it lies in this process, and the bounded list that a walk fills.
// Filled by SplitDevice (and its packed twin), consumed by the copy loops above.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/compiler.hpp"

namespace pollwire {

struct Piece {
  std::byte* data;
  std::uint32_t length;
};

// Memory of a ring that the device side writes; `answers` may lie at the end of the ring and at its
// beginning.
struct RingWrite {
  const std::byte* data;
  std::uint32_t bytes;
};
struct RingWrites {
  const std::byte* data;
  std::uint32_t bytes;
  const std::byte* wrapped;
  std::uint32_t wrappedBytes;
};

enum class Access : std::uint8_t { kRead, kWrite };

// kTooLong: more descriptors or pieces than a PieceList takes; nothing else is wrong with what was seen.
// kWaits: an address has to be translated first.
enum class ChainVerdict : std::uint8_t { kGood, kBadChain, kBadAddress, kTooLong, kWaits };

// Pieces of one chain after translation. A descriptor that crosses regions becomes several pieces.
class PieceList {
 public:
  // More pieces than any sane driver uses for a 64 KiB packet of 4 KiB pages, several times over.
  static constexpr std::uint32_t kMax = 256;

  // Counts one descriptor that was looked at, empty ones too: what bounds the work for one packet. False: no
  // more.
  bool step() noexcept {
    if (steps_ == kMax) return false;
    steps_++;
    return true;
  }

  bool push(std::byte* data, std::uint32_t length) noexcept {
    if (count_ == kMax) return false;
    pieces_[count_++] = Piece{data, length};
    bytes_ += length;
    return true;
  }

  std::uint32_t count() const noexcept { return count_; }
  bool full() const noexcept { return count_ == kMax; }
  // Sum of all lengths; cannot wrap (256 × 2^32).
  std::uint64_t bytes() const noexcept { return bytes_; }
  const Piece& operator[](std::uint32_t index) const noexcept { return pieces_[index]; }

 private:
  std::uint32_t count_ = 0;
  std::uint32_t steps_ = 0;
  std::uint64_t bytes_ = 0;
  Piece pieces_[kMax];
};

// Steps through a PieceList; every copy in or out of a chain goes through it.
class PieceCursor {
 public:
  explicit PieceCursor(const PieceList& list) noexcept : list_(&list) {}

  // Next contiguous run of at most `want` bytes, already stepped over; length 0 at the end.
  Piece take(std::uint32_t want) noexcept {
    while (index_ < list_->count() && at_ == (*list_)[index_].length) {
      index_++;
      at_ = 0;
    }
    if (index_ == list_->count()) return Piece{nullptr, 0};
    const Piece& piece = (*list_)[index_];
    const std::uint32_t length = piece.length - at_ < want ? piece.length - at_ : want;
    std::byte* data = piece.data + at_;
    at_ += length;
    return Piece{data, length};
  }

 private:
  const PieceList* list_;
  std::uint32_t index_ = 0;
  std::uint32_t at_ = 0;
};

}  // namespace pollwire
