// The arena: one memfd, one mapping, shared by every isolate of the process and, through its fd, by a
// vhost-user back-end. Holds mbufs, rings, vrings we own, counters and lcore blocks. Made once by the control
// plane; burst code only reads base().
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "base/compiler.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "mem/block_list.hpp"
#include "sys/fd.hpp"
#include "sys/mapping.hpp"

namespace pollwire {

class Arena {
 public:
  static constexpr std::uint64_t kMinBytes = 4ull << 20;
  // 2^26 handles; also what one ArrayBuffer shows.
  static constexpr std::uint64_t kMaxBytes = 4ull << 30;

  // Maps the arena and makes it the process's one. Fails when one exists.
  static Status create(std::uint64_t bytes, HugePages huge);
  // Unmaps it. Only for tests and process teardown: nothing may use a handle afterwards.
  static void destroy();
  // The process's arena, or nullptr before create().
  static Arena* get() noexcept;

  // Zeroed block; its byte offset. Control plane only.
  Result<std::uint64_t> allocate(std::uint64_t bytes, std::uint64_t align, const std::string& label);
  bool release(std::uint64_t offset);

  std::byte* base() const noexcept { return base_; }
  std::uint64_t bytes() const noexcept { return bytes_; }
  std::uint64_t pageSize() const noexcept { return pageSize_; }
  int fd() const noexcept { return fd_.get(); }
  const std::string& note() const noexcept { return note_; }
  std::uint64_t used() const;
  std::vector<BlockList::Block> blocks() const;

  template <typename T>
  T* at(std::uint64_t offset) const noexcept {
    return reinterpret_cast<T*>(base_ + offset);
  }

 private:
  Arena() = default;

  Fd fd_;
  Mapping mapping_;
  std::byte* base_ = nullptr;
  std::uint64_t bytes_ = 0;
  std::uint64_t pageSize_ = 0;
  std::string note_;
  mutable std::mutex lock_;
  BlockList blocks_;
};

namespace detail {
// Copies of base() and bytes() that handle arithmetic reads without a call; 0 before create().
extern std::byte* arenaBase;
extern std::uint64_t arenaBytes;
}  // namespace detail

PW_INLINE std::byte* arenaBase() noexcept { return detail::arenaBase; }
PW_INLINE std::uint64_t arenaBytes() noexcept { return detail::arenaBytes; }

}  // namespace pollwire
