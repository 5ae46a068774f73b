// Descriptor chains of one ring for code that answers requests (a disk, not a network card): chains are
// taken, read and written in parts, and answered in any order. Made by Device for a ring that no burst slot
// serves; control plane only, one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "vhost/vhost_queue.hpp"

namespace pollwire::vhost {

// A chain that was taken.
struct TakenChain {
  // Names it in the other calls; never used twice for one ring.
  std::uint32_t token;
  // Bytes that the driver put there for the device, and bytes of room that the device may fill.
  std::uint64_t readable;
  std::uint64_t writable;
};

struct ChainStats {
  std::uint64_t taken = 0;
  std::uint64_t completed = 0;
  std::uint64_t bytesRead = 0;
  std::uint64_t bytesWritten = 0;
  std::uint64_t badChains = 0;
  std::uint64_t badAddresses = 0;
  std::uint64_t tooLong = 0;
  std::uint64_t notifications = 0;
  std::uint64_t notificationsSuppressed = 0;
  std::uint64_t notificationsFailed = 0;
};

class ChainQueue {
 public:
  // Chains that are out at one time; the rest waits in the ring.
  static constexpr std::uint32_t kMaxInFlight = 1024;

  explicit ChainQueue(Queue& queue) noexcept : queue_(&queue) {}

  // The next chain, or nothing. Chains that break the rules (virtio 1.2 §2.7.4, §2.8.7; readable before
  // writable, every byte inside the peer's memory) are answered with length 0, counted and skipped.
  std::optional<TakenChain> take();

  // Copies between the chain and `bytes`, from `offset` in its readable or writable part on. Returns how much
  // was copied: less at the end of the part, 0 for an unknown token or when the memory is gone.
  std::uint32_t read(std::uint32_t token, std::uint64_t offset, std::span<std::byte> bytes);
  std::uint32_t write(std::uint32_t token, std::uint64_t offset, std::span<const std::byte> bytes);

  // Hands the chain back, saying that the first `written` bytes of its room were filled (no more than there
  // are). False for an unknown token.
  bool complete(std::uint32_t token, std::uint32_t written);

  // Ring entries are the front-end's again: the tokens that are out mean nothing any more.
  void forget() noexcept;

  std::uint32_t inFlight() const noexcept { return static_cast<std::uint32_t>(chains_.size()); }
  const ChainStats& stats() const noexcept { return stats_; }

 private:
  struct Element {
    std::uint64_t addr;
    std::uint32_t len;
    bool isWrite;
  };
  struct Chain {
    Head head;
    std::uint64_t readable = 0;
    std::uint64_t writable = 0;
    std::vector<Element> elements;
  };

  template <class Ring>
  std::optional<TakenChain> takeFrom(Ring& ring);
  template <class Ring>
  ChainVerdict inspect(const Ring& ring, Chain& chain);
  template <class Ring>
  void answer(Ring& ring, const Head& head, std::uint32_t written);
  void countBad(ChainVerdict verdict) noexcept;
  // Calls copy(data, done, length) for each piece of the part.
  template <typename Copy>
  std::uint32_t eachPiece(std::uint32_t token, Access access, std::uint64_t offset, std::size_t length,
                          Copy&& copy);
  // The peer took memory away; the ring is broken then.
  bool lostMemory() noexcept;

  Queue* queue_;
  std::map<std::uint32_t, Chain> chains_;
  // Ring entries of the chains that are out.
  std::uint32_t entries_ = 0;
  std::uint32_t lastToken_ = 0;
  ChainStats stats_;
};

}  // namespace pollwire::vhost
