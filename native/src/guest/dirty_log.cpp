#include "guest/dirty_log.hpp"

#include <fcntl.h>

#include <string>
#include <utility>

#include "base/hex.hpp"

namespace pollwire {

Result<std::shared_ptr<const DirtyLog>> DirtyLog::map(std::uint64_t size, std::uint64_t offset, Fd fd,
                                                      const RegionTable& memory) {
  const std::string name = "dirty log of " + hex(size) + " bytes at file offset " + hex(offset);
  if (size == 0 || offset + size < size) {
    return Status(StatusCode::kBadAddress, name + ": it is empty or wraps around 2^64");
  }
  if (offset % sizeof(std::uint64_t) != 0) {
    return Status(StatusCode::kBadAddress, name + ": the offset is not a multiple of 8");
  }
  // Where the file allows it; the fault guard is for the others.
  (void)::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK);
  Result<FileFacts> facts = fileFacts(fd.get());
  if (!facts) return facts.status();
  if (!facts->regular) return Status(StatusCode::kBadFile, name + ": the descriptor is not a memory file");
  if (offset + size > facts->size)
    return Status(StatusCode::kBadFile, name + ": the file has only " + hex(facts->size) + " bytes");
  const std::uint64_t pages = size > (~std::uint64_t{0} >> 3) ? ~std::uint64_t{0} : size * 8;
  const std::uint64_t lastPage = memory.empty() ? 0 : (memory.guestEnd() - 1) >> kPageShift;
  if (!memory.empty() && lastPage >= pages) {
    return Status(StatusCode::kOutOfRange, name + ": the guest's memory ends at " + hex(memory.guestEnd()) +
                                               ", which takes " + hex(lastPage / 8 + 1) + " bytes");
  }
  Result<Mapping> mapping =
      Mapping::mapFile(fd.get(), offset, size, MapOptions{.noReserve = true, .noDump = true});
  if (!mapping) return mapping.status();
  auto log = std::make_shared<DirtyLog>();
  log->mapping_ = std::move(*mapping);
  log->words_ = reinterpret_cast<std::uint64_t*>(log->mapping_.data());
  log->pages_ = pages;
  const auto first =
      reinterpret_cast<std::uintptr_t>(log->mapping_.data()) / facts->pageSize * facts->pageSize;
  const auto end = alignUp(reinterpret_cast<std::uintptr_t>(log->mapping_.data()) + size, facts->pageSize);
  PW_RETURN_IF_ERROR(log->guard_.guard(reinterpret_cast<void*>(first), end - first, &log->faulted_));
  return std::shared_ptr<const DirtyLog>(std::move(log));
}

}  // namespace pollwire
