// What both driver-side rings must do, in and out of order: the same body for SplitDriver and PackedDriver.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "support/driver_rig.hpp"
#include "support/random.hpp"

namespace pollwire::test {
namespace {

template <class L, bool kOrdered>
struct Variant {
  using Layout = L;
  static constexpr bool kInOrder = kOrdered;
};

template <class V>
class DriverRing : public ::testing::Test {
 protected:
  using Layout = typename V::Layout;
  using Rig = DriverRig<Layout>;
  static constexpr bool kInOrder = V::kInOrder;

  // Sizes of every kind; a split ring takes powers of two.
  static std::vector<std::uint32_t> sizes() {
    return Layout::kPacked ? std::vector<std::uint32_t>{1, 2, 3, 4, 100, 256}
                           : std::vector<std::uint32_t>{1, 2, 4, 256};
  }
};

using Variants = ::testing::Types<Variant<SplitLayout, false>, Variant<SplitLayout, true>,
                                  Variant<PackedLayout, false>, Variant<PackedLayout, true>>;
TYPED_TEST_SUITE(DriverRing, Variants);

TYPED_TEST(DriverRing, BuffersComeBackAsPosted) {
  for (const std::uint32_t size : TestFixture::sizes()) {
    typename TestFixture::Rig rig(size);
    Random random(size);
    std::uint32_t posted = 0;
    std::uint32_t seen = 0;
    std::uint32_t collected = 0;
    const std::uint32_t total = 3 * size + 200;
    while (collected < total) {
      const std::uint32_t free = rig.driver.free();
      EXPECT_EQ(free, size - (posted - collected));
      const std::uint32_t want = random() % (size + 2);
      const std::uint32_t got = rig.template post<TestFixture::kInOrder>(want, 1 + posted, kDescWrite);
      EXPECT_EQ(got, std::min(want, free));
      posted += got;
      const auto heads = rig.heads(random() % 64 + 1);
      for (const Head& head : heads) {
        EXPECT_EQ(head.addr, rig.addrOf(1 + seen));
        EXPECT_EQ(head.len, rig.lenOf(1 + seen));
        EXPECT_TRUE(isSingle(head, Access::kWrite));
        seen++;
      }
      if (!heads.empty()) rig.answer(heads, 7);
      EXPECT_EQ(rig.driver.waiting(), seen - collected);
      const auto back = rig.template collect<TestFixture::kInOrder>(random() % 64 + 1);
      ASSERT_NE(back.count, TestFixture::Layout::Driver::kBroken);
      for (std::size_t i = 0; i < back.cookies.size(); i++) {
        EXPECT_EQ(back.cookies[i], ++collected);
        EXPECT_EQ(back.lengths[i], 7u);
      }
      EXPECT_EQ(rig.driver.inFlight(), posted - collected);
    }
  }
}

TYPED_TEST(DriverRing, IndicesGoPastTheirEnd) {
  typename TestFixture::Rig rig(4);
  for (std::uint32_t i = 0; i < 70000; i++) {
    ASSERT_EQ(rig.template post<TestFixture::kInOrder>(1, i + 1), 1u);
    rig.answer(rig.heads());
    std::uint32_t cookie = 0;
    ASSERT_EQ(rig.driver.template reclaim<TestFixture::kInOrder>(&cookie, 1), 1u);
    ASSERT_EQ(cookie, i + 1);
  }
  EXPECT_EQ(rig.driver.free(), 4u);
}

TYPED_TEST(DriverRing, FillMayStop) {
  typename TestFixture::Rig rig(8);
  const std::uint32_t posted =
      rig.driver.template post<TestFixture::kInOrder>(8, 0, [](std::uint32_t i, DriverBuffer& buffer) {
        buffer = DriverBuffer{0x1000, 60, i + 1};
        return i < 3;
      });
  rig.driver.publish();
  EXPECT_EQ(posted, 3u);
  EXPECT_EQ(rig.driver.free(), 5u);
  EXPECT_EQ(rig.heads().size(), 3u);
}

TYPED_TEST(DriverRing, NothingIsSeenBeforePublish) {
  typename TestFixture::Rig rig(8);
  rig.driver.template post<TestFixture::kInOrder>(3, 0, [](std::uint32_t i, DriverBuffer& buffer) {
    buffer = DriverBuffer{0x1000, 60, i + 1};
    return true;
  });
  const Element list[2] = {{0x2000, 10, 0}, {0x3000, 20, 0}};
  rig.driver.template postList<TestFixture::kInOrder>(list, 2, 4);
  EXPECT_EQ(rig.device.available(), 0u);
  rig.driver.publish();
  EXPECT_EQ(rig.heads().size(), 4u);
}

TYPED_TEST(DriverRing, ListsAndTablesKeepTheirElements) {
  for (const std::uint32_t size : TestFixture::sizes()) {
    typename TestFixture::Rig rig(size);
    Random random(size * 7);
    LineMemory buffers(8192);
    LineMemory tables(256ull * size);
    std::vector<std::vector<Element>> sent;
    std::size_t walked = 0;
    std::uint32_t collected = 0;
    while (collected < 3 * size + 60) {
      for (;;) {
        std::vector<Element> elements(1 + random() % std::min(size, 6u));
        for (Element& element : elements) {
          element.addr = reinterpret_cast<std::uintptr_t>(buffers.at<std::byte>(random() % 4096));
          element.len = 1 + random() % 1000;
        }
        const auto count = static_cast<std::uint32_t>(elements.size());
        const auto cookie = static_cast<std::uint32_t>(sent.size() + 1);
        if (random() % 2 && rig.driver.free() >= 1) {
          auto* table = tables.at<std::byte>(256ull * rig.driver.template nextId<TestFixture::kInOrder>());
          TestFixture::Layout::Driver::writeTable(table, elements.data(), count);
          rig.driver.template postIndirect<TestFixture::kInOrder>(reinterpret_cast<std::uintptr_t>(table),
                                                                  count, cookie);
        } else if (rig.driver.free() >= count) {
          rig.driver.template postList<TestFixture::kInOrder>(elements.data(), count, cookie);
        } else {
          break;
        }
        sent.push_back(elements);
      }
      rig.driver.publish();
      const auto heads = rig.heads(1 + random() % 20);
      FlatSpace space;
      for (const Head& head : heads) {
        PieceList pieces;
        ASSERT_EQ(rig.device.walk(head, Access::kRead, space, pieces), ChainVerdict::kGood);
        const auto& want = sent[walked++];
        ASSERT_EQ(pieces.count(), want.size());
        for (std::uint32_t i = 0; i < pieces.count(); i++) {
          EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pieces[i].data), want[i].addr);
          EXPECT_EQ(pieces[i].length, want[i].len);
        }
      }
      rig.answer(heads);
      std::uint32_t cookies[8];
      std::uint32_t got;
      while ((got = rig.driver.template reclaim<TestFixture::kInOrder>(cookies, 8)) != 0) {
        ASSERT_LE(got, 8u);
        for (std::uint32_t i = 0; i < got; i++) EXPECT_EQ(cookies[i], ++collected);
      }
    }
    EXPECT_EQ(rig.driver.inFlight(), sent.size() - collected);
  }
}

