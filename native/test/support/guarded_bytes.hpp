// GuardedBytes: a copy of bytes that ends exactly at an inaccessible page, so that reading one byte too far
// ends the test, with or without a sanitizer. Used by the truncation tests of every parser.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

#include "base/bytes.hpp"

namespace pollwire::test {

class GuardedBytes {
 public:
  explicit GuardedBytes(std::span<const std::uint8_t> bytes) : size_(bytes.size()) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t pages = (size_ + page - 1) / page + 1;
    mapped_ = pages * page;
    base_ = static_cast<std::uint8_t*>(
        mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED || mprotect(base_ + mapped_ - page, page, PROT_NONE) != 0) std::abort();
    data_ = base_ + mapped_ - page - size_;
    if (size_ != 0) std::memcpy(data_, bytes.data(), size_);
  }
  ~GuardedBytes() { munmap(base_, mapped_); }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  Bytes bytes() const { return Bytes(data_, size_); }
  // The first `count` bytes, placed so that they end at the guard.
  Bytes cutTo(std::size_t count) {
    std::memmove(data_ + size_ - count, data_, count);
    data_ += size_ - count;
    size_ = count;
    return bytes();
  }

 private:
  std::uint8_t* base_;
  std::uint8_t* data_;
  std::size_t size_;
  std::size_t mapped_;
};

// Calls `check(bytes, length)` for every prefix of `whole`, the longest first.
template <typename F>
void forEveryLength(std::span<const std::uint8_t> whole, F&& check) {
  GuardedBytes guarded(whole);
  for (std::size_t length = whole.size() + 1; length-- > 0;) check(guarded.cutTo(length), length);
}

}  // namespace pollwire::test
