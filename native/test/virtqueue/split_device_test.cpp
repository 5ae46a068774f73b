// The device side of a split ring on plain heap memory, where a sanitizer sees every byte too far.
#include "virtqueue/split_device.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <initializer_list>
#include <memory>
#include <vector>

namespace pollwire {
namespace {

// Guest addresses are offsets into one block of exactly the given size.
class BlockSpace {
 public:
  explicit BlockSpace(std::size_t size) : bytes_(new std::byte[size]()), size_(size) {}
  std::byte* translate(std::uint64_t addr, std::uint32_t length, Access) noexcept {
    return addr < size_ && length <= size_ - addr ? bytes_.get() + addr : nullptr;
  }
  bool collect(std::uint64_t addr, std::uint32_t length, Access access, PieceList& pieces) noexcept {
    std::byte* data = translate(addr, length, access);
    return data != nullptr && pieces.push(data, length);
  }
  split::Desc* table(std::uint64_t addr) { return reinterpret_cast<split::Desc*>(bytes_.get() + addr); }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  std::size_t size_;
};

// Each part in an allocation of its own, of the size that the layout says.
struct Ring {
  explicit Ring(std::uint32_t size, bool eventIdx = true, std::uint16_t start = 0, bool indirect = true)
      : desc(size),
        avail(split::availBytes(size, eventIdx) / 2),
        used((split::usedBytes(size, eventIdx) + 3) / 4) {
    availView()->idx = start;
    usedView()->idx = start;
    device = SplitDevice(desc.data(), availView(), usedView(), size, start, eventIdx, indirect);
  }
  split::Avail* availView() { return reinterpret_cast<split::Avail*>(avail.data()); }
  split::Used* usedView() { return reinterpret_cast<split::Used*>(used.data()); }

