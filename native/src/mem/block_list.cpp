#include "mem/block_list.hpp"

#include <utility>

#include "base/compiler.hpp"

namespace pollwire {

std::optional<std::uint64_t> BlockList::allocate(std::uint64_t bytes, std::uint64_t align,
                                                 std::string label) {
  if (bytes == 0 || bytes > end_ - begin_) return std::nullopt;
  std::uint64_t candidate = alignUp(begin_, align);
  for (const auto& [offset, block] : blocks_) {
    if (candidate <= offset && offset - candidate >= bytes) break;
    candidate = alignUp(offset + block.bytes, align);
  }
  if (candidate > end_ || end_ - candidate < bytes) return std::nullopt;
  blocks_.emplace(candidate, Block{bytes, std::move(label)});
  used_ += bytes;
  return candidate;
}

bool BlockList::release(std::uint64_t offset) {
  const auto found = blocks_.find(offset);
  if (found == blocks_.end()) return false;
  used_ -= found->second.bytes;
  blocks_.erase(found);
  return true;
}

std::uint64_t BlockList::sizeOf(std::uint64_t offset) const {
  const auto found = blocks_.find(offset);
  return found == blocks_.end() ? 0 : found->second.bytes;
}

std::vector<BlockList::Block> BlockList::blocks() const {
  std::vector<Block> list;
  list.reserve(blocks_.size());
  for (const auto& entry : blocks_) list.push_back(entry.second);
  return list;
}

}  // namespace pollwire
