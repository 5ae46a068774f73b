// GuestMemory: a guest's memory in a memfd. Regions that are neighbours in guest addresses lie apart in the
// file and in user addresses, begin in the middle of a page, and are surrounded by bytes that nobody may
// touch.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "guest/regions.hpp"
#include "sys/mapping.hpp"

namespace pollwire::test {

struct GuestRange {
  std::uint64_t addr;
  std::uint64_t size;
};

class GuestMemory {
 public:
  static constexpr std::uint64_t kBase = 0x4000'0000;
  static constexpr std::uint64_t kUserBase = 0x7f12'0000'0000;
  static constexpr std::byte kCanary{0xa5};

  // `count` regions of `size` bytes each, one after the other from kBase.
  explicit GuestMemory(std::uint64_t size = 4u << 20, std::uint32_t count = 2) {
    const std::uint64_t step = alignUp(size, 4096) + 3 * 4096;
    for (std::uint32_t i = 0; i < count; i++) {
      // In the file the last region comes first.
      specs_.push_back(RegionSpec{kBase + i * size, size, kUserBase + i * 0x10'0000'0000,
                                  0x1230 + (count - 1 - i) * step});
    }
    MemoryFileOptions options;
    options.name = "fake-guest";
    options.size = count * step + 4096;
    options.hugePages = HugePages::kNever;
    options.seal = false;
    auto file = createMemoryFile(options);
    if (!file) std::abort();
    fd_ = std::move(file->fd);
    auto mapping = Mapping::mapFile(fd_.get(), 0, file->size);
    if (!mapping) std::abort();
    mapping_ = std::move(*mapping);
    std::memset(mapping_.data(), static_cast<int>(kCanary), mapping_.size());
    for (const RegionSpec& spec : specs_) std::memset(mapping_.data() + spec.mmapOffset, 0, spec.size);
    next_.assign(count, 0);
  }

  const std::vector<RegionSpec>& specs() const { return specs_; }
  int fd() const { return fd_.get(); }
  // No more seals: the device cannot keep this file from shrinking.
  void keepShrinkable() { EXPECT_EQ(::fcntl(fd_.get(), F_ADD_SEALS, F_SEAL_SEAL), 0); }
  // One descriptor per region, as a memory table message carries them.
  std::vector<Fd> fds() const {
    std::vector<Fd> list;
    for (std::size_t i = 0; i < specs_.size(); i++) list.push_back(std::move(*duplicateFd(fd_.get())));
    return list;
  }
  std::uint64_t end() const { return specs_.back().guestAddr + specs_.back().size; }

  // A free piece of region `region`.
  std::uint64_t alloc(std::uint64_t bytes, std::uint64_t align = 16, std::uint32_t region = 0) {
    const RegionSpec& spec = specs_[region];
    const std::uint64_t addr = alignUp(spec.guestAddr + next_[region], align);
    next_[region] = addr + bytes - spec.guestAddr;
    if (next_[region] > spec.size) {
      ADD_FAILURE() << "the guest of the test has too little memory";
      std::abort();
    }
    return addr;
  }

  std::uint32_t lastRegion() const { return static_cast<std::uint32_t>(specs_.size() - 1); }
  // Gives back what was taken from region 0 since `mark`, which mark() returned.
  std::uint64_t mark() const { return next_[0]; }
  void reset(std::uint64_t mark) { next_[0] = mark; }

  // Byte `addr` as the test sees it; the bytes up to the end of its region follow.
  std::byte* at(std::uint64_t addr) const {
    const RegionSpec& spec = specOf(addr);
    return reinterpret_cast<std::byte*>(mapping_.data()) + spec.mmapOffset + (addr - spec.guestAddr);
  }
  template <typename T>
  T* as(std::uint64_t addr) const {
    return reinterpret_cast<T*>(at(addr));
  }
  // The same place in the front-end's own addresses, which rings are given in.
  std::uint64_t userAddr(std::uint64_t addr) const {
    const RegionSpec& spec = specOf(addr);
    return spec.userAddr + (addr - spec.guestAddr);
  }

  // Across regions.
  void write(std::uint64_t addr, std::span<const std::byte> bytes) const {
    for (std::size_t i = 0; i < bytes.size();) {
      const std::size_t piece = std::min<std::size_t>(bytes.size() - i, leftAt(addr + i));
      std::memcpy(at(addr + i), bytes.data() + i, piece);
      i += piece;
    }
  }
  std::vector<std::byte> read(std::uint64_t addr, std::size_t length) const {
    std::vector<std::byte> bytes(length);
    for (std::size_t i = 0; i < length;) {
      const std::size_t piece = std::min<std::size_t>(length - i, leftAt(addr + i));
      std::memcpy(bytes.data() + i, at(addr + i), piece);
      i += piece;
    }
    return bytes;
  }

  // Takes memory away from whoever maps the file; the test must not look at it afterwards.
  void truncate(std::uint64_t size) {
    surroundings_ = false;
    EXPECT_EQ(::ftruncate(fd_.get(), static_cast<off_t>(size)), 0);
  }

  // The whole file, regions and what surrounds them.
  std::vector<std::byte> snapshot() const {
    const auto* data = reinterpret_cast<const std::byte*>(mapping_.data());
    return std::vector<std::byte>(data, data + mapping_.size());
  }
  // Fails when a byte differs from `before` that lies in none of the `allowed` ranges.
  void expectUntouched(const std::vector<std::byte>& before, std::vector<GuestRange> allowed = {}) const {
    const auto* now = reinterpret_cast<const std::byte*>(mapping_.data());
    std::vector<bool> may(before.size(), false);
    for (const GuestRange& range : allowed) {
      for (std::uint64_t i = 0; i < range.size; i++) {
        may[static_cast<std::size_t>(at(range.addr + i) - now)] = true;
      }
    }
    for (std::size_t i = 0; i < before.size(); i++) {
      if (now[i] == before[i] || may[i]) continue;
      ADD_FAILURE() << "byte " << i << " of the guest's file was changed";
      return;
    }
  }
  void expectSurroundingsUntouched() const {
    if (!surroundings_) return;
    std::uint64_t at = 0;
    auto sorted = specs_;
    std::sort(sorted.begin(), sorted.end(),
              [](const auto& a, const auto& b) { return a.mmapOffset < b.mmapOffset; });
    for (const RegionSpec& spec : sorted) {
      expectCanaries(at, spec.mmapOffset);
      at = spec.mmapOffset + spec.size;
    }
    expectCanaries(at, mapping_.size());
  }

 private:
  const RegionSpec& specOf(std::uint64_t addr) const {
    for (const RegionSpec& spec : specs_) {
      if (addr - spec.guestAddr < spec.size) return spec;
    }
    ADD_FAILURE() << "the test looks outside of its guest at " << addr;
    std::abort();
  }
  std::uint64_t leftAt(std::uint64_t addr) const {
    const RegionSpec& spec = specOf(addr);
    return spec.size - (addr - spec.guestAddr);
  }
  void expectCanaries(std::uint64_t from, std::uint64_t to) const {
    const auto* data = reinterpret_cast<const std::byte*>(mapping_.data());
    const auto* odd = std::find_if(data + from, data + to, [](std::byte byte) { return byte != kCanary; });
    EXPECT_EQ(odd, data + to) << "byte " << odd - data << " outside of every region was changed";
  }

  std::vector<RegionSpec> specs_;
  std::vector<std::uint64_t> next_;
  bool surroundings_ = true;
  Fd fd_;
  Mapping mapping_;
};

}  // namespace pollwire::test