  std::vector<split::Desc> desc;
  std::vector<std::uint16_t> avail;
  std::vector<std::uint32_t> used;
  SplitDevice device;
};

TEST(SplitDevice, CountsWhatIsAvailableAndNoticesAJump) {
  for (const std::uint16_t start : std::initializer_list<std::uint16_t>{0, 1, 65500, 65535}) {
    Ring ring(8, true, start);
    for (std::uint32_t ahead = 0; ahead < 65536; ahead++) {
      ring.availView()->idx = static_cast<std::uint16_t>(start + ahead);
      ASSERT_EQ(ring.device.available(), ahead <= 8 ? ahead : SplitDevice::kBroken)
          << start << " + " << ahead;
    }
  }
  Ring largest(32768, true, 65000);
  largest.availView()->idx = static_cast<std::uint16_t>(65000 + 32768);
  EXPECT_EQ(largest.device.available(), 32768u);
  largest.availView()->idx = static_cast<std::uint16_t>(65000 + 32769);
  EXPECT_EQ(largest.device.available(), SplitDevice::kBroken);
}

TEST(SplitDevice, GathersHeadsInRingOrderAcrossTheWrap) {
  Ring ring(4, true, 65534);
  for (std::uint16_t i = 0; i < 4; i++)
    ring.desc[i] = split::Desc{100u + i, 10u + i, static_cast<std::uint16_t>(i), 7};
  const std::uint16_t order[] = {2, 0, 3, 1};
  for (std::uint32_t i = 0; i < 4; i++) ring.availView()->ring[(65534 + i) % 4] = order[i];
  ring.availView()->idx = 2;
  ASSERT_EQ(ring.device.available(), 4u);
  Head heads[4];
  EXPECT_EQ(ring.device.gather(heads, 0, 4), 4u);
  for (std::uint32_t i = 0; i < 4; i++) {
    EXPECT_EQ(heads[i].id, order[i]);
    EXPECT_EQ(heads[i].addr, 100u + order[i]);
    EXPECT_EQ(heads[i].len, 10u + order[i]);
    EXPECT_EQ(heads[i].flags, order[i]);
    EXPECT_EQ(heads[i].next, 7u);
    EXPECT_EQ(heads[i].count, 1u);
    EXPECT_FALSE(heads[i].bad);
  }
  ring.device.gather(heads, 2, 1);
  EXPECT_EQ(heads[0].id, 3u);
}

TEST(SplitDevice, AHeadOutsideTheTableIsBadAndNothingElse) {
  Ring ring(4);
  for (const std::uint16_t id : std::initializer_list<std::uint16_t>{4, 5, 0x7fff, 0xffff}) {
    ring.availView()->ring[0] = id;
    Head head;
    ring.device.gather(&head, 0, 1);
    EXPECT_TRUE(head.bad);
    EXPECT_FALSE(isSingle(head, Access::kRead));
    EXPECT_FALSE(isSingle(head, Access::kWrite));
  }
}

TEST(SplitDevice, SingleMeansOneBufferOfTheRightDirection) {
  for (std::uint32_t flags = 0; flags < 65536; flags++) {
    const Head head{0, 0, static_cast<std::uint16_t>(flags), 0, 0, 1, false};
    ASSERT_EQ(isSingle(head, Access::kRead), (flags & 7) == 0);
    ASSERT_EQ(isSingle(head, Access::kWrite), (flags & 7) == 2);
  }
}

TEST(SplitDevice, PublishesElementsAndIndexAcrossTheWrap) {
  Ring ring(4, true, 65533);
  for (std::uint32_t i = 0; i < 9; i++) {
    Head head{};
    head.id = static_cast<std::uint16_t>(i % 4);
    ring.device.putUsed(0, head, 1000 + i);
    EXPECT_EQ(ring.usedView()->idx, static_cast<std::uint16_t>(65533 + i)) << "visible before publish";
    ring.device.publish(1, 1);
    EXPECT_EQ(ring.usedView()->idx, static_cast<std::uint16_t>(65534 + i));
    const split::UsedElem& element = ring.usedView()->ring[(65533 + i) % 4];
    EXPECT_EQ(element.id, i % 4);
    EXPECT_EQ(element.len, 1000 + i);
    EXPECT_EQ(ring.device.nextAvail(), static_cast<std::uint16_t>(65534 + i));
    EXPECT_EQ(ring.device.usedIdx(), static_cast<std::uint16_t>(65534 + i));
  }
  // Skipped heads: taken, not answered.
  ring.device.publish(3, 0);
  EXPECT_EQ(ring.device.nextAvail(), static_cast<std::uint16_t>(65542 + 3));
  EXPECT_EQ(ring.usedView()->idx, static_cast<std::uint16_t>(65542));
}

TEST(SplitDevice, CallsAsTheFlagSays) {
  Ring ring(4, false);
  for (std::uint32_t flags = 0; flags < 65536; flags++) {
    ring.availView()->flags = static_cast<std::uint16_t>(flags);
    ASSERT_EQ(ring.device.wantsCall(), (flags & 1) == 0);
  }
}

TEST(SplitDevice, CallsAsTheEventIndexSays) {
  for (const std::uint16_t start : std::initializer_list<std::uint16_t>{0, 65500, 65535}) {
    Ring ring(8, true, start);
    auto* event = &ring.availView()->ring[8];
    // The flag does not count when EVENT_IDX is negotiated.
    ring.availView()->flags = split::kAvailNoInterrupt;
    *event = start;
    EXPECT_FALSE(ring.device.wantsCall()) << "nothing was used";
    ring.device.publish(1, 1);
    EXPECT_TRUE(ring.device.wantsCall());
    EXPECT_FALSE(ring.device.wantsCall()) << "said already";
    *event = static_cast<std::uint16_t>(start + 3);
    ring.device.publish(2, 2);
    EXPECT_FALSE(ring.device.wantsCall());
    ring.device.publish(3, 3);
    EXPECT_TRUE(ring.device.wantsCall());
    ring.device.publish(1, 1);
    EXPECT_FALSE(ring.device.wantsCall());
  }
}

TEST(SplitDevice, AsksForKicksInBothWays) {
  Ring flagged(4, false, 10);
  flagged.device.setKickWanted(false);
  EXPECT_EQ(flagged.usedView()->flags, split::kUsedNoNotify);
  flagged.device.setKickWanted(true);
  EXPECT_EQ(flagged.usedView()->flags, 0u);

  Ring indexed(4, true, 10);
  auto* event = reinterpret_cast<std::uint16_t*>(&indexed.usedView()->ring[4]);
  indexed.device.setKickWanted(true);
  EXPECT_EQ(*event, 10u);
  EXPECT_TRUE(wrap16::needEvent(*event, 11, 10));
  indexed.device.setKickWanted(false);
  for (std::uint16_t i = 10; i < 5000; i++) {
    ASSERT_FALSE(wrap16::needEvent(*event, static_cast<std::uint16_t>(i + 1), i));
  }
  EXPECT_EQ(indexed.usedView()->flags, 0u) << "the flag means nothing with EVENT_IDX";
}

TEST(SplitDevice, KeepsItsPlaceWhenTheRingMoves) {
  Ring first(4, true, 65530);
  first.device.publish(9, 8);
  Ring second(4, true, 1);
  second.device.takeOver(first.device);
  EXPECT_EQ(second.device.nextAvail(), static_cast<std::uint16_t>(65539));
  EXPECT_EQ(second.device.usedIdx(), static_cast<std::uint16_t>(65538));
}

// walk()

struct Walked {
  ChainVerdict verdict;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> pieces;
};

Walked walk(Ring& ring, BlockSpace& space, Access access, std::uint16_t id = 0) {
  ring.availView()->ring[0] = id;
  Head head;
  ring.device.gather(&head, 0, 1);
  PieceList list;
  Walked result{ring.device.walk(head, access, space, list), {}};
  const std::byte* base = space.translate(0, 1, access);
  for (std::uint32_t i = 0; i < list.count(); i++) {
    result.pieces.emplace_back(static_cast<std::uint64_t>(list[i].data - base), list[i].length);
  }
  return result;
}

constexpr std::uint16_t kNext = split::kNext;
constexpr std::uint16_t kWrite = split::kWrite;
constexpr std::uint16_t kIndirect = split::kIndirect;

TEST(SplitDeviceWalk, FollowsNextAndLeavesEmptyElementsOut) {
  Ring ring(4);
  BlockSpace space(1000);
  ring.desc[0] = {10, 5, kNext, 3};
  ring.desc[3] = {0, 0, kNext, 1};
  ring.desc[1] = {500, 500, 0, 2};
  const Walked walked = walk(ring, space, Access::kRead);
  EXPECT_EQ(walked.verdict, ChainVerdict::kGood);
  EXPECT_EQ(walked.pieces, (decltype(walked.pieces){{10, 5}, {500, 500}}));
}

TEST(SplitDeviceWalk, UnknownFlagsAreIgnored) {
  Ring ring(4);
  BlockSpace space(1000);
  ring.desc[0] = {10, 5, static_cast<std::uint16_t>(0xfff8 | kNext), 1};
  ring.desc[1] = {20, 5, 0xfff8, 1};
  EXPECT_EQ(walk(ring, space, Access::kRead).verdict, ChainVerdict::kGood);
}

TEST(SplitDeviceWalk, ChainsAsLongAsTheRingAndNoLonger) {
  for (const std::uint32_t size : {1u, 2u, 4u, 256u}) {
    Ring ring(size);
    BlockSpace space(1000);
    for (std::uint32_t i = 0; i < size; i++) {
      const bool last = i + 1 == size;
      ring.desc[i] = {i, 1, last ? std::uint16_t{0} : kNext, static_cast<std::uint16_t>(i + 1)};
    }
    const Walked whole = walk(ring, space, Access::kRead);
    EXPECT_EQ(whole.verdict, ChainVerdict::kGood) << size;
    EXPECT_EQ(whole.pieces.size(), size);
    // A loop of every length that fits.
    for (std::uint32_t to = 0; to < size; to++) {
      ring.desc[size - 1].flags = kNext;
      ring.desc[size - 1].next = static_cast<std::uint16_t>(to);
      EXPECT_NE(walk(ring, space, Access::kRead).verdict, ChainVerdict::kGood);
    }
    for (const std::uint32_t to : {size, 0x7fffu, 0xffffu}) {
      ring.desc[size - 1].next = static_cast<std::uint16_t>(to);
      EXPECT_EQ(walk(ring, space, Access::kRead).verdict, ChainVerdict::kBadChain) << to;
    }
  }
}

// Work is bounded however large the ring is: empty elements count too.
TEST(SplitDeviceWalk, NoMoreElementsThanThePieceListTakes) {
  for (const std::uint32_t length : {0u, 1u}) {
    Ring ring(1024);
    BlockSpace space(1000);
    for (std::uint32_t i = 0; i < 1024; i++) {
      ring.desc[i] = {5, length, kNext, static_cast<std::uint16_t>((i + 1) % 1024)};
    }
    ring.desc[PieceList::kMax - 1].flags = 0;
    EXPECT_EQ(walk(ring, space, Access::kRead).verdict, ChainVerdict::kGood);
    ring.desc[PieceList::kMax - 1].flags = kNext;
    EXPECT_EQ(walk(ring, space, Access::kRead).verdict, ChainVerdict::kTooLong);
  }
}

TEST(SplitDeviceWalk, DirectionsAreKept) {
  Ring ring(4);
  BlockSpace space(1000);
  ring.desc[0] = {10, 5, kNext, 1};
  ring.desc[1] = {20, 5, kWrite, 0};
  EXPECT_EQ(walk(ring, space, Access::kRead).verdict, ChainVerdict::kBadChain);
  EXPECT_EQ(walk(ring, space, Access::kWrite).verdict, ChainVerdict::kBadChain);
  ring.desc[0].flags = kNext | kWrite;
  EXPECT_EQ(walk(ring, space, Access::kWrite).verdict, ChainVerdict::kGood);
  ring.desc[1].flags = 0;
  EXPECT_EQ(walk(ring, space, Access::kWrite).verdict, ChainVerdict::kBadChain) << "readable after writable";
}

TEST(SplitDeviceWalk, AddressesOutsideAreRefused) {
  Ring ring(4);
  BlockSpace space(1000);
  const std::pair<std::uint64_t, std::uint32_t> bad[] = {{1000, 1},       {999, 2},       {0, 1001},
                                                         {~0ull, 1},      {~0ull, 2},     {~0ull - 100, 200},
                                                         {0, 0xffffffff}, {1ull << 63, 1}};
  for (const auto& [addr, len] : bad) {
    ring.desc[0] = {addr, len, 0, 0};
    EXPECT_EQ(walk(ring, space, Access::kRead).verdict, ChainVerdict::kBadAddress) << addr << "+" << len;
    ring.desc[1] = ring.desc[0];
    ring.desc[0] = {0, 1, kNext, 1};
    EXPECT_EQ(walk(ring, space, Access::kRead).verdict, ChainVerdict::kBadAddress) << addr << "+" << len;
  }
  ring.desc[0] = {999, 1, 0, 0};
  EXPECT_EQ(walk(ring, space, Access::kRead).verdict, ChainVerdict::kGood);
  ring.desc[0] = {~0ull, 0, 0, 0};
  EXPECT_EQ(walk(ring, space, Access::kRead).verdict, ChainVerdict::kGood)
      << "an empty element has no address";
}

TEST(SplitDeviceWalk, IndirectTablesAtAnyAlignment) {
  for (const std::uint64_t at : {0u, 1u, 3u, 8u, 9u}) {
    Ring ring(4);
    BlockSpace space(1000);
    const split::Desc entries[] = {{100, 7, kNext, 2}, {0, 0, 0, 0}, {200, 9, 0, 0}};
    std::memcpy(space.translate(at, sizeof entries, Access::kWrite), entries, sizeof entries);
    // WRITE on the descriptor that names the table means nothing (§2.7.5.3.2).
    for (const std::uint16_t flags : {kIndirect, static_cast<std::uint16_t>(kIndirect | kWrite)}) {
      ring.desc[0] = {at, sizeof entries, flags, 0};
      const Walked walked = walk(ring, space, Access::kRead);
      EXPECT_EQ(walked.verdict, ChainVerdict::kGood);
      EXPECT_EQ(walked.pieces, (decltype(walked.pieces){{100, 7}, {200, 9}}));
    }
  }
}

// §2.7.5.3.2: zero or more normal descriptors followed by one that names a table.
TEST(SplitDeviceWalk, AChainMayEndInATable) {
  Ring ring(4);
  BlockSpace space(1000);
  ring.desc[2] = {10, 1, kNext, 1};
  ring.desc[1] = {20, 2, kNext, 0};
  ring.desc[0] = {512, 32, kIndirect, 3};
  space.table(512)[0] = {30, 3, kNext, 1};
  space.table(512)[1] = {40, 4, 0, 1};
  const Walked walked = walk(ring, space, Access::kRead, 2);
  EXPECT_EQ(walked.verdict, ChainVerdict::kGood);
  EXPECT_EQ(walked.pieces, (decltype(walked.pieces){{10, 1}, {20, 2}, {30, 3}, {40, 4}}));
  ring.desc[0].flags |= kNext;
  EXPECT_EQ(walk(ring, space, Access::kRead, 2).verdict, ChainVerdict::kBadChain)
      << "nothing may follow a table";
  // The chain as a whole is no longer than the ring.
  ring.desc[0].flags = kIndirect;
  ring.desc[0].len = 48;
  space.table(512)[1] = {40, 4, kNext, 2};
  space.table(512)[2] = {50, 5, 0, 0};
  EXPECT_EQ(walk(ring, space, Access::kRead, 2).verdict, ChainVerdict::kBadChain);
}

TEST(SplitDeviceWalk, BadTables) {
  struct {
    const char* what;
    std::uint64_t addr;
    std::uint32_t len;
    std::uint16_t flags;
    ChainVerdict verdict;
  } const rows[] = {
      {"with NEXT", 512, 32, kIndirect | kNext, ChainVerdict::kBadChain},
      {"length 0", 512, 0, kIndirect, ChainVerdict::kBadChain},
      {"length 15", 512, 15, kIndirect, ChainVerdict::kBadChain},
      {"length 17", 512, 17, kIndirect, ChainVerdict::kBadChain},
      {"longer than the ring", 512, 80, kIndirect, ChainVerdict::kBadChain},
      {"4 GiB", 512, 0xfffffff0, kIndirect, ChainVerdict::kBadChain},
      {"unmapped", 1000, 16, kIndirect, ChainVerdict::kBadAddress},
      {"last byte outside", 985, 16, kIndirect, ChainVerdict::kBadAddress},
      {"wraps", ~0ull - 15, 32, kIndirect, ChainVerdict::kBadAddress},
  };
  for (const auto& row : rows) {
    Ring ring(4);
    BlockSpace space(1000);
    space.table(512)[0] = {10, 10, 0, 0};
    ring.desc[0] = {row.addr, row.len, row.flags, 1};
    ring.desc[1] = {10, 10, 0, 0};
    EXPECT_EQ(walk(ring, space, Access::kRead).verdict, row.verdict) << row.what;
  }
  // Not negotiated.
  Ring plain(4, true, 0, false);
  BlockSpace space(1000);
  space.table(512)[0] = {10, 10, 0, 0};
  plain.desc[0] = {512, 16, kIndirect, 0};
  EXPECT_EQ(walk(plain, space, Access::kRead).verdict, ChainVerdict::kBadChain);
}

TEST(SplitDeviceWalk, BadEntriesInATable) {
  Ring ring(4);
  BlockSpace space(1000);
  ring.desc[0] = {512, 48, kIndirect, 0};
  const auto verdict = [&](split::Desc first, split::Desc second) {
    space.table(512)[0] = first;
    space.table(512)[1] = second;
    space.table(512)[2] = {0, 1, 0, 0};
    return walk(ring, space, Access::kRead).verdict;
  };
  EXPECT_EQ(verdict({10, 1, kNext, 1}, {20, 1, 0, 0}), ChainVerdict::kGood);
  EXPECT_EQ(verdict({512, 16, kIndirect, 0}, {}), ChainVerdict::kBadChain) << "nested";
  EXPECT_EQ(verdict({10, 1, kNext, 1}, {512, 16, kIndirect, 0}), ChainVerdict::kBadChain) << "nested behind";
  EXPECT_EQ(verdict({10, 1, kNext, 3}, {}), ChainVerdict::kBadChain) << "next is outside of the table";
  EXPECT_EQ(verdict({10, 1, kNext, 0}, {}), ChainVerdict::kBadChain) << "next is itself";
  EXPECT_EQ(verdict({10, 1, kNext, 1}, {20, 1, kNext, 0}), ChainVerdict::kBadChain) << "a loop";
  EXPECT_EQ(verdict({10, 0, kNext, 1}, {20, 0, kNext, 0}), ChainVerdict::kBadChain) << "a loop of nothing";
  EXPECT_EQ(verdict({10, 1, kWrite, 0}, {}), ChainVerdict::kBadChain);
  EXPECT_EQ(verdict({1000, 1, 0, 0}, {}), ChainVerdict::kBadAddress);
}

// 2^32 bytes and more, from memory that is real.
TEST(SplitDeviceWalk, AChainHoldsLessThan4GiB) {
  class HugeSpace {
   public:
    std::byte* translate(std::uint64_t, std::uint32_t, Access) noexcept { return &byte_; }
    bool collect(std::uint64_t, std::uint32_t, Access, PieceList&) noexcept { return false; }

   private:
    std::byte byte_{};
  };
  Ring ring(4);
  HugeSpace space;
  const auto verdict = [&](std::uint32_t first, std::uint32_t second) {
    ring.desc[0] = {0, first, kNext, 1};
    ring.desc[1] = {0, second, 0, 0};
    Head head;
    ring.device.gather(&head, 0, 1);
    PieceList pieces;
    EXPECT_TRUE(pieces.push(nullptr, 0xffffffff)) << "what came before does not count";
    return ring.device.walk(head, Access::kRead, space, pieces);
  };
  EXPECT_EQ(verdict(0xfffffffe, 1), ChainVerdict::kGood);
  EXPECT_EQ(verdict(0xffffffff, 1), ChainVerdict::kBadChain);
  EXPECT_EQ(verdict(0xffffffff, 0xffffffff), ChainVerdict::kBadChain);
}

// A table that is the ring's own, or reaches into it.
TEST(SplitDeviceWalk, ATableOverTheRingIsRefused) {
  BlockSpace space(2048);
  auto* ringDesc = space.table(1024);
  std::vector<std::uint16_t> avail(16);
  std::vector<std::uint32_t> used(16);
  SplitDevice device(ringDesc, reinterpret_cast<split::Avail*>(avail.data()),
                     reinterpret_cast<split::Used*>(used.data()), 4, 0, false, true);
  const auto verdict = [&](std::uint64_t addr, std::uint32_t len) {
    ringDesc[0] = {addr, len, kIndirect, 0};
    Head head;
    device.gather(&head, 0, 1);
    PieceList pieces;
    return device.walk(head, Access::kRead, space, pieces);
  };
  for (const std::uint64_t addr : {1024u, 1040u, 1072u, 1009u, 1087u}) {
    EXPECT_EQ(verdict(addr, 16), ChainVerdict::kBadChain) << addr;
  }
  EXPECT_EQ(verdict(1008, 16), ChainVerdict::kGood);
  EXPECT_EQ(verdict(1088, 16), ChainVerdict::kGood);
}

}  // namespace
}  // namespace pollwire
