#include "virtqueue/packed_device.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "support/packed_guest_ring.hpp"
#include "support/random.hpp"

namespace pollwire::test {
namespace {

// Buffers at guest addresses of one region, as the device sees them.
struct OneRegion {
  GuestMemory* memory;

  std::byte* translate(std::uint64_t addr, std::uint32_t length, Access) {
    const RegionSpec& spec = memory->specs()[0];
    const std::uint64_t offset = addr - spec.guestAddr;
    return offset < spec.size && length <= spec.size - offset ? memory->at(addr) : nullptr;
  }
  bool collect(std::uint64_t, std::uint32_t, Access, PieceList&) { return false; }
};

constexpr std::uint64_t kEvents = virtio::kRingEventIdx;

struct Rig {
  explicit Rig(std::uint32_t size, std::uint16_t start = 0,
               std::uint64_t features = virtio::kRingIndirectDesc)
      : memory(32u << 10, 1), ring(memory, size, features, start), space{&memory} {
    device = PackedDevice(memory.as<packed::Desc>(ring.desc), memory.as<packed::EventSuppress>(ring.avail),
                          memory.as<packed::EventSuppress>(ring.used), size, ring.config(0).base,
                          (features & kEvents) != 0, (features & virtio::kRingIndirectDesc) != 0);
    buffer = memory.alloc(4096, 64);
  }

  // One chain as a device answers it: everything that is available, in order.
  std::uint32_t answer(std::uint32_t len) {
    Head heads[8];
    const std::uint32_t found = device.gather(heads, 0, 8);
    std::uint32_t entries = 0;
    for (std::uint32_t i = 0; i < found; i++) {
      device.putUsed(entries, heads[i], len);
      entries += heads[i].count;
    }
    device.publish(entries, entries);
    return found;
  }

  ChainVerdict walkNext(Access access, PieceList& pieces) {
    Head head;
    EXPECT_EQ(device.gather(&head, 0, 1), 1u);
    return device.walk(head, access, space, pieces);
  }

