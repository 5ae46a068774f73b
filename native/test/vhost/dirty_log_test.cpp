// Every byte that a burst writes into guest memory is marked in the dirty log: all ring layouts, buffers of
// every shape, logs that come and go under traffic. The oracle compares memory, see dirty_oracle.hpp.
#include "guest/dirty_log.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/dirty_oracle.hpp"
#include "support/packed_guest_ring.hpp"
#include "support/vhost_test.hpp"

namespace pollwire::test {
namespace {

constexpr std::uint64_t kTraffic = kMergeable | virtio::kRingIndirectDesc | virtio::kRingEventIdx;
// Large enough that index, elements and event index of a used ring lie on pages of their own.
constexpr std::uint32_t kRing = 1024;

template <class Ring>
class DirtyLogging : public ArenaTest {
 protected:
  using Link = VhostLink<Ring>;

  static LinkOptions options(std::uint64_t features = kTraffic) {
    return {.features = features, .ringSize = kRing, .memory = 2u << 20};
  }
  // Posts a chain of buffers full of a byte that differs from every header and somewhere from every frame.
  static bool postFilled(Link& link, std::span<const std::uint32_t> sizes, Placement placement) {
    std::uint64_t total = sizes.size();
    for (const std::uint32_t size : sizes) total += size;
    const std::uint64_t at = link.memory.alloc(total, 1);
    link.memory.write(at, std::vector<std::byte>(total, std::byte{0xee}));
    return link.guest.postAt(at, sizes, placement);
  }
  static void expectNothingLost(const DirtyOracle& oracle, const std::string& what) {
    const auto lost = oracle.lost();
    if (!lost.empty())
      ADD_FAILURE() << what << ": " << lost.size() << " pages lost, the first is " << *lost.begin();
  }
};

using Rings = ::testing::Types<SplitGuestRing, PackedGuestRing>;
TYPED_TEST_SUITE(DirtyLogging, Rings);

TYPED_TEST(DirtyLogging, CoversWhatIsSentToTheGuest) {
  Mempool& pool = this->makePool(400, 192);
  const std::vector<std::vector<std::uint32_t>> shapes = {
      {1526}, {12, 12000}, {1, 12000}, {4000, 4000, 4000, 4000}, std::vector<std::uint32_t>(32, 300)};
  for (const std::uint64_t features : {kTraffic, kModern | virtio::kRingIndirectDesc, std::uint64_t{0}}) {
    for (const auto& shape : shapes) {
      for (const Placement placement : {Placement::kDirect, Placement::kIndirect}) {
        if (placement == Placement::kIndirect && (features & virtio::kRingIndirectDesc) == 0) continue;
        for (const std::uint32_t size : {14u, 1514u, 4100u, 9018u}) {
          for (const std::uint32_t segment : {0u, 100u}) {
            VhostLink<TypeParam> link(pool, this->options(features));
            for (int i = 0; i < 7; i++) ASSERT_TRUE(this->postFilled(link, shape, placement));
            DirtyOracle oracle(link.memory);
            oracle.attach(link);
            oracle.begin();
            (void)link.transmit(patternBytes(size, size), segment);
            const std::string what = std::to_string(size) + " bytes into " + std::to_string(shape.size()) +
                                     " buffers of " + std::to_string(shape.back());
            this->expectNothingLost(oracle, what);
            EXPECT_TRUE(oracle.vain().empty()) << what;
            EXPECT_EQ(link.guest.receive().empty(), oracle.changed().empty()) << what;
            EXPECT_EQ(link.txCount(kLOG_MISSED), 0u);
          }
        }
      }
    }
  }
}

// Many packets in one burst, more pages than the marks' cache holds words, into two regions.
TYPED_TEST(DirtyLogging, CoversABurstOverMorePagesThanTheCacheHolds) {
  Mempool& pool = this->makePool(256);
  LinkOptions options = this->options();
  // 80 buffers, 1 MiB apart: each in another word of the log.
  options.memory = 48u << 20;
  VhostLink<TypeParam> link(pool, options);
  const std::uint64_t first = alignUp(link.memory.alloc(1), 1u << 20);
  const std::uint32_t room = 6000;
  for (std::uint32_t i = 0; i < 80; i++) {
    const std::uint64_t at = first + i * std::uint64_t{1u << 20} + 3000;
    link.memory.write(at, std::vector<std::byte>(room, std::byte{0xee}));
    ASSERT_TRUE(link.guest.postAt(at, std::span(&room, 1)));
  }
  DirtyOracle oracle(link.memory);
  oracle.attach(link);
  oracle.begin();
  std::vector<Handle> burst;
  for (std::uint32_t i = 0; i < 80; i++) burst.push_back(makePacket(pool, patternBytes(1900, i)));
  ASSERT_EQ(link.txSlot().run(burst.data(), 80), 80u);
  this->expectNothingLost(oracle, "80 packets");
  EXPECT_TRUE(oracle.vain().empty());
  EXPECT_GE(oracle.marked().size(), 160u);
  EXPECT_EQ(link.guest.receive().size(), 80u);
}

// Only the ring is written when packets are taken from the guest: elements that wrap, the index, the event.
TYPED_TEST(DirtyLogging, CoversTheRingWhenTheGuestSends) {
  Mempool& pool = this->makePool(256);
  for (const std::uint64_t features : {kTraffic, kModern}) {
    VhostLink<TypeParam> link(pool, this->options(features));
    DirtyOracle oracle(link.memory);
    oracle.attach(link);
    // Past the end of the ring several times.
    for (std::uint32_t burst = 0; burst < 90; burst++) {
      const std::uint64_t mark = link.memory.mark();
      for (std::uint32_t i = 0; i < 37; i++) ASSERT_TRUE(link.guest.send(patternBytes(60 + i)));
      oracle.begin();
      ASSERT_EQ(link.receiveFrames(64).size(), 37u);
      this->expectNothingLost(oracle, "burst " + std::to_string(burst));
      (void)link.guest.reclaim();
      link.memory.reset(mark);
    }
    // A lcore that goes to sleep, and one that wakes up.
    for (int turn = 0; turn < 2; turn++) {
      oracle.begin();
      ASSERT_TRUE(link.device.wantKicks(1, true).ok());
      this->expectNothingLost(oracle, "event");
      EXPECT_FALSE(oracle.changed().empty());
      oracle.begin();
      (void)link.rxSlot().arm(false);
      this->expectNothingLost(oracle, "arm");
      EXPECT_FALSE(oracle.changed().empty());
    }
    // A ring that starts writes its event too.
    ASSERT_TRUE(link.device.wantKicks(1, true).ok());
    const auto base = link.device.stopRing(1);
    ASSERT_TRUE(base.ok());
    auto config = link.guest.tx.config(features | TypeParam::kFeatures | virtio::kVhostLogAll);
    config.logUsed = true;
    config.usedLogAddr = link.guest.tx.used;
    oracle.begin();
    ASSERT_TRUE(link.device.startRing(1, config).ok());
    this->expectNothingLost(oracle, "start");
    EXPECT_FALSE(oracle.changed().empty());
  }
}

// The proof that the oracle sees what is missing.
TYPED_TEST(DirtyLogging, TheOracleSeesWhatIsNotLogged) {
  Mempool& pool = this->makePool(64);
  VhostLink<TypeParam> link(pool, this->options());
  DirtyOracle oracle(link.memory);
  oracle.attach(link);
  const std::uint32_t room = 9000;
  const auto send = [&] {
    ASSERT_TRUE(this->postFilled(link, std::span(&room, 1), Placement::kDirect));
    oracle.begin();
    ASSERT_TRUE(link.transmit(patternBytes(1900)));
  };
  // Without VHOST_VRING_F_LOG the used part is not logged; on a packed ring the answer is a descriptor.
  ASSERT_TRUE(link.device.setRingLog(0, false, link.guest.rx.used).ok());
  send();
  EXPECT_EQ(oracle.lost().empty(), TypeParam::kFeatures == virtio::kRingPacked);
  oracle.begin();
  ASSERT_TRUE(link.device.wantKicks(0, true).ok());
  EXPECT_FALSE(oracle.lost().empty());
  // The address is the front-end's to say.
  ASSERT_TRUE(link.device.setRingLog(0, true, GuestMemory::kBase + (1u << 20)).ok());
  oracle.begin();
  ASSERT_TRUE(link.device.wantKicks(0, false).ok());
  EXPECT_EQ(oracle.marked().count((GuestMemory::kBase + (1u << 20)) >> 12) +
                oracle.marked().count((GuestMemory::kBase + (1u << 20) + 4 + 8 * kRing) >> 12),
            1u);
  // Without VHOST_F_LOG_ALL nothing is.
  link.device.setLogAll(false);
  send();
  EXPECT_GE(oracle.lost().size(), 2u);
  EXPECT_TRUE(oracle.marked().empty());
  link.device.setLogAll(true);
  ASSERT_TRUE(link.device.setRingLog(0, true, link.guest.rx.used).ok());
  send();
  this->expectNothingLost(oracle, "logged again");
}

// A front-end at work: another thread takes marks and copies pages, over and over. stop() makes the last
// pass.
class Migrator {
 public:
  Migrator(GuestMemory& memory, std::vector<DirtyOracle*> logs, std::uint64_t first, std::uint64_t end)
      : memory_(memory), logs_(std::move(logs)), first_(first >> 18), end_((end >> 18) + 1) {
    thread_ = std::thread([this] {
      while (!ends_.load()) {
        if (wanted_.load()) pass();
        running_.store(wanted_.load());
      }
    });
  }
  ~Migrator() {
    ends_.store(true);
    thread_.join();
  }

