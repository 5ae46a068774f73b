// Regions and address spaces: what a memory table may contain, and that translation agrees with a naive
// reference.
// Rows A44, A45 of docs/vhost.md.
#include "guest/regions.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <random>

#include "guest/address_space.hpp"
#include "support/guest_memory.hpp"
#include "support/temp_dir.hpp"

namespace pollwire {
namespace {

constexpr std::uint64_t kPage = 4096;

Fd memoryFile(std::uint64_t size) {
  MemoryFileOptions options;
  options.size = size;
  options.hugePages = HugePages::kNever;
  options.seal = false;
  return std::move(createMemoryFile(options)->fd);
}

Status mapStatus(const RegionSpec& spec, Fd fd) { return MappedRegion::map(spec, std::move(fd)).status(); }

Result<std::shared_ptr<const RegionTable>> tableOf(const std::vector<RegionSpec>& specs) {
  RegionTable::List list;
  for (const RegionSpec& spec : specs) {
    auto region = MappedRegion::map(spec, memoryFile(spec.mmapOffset + spec.size));
    if (!region) return region.status();
    list.push_back(*region);
  }
  return RegionTable::build(std::move(list));
}

TEST(MappedRegion, MapsAtAnyOffset) {
  Fd file = memoryFile(16 * kPage);
  auto whole = Mapping::mapFile(file.get(), 0, 16 * kPage);
  ASSERT_TRUE(whole.ok());
  for (std::uint64_t i = 0; i < 16 * kPage; i++) whole->data()[i] = static_cast<std::uint8_t>(i * 7 >> 4);
  for (const std::uint64_t offset :
       {std::uint64_t{0}, kPage, std::uint64_t{1}, std::uint64_t{100}, 3 * kPage + 2048}) {
    auto region = MappedRegion::map({0, 5000, 0, offset}, std::move(*duplicateFd(file.get())));
    ASSERT_TRUE(region.ok()) << region.status().detail();
    EXPECT_EQ(std::memcmp((*region)->host(), whole->data() + offset, 5000), 0) << "offset " << offset;
    (*region)->host()[4999] = std::byte{0xee};
    EXPECT_EQ(whole->data()[offset + 4999], 0xee);
  }
}

// Hostile rows 48 and 49.
TEST(MappedRegion, RefusesSizesThatWrapOrPassTheEndOfTheFile) {
  constexpr std::uint64_t kTop = ~std::uint64_t{0};
  constexpr std::uint64_t kSize = 4 * kPage;
  struct {
    RegionSpec spec;
    StatusCode code;
    const char* says;
  } const rows[] = {
      {{0, 0, 0, 0}, StatusCode::kBadAddress, "size is 0"},
      {{kTop - kPage + 2, kPage, 0, 0}, StatusCode::kBadAddress, "wraps"},
      {{0, kPage, kTop - kPage + 2, 0}, StatusCode::kBadAddress, "wraps"},
      {{0, kPage, 0, kTop - kPage + 2}, StatusCode::kBadAddress, "wraps"},
      {{0, kTop, 0, 2}, StatusCode::kBadAddress, "wraps"},
      {{0, kPage, 0, kTop - kPage + 1}, StatusCode::kBadFile, "bytes"},
      {{0, kSize + 1, 0, 0}, StatusCode::kBadFile, "0x4000 bytes"},
      {{0, kSize, 0, 1}, StatusCode::kBadFile, "0x4000 bytes"},
      {{0, kSize + kPage, 0, 0}, StatusCode::kBadFile, "0x4000 bytes"},
      {{0, 1ull << 30, 0, 0}, StatusCode::kBadFile, "0x4000 bytes"},
      {{0, kTop, 0, 0}, StatusCode::kBadFile, "0x4000 bytes"},
      {{0, kPage, 0, 1ull << 62}, StatusCode::kBadFile, "0x4000 bytes"},
  };
  for (const auto& row : rows) {
    const Status status = mapStatus(row.spec, memoryFile(kSize));
    EXPECT_EQ(status.code(), row.code) << row.says << ": " << status.detail();
    EXPECT_NE(status.detail().find(row.says), std::string::npos) << status.detail();
  }
  // The last byte of the address space is an address like any other.
  EXPECT_TRUE(mapStatus({kTop - kPage + 1, kPage, kTop - kPage + 1, 0}, memoryFile(kSize)).ok());
  EXPECT_TRUE(mapStatus({0, kSize, 0, 0}, memoryFile(kSize)).ok());
}

// Hostile row 50.
TEST(MappedRegion, RefusesDescriptorsThatAreNoWritableMemory) {
  test::TempDir dir;
  const std::string path = dir.file("file");
  struct {
    const char* what;
    std::function<int()> open;
  } const rows[] = {
      {"none", [] { return -1; }},
      {"eventfd", [] { return ::eventfd(0, EFD_CLOEXEC); }},
      {"pipe",
       [] {
         int ends[2];
         EXPECT_EQ(::pipe(ends), 0);
         ::close(ends[1]);
         return ends[0];
       }},
      {"socket", [] { return ::socket(AF_UNIX, SOCK_STREAM, 0); }},
      {"directory", [&] { return ::open(dir.file("").c_str(), O_RDONLY | O_DIRECTORY); }},
      {"/dev/null", [] { return ::open("/dev/null", O_RDWR); }},
      {"/dev/zero", [] { return ::open("/dev/zero", O_RDWR); }},
      {"read-only file",
       [&] {
         const int fd = ::open(path.c_str(), O_RDWR | O_CREAT, 0600);
         EXPECT_EQ(::ftruncate(fd, 4 * kPage), 0);
         ::close(fd);
         return ::open(path.c_str(), O_RDONLY);
       }},
      {"path only", [&] { return ::open(path.c_str(), O_PATH); }},
      {"sealed against writing",
       [] {
         Fd file = memoryFile(4 * kPage);
         EXPECT_EQ(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE), 0);
         return file.release();
       }},
  };
  const std::size_t before = test::openFdCount();
  for (const auto& row : rows) {
    EXPECT_FALSE(mapStatus({0, kPage, 0, 0}, Fd(row.open())).ok()) << row.what;
    EXPECT_EQ(test::openFdCount(), before) << row.what;
  }
}

// Hostile row 52.
TEST(RegionTable, RefusesOverlaps) {
  const RegionSpec a{0x10000, 0x1000, 0x900000, 0};
  struct {
    RegionSpec b;
    const char* says;
  } const rows[] = {
      {a, "guest"},
      {{0x10fff, 0x1000, 0x100000, 0}, "guest"},
      {{0xf001, 0x1000, 0x100000, 0}, "guest"},
      {{0x10800, 0x100, 0x100000, 0}, "guest"},
      {{0x0, 0x100000, 0x100000, 0}, "guest"},
      {{0x20000, 0x1000, 0x900fff, 0}, "user"},
      {{0x20000, 0x1000, 0x8ff001, 0}, "user"},
      {{0x20000, 0x1000, 0x900000, 0}, "user"},
  };
  for (const auto& row : rows) {
    for (const auto& specs : {std::vector{a, row.b}, std::vector{row.b, a}}) {
      const auto table = tableOf(specs);
      EXPECT_EQ(table.status().code(), StatusCode::kBadAddress);
      EXPECT_NE(table.status().detail().find(row.says), std::string::npos) << table.status().detail();
    }
  }
  EXPECT_TRUE(tableOf({a, {0x11000, 0x1000, 0x901000, 0}}).ok()) << "neighbours";
  EXPECT_TRUE(tableOf({{~0ull - 0xfff, 0x1000, 0, 0}, {0, 0x1000, 0x1000, 0}}).ok()) << "the two ends";
}

TEST(RegionTable, HasALimit) {
  RegionTable::List list;
  auto region = MappedRegion::map({0, kPage, 0, 0}, memoryFile(kPage));
  list.assign(RegionTable::kMaxRegions + 1, *region);
  EXPECT_EQ(RegionTable::build(list).status().code(), StatusCode::kOutOfRange);
}

TEST(RegionTable, AnEmptyTableTranslatesNothing) {
  const auto table = tableOf({});
  ASSERT_TRUE(table.ok());
  const RegionTable::Range* hint = nullptr;
  EXPECT_EQ((*table)->find(0, 1, hint), nullptr);
  EXPECT_EQ((*table)->find(0, 0, hint), nullptr);
  EXPECT_EQ((*table)->findUser(0, 1), nullptr);
  EXPECT_EQ((*table)->runAt(0).data, nullptr);
}

// What translation means, said as plainly as possible.
class Reference {
 public:
  explicit Reference(const RegionTable& table) : table_(table) {}

