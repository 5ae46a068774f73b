// DirtyOracle: a dirty log as a front-end keeps it, and what it has to hold: compares the guest's memory
// before and after, so that it knows nothing of how marks are made.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

#include "guest/dirty_log.hpp"
#include "support/guest_memory.hpp"
#include "support/vhost_test.hpp"
#include "sys/mapping.hpp"

namespace pollwire::test {

class LogFile {
 public:
  explicit LogFile(std::uint64_t bytes, bool seal = false) {
    MemoryFileOptions options;
    options.name = "fake-log";
    options.size = bytes;
    options.hugePages = HugePages::kNever;
    options.seal = seal;
    auto file = createMemoryFile(options);
    if (!file) std::abort();
    fd_ = std::move(file->fd);
    mapping_ = std::move(*Mapping::mapFile(fd_.get(), 0, file->size));
  }
  Fd fd() const { return std::move(*duplicateFd(fd_.get())); }
  std::uint64_t size() const { return mapping_.size(); }
  std::uint8_t* data() const { return mapping_.data(); }
  std::uint64_t* words() const { return reinterpret_cast<std::uint64_t*>(mapping_.data()); }
  void clear() { std::memset(mapping_.data(), 0, mapping_.size()); }
  void truncate(std::uint64_t size) { EXPECT_EQ(::ftruncate(fd_.get(), static_cast<off_t>(size)), 0); }

 private:
  Fd fd_;
  Mapping mapping_;
};

class DirtyOracle {
 public:
  using Pages = std::set<std::uint64_t>;

  explicit DirtyOracle(GuestMemory& memory)
      : memory_(memory), bytes_(alignUp((memory.end() >> 15) + 1, 8)), file(bytes_ + 4096) {}

  // As a front-end switches logging on: the area, the feature, each ring's address.
  template <class Ring>
  void attach(VhostLink<Ring>& link) {
    const Status status = link.device.setLog(bytes_, 0, file.fd());
    ASSERT_TRUE(status.ok()) << status.detail();
    link.device.setLogAll(true);
    ASSERT_TRUE(link.device.setRingLog(0, true, link.guest.rx.used).ok());
    ASSERT_TRUE(link.device.setRingLog(1, true, link.guest.tx.used).ok());
  }

  // From here on writes count.
  void begin() {
    file.clear();
    before_ = memory_.snapshot();
  }
  // Pages with a byte that differs since begin().
  Pages changed() const {
    Pages pages;
    for (const RegionSpec& spec : memory_.specs()) {
      const std::byte* const now = memory_.at(spec.guestAddr);
      const std::byte* const then = before_.data() + spec.mmapOffset;
      for (std::uint64_t i = 0; i < spec.size; i += 4096) {
        if (std::memcmp(now + i, then + i, 4096) != 0) pages.insert((spec.guestAddr + i) >> 12);
      }
    }
    return pages;
  }
  Pages marked() const {
    Pages pages;
    for (std::uint64_t i = 0; i < file.size() * 8; i++) {
      if ((file.data()[i / 8] >> i % 8 & 1) != 0) pages.insert(i);
    }
    return pages;
  }
  // Changed and not marked: what a migration would lose.
  Pages lost() const { return minus(changed(), marked()); }
  // Marked and not changed: what a migration would copy in vain.
  Pages vain() const { return minus(marked(), changed()); }

 private:
  static Pages minus(Pages all, const Pages& without) {
    for (const std::uint64_t page : without) all.erase(page);
    return all;
  }

  GuestMemory& memory_;
  std::uint64_t bytes_;
  std::vector<std::byte> before_;

 public:
  // Larger than the log: what lies behind must stay 0.
  LogFile file;
};

}  // namespace pollwire::test
