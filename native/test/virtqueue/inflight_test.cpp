// Recovery with an in-flight region: the device is stopped before every single store it does, and its
// successor, which is stopped before every store as well, answers each chain that the driver posted exactly
// once, and those that are left in their old order. Regions that lie are refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>

#include "support/inflight_rig.hpp"

namespace pollwire::test {
namespace {

template <class Ring>
std::uint32_t entriesOf(const std::vector<Head>& heads) {
  return std::accumulate(heads.begin(), heads.end(), 0u,
                         [](std::uint32_t sum, const Head& head) { return sum + head.count; });
}

template <class Ring>
std::vector<Head> look(Ring& ring, std::uint32_t count) {
  std::vector<Head> heads;
  for (std::uint32_t at = 0; heads.size() < count;) {
    Head head{};
    const std::uint32_t ready = ring.available();
    if (ready == 0 || ready <= heads.size() || ring.gather(&head, at, 1) != 1) break;
    at += head.count;
    heads.push_back(head);
  }
  return heads;
}

// As the burst functions do: answered where it is taken.
template <class Ring>
void burst(Ring& ring, std::uint32_t count) {
  const std::vector<Head> heads = look(ring, count);
  std::uint32_t at = 0;
  for (const Head& head : heads) {
    ring.putUsed(at, head, head.len);
    at += head.count;
  }
  if (at != 0) ring.publish(at, at);
}

// As a device that answers later: what it took, it answers in the order asked for.
template <class Ring>
std::vector<Head> take(Ring& ring, std::uint32_t count) {
  std::vector<Head> heads = look(ring, count);
  if (!heads.empty()) ring.publish(entriesOf<Ring>(heads), 0);
  return heads;
}
template <class Ring>
void answer(Ring& ring, std::vector<Head>& held, std::initializer_list<std::size_t> which) {
  std::vector<Head> heads;
  for (const std::size_t i : which) heads.push_back(held[i]);
  std::uint32_t at = 0;
  for (const Head& head : heads) {
    ring.putUsed(at, head, 1);
    at += head.count;
  }
  ring.publish(0, at);
}

template <class Rig>
class Inflight : public testing::Test {
 protected:
  using Ring = typename Rig::Ring;
  using Driver = typename Rig::Driver;

  struct Moment {
    StoreTrace::Image image;
    Driver driver;
  };

  void SetUp() override {
    if (!kCanTraceStores) GTEST_SKIP() << "stores can be traced on x86-64 only";
  }

  // The moments of one step of the device, with what the driver knew then.
  template <typename Step>
  void device(Step&& step) {
    for (auto& image : trace_.run(step)) moments_.push_back(Moment{std::move(image), driver_});
  }

  // What the driver must see in the end of a moment: everything once, the rest in the order of posting.
  void expectExact(Driver driver, const std::vector<std::uint32_t>& before) {
    driver.collect();
    std::vector<std::uint32_t> all(driver.posted);
    std::iota(all.begin(), all.end(), 0u);
    ASSERT_TRUE(std::equal(before.begin(), before.end(), driver.returned.begin()));
    std::vector<std::uint32_t> rest(driver.returned.begin() + static_cast<std::ptrdiff_t>(before.size()),
                                    driver.returned.end());
    EXPECT_TRUE(std::is_sorted(rest.begin(), rest.end())) << "the order of what was left";
    std::vector<std::uint32_t> sorted = driver.returned;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(sorted, all) << "each chain exactly once";
  }

  // A successor on the memory as it is: everything that is left, in bursts of two.
  void finish() {
    auto opened = Rig::open(trace_.memory());
    ASSERT_TRUE(opened.ok()) << opened.status().detail();
    for (int turn = 0; turn < 16; turn++) {
      for (const Head& head : look(*opened, 2)) {
        EXPECT_EQ(head.addr % 0x1000, 0u) << "a head that is no chain's first buffer";
        EXPECT_EQ(head.len, 100 + head.addr / 0x1000 - 1) << "not the descriptor that was posted";
      }
      burst(*opened, 2);
    }
    EXPECT_EQ(opened->available(), 0u);
  }