  std::byte* find(std::uint64_t addr, std::uint64_t length, bool user) const {
    for (const auto& region : table_.regions()) {
      const std::uint64_t start = user ? region->spec().userAddr : region->spec().guestAddr;
      const auto begin = static_cast<unsigned __int128>(addr);
      if (begin < start || begin + length > static_cast<unsigned __int128>(start) + region->spec().size)
        continue;
      if (begin == static_cast<unsigned __int128>(start) + region->spec().size) continue;
      return region->host() + (addr - start);
    }
    return nullptr;
  }
  std::vector<std::byte*> bytes(std::uint64_t addr, std::uint32_t length) const {
    std::vector<std::byte*> list;
    for (std::uint32_t i = 0; i < length; i++) {
      if (addr + i < addr) return {};
      std::byte* byte = find(addr + i, 1, false);
      if (byte == nullptr) return {};
      list.push_back(byte);
    }
    return list;
  }

 private:
  const RegionTable& table_;
};

// Random tables in a small address space (and at its end), random questions near the edges.
TEST(RegionTable, AgreesWithTheReference) {
  std::mt19937_64 random(20240607);
  for (std::uint64_t round = 0; round < 60; round++) {
    // From 0 up, or up to the last address.
    const std::uint64_t origin = round % 3 == 0   ? ~0ull - 0x3ffff
                                 : round % 3 == 1 ? 0
                                                  : 0x1'0000'0000ull * round;
    std::vector<RegionSpec> specs;
    std::uint64_t at = 0;
    std::uint64_t user = 0x7000'0000'0000 + random() % 4096;
    while (at < 0x38000 && specs.size() < 9) {
      at += random() % 2 == 0 ? 0 : random() % 0x3000;
      const std::uint64_t size = std::min<std::uint64_t>(1 + random() % 0x6000, 0x40000 - at);
      specs.push_back(RegionSpec{origin + at, size, user, random() % 5000});
      at += size;
      user += size + random() % 3 * 4096;
    }
    std::shuffle(specs.begin(), specs.end(), random);
    const auto built = tableOf(specs);
    ASSERT_TRUE(built.ok()) << built.status().detail();
    const RegionTable& table = **built;
    const Reference reference(table);
    DirectSpace space(&table);
    const RegionTable::Range* hint = nullptr;
    for (int question = 0; question < 3000; question++) {
      const RegionSpec& near = specs[random() % specs.size()];
      const std::uint64_t edge = random() % 2 == 0 ? near.guestAddr : near.guestAddr + near.size;
      const std::uint64_t addr = edge + random() % 64 - 32;
      const std::uint64_t lengths[] = {
          0, 1, random() % 80, random() % 0x8000, near.size, ~0ull - random() % 64};
      const std::uint64_t length = lengths[random() % 6];
      ASSERT_EQ(table.find(addr, length, hint), reference.find(addr, length, false))
          << addr << " + " << length;
      const std::uint64_t userAddr = near.userAddr + (addr - near.guestAddr);
      ASSERT_EQ(table.findUser(userAddr, length), reference.find(userAddr, length, true));
      if (length > 0x8000) continue;
      const auto size = static_cast<std::uint32_t>(length % 600);
      PieceList pieces;
      const bool found = space.collect(addr, size, Access::kRead, pieces);
      const auto expected = reference.bytes(addr, size);
      ASSERT_EQ(found, size == 0 || !expected.empty()) << addr << " + " << size;
      if (!found) continue;
      ASSERT_EQ(pieces.bytes(), size);
      std::size_t i = 0;
      for (std::uint32_t p = 0; p < pieces.count(); p++) {
        for (std::uint32_t k = 0; k < pieces[p].length; k++) ASSERT_EQ(pieces[p].data + k, expected[i++]);
      }
    }
  }
}

TEST(DirectSpace, GathersAcrossRegionsAndNeverAcrossAHole) {
  test::GuestMemory memory(0x2345, 3);
  RegionTable::List list;
  for (const RegionSpec& spec : memory.specs()) {
    list.push_back(*MappedRegion::map(spec, std::move(*duplicateFd(memory.fd()))));
  }
  const auto table = RegionTable::build(list);
  DirectSpace space(table->get());
  const std::uint64_t border = memory.specs()[1].guestAddr;
  EXPECT_EQ(space.translate(border - 1, 2, Access::kRead), nullptr);
  PieceList pieces;
  ASSERT_TRUE(space.collect(border - 3, 0x2345 + 6, Access::kRead, pieces));
  EXPECT_EQ(pieces.count(), 3u);
  EXPECT_EQ(pieces[0].length, 3u);
  EXPECT_EQ(pieces[1].length, 0x2345u);
  EXPECT_EQ(pieces[2].length, 3u);

  const auto holed = RegionTable::build({list[0], list[2]});
  DirectSpace holedSpace(holed->get());
  PieceList none;
  EXPECT_FALSE(holedSpace.collect(border - 3, 0x2345 + 6, Access::kRead, none));
  EXPECT_FALSE(holedSpace.collect(memory.end() - 1, 2, Access::kRead, none));
  EXPECT_TRUE(holedSpace.collect(memory.end() - 1, 1, Access::kRead, none));
}

TEST(DirectSpace, StopsWhenTheListIsFull) {
  test::GuestMemory memory(16, 300);
  RegionTable::List list;
  for (const RegionSpec& spec : memory.specs()) {
    list.push_back(*MappedRegion::map(spec, std::move(*duplicateFd(memory.fd()))));
  }
  const auto table = RegionTable::build(list);
  DirectSpace space(table->get());
  PieceList pieces;
  EXPECT_FALSE(space.collect(test::GuestMemory::kBase, 300 * 16, Access::kRead, pieces));
  EXPECT_TRUE(pieces.full());
  PieceList some;
  EXPECT_TRUE(space.collect(test::GuestMemory::kBase, PieceList::kMax * 16, Access::kRead, some));
}

}  // namespace
}  // namespace pollwire