TYPED_TEST(DriverRing, AbandonGivesBackWhatIsInFlight) {
  typename TestFixture::Rig rig(16);
  ASSERT_EQ(rig.template post<TestFixture::kInOrder>(9, 1), 9u);
  const Element list[3] = {{0x2000, 10, 0}, {0x3000, 20, 0}, {0x4000, 20, 0}};
  rig.driver.template postList<TestFixture::kInOrder>(list, 3, 10);
  rig.driver.publish();
  rig.answer(rig.heads(4));
  ASSERT_EQ(rig.template collect<TestFixture::kInOrder>(2).count, 2u);
  std::vector<std::uint32_t> cookies;
  rig.driver.template abandon<TestFixture::kInOrder>(
      [&](std::uint32_t cookie) { cookies.push_back(cookie); });
  std::sort(cookies.begin(), cookies.end());
  EXPECT_EQ(cookies, (std::vector<std::uint32_t>{3, 4, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(rig.driver.inFlight(), 0u);
  EXPECT_EQ(rig.driver.free(), 0u);
}

TYPED_TEST(DriverRing, KicksAsTheDeviceAsks) {
  for (const bool eventIdx : {false, true}) {
    typename TestFixture::Rig rig(8, eventIdx);
    const auto pass = [&](std::uint32_t count) {
      EXPECT_EQ(rig.template post<TestFixture::kInOrder>(count, 1), count);
      const bool kick = rig.driver.wantsKick();
      rig.answer(rig.heads());
      EXPECT_EQ(rig.template collect<TestFixture::kInOrder>().count, count);
      return kick;
    };
    rig.device.setKickWanted(true);
    EXPECT_TRUE(pass(1));
    rig.device.setKickWanted(false);
    for (std::uint32_t i = 0; i < 40; i++) EXPECT_FALSE(pass(1 + i % 8));
    rig.device.setKickWanted(true);
    EXPECT_TRUE(pass(5));
    // With an event index, once is enough.
    EXPECT_EQ(pass(2), !eventIdx);
  }
}

TYPED_TEST(DriverRing, AsksForCalls) {
  for (const bool eventIdx : {false, true}) {
    typename TestFixture::Rig rig(8, eventIdx);
    const auto pass = [&](std::uint32_t count) {
      EXPECT_EQ(rig.template post<TestFixture::kInOrder>(count, 1), count);
      rig.answer(rig.heads());
      const bool call = rig.device.wantsCall();
      EXPECT_EQ(rig.template collect<TestFixture::kInOrder>().count, count);
      return call;
    };
    for (std::uint32_t i = 0; i < 20; i++)
      EXPECT_FALSE(pass(1 + i % 8)) << "a polling driver asks for nothing";
    rig.driver.setCallWanted(true);
    EXPECT_TRUE(pass(3));
    rig.driver.setCallWanted(false);
    EXPECT_FALSE(pass(3));
  }
}

TYPED_TEST(DriverRing, CollectOfNothingIsNothing) {
  typename TestFixture::Rig rig(8);
  EXPECT_EQ(rig.template collect<TestFixture::kInOrder>().count, 0u);
  ASSERT_EQ(rig.template post<TestFixture::kInOrder>(4, 1), 4u);
  rig.answer(rig.heads());
  EXPECT_EQ(rig.template collect<TestFixture::kInOrder>(0).count, 0u);
  EXPECT_EQ(rig.template collect<TestFixture::kInOrder>().count, 4u);
}

template <class Layout>
class AnyOrder : public ::testing::Test {};
using Layouts = ::testing::Types<SplitLayout, PackedLayout>;
TYPED_TEST_SUITE(AnyOrder, Layouts);

TYPED_TEST(AnyOrder, BuffersMayComeBackShuffled) {
  DriverRig<TypeParam> rig(32);
  Random random(5);
  LineMemory buffers(64);
  std::vector<bool> back(1);
  std::uint32_t collected = 0;
  for (std::uint32_t round = 0; round < 500; round++) {
    while (rig.driver.free() >= 3) {
      const auto cookie = static_cast<std::uint32_t>(back.size());
      if (random() % 3 == 0) {
        const std::uint64_t addr = reinterpret_cast<std::uintptr_t>(buffers.at<std::byte>(0));
        const Element list[3] = {{addr, 1, 0}, {addr, 2, 0}, {addr, 3, 0}};
        rig.driver.template postList<false>(list, 2 + random() % 2, cookie);
        rig.driver.publish();
      } else {
        rig.template post<false>(1, cookie);
      }
      back.push_back(false);
    }
    auto heads = rig.heads();
    std::shuffle(heads.begin(), heads.end(), random);
    rig.answer(heads, round);
    const auto got = rig.template collect<false>();
    ASSERT_EQ(got.count, heads.size());
    for (const std::uint32_t cookie : got.cookies) {
      EXPECT_FALSE(back[cookie]) << "came back twice";
      back[cookie] = true;
      collected++;
    }
    EXPECT_EQ(rig.driver.free(), 32u);
  }
  EXPECT_EQ(collected, back.size() - 1);
}

TYPED_TEST(AnyOrder, InOrderBatchesNameTheirLastBuffer) {
  DriverRig<TypeParam> rig(16);
  std::uint32_t cookie = 0;
  for (std::uint32_t round = 0; round < 50; round++) {
    const std::uint32_t batch = 1 + round % 16;
    ASSERT_EQ(rig.template post<true>(batch, cookie + 1), batch);
    rig.answerBatch(rig.heads(), 99);
    // In pieces, as a burst that is smaller than the batch takes them.
    for (std::uint32_t done = 0; done < batch;) {
      const auto got = rig.template collect<true>(3);
      ASSERT_GT(got.cookies.size(), 0u);
      for (std::size_t i = 0; i < got.cookies.size(); i++) {
        done++;
        EXPECT_EQ(got.cookies[i], ++cookie);
        EXPECT_EQ(got.lengths[i], done == batch ? 99u : kWholeBuffer);
      }
    }
    EXPECT_EQ(rig.driver.free(), 16u);
  }
}

TYPED_TEST(AnyOrder, InOrderBatchesMayHoldLists) {
  DriverRig<TypeParam> rig(16);
  const Element list[3] = {{0x1000, 1, 0}, {0x2000, 2, 0}, {0x3000, 3, 0}};
  for (std::uint32_t round = 0; round < 40; round++) {
    const std::uint32_t base = 4 * round;
    rig.template post<true>(1, base + 1);
    rig.driver.template postList<true>(list, 3, base + 2);
    rig.driver.template postList<true>(list, 1 + round % 3, base + 3);
    rig.driver.publish();
    rig.template post<true>(2, base + 4);
    rig.answerBatch(rig.heads(3));
    rig.answer(rig.heads());
    std::uint32_t cookies[8];
    ASSERT_EQ(rig.driver.template reclaim<true>(cookies, 8), 5u);
    for (std::uint32_t i = 0; i < 5; i++) EXPECT_EQ(cookies[i], base + 1 + i);
    EXPECT_EQ(rig.driver.free(), 16u);
  }
}

}  // namespace
}  // namespace pollwire::test