  void expectEveryCrashIsExact() {
    ASSERT_GT(moments_.size(), 20u);
    for (std::size_t i = 0; i < moments_.size(); i++) {
      SCOPED_TRACE("first crash before store " + std::to_string(i));
      const Moment& moment = moments_[i];
      trace_.load(moment.image);
      Driver driver = moment.driver;
      driver.collect();
      const std::vector<StoreTrace::Image> second = trace_.run([&] { finish(); });
      expectExact(moment.driver, driver.returned);
      if (HasFailure()) return;
      for (std::size_t j = 0; j < second.size(); j++) {
        SCOPED_TRACE("second crash before store " + std::to_string(j));
        trace_.load(second[j]);
        Driver seen = driver;
        seen.collect();
        finish();
        expectExact(driver, seen.returned);
        if (HasFailure()) return;
      }
    }
  }

  StoreTrace trace_{kBlock};
  Driver driver_ = Rig::begin(trace_.memory());
  std::vector<Moment> moments_;
};

using Rigs = testing::Types<SplitRig, PackedRig>;
TYPED_TEST_SUITE(Inflight, Rigs);

TYPED_TEST(Inflight, BurstsThatAnswerAtOnceSurviveACrashAtAnyStore) {
  typename TestFixture::Ring ring;
  this->device([&] { ring = *TypeParam::open(this->trace_.memory()); });
  for (const std::uint32_t round : {3u, 1u, 2u, 4u}) {
    for (std::uint32_t i = 0; i < round; i++) this->driver_.post(i == 1 ? 2 : 1);
    this->device([&] { burst(ring, 2); });
    this->driver_.collect();
    this->device([&] { burst(ring, 32); });
    this->driver_.collect();
  }
  EXPECT_EQ(this->driver_.returned.size(), 10u);
  this->expectEveryCrashIsExact();
}

TYPED_TEST(Inflight, AnswersInAnyOrderSurviveACrashAtAnyStore) {
  typename TestFixture::Ring ring;
  this->device([&] { ring = *TypeParam::open(this->trace_.memory()); });
  for (const std::uint32_t count : {1u, 3u, 1u, 1u}) this->driver_.post(count);
  std::vector<Head> held;
  this->device([&] { held = take(ring, 4); });
  ASSERT_EQ(held.size(), 4u);
  this->device([&] { answer(ring, held, {2, 0}); });
  this->driver_.collect();
  this->driver_.post(2);
  std::vector<Head> more;
  this->device([&] { more = take(ring, 1); });
  ASSERT_EQ(more.size(), 1u);
  this->device([&] { answer(ring, more, {0}); });
  this->driver_.collect();
  this->device([&] { answer(ring, held, {3, 1}); });
  this->driver_.collect();
  EXPECT_EQ(this->driver_.returned, (std::vector<std::uint32_t>{2, 0, 4, 3, 1}));
  this->expectEveryCrashIsExact();
}

TYPED_TEST(Inflight, AWholeRingAtOnce) {
  typename TestFixture::Ring ring;
  this->device([&] { ring = *TypeParam::open(this->trace_.memory()); });
  for (int lap = 0; lap < 2; lap++) {
    for (std::uint32_t i = 0; i < 7; i++) this->driver_.post(1);
    this->device([&] { burst(ring, 32); });
    this->driver_.collect();
  }
  EXPECT_EQ(this->driver_.returned.size(), 14u);
  this->expectEveryCrashIsExact();
}

// A hostile front-end keeps the region: what it says is checked before it is believed.
TEST(InflightSplitRegion, LiesAreRefused) {
  StoreTrace block(kBlock);
  SplitRig::begin(block.memory());
  ASSERT_TRUE(SplitRig::open(block.memory()).ok());
  const StoreTrace::Image good(block.memory(), block.memory() + kBlock);
  using Queue = inflight::SplitQueue;
  using Entry = inflight::SplitEntry;
  struct {
    const char* says;
    std::function<void(Queue&, Entry*)> lie;
  } const rows[] = {
      {"has version 7", [](Queue& queue, Entry*) { queue.version = 7; }},
      {"has 9 entries, not the 8", [](Queue& queue, Entry*) { queue.entries = 9; }},
      {"ends at used index 5", [](Queue& queue, Entry*) { queue.usedIdx = 5; }},
      {"names descriptor 8",
       [](Queue& queue, Entry*) {
         queue.usedIdx--;
         queue.lastBatchHead = 8;
       }},
      {"names descriptor 65535",
       [](Queue& queue, Entry* entries) {
         queue.usedIdx = static_cast<std::uint16_t>(queue.usedIdx - 2);
         entries[0].next = 65535;
       }},
  };
  for (const auto& row : rows) {
    block.load(good);
    row.lie(*reinterpret_cast<Queue*>(block.memory() + kRegionAt),
            reinterpret_cast<Entry*>(block.memory() + kRegionAt + sizeof(Queue)));
    const auto opened = SplitRig::open(block.memory());
    ASSERT_FALSE(opened.ok()) << row.says;
    EXPECT_NE(opened.status().detail().find(row.says), std::string::npos) << opened.status().detail();
  }
  block.load(good);
  const SplitDevice ring(reinterpret_cast<split::Desc*>(block.memory()),
                         reinterpret_cast<split::Avail*>(block.memory() + 256),
                         reinterpret_cast<split::Used*>(block.memory() + 512), 16, 0, true, true);
  EXPECT_NE(InflightSplit::open(ring, InflightSlice{block.memory() + kRegionAt, 8, nullptr}, false)
                .status()
                .detail()
                .find("has room for 8 descriptors, the ring has 16"),
            std::string::npos);
}

TEST(InflightPackedRegion, LiesAreRefused) {
  StoreTrace block(kBlock);
  PackedRig::Driver driver = PackedRig::begin(block.memory());
  {
    auto ring = PackedRig::open(block.memory());
    driver.post(2);
    ASSERT_EQ(take(*ring, 1).size(), 1u);
  }
  const StoreTrace::Image good(block.memory(), block.memory() + kBlock);
  ASSERT_TRUE(PackedRig::open(block.memory()).ok());
  using Queue = inflight::PackedQueue;
  using Entry = inflight::PackedEntry;
  struct {
    const char* says;
    std::function<void(Queue&, Entry*)> lie;
  } const rows[] = {
      {"has version 2", [](Queue& queue, Entry*) { queue.version = 2; }},
      {"has 7 entries, not the 8", [](Queue& queue, Entry*) { queue.entries = 7; }},
      {"ends at descriptor 7 of a ring of 7", [](Queue& queue, Entry*) { queue.used = 7; }},
      {"ends at descriptor 65535", [](Queue& queue, Entry*) { queue.used = 0xffff0000; }},
      {"links its free entries to 9", [](Queue& queue, Entry*) { queue.oldFreeHead = 9; }},
      {"links its free entries to 3", [](Queue&, Entry* entries) { entries[7].next = 3; }},
      {"holds chains of 0 descriptors", [](Queue&, Entry* entries) { entries[0].num = 0; }},
      {"holds chains of 65535 descriptors", [](Queue&, Entry* entries) { entries[0].num = 65535; }},
      {"links a chain to entry 5", [](Queue&, Entry* entries) { entries[0].next = 5; }},
      {"links a chain to entry 4660", [](Queue&, Entry* entries) { entries[0].next = 4660; }},
      {"has lost 1 of its entries", [](Queue&, Entry* entries) { entries[0].num = 1; }},
  };
  for (const auto& row : rows) {
    block.load(good);
    row.lie(*reinterpret_cast<Queue*>(block.memory() + kRegionAt),
            reinterpret_cast<Entry*>(block.memory() + kRegionAt + sizeof(Queue)));
    const auto opened = PackedRig::open(block.memory());
    ASSERT_FALSE(opened.ok()) << row.says;
    EXPECT_NE(opened.status().detail().find(row.says), std::string::npos) << opened.status().detail();
  }
}

}  // namespace
}  // namespace pollwire::test
