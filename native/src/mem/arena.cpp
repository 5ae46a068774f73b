#include "mem/arena.hpp"

#include <sys/mman.h>

#include <cstring>
#include <memory>
#include <utility>

namespace pollwire {

namespace detail {
std::byte* arenaBase = nullptr;
std::uint64_t arenaBytes = 0;
}  // namespace detail

namespace {
// The one arena of the process; replaced only by create() and destroy(), which the control plane calls.
std::unique_ptr<Arena>& instance() {
  // Never destroyed at exit: pools, rings and devices point into it, in whatever order the process ends.
  static auto* arena = new std::unique_ptr<Arena>();
  return *arena;
}
}  // namespace

Arena* Arena::get() noexcept { return instance().get(); }

Status Arena::create(std::uint64_t bytes, HugePages huge) {
  if (instance()) {
    return Status(StatusCode::kAlreadyExists, "the arena exists already with " +
                                                  std::to_string(instance()->bytes_ >> 20) +
                                                  " MiB; a process has one");
  }
  if (bytes < kMinBytes || bytes > kMaxBytes) {
    return Status(StatusCode::kOutOfRange,
                  "arena of " + std::to_string(bytes >> 20) +
                      " MiB: give a size from 4 to 4096 MiB with -m or --socket-mem");
  }
  MemoryFileOptions options;
  options.name = "pollwire-arena";
  options.size = bytes;
  options.hugePages = huge;
  Result<MemoryFile> file = createMemoryFile(options);
  if (!file) return file.status();
  // No reservation for small pages: what is never touched costs nothing.
  MapOptions mapOptions;
  mapOptions.noReserve = !file->hugetlb;
  Result<Mapping> mapping = Mapping::mapFile(file->fd.get(), 0, file->size, mapOptions);
  if (!mapping) return mapping.status();

  std::unique_ptr<Arena> arena(new Arena());
  arena->bytes_ = bytes;
  arena->pageSize_ = file->pageSize;
  arena->note_ = file->warning;
  arena->fd_ = std::move(file->fd);
  arena->mapping_ = std::move(*mapping);
  arena->base_ = reinterpret_cast<std::byte*>(arena->mapping_.data());
  // Transparent huge pages for shared memory, where the system allows them by advice.
  if (!file->hugetlb) (void)::madvise(arena->base_, bytes, MADV_HUGEPAGE);
  // The first cell stays empty: handle 0 means "none".
  arena->blocks_ = BlockList(kCacheLine, bytes);
  detail::arenaBase = arena->base_;
  detail::arenaBytes = bytes;
  instance() = std::move(arena);
  return {};
}

void Arena::destroy() {
  detail::arenaBase = nullptr;
  detail::arenaBytes = 0;
  instance().reset();
}

Result<std::uint64_t> Arena::allocate(std::uint64_t bytes, std::uint64_t align, const std::string& label) {
  if (align < kCacheLine || !isPowerOfTwo(align)) align = kCacheLine;
  const std::lock_guard<std::mutex> hold(lock_);
  const auto offset = blocks_.allocate(alignUp(bytes, kCacheLine), align, label);
  if (!offset) {
    return Status(StatusCode::kNoMemory, "arena: no room for " + std::to_string(bytes >> 10) + " KiB of " +
                                             label + " (" + std::to_string(blocks_.used() >> 20) + " of " +
                                             std::to_string(bytes_ >> 20) + " MiB in use); raise it with -m");
  }
  std::memset(base_ + *offset, 0, bytes);
  return *offset;
}

bool Arena::release(std::uint64_t offset) {
  const std::lock_guard<std::mutex> hold(lock_);
  return blocks_.release(offset);
}

std::uint64_t Arena::used() const {
  const std::lock_guard<std::mutex> hold(lock_);
  return blocks_.used();
}

std::vector<BlockList::Block> Arena::blocks() const {
  const std::lock_guard<std::mutex> hold(lock_);
  return blocks_.blocks();
}

}  // namespace pollwire
