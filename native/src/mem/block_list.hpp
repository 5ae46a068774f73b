// First-fit allocator over a range of offsets; its book-keeping lives outside the range, so a peer that
// shares the memory cannot reach it. Control plane only: the arena calls it under its lock.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pollwire {

class BlockList {
 public:
  struct Block {
    std::uint64_t bytes;
    std::string label;
  };

  BlockList() = default;
  BlockList(std::uint64_t begin, std::uint64_t end) : begin_(begin), end_(end) {}

  // Offset of a free range of `bytes`, aligned to `align`; nothing when no gap is large enough.
  std::optional<std::uint64_t> allocate(std::uint64_t bytes, std::uint64_t align, std::string label);
  // False when `offset` is not the start of a block.
  bool release(std::uint64_t offset);
  // Size of the block that starts at `offset`; 0 when there is none.
  std::uint64_t sizeOf(std::uint64_t offset) const;
  std::uint64_t used() const { return used_; }
  std::vector<Block> blocks() const;

 private:
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  std::uint64_t used_ = 0;
  std::map<std::uint64_t, Block> blocks_;
};

}  // namespace pollwire
