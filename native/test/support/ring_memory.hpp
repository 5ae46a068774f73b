// RingMemory: aligned memory of exactly the size that a ring asks for, so that a sanitizer sees a slot too
// far.
#pragma once

#include <cstdlib>

#include "ring/ring.hpp"

namespace pollwire::test {

class RingMemory {
 public:
  explicit RingMemory(std::uint32_t capacity) {
    void* memory = nullptr;
    if (posix_memalign(&memory, kCacheLine, ringBytesFor(capacity)) != 0) std::abort();
    memory_ = static_cast<std::byte*>(memory);
  }
  ~RingMemory() { std::free(memory_); }
  RingMemory(const RingMemory&) = delete;
  RingMemory& operator=(const RingMemory&) = delete;

  std::byte* data() const { return memory_; }

 private:
  std::byte* memory_;
};

}  // namespace pollwire::test
