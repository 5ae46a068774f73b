#include "mbuf/mbuf_check.hpp"

#if POLLWIRE_CHECKED

#include <atomic>
#include <cstdio>
#include <cstring>

#include "mbuf/lcore.hpp"
#include "mbuf/mbuf.hpp"

namespace pollwire {

namespace detail {
PW_THREAD_LOCAL const char* allocSite = "unknown";
}

namespace {

std::atomic<std::uint64_t> violationCount{0};

void report(const char* what, Handle handle, const char* site) noexcept {
  violationCount++;
  std::fprintf(stderr, "pollwire: mbuf check: %s: handle %u, taken by %s, now in %s\n", what, handle, site,
               detail::allocSite);
}

}  // namespace

std::uint64_t MbufCheck::violations() noexcept { return violationCount.load(); }

void MbufCheck::init(std::uint32_t pool, Handle first, std::uint32_t stride, std::uint32_t count) {
  pool_ = pool;
  first_ = first;
  stride_ = stride;
  tracks_.assign(count, Track{"never", kNoLcore, 0, 0});
}

MbufCheck::Track* MbufCheck::trackOf(Handle handle) noexcept {
  if (handle < first_ || (handle - first_) % stride_ != 0) return nullptr;
  const std::uint32_t index = (handle - first_) / stride_;
  return index < tracks_.size() ? &tracks_[index] : nullptr;
}

void MbufCheck::allocated(const Handle* handles, std::uint32_t count) noexcept {
  for (std::uint32_t i = 0; i < count; i++) {
    Track* track = trackOf(handles[i]);
    if (track == nullptr || track->out != 0) {
      report("allocated while it was in use", handles[i], track == nullptr ? "nobody" : track->site);
      continue;
    }
    const Mbuf* mbuf = mbufOf(handles[i]);
    if (track->generation != 0) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(mbuf) + kMbufHeader;
      for (std::uint32_t at = 0; at < mbuf->bufLen; at += 64) {
        if (bytes[at] != kPoison) {
          report("written after it was freed", handles[i], track->site);
          break;
        }
      }
    }
    *track = Track{detail::allocSite, currentLcore(), track->generation + 1, 1};
  }
}

bool MbufCheck::freed(Handle handle) noexcept {
  Track* track = trackOf(handle);
  if (track == nullptr) {
    report("freed into a pool that it does not belong to", handle, "nobody");
    return false;
  }
  if (track->out == 0) {
    report("freed twice", handle, track->site);
    return false;
  }
  track->out = 0;
  track->site = detail::allocSite;
  Mbuf* mbuf = mbufOf(handle);
  std::memset(reinterpret_cast<std::uint8_t*>(mbuf) + kMbufHeader, kPoison, mbuf->bufLen);
  return true;
}

std::vector<std::string> MbufCheck::leaks() const {
  std::vector<std::string> lines;
  for (std::uint32_t i = 0; i < tracks_.size(); i++) {
    const Track& track = tracks_[i];
    if (track.out == 0) continue;
    lines.push_back("handle " + std::to_string(first_ + i * stride_) + ": taken by " + track.site +
                    " on lcore " +
                    (track.lcore == kNoLcore ? std::string("none") : std::to_string(track.lcore)) +
                    ", generation " + std::to_string(track.generation));
  }
  return lines;
}

}  // namespace pollwire

#endif
