// Mappings and the files behind them: the arena's memfd, a guest's memory regions, shared logs. Called by
// mem/, guest/, vhost/ and the binding. Control plane only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "sys/fd.hpp"

namespace pollwire {

// Bytes of a normal page.
std::size_t systemPageSize() noexcept;
// Bytes of the default huge page (Hugepagesize of /proc/meminfo), 0 where there are none.
std::size_t defaultHugePageSize();

struct FileFacts {
  std::uint64_t size;      // bytes; 0 for a device
  std::uint64_t pageSize;  // what offset and length of a mapping must be a multiple of
  std::uint64_t device;    // device and inode say whether two descriptors are one file
  std::uint64_t inode;
  bool hugetlb;
  bool regular;
  bool cannotShrink;  // sealed with F_SEAL_SHRINK: the peer cannot truncate it under us
};

// fstat, fstatfs (page size of hugetlb files) and seals of an open file.
Result<FileFacts> fileFacts(int fd);

struct MapOptions {
  bool writable = true;
  bool populate = false;  // fault all pages in now
  bool noReserve = false;
  bool noDump = false;  // keep out of core files
};

// Owning mapping, move only.
class Mapping {
 public:
  Mapping() noexcept = default;
  Mapping(Mapping&& other) noexcept { *this = std::move(other); }
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() { unmap(); }

  // Maps `length` bytes of `fd` from `offset`, shared. Neither needs alignment: the mapping is widened to the
  // pages of the file (huge ones too) and `data()` points at `offset`. BAD_FILE when a regular file ends
  // before the range does: touching that memory would raise SIGBUS.
  static Result<Mapping> mapFile(int fd, std::uint64_t offset, std::uint64_t length, MapOptions options = {});

  // Zeroed private memory that belongs to no file.
  static Result<Mapping> mapAnonymous(std::uint64_t length, MapOptions options = {});

  std::uint8_t* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::span<std::uint8_t> bytes() const noexcept { return {data_, size_}; }
  bool valid() const noexcept { return base_ != nullptr; }

  // Keeps all pages in memory; PERMISSION_DENIED or NO_MEMORY when RLIMIT_MEMLOCK is too low.
  Status lock() const;
  void unmap() noexcept;

 private:
  static Result<Mapping> mapPages(int fd, std::uint64_t offset, std::uint64_t length, MapOptions options);

  std::uint8_t* base_ = nullptr;  // what mmap returned
  std::size_t baseSize_ = 0;
  std::uint8_t* data_ = nullptr;  // what was asked for
  std::size_t size_ = 0;
};

enum class HugePages : std::uint8_t { kNever, kPrefer, kRequire };

struct MemoryFileOptions {
  std::string_view name = "pollwire";  // shown in /proc/<pid>/maps
  std::uint64_t size = 0;              // rounded up to whole pages
  HugePages hugePages = HugePages::kPrefer;
  std::uint64_t hugePageSize = 0;  // 0: the system's default; else a power of two
  bool seal = true;                // size cannot change any more: peers that map it are safe from SIGBUS
};

struct MemoryFile {
  Fd fd;
  std::uint64_t size = 0;
  std::uint64_t pageSize = 0;
  bool hugetlb = false;
  std::string warning;  // why huge pages were not used although preferred; empty otherwise
};

// A memfd of `size` bytes. Huge pages are allocated at once, so that a shortage shows here and not as a
// SIGBUS later: `kPrefer` then falls back to normal pages with a warning, `kRequire` fails with NO_HUGEPAGES.
Result<MemoryFile> createMemoryFile(const MemoryFileOptions& options);

// Forbids any change of the file's size, and of its seals.
Status sealSize(int fd);

}  // namespace pollwire