  GuestMemory memory;
  PackedGuestRing ring;
  OneRegion space;
  PackedDevice device;
  std::uint64_t buffer;
};

TEST(PackedDevice, FreshRingHasNothing) {
  Rig rig(4);
  EXPECT_EQ(rig.device.available(), 0u);
  EXPECT_EQ(rig.device.waiting(), 0u);
  Head head;
  EXPECT_EQ(rig.device.gather(&head, 0, 1), 0u);
  EXPECT_EQ(rig.device.base(), packed::kFreshBase);
}

TEST(PackedDevice, CopiesAHead) {
  Rig rig(4);
  const Segment segment{rig.buffer, 77, true};
  const auto id = rig.ring.add(std::span(&segment, 1), Placement::kDirect);
  rig.ring.publish();
  EXPECT_NE(rig.device.available(), 0u);
  Head heads[4];
  ASSERT_EQ(rig.device.gather(heads, 0, 4), 1u);
  EXPECT_EQ(heads[0].addr, rig.buffer);
  EXPECT_EQ(heads[0].len, 77u);
  EXPECT_EQ(heads[0].id, *id);
  EXPECT_EQ(heads[0].count, 1u);
  EXPECT_FALSE(heads[0].bad);
  EXPECT_TRUE(isSingle(heads[0], Access::kWrite));
  EXPECT_FALSE(isSingle(heads[0], Access::kRead));
}

TEST(PackedDevice, GoesRoundAtAnySize) {
  for (const std::uint32_t size : {1u, 2u, 3u, 5u, 100u, 257u}) {
    for (const std::uint32_t start : {0u, size - 1}) {
      Rig rig(size, static_cast<std::uint16_t>(start));
      std::uint32_t answered = 0;
      for (std::uint32_t round = 0; round < 5 * size + 3; round++) {
        const std::uint32_t batch = 1 + round % size;
        for (std::uint32_t i = 0; i < batch; i++) {
          const Segment segment{rig.buffer, 100 + i, false};
          ASSERT_TRUE(rig.ring.add(std::span(&segment, 1), Placement::kDirect));
        }
        rig.ring.publish();
        EXPECT_EQ(rig.device.waiting(), batch);
        while (rig.answer(0) != 0) {
        }
        const auto used = rig.ring.collect();
        ASSERT_EQ(used.size(), batch) << "size " << size << ", round " << round;
        answered += batch;
      }
      EXPECT_EQ(packed::positionOf(rig.device.nextAvail()), (start + answered) % size);
      EXPECT_EQ(packed::wrapOf(rig.device.nextAvail()), (start + answered) / size % 2 == 0);
      EXPECT_EQ(rig.device.nextAvail(), rig.device.usedIdx());
    }
  }
}

TEST(PackedDevice, BaseCountsOnlyItsAvailableHalf) {
  GuestMemory memory(1u << 20, 1);
  PackedGuestRing ring(memory, 8, 0, 5);
  // DPDK's front-end sends no used half.
  const PackedDevice device(memory.as<packed::Desc>(ring.desc), memory.as<packed::EventSuppress>(ring.avail),
                            memory.as<packed::EventSuppress>(ring.used), 8, 0x8005, false, false);
  EXPECT_EQ(device.nextAvail(), 0x8005u);
  EXPECT_EQ(device.usedIdx(), 0x8005u);
  EXPECT_EQ(device.base(), 0x80058005u);
}

TEST(PackedDevice, ListIsOneHeadWithTheIdOfItsTail) {
  Rig rig(5, 3);
  const Segment list[3] = {
      {rig.buffer, 10, false}, {rig.buffer + 100, 20, false}, {rig.buffer + 200, 30, false}};
  const auto id = rig.ring.add(list, Placement::kDirect);
  const Segment single{rig.buffer + 300, 40, false};
  const auto second = rig.ring.add(std::span(&single, 1), Placement::kDirect);
  rig.ring.publish();
  Head heads[4];
  ASSERT_EQ(rig.device.gather(heads, 0, 4), 2u);
  EXPECT_EQ(heads[0].id, *id);
  EXPECT_EQ(heads[0].count, 3u);
  EXPECT_EQ(heads[1].id, *second);
  EXPECT_EQ(heads[1].count, 1u);
  PieceList pieces;
  ASSERT_EQ(rig.device.walk(heads[0], Access::kRead, rig.space, pieces), ChainVerdict::kGood);
  ASSERT_EQ(pieces.count(), 3u);
  EXPECT_EQ(pieces.bytes(), 60u);
  EXPECT_EQ(pieces[2].data, rig.memory.at(rig.buffer + 200));
  EXPECT_EQ(rig.device.waiting(), 2u);
  // A gather that goes on after the list finds the second one.
  ASSERT_EQ(rig.device.gather(heads, 3, 4), 1u);
  EXPECT_EQ(heads[0].id, *second);
  EXPECT_EQ(rig.answer(0), 2u);
  EXPECT_EQ(rig.ring.collect().size(), 2u);
}

TEST(PackedDevice, ListWhoseTailIsNotAvailableWaits) {
  Rig rig(8);
  rig.ring.push(rig.buffer, 10, 0, packed::kNext);
  rig.ring.publish();
  Head head;
  EXPECT_EQ(rig.device.gather(&head, 0, 1), 0u);
  rig.ring.push(rig.buffer + 50, 10, 3, 0);
  rig.ring.publish();
  ASSERT_EQ(rig.device.gather(&head, 0, 1), 1u);
  EXPECT_EQ(head.count, 2u);
  EXPECT_EQ(head.id, 3u);
}

TEST(PackedDevice, ListWithoutEndIsBroken) {
  for (const std::uint32_t size : {1u, 2u, 7u}) {
    Rig rig(size);
    for (std::uint32_t i = 0; i < size; i++) rig.ring.push(rig.buffer, 10, 0, packed::kNext);
    rig.ring.publish();
    Head head;
    EXPECT_EQ(rig.device.gather(&head, 0, 1), PackedDevice::kBroken);
  }
}

TEST(PackedDevice, ListOfTheWholeRingIsLegal) {
  Rig rig(6, 4);
  std::vector<Segment> list(6, Segment{rig.buffer, 8, true});
  ASSERT_TRUE(rig.ring.add(list, Placement::kDirect));
  rig.ring.publish();
  PieceList pieces;
  EXPECT_EQ(rig.walkNext(Access::kWrite, pieces), ChainVerdict::kGood);
  EXPECT_EQ(pieces.bytes(), 48u);
  EXPECT_EQ(rig.answer(48), 1u);
  EXPECT_EQ(rig.ring.collect().at(0).len, 48u);
}

TEST(PackedDevice, ListThatChangesShapeAfterGatherIsRefused) {
  for (const bool longer : {true, false}) {
    Rig rig(8);
    const Segment list[3] = {{rig.buffer, 10, false}, {rig.buffer, 20, false}, {rig.buffer, 30, false}};
    ASSERT_TRUE(rig.ring.add(list, Placement::kDirect));
    rig.ring.publish();
    Head head;
    ASSERT_EQ(rig.device.gather(&head, 0, 1), 1u);
    std::uint64_t& word = rig.ring.wordAt(longer ? 2 : 1);
    word ^= static_cast<std::uint64_t>(packed::kNext) << 48;
    PieceList pieces;
    EXPECT_EQ(rig.device.walk(head, Access::kRead, rig.space, pieces), ChainVerdict::kBadChain);
  }
}

TEST(PackedDevice, DirectionIsChecked) {
  Rig rig(8);
  const Segment mixed[2] = {{rig.buffer, 10, false}, {rig.buffer, 20, true}};
  ASSERT_TRUE(rig.ring.add(mixed, Placement::kDirect));
  rig.ring.publish();
  PieceList pieces;
  EXPECT_EQ(rig.walkNext(Access::kRead, pieces), ChainVerdict::kBadChain);
  EXPECT_EQ(rig.walkNext(Access::kWrite, pieces), ChainVerdict::kBadChain);
}

TEST(PackedDevice, BufferOutsideMemoryIsRefused) {
  Rig rig(8);
  const Segment outside[2] = {{rig.buffer, 10, false}, {rig.memory.end() - 4, 5, false}};
  ASSERT_TRUE(rig.ring.add(outside, Placement::kDirect));
  rig.ring.publish();
  PieceList pieces;
  EXPECT_EQ(rig.walkNext(Access::kRead, pieces), ChainVerdict::kBadAddress);
}

TEST(PackedDevice, IndirectTableIsWalked) {
  Rig rig(4);
  const Segment list[3] = {{rig.buffer, 10, true}, {rig.buffer + 16, 0, true}, {rig.buffer + 32, 30, true}};
  ASSERT_TRUE(rig.ring.add(list, Placement::kIndirect));
  rig.ring.publish();
  PieceList pieces;
  ASSERT_EQ(rig.walkNext(Access::kWrite, pieces), ChainVerdict::kGood);
  EXPECT_EQ(pieces.count(), 2u);
  EXPECT_EQ(pieces.bytes(), 40u);
}

// One descriptor that names `bytes` of table; `words` fill it.
ChainVerdict walkTable(std::uint32_t ringSize, std::uint32_t bytes, const std::vector<std::uint64_t>& words,
                       std::uint32_t flags, std::uint64_t features = virtio::kRingIndirectDesc,
                       Access access = Access::kRead) {
  Rig rig(ringSize, 0, features);
  const std::uint64_t table = rig.memory.alloc(16 * words.size() + 16, 16);
  for (std::size_t i = 0; i < words.size(); i++) {
    *rig.memory.as<packed::Desc>(table + 16 * i) = packed::Desc{rig.buffer, words[i]};
  }
  rig.ring.push(table, bytes, 0, flags);
  if (flags & packed::kNext) rig.ring.push(rig.buffer, 10, 0, 0);
  rig.ring.publish();
  PieceList pieces;
  return rig.walkNext(access, pieces);
}

TEST(PackedDevice, IndirectTableRules) {
  const std::uint64_t read = packed::makeWord(10, 0, 0);
  const std::uint32_t indirect = packed::kIndirect;
  EXPECT_EQ(walkTable(4, 32, {read, read}, indirect), ChainVerdict::kGood);
  EXPECT_EQ(walkTable(4, 32, {read, read}, indirect | packed::kWrite), ChainVerdict::kGood)
      << "WRITE is ignored there";
  // DPDK leaves NEXT and the owner bits in its tables.
  const std::uint64_t odd = packed::makeWord(10, 7, packed::kNext | packed::kAvail);
  EXPECT_EQ(walkTable(4, 32, {odd, odd}, indirect), ChainVerdict::kGood);
  EXPECT_EQ(walkTable(4, 32, {read, read}, indirect, 0), ChainVerdict::kBadChain) << "not negotiated";
  EXPECT_EQ(walkTable(4, 32, {read, read}, indirect | packed::kNext), ChainVerdict::kBadChain)
      << "inside a list";
  for (const std::uint32_t bytes : {0u, 15u, 17u}) {
    EXPECT_EQ(walkTable(4, bytes, {read, read}, indirect), ChainVerdict::kBadChain) << bytes;
  }
  EXPECT_EQ(walkTable(2, 48, {read, read, read}, indirect), ChainVerdict::kBadChain)
      << "longer than the ring";
  EXPECT_EQ(walkTable(4, 32, {read, packed::makeWord(10, 0, packed::kIndirect)}, indirect),
            ChainVerdict::kBadChain)
      << "a table in a table";
  const std::uint64_t write = packed::makeWord(10, 0, packed::kWrite);
  EXPECT_EQ(walkTable(4, 32, {write, read}, indirect), ChainVerdict::kGood) << "as DPDK's driver sends it";
  const std::uint64_t features = virtio::kRingIndirectDesc;
  EXPECT_EQ(walkTable(4, 32, {write, write}, indirect, features, Access::kWrite), ChainVerdict::kGood);
  EXPECT_EQ(walkTable(4, 32, {write, read}, indirect, features, Access::kWrite), ChainVerdict::kBadChain);
}

TEST(PackedDevice, IndirectTableOutsideMemoryIsRefused) {
  Rig rig(4);
  rig.ring.push(rig.memory.end() - 16, 32, 0, packed::kIndirect);
  rig.ring.publish();
  PieceList pieces;
  EXPECT_EQ(rig.walkNext(Access::kRead, pieces), ChainVerdict::kBadAddress);
}

TEST(PackedDevice, FirstUsedDescriptorIsShownLast) {
  Rig rig(8);
  for (std::uint32_t i = 0; i < 3; i++) {
    const Segment segment{rig.buffer, 10, true};
    ASSERT_TRUE(rig.ring.add(std::span(&segment, 1), Placement::kDirect));
  }
  rig.ring.publish();
  Head heads[3];
  ASSERT_EQ(rig.device.gather(heads, 0, 3), 3u);
  for (std::uint32_t i = 0; i < 3; i++) rig.device.putUsed(i, heads[i], 10 + i);
  EXPECT_FALSE(rig.ring.hasUsed());
  rig.device.publish(3, 3);
  const auto used = rig.ring.collect();
  ASSERT_EQ(used.size(), 3u);
  for (std::uint32_t i = 0; i < 3; i++) EXPECT_EQ(used[i].len, 10 + i);
}

TEST(PackedDevice, CallsAsTheDriverAsks) {
  Rig rig(8, 6, kEvents);
  const auto use = [&](std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; i++) {
      const Segment segment{rig.buffer, 10, false};
      EXPECT_TRUE(rig.ring.add(std::span(&segment, 1), Placement::kDirect));
    }
    rig.ring.publish();
    EXPECT_EQ(rig.answer(0), count);
    EXPECT_EQ(rig.ring.collect().size(), count);
    return rig.device.wantsCall();
  };
  rig.ring.setDriverEvent(packed::kEventEnable << 16);
  EXPECT_TRUE(use(1));
  rig.ring.setDriverEvent(packed::kEventDisable << 16);
  EXPECT_FALSE(use(1));
  rig.ring.setDriverEvent(3u << 16);
  EXPECT_TRUE(use(1)) << "reserved reads as enabled";
  // The ring stands at 1 in its second lap, where the wrap counter is 0.
  rig.ring.setDriverEvent(packed::withWrap(2, false) | packed::kEventDesc << 16);
  EXPECT_FALSE(use(1));
  EXPECT_TRUE(use(1));
  EXPECT_FALSE(use(1));
  rig.ring.setDriverEvent(packed::withWrap(7, false) | packed::kEventDesc << 16);
  EXPECT_TRUE(use(8)) << "passed on the way round";
  rig.ring.setDriverEvent(packed::withWrap(2, false) | packed::kEventDesc << 16);
  EXPECT_FALSE(use(1)) << "a lap ago";
  rig.ring.setDriverEvent(packed::withWrap(8, true) | packed::kEventDesc << 16);
  EXPECT_TRUE(use(1)) << "outside the ring reads as enabled";
}

TEST(PackedDevice, AsksForKicks) {
  Rig plain(8, 5);
  plain.device.setKickWanted(false);
  EXPECT_EQ(plain.ring.deviceEvent(), packed::kEventDisable << 16);
  plain.device.setKickWanted(true);
  EXPECT_EQ(plain.ring.deviceEvent(), packed::kEventEnable << 16);
  Rig indexed(8, 5, kEvents);
  indexed.device.setKickWanted(true);
  EXPECT_EQ(indexed.ring.deviceEvent(), packed::withWrap(5, true) | packed::kEventDesc << 16);
}

TEST(PackedDevice, EventRangeTable) {
  const auto wants = [](std::uint32_t offset, bool eventWrap, std::uint32_t position, bool wrap,
                        std::uint32_t moved) {
    return packed::wantsEvent(packed::withWrap(offset, eventWrap) | packed::kEventDesc << 16, 10, position,
                              wrap, moved, true);
  };
  EXPECT_TRUE(wants(3, true, 4, true, 1));
  EXPECT_FALSE(wants(4, true, 4, true, 1)) << "not reached yet";
  EXPECT_TRUE(wants(2, true, 4, true, 2));
  EXPECT_FALSE(wants(1, true, 4, true, 2)) << "passed before";
  EXPECT_TRUE(wants(9, true, 0, false, 1)) << "the last one of a lap";
  EXPECT_TRUE(wants(8, true, 2, false, 5));
  EXPECT_FALSE(wants(6, true, 2, false, 5));
  EXPECT_FALSE(wants(8, false, 2, false, 5)) << "in the lap that has just begun";
  EXPECT_FALSE(packed::wantsEvent(packed::kEventDesc << 16 | 0x8003, 10, 4, true, 0, true))
      << "nothing moved";
  EXPECT_TRUE(packed::wantsEvent(packed::kEventDesc << 16 | 0x8009, 10, 4, true, 1, false))
      << "not negotiated";
}

// Rows 98, 104 to 106: whatever the bits, no more than a ring of work, nothing outside of it.
TEST(PackedDevice, RandomRingsStayBounded) {
  Random random(20240611);
  for (std::uint32_t round = 0; round < 1000; round++) {
    const auto size = 1 + random.below(9);
    Rig rig(size, static_cast<std::uint16_t>(random.below(size)),
            random() % 2 ? kEvents | virtio::kRingIndirectDesc : 0);
    const auto before = rig.memory.snapshot();
    for (std::uint32_t step = 0; step < 20; step++) {
      for (std::uint32_t i = 0; i < size; i++) {
        const std::uint32_t len = random() % 4 == 0 ? 16 * random.below(12) : 64;
        const std::uint64_t addr = random() % 8 == 0 ? random.word() : rig.buffer + random.below(1024);
        rig.ring.setDesc(i, addr, packed::makeWord(len, random.half(), random.half()));
      }
      rig.ring.setDriverEvent(random());
      Head heads[16];
      std::uint32_t found = rig.device.gather(heads, 0, 16);
      if (found == PackedDevice::kBroken) found = 0;
      std::uint32_t entries = 0;
      for (std::uint32_t i = 0; i < found; i++) {
        PieceList pieces;
        (void)rig.device.walk(heads[i], Access::kRead, rig.space, pieces);
        rig.device.putUsed(entries, heads[i], 0);
        entries += heads[i].count;
      }
      EXPECT_LE(entries, size);
      EXPECT_LE(rig.device.waiting(), size);
      rig.device.publish(entries, entries);
      (void)rig.device.wantsCall();
      EXPECT_LT(packed::positionOf(rig.device.nextAvail()), size);
    }
    rig.memory.expectUntouched(before,
                               {{rig.ring.desc, 16ull * size}, {rig.ring.avail, 4}, {rig.ring.used, 4}});
  }
}

}  // namespace
}  // namespace pollwire::test
