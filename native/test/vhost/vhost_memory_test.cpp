// Memory tables of a vhost device (hostile rows 47 to 60): what is refused changes nothing, what is taken is
// used at once, and rings go on across every change that leaves them in memory.
// Row A96 of docs/vhost.md.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "ethdev/native_events.hpp"
#include "support/temp_dir.hpp"
#include "support/vhost_test.hpp"

namespace pollwire::test {
namespace {

using Link = VhostLink<>;
using VhostMemory = ArenaTest;

// Mappings of fake guests in this process, the tests' own included.
std::vector<std::string> guestMappings() {
  std::ifstream maps("/proc/self/maps");
  std::vector<std::string> lines;
  for (std::string line; std::getline(maps, line);) {
    if (line.find("fake-guest") != std::string::npos) lines.push_back(line);
  }
  return lines;
}

void expectTraffic(Link& link) {
  const ByteVector frame = patternBytes(100, link.guest.tx.nextAvail());
  const std::uint64_t mark = link.memory.mark();
  ASSERT_TRUE(link.guest.send(frame));
  EXPECT_EQ(link.receiveFrames(), only(frame));
  EXPECT_EQ(link.guest.reclaim(), 1u);
  ASSERT_TRUE(link.guest.post(200));
  EXPECT_TRUE(link.transmit(frame));
  const auto packets = link.guest.receive();
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_EQ(packets[0].frame, frame);
  link.memory.reset(mark);
}

// Rows 47, 48, 49, 50, 52 and 55: whichever region is the bad one, the old table stays and every descriptor
// is closed.
TEST_F(VhostMemory, ARefusedTableChangesNothing) {
  Mempool& pool = makePool(8);
  Link link(pool, {.memory = 64 << 10});
  const auto mappings = guestMappings();
  const std::size_t fds = openFdCount();
  constexpr std::size_t kRegions = 8;
  GuestMemory other(32 << 10, kRegions);
  const auto otherMappings = guestMappings();
  struct {
    const char* what;
    StatusCode code;
    void (*change)(RegionSpec&, Fd&);
  } const rows[] = {
      {"size 0", StatusCode::kBadAddress, [](RegionSpec& spec, Fd&) { spec.size = 0; }},
      {"guest address wraps", StatusCode::kBadAddress,
       [](RegionSpec& spec, Fd&) { spec.guestAddr = ~0ull - 4095; }},
      {"user address wraps", StatusCode::kBadAddress,
       [](RegionSpec& spec, Fd&) { spec.userAddr = ~0ull - 4095; }},
      {"offset wraps", StatusCode::kBadAddress,
       [](RegionSpec& spec, Fd&) { spec.mmapOffset = ~0ull - 4095; }},
      {"behind the end of the file", StatusCode::kBadFile,
       [](RegionSpec& spec, Fd&) { spec.mmapOffset += 1 << 20; }},
      {"1 GiB too long", StatusCode::kBadFile, [](RegionSpec& spec, Fd&) { spec.size = 1 << 30; }},
      {"an eventfd", StatusCode::kBadFile, [](RegionSpec&, Fd& fd) { fd.reset(::eventfd(0, 0)); }},
      {"no descriptor", StatusCode::kSystemError, [](RegionSpec&, Fd& fd) { fd.reset(); }},
      {"overlap", StatusCode::kBadAddress,
       [](RegionSpec& spec, Fd&) { spec.guestAddr = GuestMemory::kBase + 1; }},
      {"user overlap", StatusCode::kBadAddress,
       [](RegionSpec& spec, Fd&) { spec.userAddr = GuestMemory::kUserBase + 1; }},
  };
  for (const auto& row : rows) {
    for (const std::size_t position : {std::size_t{1}, std::size_t{5}, kRegions - 1}) {
      auto specs = other.specs();
      auto list = other.fds();
      row.change(specs[position], list[position]);
      const auto result = link.device.setMemory(specs, std::move(list));
      EXPECT_EQ(result.status().code(), row.code) << row.what << ": " << result.status().detail();
      EXPECT_EQ(guestMappings(), otherMappings) << row.what;
      expectTraffic(link);
    }
  }
  for (const std::size_t count : {std::size_t{0}, std::size_t{7}, std::size_t{9}}) {
    auto list = other.fds();
    list.resize(count);
    const auto result = link.device.setMemory(other.specs(), std::move(list));
    EXPECT_EQ(result.status().code(), StatusCode::kBadFdCount) << count;
    EXPECT_EQ(guestMappings(), otherMappings);
  }
  expectTraffic(link);
  EXPECT_EQ(openFdCount(), fds + 1);
  EXPECT_EQ(mappings.size() + 1, otherMappings.size());
}

// Row 53.
TEST_F(VhostMemory, TheSameTableAgainKeepsItsMappings) {
  Mempool& pool = makePool(8);
  Link link(pool);
  const auto mappings = guestMappings();
  const std::size_t fds = openFdCount();
  for (int i = 0; i < 20; i++) {
    const auto stopped = link.device.setMemory(link.memory.specs(), link.memory.fds());
    ASSERT_TRUE(stopped.ok());
    EXPECT_TRUE(stopped->empty());
    EXPECT_EQ(guestMappings(), mappings);
    EXPECT_EQ(openFdCount(), fds);
    expectTraffic(link);
  }
}

// Row 54, moved: the same addresses in another file. From then on the old one is not touched.
TEST_F(VhostMemory, ATableInAnotherFileIsUsedAtOnce) {
  Mempool& pool = makePool(8);
  Link link(pool, {.memory = 256 << 10});
  for (int i = 0; i < 50; i++) expectTraffic(link);
  GuestMemory moved(256 << 10);
  for (const RegionSpec& spec : link.memory.specs()) {
    moved.write(spec.guestAddr, link.memory.read(spec.guestAddr, spec.size));
  }
  const auto stopped = link.device.setMemory(moved.specs(), moved.fds());
  ASSERT_TRUE(stopped.ok());
  EXPECT_TRUE(stopped->empty());
  const auto before = link.memory.snapshot();
  // The guest's driver goes on where it was.
  GuestMemory scratch(256 << 10);
  FakeGuest<SplitGuestRing> guest(scratch, 256, link.features, link.guest.tx.nextAvail());
  const std::uint64_t place = moved.alloc(100000, 4096);
  moved.write(place, patternBytes(112));
  *moved.as<split::Desc>(guest.tx.desc) = split::Desc{place, 112, 0, 0};
  *moved.as<std::uint16_t>(guest.tx.avail + 4 + 2ull * (link.guest.tx.nextAvail() % 256)) = 0;
  *moved.as<std::uint16_t>(guest.tx.avail + 2) = static_cast<std::uint16_t>(link.guest.tx.nextAvail() + 1);
  const auto frames = link.receiveFrames();
  ASSERT_EQ(frames.size(), 1u);
  const ByteVector sent = patternBytes(112);
  EXPECT_EQ(frames[0], ByteVector(sent.begin() + 12, sent.end()));
  EXPECT_EQ(*moved.as<std::uint16_t>(guest.tx.used + 2),
            static_cast<std::uint16_t>(link.guest.tx.nextAvail() + 1));
  link.memory.expectUntouched(before);
  moved.expectSurroundingsUntouched();
}

// Row 96 with 54: what the guest wrote over the used index does not move the device, not even when memory
// changes.
TEST_F(VhostMemory, TheUsedIndexIsNotAskedAgain) {
  Mempool& pool = makePool(8);
  Link link(pool);
  expectTraffic(link);
  const std::uint16_t real = link.guest.tx.usedIdx();
  link.guest.tx.setUsedIdx(static_cast<std::uint16_t>(real + 100));
  ASSERT_TRUE(link.device.setMemory(link.memory.specs(), link.memory.fds()).ok());
  ASSERT_TRUE(link.guest.send(patternBytes(60)));
  EXPECT_EQ(link.receiveFrames().size(), 1u);
  EXPECT_EQ(link.guest.tx.usedIdx(), static_cast<std::uint16_t>(real + 1));
}

// Row 54, gone: the rings that lie outside break; the others go on.
TEST_F(VhostMemory, RingsThatLoseTheirMemoryBreak) {
  Mempool& pool = makePool(8);
  Link link(pool);
  expectTraffic(link);
  const std::uint16_t next = link.guest.tx.nextAvail();
  // The tx ring into the second region.
  (void)link.device.stopRing(Link::kGuestTx);
  const std::uint64_t second = link.memory.alloc(64 << 10, 4096, 1);
  const vhost::RingConfig config{256,
                                 link.memory.userAddr(second),
                                 link.memory.userAddr(second + 0x2000),
                                 link.memory.userAddr(second + 0x4000),
                                 next,
                                 link.features};
  *link.memory.as<std::uint16_t>(second + 0x2002) = next;
  *link.memory.as<std::uint16_t>(second + 0x4002) = next;
  ASSERT_TRUE(link.device.startRing(Link::kGuestTx, config).ok());
  auto specs = link.memory.specs();
  auto fds = link.memory.fds();
  specs.pop_back();
  fds.pop_back();
  const auto stopped = link.device.setMemory(specs, std::move(fds));
  ASSERT_TRUE(stopped.ok()) << stopped.status().detail();
  EXPECT_EQ(*stopped, std::vector<std::uint32_t>{Link::kGuestTx});
  const auto state = link.device.state(Link::kGuestTx);
  EXPECT_FALSE(state->started);
  EXPECT_EQ(state->lastAvail, next);
  EXPECT_NE(state->broken, "");
  EXPECT_EQ(link.rxCount(kBROKEN), 1u);
  EXPECT_TRUE(link.receive().empty());
  EXPECT_TRUE(link.device.state(Link::kGuestRx)->started);
  ASSERT_TRUE(link.guest.post(200));
  EXPECT_TRUE(link.transmit(patternBytes(60)));
  EXPECT_EQ(link.guest.receive().size(), 1u);
  EXPECT_EQ(*link.device.stopRing(Link::kGuestTx), next);
  // Memory back, ring set up again.
  ASSERT_TRUE(link.device.setMemory(link.memory.specs(), link.memory.fds()).ok());
  ASSERT_TRUE(link.device.startRing(Link::kGuestTx, config).ok());
  EXPECT_EQ(link.device.state(Link::kGuestTx)->broken, "");
}

// Everything gone, as after a disconnect.
TEST_F(VhostMemory, AnEmptyTableStopsEverything) {
  Mempool& pool = makePool(8);
  Link link(pool);
  const auto stopped = link.device.setMemory({}, {});
  ASSERT_TRUE(stopped.ok());
  EXPECT_EQ(stopped->size(), 2u);
  EXPECT_TRUE(link.receive().empty());
  EXPECT_FALSE(link.transmit(patternBytes(60)));
}

// Row 56.
TEST_F(VhostMemory, RegionsAreAddedAndRemovedOneByOne) {
  Mempool& pool = makePool(8);
  Link link(pool, {.memory = 64 << 10});
  GuestMemory extra(32 << 10, 1);
  RegionSpec spec = extra.specs()[0];
  spec.guestAddr = 0x9000'0000;
  spec.userAddr = 0x7e00'0000'0000;
  const auto fd = [&] { return std::move(*duplicateFd(extra.fd())); };
  const std::size_t fds = openFdCount();
  const auto mappings = guestMappings();
  EXPECT_EQ(link.device.removeRegion(spec).status().code(), StatusCode::kNotFound);
  ASSERT_TRUE(link.device.addRegion(spec, fd()).ok());
  EXPECT_EQ(link.device.addRegion(spec, fd()).status().code(), StatusCode::kBadAddress) << "the same again";
  EXPECT_FALSE(link.device.addRegion(spec, Fd()).ok());
  expectTraffic(link);
  // A buffer there can be used, and no longer once the region is gone.
  const auto offer = [&] {
    link.guest.tx.setDesc(0, spec.guestAddr + 100, 112, 0, 0);
    link.guest.tx.offer(0);
    link.guest.tx.publish();
  };
  offer();
  EXPECT_EQ(link.receiveFrames().size(), 1u);
  RegionSpec wrong = spec;
  for (auto* field : {&wrong.guestAddr, &wrong.size, &wrong.userAddr}) {
    *field += 1;
    EXPECT_EQ(link.device.removeRegion(wrong).status().code(), StatusCode::kNotFound);
    *field -= 1;
  }
  ASSERT_TRUE(link.device.removeRegion(spec).ok());
  offer();
  EXPECT_TRUE(link.receive().empty());
  EXPECT_EQ(link.rxCount(kRX_BAD_ADDRESS), 1u);
  EXPECT_EQ(link.device.removeRegion(spec).status().code(), StatusCode::kNotFound) << "twice";
  EXPECT_EQ(openFdCount(), fds);
  EXPECT_EQ(guestMappings(), mappings);
}

// Rows 59 and 97: tables change a thousand times while a lcore is in the middle of bursts; nothing is lost,
// nothing leaks.
TEST_F(VhostMemory, TablesChangeUnderTraffic) {
  Mempool& pool = makePool(256, 2176);
  Link link(pool, {.memory = 1 << 20});
  GuestMemory extra(32 << 10, 1);
  RegionSpec spec = extra.specs()[0];
  spec.guestAddr = 0x9000'0000;
  spec.userAddr = 0x7e00'0000'0000;
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> received{0};
  std::atomic<std::uint64_t> wrong{0};
  std::thread lcore([&] {
    Handle handles[32];
    while (!stop) {
      const std::uint32_t count = link.rxSlot().run(handles, 32);
      for (std::uint32_t i = 0; i < count; i++) {
        std::uint64_t number = 0;
        std::memcpy(&number, dataOf(mbufOf(handles[i])), 8);
        if (number != received) wrong++;
        received++;
      }
      freeBurst(handles, count);
    }
  });
  const std::size_t fds = openFdCount();
  const std::size_t mappings = guestMappings().size();
  const std::uint64_t mark = link.memory.mark();
  std::uint64_t sent = 0;
  for (int round = 0; round < 1000; round++) {
    link.memory.reset(mark);
    for (int i = 0; i < 8; i++) {
      ByteVector frame(1000);
      std::memcpy(frame.data(), &sent, 8);
      ASSERT_TRUE(link.guest.send(frame));
      sent++;
    }
    if (round % 3 == 0) {
      ASSERT_TRUE(link.device.setMemory(link.memory.specs(), link.memory.fds()).ok());
    } else if (round % 3 == 1) {
      ASSERT_TRUE(link.device.addRegion(spec, std::move(*duplicateFd(extra.fd()))).ok());
    } else {
      ASSERT_TRUE(link.device.removeRegion(spec).ok());
    }
    while (link.guest.tx.inFlight() > 0) {
      link.guest.reclaim();
      std::this_thread::yield();
    }
  }
  stop = true;
  lcore.join();
  EXPECT_EQ(received, sent);
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(openFdCount(), fds);
  EXPECT_EQ(guestMappings().size(), mappings);
}

// Row 60: nothing is allocated in proportion to the size.
TEST_F(VhostMemory, AHugeSparseRegion) {
  vhost::Device device(0, 2);
  Fd file(::memfd_create("sparse", MFD_CLOEXEC));
  const std::uint64_t size = 16ull << 40;
  ASSERT_EQ(::ftruncate(file.get(), static_cast<off_t>(size)), 0);
  std::vector<Fd> fds;
  fds.push_back(std::move(file));
  const auto result = device.setMemory({RegionSpec{0, size, 0x1000'0000'0000, 0}}, std::move(fds));
  // Address space may be short, for instance under a sanitizer.
  if (!result.ok()) {
    EXPECT_EQ(result.status().code(), StatusCode::kNoMemory) << result.status().detail();
  }
}

// Row 57: the peer truncates its file while a lcore polls. The process lives, the rings break, other devices
// go on.
TEST_F(VhostMemory, MemoryThatGoesAwayBreaksTheRings) {
  Mempool& pool = makePool(64, 192);
  Link other(pool, {.memory = 256 << 10}, 1);
  for (const std::uint64_t left : {std::uint64_t{0}, std::uint64_t{64 << 10}}) {
    Link link(pool, {.memory = 256 << 10, .shrinkable = true});
    (void)events::drain();
    for (int i = 0; i < 10; i++) ASSERT_TRUE(link.guest.send(patternBytes(60)));
    std::atomic<bool> stop{false};
    std::thread lcore([&] {
      Handle handles[32];
      while (!stop) {
        freeBurst(handles, link.rxSlot().run(handles, 32));
        Handle packet = pool.alloc();
        resetForRx(mbufOf(packet), 0, 60);
        if (link.txSlot().run(&packet, 1) == 0) freeChain(packet);
      }
    });
    link.memory.truncate(left);
    while (link.rxCount(kBROKEN) == 0 || link.txCount(kBROKEN) == 0) std::this_thread::yield();
    stop = true;
    lcore.join();
    EXPECT_EQ(link.device.state(Link::kGuestTx)->broken, "MEMORY_FAULT");
    EXPECT_EQ(link.device.state(Link::kGuestRx)->broken, "MEMORY_FAULT");
    EXPECT_EQ(events::drain().size(), 2u);
    expectTraffic(other);
    // Control plane accesses are guarded too, and nothing starts on zeros.
    ASSERT_TRUE(link.device.wantKicks(Link::kGuestTx, true).ok());
    for (const std::uint32_t ring : {Link::kGuestRx, Link::kGuestTx})
      ASSERT_TRUE(link.device.stopRing(ring).ok());
    EXPECT_EQ(link.device.startRing(Link::kGuestTx, link.guest.tx.config(link.features)).code(),
              StatusCode::kBadFile);
    GuestMemory fresh(256 << 10);
    ASSERT_TRUE(link.device.setMemory(fresh.specs(), fresh.fds()).ok());
    ASSERT_TRUE(link.device.startRing(Link::kGuestTx, link.guest.tx.config(link.features)).ok());
  }
}

// The handler is for peers' memory only.
TEST(FaultGuardDeathTest, OtherFaultsEndTheProcessAsBefore) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        std::atomic<bool> mark{false};
        FaultGuard guard;
        static char page[4096];
        (void)guard.guard(page, sizeof page, &mark);
        Fd file(::memfd_create("mine", 0));
        (void)::ftruncate(file.get(), 4096);
        auto* data = static_cast<volatile char*>(::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file.get(), 0));
        (void)::ftruncate(file.get(), 0);
        (void)data[0];
      },
      "");
}

// Row 57 where the file allows it: the peer cannot shrink it under us.
TEST_F(VhostMemory, FilesAreSealedAgainstShrinking) {
  Mempool& pool = makePool(8);
  Link link(pool, {.memory = 64 << 10});
  ASSERT_EQ(::ftruncate(link.memory.fd(), 0), -1);
  EXPECT_EQ(errno, EPERM);
  expectTraffic(link);
}

}  // namespace
}  // namespace pollwire::test
