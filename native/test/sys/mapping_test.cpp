// Memory files and mappings, and the owning descriptor under them.
#include "sys/mapping.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "support/temp_dir.hpp"

namespace pollwire {
namespace {

MemoryFile makeFile(std::uint64_t size, bool seal = true) {
  auto file = createMemoryFile({.size = size, .hugePages = HugePages::kNever, .seal = seal});
  EXPECT_TRUE(file.ok()) << file.status().detail();
  return *std::move(file);
}

TEST(Fd, ClosesOnceAndMoves) {
  auto first = duplicateFd(STDERR_FILENO);
  ASSERT_TRUE(first.ok());
  const int number = first->get();
  EXPECT_NE(fcntl(number, F_GETFD) & FD_CLOEXEC, 0);
  {
    Fd second(std::move(*first));
    EXPECT_EQ(second.get(), number);
    EXPECT_FALSE(first->valid());
  }
  EXPECT_EQ(fcntl(number, F_GETFD), -1);
  EXPECT_EQ(duplicateFd(-1).status().sysErrno(), EBADF);
}

TEST(MemoryFile, IsRoundedUpSealedAndZero) {
  const MemoryFile file = makeFile(10'000);
  EXPECT_EQ(file.size, 12'288u);
  EXPECT_FALSE(file.hugetlb);
  EXPECT_TRUE(file.warning.empty());
  EXPECT_NE(fcntl(file.fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(ftruncate(file.fd.get(), 4096), -1);
  EXPECT_EQ(ftruncate(file.fd.get(), 1 << 20), -1);
  const auto facts = fileFacts(file.fd.get());
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->size, 12'288u);
  EXPECT_TRUE(facts->regular && facts->cannotShrink);
  EXPECT_EQ(facts->pageSize, systemPageSize());
}

TEST(MemoryFile, TwoMappingsAreOneMemory) {
  const MemoryFile file = makeFile(8192);
  auto a = Mapping::mapFile(file.fd.get(), 0, 8192);
  auto b = Mapping::mapFile(file.fd.get(), 0, 8192, {.writable = false, .populate = true, .noDump = true});
  ASSERT_TRUE(a.ok() && b.ok());
  a->data()[5000] = 42;
  EXPECT_EQ(b->data()[5000], 42);
  EXPECT_EQ(b->data()[0], 0);
  Mapping moved = std::move(*a);
  EXPECT_FALSE(a->valid());
  EXPECT_EQ(moved.bytes().size(), 8192u);
}

TEST(Mapping, OffsetAndLengthNeedNoAlignment) {
  const MemoryFile file = makeFile(16'384);
  auto whole = Mapping::mapFile(file.fd.get(), 0, 16'384);
  auto part = Mapping::mapFile(file.fd.get(), 5001, 777);
  ASSERT_TRUE(whole.ok() && part.ok());
  EXPECT_EQ(part->size(), 777u);
  std::memset(part->data(), 9, part->size());
  EXPECT_EQ(whole->data()[5000], 0);
  EXPECT_EQ(whole->data()[5001], 9);
  EXPECT_EQ(whole->data()[5777], 9);
  EXPECT_EQ(whole->data()[5778], 0);
}

TEST(Mapping, RefusesARangeThatTheFileDoesNotHave) {
  const MemoryFile file = makeFile(8192);
  const auto beyond = Mapping::mapFile(file.fd.get(), 4096, 4097);
  EXPECT_EQ(beyond.status().code(), StatusCode::kBadFile);
  EXPECT_NE(beyond.status().detail().find("ends at 8193, the file at 8192"), std::string::npos);
  EXPECT_EQ(Mapping::mapFile(file.fd.get(), 0, 0).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Mapping::mapFile(file.fd.get(), UINT64_MAX - 10, 100).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(Mapping::mapFile(file.fd.get(), INT64_MAX, 100).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Mapping::mapFile(-1, 0, 4096).status().sysErrno(), EBADF);
}

TEST(Mapping, ReadOnlyDescriptorGivesNoWritableMapping) {
  const test::TempDir dir;
  std::ofstream(dir.file("f")) << std::string(4096, 'x');
  const Fd fd(open(dir.file("f").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(Mapping::mapFile(fd.get(), 0, 4096).status().code(), StatusCode::kPermissionDenied);
  auto mapping = Mapping::mapFile(fd.get(), 0, 4096, {.writable = false});
  ASSERT_TRUE(mapping.ok());
  EXPECT_EQ(mapping->data()[100], 'x');
  EXPECT_FALSE(fileFacts(fd.get())->cannotShrink);
}

TEST(Mapping, AnonymousIsZeroAndLockable) {
  auto mapping = Mapping::mapAnonymous(3 * systemPageSize());
  ASSERT_TRUE(mapping.ok());
  EXPECT_EQ(mapping->data()[100], 0);
  const Status locked = mapping->lock();
  EXPECT_TRUE(locked.ok() || locked.code() == StatusCode::kNoMemory ||
              locked.code() == StatusCode::kPermissionDenied)
      << locked.detail();
  mapping->unmap();
  EXPECT_FALSE(mapping->valid());
}

TEST(MemoryFile, UnsealedCanGrow) {
  const MemoryFile file = makeFile(4096, false);
  EXPECT_EQ(ftruncate(file.fd.get(), 8192), 0);
  EXPECT_FALSE(fileFacts(file.fd.get())->cannotShrink);
  EXPECT_TRUE(sealSize(file.fd.get()).ok());
  EXPECT_EQ(sealSize(file.fd.get()).code(), StatusCode::kPermissionDenied);
}

TEST(MemoryFile, HugePagesOrAPlainReason) {
  // More than any pool of huge pages here: 8 TiB.
  const std::uint64_t tooMuch = std::uint64_t{1} << 43;
  const auto required = createMemoryFile({.size = tooMuch, .hugePages = HugePages::kRequire});
  ASSERT_FALSE(required.ok());
  EXPECT_EQ(required.status().code(), StatusCode::kNoHugepages);

  const auto preferred = createMemoryFile({.size = 4 << 20, .hugePages = HugePages::kPrefer});
  ASSERT_TRUE(preferred.ok());
  if (preferred->hugetlb) {
    EXPECT_EQ(preferred->pageSize, defaultHugePageSize());
    EXPECT_TRUE(fileFacts(preferred->fd.get())->hugetlb);
    auto mapping = Mapping::mapFile(preferred->fd.get(), 100, 100);
    ASSERT_TRUE(mapping.ok());
    mapping->data()[99] = 1;
  } else {
    EXPECT_NE(preferred->warning.find("using normal pages"), std::string::npos) << preferred->warning;
    EXPECT_EQ(preferred->size, std::uint64_t{4} << 20);
  }
  const auto odd = createMemoryFile({.size = 4096, .hugePages = HugePages::kPrefer, .hugePageSize = 3 << 20});
  EXPECT_EQ(odd.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(createMemoryFile({.size = 0}).status().code(), StatusCode::kOutOfRange);
}

TEST(MemoryFile, FailuresLeakNoDescriptor) {
  const std::size_t before = test::openFdCount();
  for (int i = 0; i < 20; i++) {
    (void)createMemoryFile({.size = std::uint64_t{1} << 43, .hugePages = HugePages::kRequire});
    (void)createMemoryFile({.size = 4096, .hugePages = HugePages::kPrefer});
  }
  EXPECT_EQ(test::openFdCount(), before);
}

}  // namespace
}  // namespace pollwire