  void start() {
    wanted_.store(true);
    while (!running_.load()) std::this_thread::yield();
  }
  void stop() {
    wanted_.store(false);
    while (running_.load()) std::this_thread::yield();
    pass();
  }
  // The page as it would be at the destination; nothing when it was never sent.
  const std::vector<std::byte>& pageOf(std::uint64_t page) { return copy_[page]; }

 private:
  void pass() {
    for (const DirtyOracle* log : logs_) {
      for (std::uint64_t word = first_; word < end_; word++) {
        std::uint64_t bits = std::atomic_ref<std::uint64_t>(log->file.words()[word]).exchange(0);
        for (; bits != 0; bits &= bits - 1) {
          const std::uint64_t page = word * 64 + static_cast<std::uint64_t>(__builtin_ctzll(bits));
          copy_[page] = memory_.read(page << 12, 4096);
        }
      }
    }
  }

  GuestMemory& memory_;
  std::vector<DirtyOracle*> logs_;
  // Words of the log.
  std::uint64_t first_;
  std::uint64_t end_;
  std::map<std::uint64_t, std::vector<std::byte>> copy_;
  std::atomic<bool> wanted_{false};
  std::atomic<bool> running_{false};
  std::atomic<bool> ends_{false};
  std::thread thread_;
};

// Its copy is what the guest received. A mark that is visible before its bytes are, or is lost when the log
// is replaced, leaves a stale page behind. Large frames make the moments long in which that could happen.
TYPED_TEST(DirtyLogging, ACopyMadeUnderTrafficIsComplete) {
  constexpr std::uint32_t kLength = 30000;
  Mempool& pool = this->makePool(64, 32000 + kHeadroom);
  VhostLink<TypeParam> link(pool, this->options());
  DirtyOracle first(link.memory);
  DirtyOracle second(link.memory);
  const std::uint32_t room = kLength + 12;
  std::vector<std::uint64_t> buffers;
  for (std::uint32_t i = 0; i < 32; i++) {
    buffers.push_back(link.memory.alloc(room, 4096));
    ASSERT_TRUE(link.guest.postAt(buffers.back(), std::span(&room, 1)));
  }
  std::vector<ByteVector> frames;
  for (std::uint32_t i = 0; i < 37; i++) frames.push_back(patternBytes(kLength, i));
  first.attach(link);
  Migrator migrator(link.memory, {&first, &second}, buffers.front(), buffers.back() + room);
  for (std::uint32_t round = 0; round < 250; round++) {
    // Replaced by the front-end now and then; marks of both areas count.
    if (round % 20 == 10) second.attach(link);
    else if (round % 20 == 0) first.attach(link);
    migrator.start();
    for (std::uint32_t i = 0; i < 16; i++) {
      ASSERT_TRUE(link.transmit(frames[(round * 16 + i) % frames.size()]));
    }
    migrator.stop();
    if (round == 0) {
      ASSERT_EQ(link.guest.receive(true).size(), 16u);
      continue;
    }
    (void)link.guest.receive(true);
    for (const std::uint64_t buffer : buffers) {
      for (std::uint64_t page = buffer >> 12; page <= (buffer + room - 1) >> 12; page++) {
        const auto& copy = migrator.pageOf(page);
        ASSERT_FALSE(round > 2 && copy.empty()) << "page " << page << " was never sent";
        if (!copy.empty()) {
          ASSERT_EQ(copy, link.memory.read(page << 12, 4096)) << "page " << page << " is stale";
        }
      }
    }
  }
}

class DirtyLogArea : public ArenaTest {};

// Hostile rows 128 and 129.
TEST_F(DirtyLogArea, RefusesWhatItCannotTrust) {
  Mempool& pool = makePool(8);
  VhostLink<> link(pool);
  const LogFile file(128 << 10);
  const std::uint64_t needed = alignUp(link.memory.end() >> 15, 8);
  const auto set = [&](std::uint64_t size, std::uint64_t offset) {
    return link.device.setLog(size, offset, file.fd()).code();
  };
  EXPECT_EQ(set(0, 0), StatusCode::kBadAddress);
  EXPECT_EQ(set(~0ull, 8), StatusCode::kBadAddress);
  EXPECT_EQ(set(64 << 10, ~0ull - 7), StatusCode::kBadAddress);
  EXPECT_EQ(set(64 << 10, 4), StatusCode::kBadAddress);
  EXPECT_EQ(set((128 << 10) + 1, 0), StatusCode::kBadFile);
  EXPECT_EQ(set(64 << 10, (64 << 10) + 8), StatusCode::kBadFile);
  EXPECT_EQ(set(1ull << 62, 0), StatusCode::kBadFile);
  EXPECT_EQ(set(needed - 1, 0), StatusCode::kOutOfRange);
  EXPECT_EQ(link.device.setLog(4096, 0, Fd(::open("/dev/null", O_RDWR))).code(), StatusCode::kBadFile);
  EXPECT_FALSE(link.device.setLog(4096, 0, Fd()).ok());
  // What was refused left nothing behind: rings stay plain.
  link.device.setLogAll(true);
  ASSERT_TRUE(link.guest.post(1526));
  EXPECT_TRUE(link.transmit(patternBytes(60)));
  EXPECT_EQ(set(needed, 0), StatusCode::kOk);
  EXPECT_EQ(set(needed, 4096 - 8), StatusCode::kOk);
}

// Hostile row 130, and memory that grows past the log.
TEST_F(DirtyLogArea, CountsPagesBeyondItsEndAndTouchesNothing) {
  Mempool& pool = makePool(8);
  VhostLink<> link(pool);
  DirtyOracle oracle(link.memory);
  oracle.attach(link);
  const std::uint32_t room = 1526;
  const std::uint64_t top = ~std::uint64_t{0};
  for (const std::uint64_t address :
       {std::uint64_t{1} << 40, top - 100, top - 2051, link.memory.end() + (16u << 20)}) {
    ASSERT_TRUE(link.device.setRingLog(0, true, address).ok());
    ASSERT_TRUE(link.guest.post(room));
    ASSERT_TRUE(link.transmit(patternBytes(60)));
  }
  EXPECT_GE(link.txCount(kLOG_MISSED), 4u);
  // The area is shorter than its file.
  const std::uint64_t covered = alignUp((link.memory.end() >> 15) + 1, 8);
  for (std::uint64_t i = covered; i < oracle.file.size(); i++) ASSERT_EQ(oracle.file.data()[i], 0) << i;
  EXPECT_EQ(link.guest.receive().size(), 4u);
}

// Hostile row 132.
TEST_F(DirtyLogArea, ATruncatedLogBreaksTheRingAndNothingElse) {
  Mempool& pool = makePool(8);
  VhostLink<> link(pool);
  MemoryFileOptions options;
  DirtyOracle oracle(link.memory);
  {
    const Fd keep = oracle.file.fd();
    ASSERT_EQ(::fcntl(keep.get(), F_ADD_SEALS, F_SEAL_SEAL), 0);
  }
  oracle.attach(link);
  ASSERT_TRUE(link.guest.post(1526));
  ASSERT_TRUE(link.guest.post(1526));
  ASSERT_TRUE(link.transmit(patternBytes(60)));
  oracle.file.truncate(0);
  (void)link.transmit(patternBytes(60));
  (void)link.transmit(patternBytes(60));
  EXPECT_EQ(link.device.state(0)->broken, "LOG_FAULT");
  // A log that works again, and the ring set up anew.
  DirtyOracle fresh(link.memory);
  fresh.attach(link);
  ASSERT_TRUE(link.device.stopRing(0).ok());
  link.startRing(0);
  EXPECT_EQ(link.device.state(0)->broken, "");
}

// A driver of a TCG guest never runs while bursts are counted: marks come at the end of each burst, and none
// are left when a ring stops.
TEST_F(DirtyLogArea, NothingIsPendingBetweenBursts) {
  Mempool& pool = makePool(8);
  VhostLink<> link(pool);
  DirtyOracle oracle(link.memory);
  oracle.attach(link);
  ASSERT_TRUE(link.guest.post(1526));
  oracle.begin();
  ASSERT_TRUE(link.transmit(patternBytes(60)));
  EXPECT_FALSE(oracle.marked().empty());
  oracle.begin();
  ASSERT_TRUE(link.device.stopRing(0).ok());
  link.device.setLogAll(false);
  EXPECT_TRUE(oracle.marked().empty());
}

}  // namespace
}  // namespace pollwire::test
