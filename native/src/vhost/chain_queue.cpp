#include "vhost/chain_queue.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace pollwire::vhost {

std::optional<TakenChain> ChainQueue::take() {
  if (queue_->broken.load() != nullptr || chains_.size() >= kMaxInFlight) return std::nullopt;
  return std::visit([this](auto& ring) { return takeFrom(ring); }, queue_->ring);
}

template <class Ring>
std::optional<TakenChain> ChainQueue::takeFrom(Ring& ring) {
  // Bad chains are skipped, at most one lap of them.
  for (std::uint32_t budget = ring.size(); budget > 0; budget--) {
    const std::uint32_t ready = ring.available();
    if (lostMemory() || ready == 0) return std::nullopt;
    if (ready == Ring::kBroken) {
      queue_->breakRing("AVAIL_JUMP");
      return std::nullopt;
    }
    Chain chain{};
    const std::uint32_t gathered = ring.gather(&chain.head, 0, 1);
    if (gathered == Ring::kBroken) queue_->breakRing("ENDLESS_LIST");
    if (gathered != 1) return std::nullopt;
    // A driver has no entries beyond those of its ring.
    if (entries_ + chain.head.count > ring.size()) {
      queue_->breakRing("ENTRIES_REUSED");
      return std::nullopt;
    }
    ring.publish(chain.head.count, 0);
    if (chain.head.bad) {
      stats_.badChains++;
      continue;
    }
    const ChainVerdict verdict = inspect(ring, chain);
    if (verdict != ChainVerdict::kGood) {
      countBad(verdict);
      answer(ring, chain.head, 0);
      continue;
    }
    stats_.taken++;
    entries_ += chain.head.count;
    const TakenChain taken{++lastToken_, chain.readable, chain.writable};
    chains_.emplace(taken.token, std::move(chain));
    return taken;
  }
  return std::nullopt;
}

template <class Ring>
ChainVerdict ChainQueue::inspect(const Ring& ring, Chain& chain) {
  // Only to see that every byte is there; where it lies is asked again at each access, since the memory table
  // may change while the chain is out.
  PieceList pieces;
  const ChainVerdict verdict =
      ring.each(chain.head, queue_->space, [&](std::uint64_t addr, std::uint32_t len, bool isWrite) {
        // §2.7.4.2, §2.8.7: what the device writes comes behind what it reads.
        if (!isWrite && chain.writable != 0) return ChainVerdict::kBadChain;
        (isWrite ? chain.writable : chain.readable) += len;
        if (len != 0) chain.elements.push_back(Element{addr, len, isWrite});
        return addElement(queue_->space, addr, len, isWrite ? Access::kWrite : Access::kRead, pieces);
      });
  if (verdict != ChainVerdict::kGood) return verdict;
  return chain.readable + chain.writable <= UINT32_MAX ? ChainVerdict::kGood : ChainVerdict::kBadChain;
}

void ChainQueue::countBad(ChainVerdict verdict) noexcept {
  if (verdict == ChainVerdict::kBadAddress) stats_.badAddresses++;
  else if (verdict == ChainVerdict::kTooLong) stats_.tooLong++;
  else stats_.badChains++;
}

template <typename Copy>
std::uint32_t ChainQueue::eachPiece(std::uint32_t token, Access access, std::uint64_t offset,
                                    std::size_t length, Copy&& copy) {
  const auto found = chains_.find(token);
  if (found == chains_.end() || queue_->broken.load() != nullptr) return 0;
  std::uint32_t done = 0;
  for (const Element& element : found->second.elements) {
    if (element.isWrite != (access == Access::kWrite)) continue;
    if (offset >= element.len) {
      offset -= element.len;
      continue;
    }
    const auto want =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(element.len - offset, length - done));
    PieceList pieces;
    if (!queue_->space.collect(element.addr + offset, want, access, pieces)) {
      stats_.badAddresses++;
      return done;
    }
    for (std::uint32_t i = 0; i < pieces.count(); i++) {
      copy(pieces[i].data, done, pieces[i].length);
      done += pieces[i].length;
    }
    if (done == length) break;
    offset = 0;
  }
  return lostMemory() ? 0 : done;
}

std::uint32_t ChainQueue::read(std::uint32_t token, std::uint64_t offset, std::span<std::byte> bytes) {
  if (bytes.empty()) return 0;
  const std::uint32_t done = eachPiece(token, Access::kRead, offset, bytes.size(),
                                       [bytes](const std::byte* data, std::uint32_t at, std::uint32_t n) {
                                         std::memcpy(&bytes[at], data, n);
                                       });
  stats_.bytesRead += done;
  return done;
}

std::uint32_t ChainQueue::write(std::uint32_t token, std::uint64_t offset, std::span<const std::byte> bytes) {
  if (bytes.empty()) return 0;
  const std::uint32_t done = eachPiece(
      token, Access::kWrite, offset, bytes.size(),
      [bytes](std::byte* data, std::uint32_t at, std::uint32_t n) { std::memcpy(data, &bytes[at], n); });
  stats_.bytesWritten += done;
  return done;
}

bool ChainQueue::complete(std::uint32_t token, std::uint32_t written) {
  const auto found = chains_.find(token);
  if (found == chains_.end()) return false;
  const Chain chain = std::move(found->second);
  chains_.erase(found);
  entries_ -= chain.head.count;
  if (queue_->broken.load() != nullptr) return true;
  stats_.completed++;
  const auto length = static_cast<std::uint32_t>(std::min<std::uint64_t>(written, chain.writable));
  std::visit([&](auto& ring) { answer(ring, chain.head, length); }, queue_->ring);
  (void)lostMemory();
  return true;
}

template <class Ring>
void ChainQueue::answer(Ring& ring, const Head& head, std::uint32_t written) {
  ring.putUsed(0, head, written);
  // A packed ring's used descriptor takes the place of all that the chain had.
  ring.publish(0, std::holds_alternative<SplitDevice>(queue_->ring) ? 1 : head.count);
  if (queue_->callFd < 0) return;
  if (!ring.wantsCall()) {
    stats_.notificationsSuppressed++;
    return;
  }
  const SignalResult result = signalPeerEventFd(queue_->callFd);
  (result == SignalResult::kFailed ? stats_.notificationsFailed : stats_.notifications)++;
}

void ChainQueue::forget() noexcept {
  chains_.clear();
  entries_ = 0;
}

bool ChainQueue::lostMemory() noexcept { return queue_->lostMemory(); }

}  // namespace pollwire::vhost
