// mmap and memfd behind Mapping and MemoryFile.
#include "sys/mapping.hpp"

#include <linux/magic.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bit>
#include <cstdio>
#include <memory>
#include <utility>

#include "base/compiler.hpp"

namespace pollwire {
namespace {

// Missing from the headers of older systems; values of the kernel interface.
#ifndef MFD_NOEXEC_SEAL
constexpr unsigned kMfdNoexecSeal = 0x0008U;
#else
constexpr unsigned kMfdNoexecSeal = MFD_NOEXEC_SEAL;
#endif

std::string sizeText(std::uint64_t bytes) {
  if (bytes % (1u << 20) == 0) return std::to_string(bytes >> 20) + " MiB";
  if (bytes % 1024 == 0) return std::to_string(bytes >> 10) + " KiB";
  return std::to_string(bytes) + " bytes";
}

// Newer kernels want to be told that the file is never executed, older ones refuse the flag.
int openMemfd(const std::string& name, unsigned flags) noexcept {
  const int fd = ::memfd_create(name.c_str(), flags | kMfdNoexecSeal);
  if (fd >= 0 || errno != EINVAL) return fd;
  return ::memfd_create(name.c_str(), flags);
}

// Huge pages come from a fixed pool: take them now, a shortage later would be a SIGBUS in a burst. Mapping
// the file reserves them, which fails at once when there are too few; without that, allocating would first
// drain and clear the pool that others use. Returns an errno, 0 on success.
int allocateHugePages(const MemoryFile& file) noexcept {
  void* reserved = ::mmap(nullptr, file.size, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd.get(), 0);
  if (reserved == MAP_FAILED) return errno;
  const int err = ::fallocate(file.fd.get(), 0, 0, static_cast<off_t>(file.size)) != 0 ? errno : 0;
  ::munmap(reserved, file.size);
  return err;
}

Result<MemoryFile> createWithPages(const MemoryFileOptions& options, std::uint64_t hugePageSize) {
  MemoryFile file;
  file.hugetlb = hugePageSize != 0;
  file.pageSize = file.hugetlb ? hugePageSize : systemPageSize();
  file.size = alignUp(options.size, file.pageSize);
  const std::string what = "memory file of " + sizeText(file.size) +
                           (file.hugetlb ? " in pages of " + sizeText(hugePageSize) : std::string());
  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  if (file.hugetlb) {
    flags |= MFD_HUGETLB | static_cast<unsigned>(std::countr_zero(hugePageSize)) << MFD_HUGE_SHIFT;
  }
  file.fd.reset(openMemfd(std::string(options.name), flags));
  if (!file.fd) return Status::system(errno, "create a " + what);
  if (::ftruncate(file.fd.get(), static_cast<off_t>(file.size)) != 0)
    return Status::system(errno, "size a " + what);
  if (file.hugetlb) {
    if (const int err = allocateHugePages(file); err != 0) {
      return Status::withErrno(StatusCode::kNoHugepages, err, "allocate a " + what);
    }
  }
  if (options.seal) PW_RETURN_IF_ERROR(sealSize(file.fd.get()));
  return file;
}

}  // namespace

std::size_t systemPageSize() noexcept { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

std::size_t defaultHugePageSize() {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/meminfo", "re"), std::fclose);
  if (!file) return 0;
  char line[128];
  std::size_t kib = 0;
  while (std::fgets(line, sizeof line, file.get()) != nullptr) {
    if (std::sscanf(line, "Hugepagesize: %zu kB", &kib) == 1) return kib << 10;
  }
  return 0;
}

Result<FileFacts> fileFacts(int fd) {
  struct stat st {};
  struct statfs fs {};
  if (::fstat(fd, &st) != 0 || ::fstatfs(fd, &fs) != 0) {
    return Status::system(errno, "inspect descriptor " + std::to_string(fd));
  }
  FileFacts facts{};
  facts.size = st.st_size > 0 ? static_cast<std::uint64_t>(st.st_size) : 0;
  facts.hugetlb = fs.f_type == HUGETLBFS_MAGIC;
  facts.pageSize = facts.hugetlb ? static_cast<std::uint64_t>(fs.f_bsize) : systemPageSize();
  facts.device = st.st_dev;
  facts.inode = st.st_ino;
  facts.regular = S_ISREG(st.st_mode);
  const int seals = ::fcntl(fd, F_GET_SEALS);
  facts.cannotShrink = seals >= 0 && (seals & F_SEAL_SHRINK) != 0;
  return facts;
}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    unmap();
    base_ = std::exchange(other.base_, nullptr);
    baseSize_ = std::exchange(other.baseSize_, 0);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

Result<Mapping> Mapping::mapPages(int fd, std::uint64_t offset, std::uint64_t length, MapOptions options) {
  if (length == 0) return Status(StatusCode::kInvalidArgument, "map 0 bytes");
  if (length > SIZE_MAX) return Status(StatusCode::kNoMemory, "map " + sizeText(length));
  int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  if (options.populate) flags |= MAP_POPULATE;
  if (options.noReserve) flags |= MAP_NORESERVE;
  const int protection = options.writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void* base = ::mmap(nullptr, length, protection, flags, fd, static_cast<off_t>(offset));
  if (base == MAP_FAILED) {
    return Status::system(
        errno, "map " + sizeText(length) + (fd < 0 ? std::string() : " of descriptor " + std::to_string(fd)));
  }
  Mapping mapping;
  mapping.base_ = mapping.data_ = static_cast<std::uint8_t*>(base);
  mapping.baseSize_ = mapping.size_ = length;
  if (options.noDump) ::madvise(base, length, MADV_DONTDUMP);  // advice only: nothing to do where it fails
  return mapping;
}

Result<Mapping> Mapping::mapFile(int fd, std::uint64_t offset, std::uint64_t length, MapOptions options) {
  auto facts = fileFacts(fd);
  if (!facts.ok()) return facts.status();
  const std::uint64_t page = facts->pageSize;
  std::uint64_t end = 0;
  if (length == 0 || __builtin_add_overflow(offset, length, &end) || end > INT64_MAX - page) {
    return Status(StatusCode::kInvalidArgument, "map descriptor " + std::to_string(fd) + ": offset " +
                                                    std::to_string(offset) + " and length " +
                                                    std::to_string(length) + " are not a range");
  }
  if (facts->regular && end > facts->size) {
    return Status(StatusCode::kBadFile, "map descriptor " + std::to_string(fd) + ": the range ends at " +
                                            std::to_string(end) + ", the file at " +
                                            std::to_string(facts->size));
  }
  const std::uint64_t lead = offset % page;
  auto mapping = mapPages(fd, offset - lead, alignUp(lead + length, page), options);
  if (mapping.ok()) {
    mapping->data_ += lead;
    mapping->size_ = length;
  }
  return mapping;
}

Result<Mapping> Mapping::mapAnonymous(std::uint64_t length, MapOptions options) {
  return mapPages(-1, 0, length, options);
}

Status Mapping::lock() const {
  if (::mlock(base_, baseSize_) != 0) {
    return Status::system(errno, "lock " + sizeText(baseSize_) + " in memory (see ulimit -l)");
  }
  return {};
}

void Mapping::unmap() noexcept {
  if (base_ != nullptr) ::munmap(base_, baseSize_);
  base_ = data_ = nullptr;
  baseSize_ = size_ = 0;
}

Status sealSize(int fd) {
  if (::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return Status::system(errno, "seal the size of descriptor " + std::to_string(fd));
  }
  return {};
}

Result<MemoryFile> createMemoryFile(const MemoryFileOptions& options) {
  if (options.size == 0 || options.size > (std::uint64_t{1} << 46)) {
    return Status(StatusCode::kOutOfRange,
                  "memory file of " + sizeText(options.size) + ": want 1 byte to 64 TiB");
  }
  if (options.hugePages == HugePages::kNever) return createWithPages(options, 0);
  const std::uint64_t pageSize = options.hugePageSize != 0 ? options.hugePageSize : defaultHugePageSize();
  Status why(StatusCode::kNotSupported, "this system has no huge pages");
  if (pageSize != 0) {
    if (!isPowerOfTwo(pageSize)) {
      return Status(StatusCode::kInvalidArgument,
                    "huge page size " + sizeText(pageSize) + " is not a power of two");
    }
    auto file = createWithPages(options, pageSize);
    if (file.ok()) return file;
    why = file.status();
  }
  if (options.hugePages == HugePages::kRequire) {
    return Status::withErrno(StatusCode::kNoHugepages, why.sysErrno(), why.detail());
  }
  auto file = createWithPages(options, 0);
  if (file.ok()) file->warning = why.detail() + "; using normal pages";
  return file;
}

}  // namespace pollwire
