// Hostile rows 77 to 96 as a table: what a guest may put into a split ring, for both directions, and the
// outcome that each must have. After every row: mbufs are all there, nothing but what may be written was
// written, and the ring (or, after a break, the ring set up anew) works. What needs more than one burst:
// hostile_traffic_test.cpp.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "ethdev/native_events.hpp"
#include "support/vhost_test.hpp"

namespace pollwire::test {
namespace {

using Link = VhostLink<>;

enum class Outcome : std::uint8_t {
  kGood,   // the packet passes
  kDrop,   // the chain comes back with length 0, counted
  kSkip,   // nothing comes back, counted
  kBreak,  // the ring stops and says so
};

constexpr std::uint16_t kNext = split::kNext;
constexpr std::uint16_t kWrite = split::kWrite;
constexpr std::uint16_t kIndirect = split::kIndirect;
constexpr std::uint32_t kFrame = 60;
constexpr std::uint32_t kWhole = kFrame + 12;

// What an attack may use: the ring, zeroed places in memory, and the direction flag that a correct buffer
// has.
struct Attack {
  Link& link;
  SplitGuestRing& ring;
  std::uint16_t right;  // flags of a buffer of the right direction
  std::uint16_t wrong;
  std::uint64_t buffer;  // 4 KiB
  std::uint64_t table;   // 64 KiB
  std::uint64_t end;     // first guest address behind all memory

  void desc(std::uint32_t index, std::uint64_t addr, std::uint32_t len, std::uint32_t flags,
            std::uint32_t next = 0) const {
    ring.setDesc(index, addr, len, static_cast<std::uint16_t>(flags), static_cast<std::uint16_t>(next));
  }
  void entry(std::uint32_t index, std::uint64_t addr, std::uint32_t len, std::uint32_t flags,
             std::uint32_t next = 0) const {
    link.memory.write(
        table + 16ull * index,
        std::as_bytes(std::span(std::initializer_list<split::Desc>{
            {addr, len, static_cast<std::uint16_t>(flags), static_cast<std::uint16_t>(next)}})));
  }
  void offer(std::uint32_t head) const {
    ring.offer(static_cast<std::uint16_t>(head));
    ring.publish();
  }
  // A single descriptor, offered.
  void single(std::uint64_t addr, std::uint32_t len, std::uint32_t flags) const {
    desc(0, addr, len, flags);
    offer(0);
  }
  // `count` descriptors in a row, each of `len` bytes, offered.
  void chain(std::uint32_t count, std::uint32_t len) const {
    for (std::uint32_t i = 0; i < count; i++) {
      desc(i, buffer + i * len, len, static_cast<std::uint32_t>(right) | (i + 1 < count ? kNext : 0), i + 1);
    }
    offer(0);
  }
};

struct Row {
  int id;
  const char* what;
  std::uint32_t ringSize;
  void (*attack)(const Attack&);
  Outcome outcome;
  Counter rxCounter;
  Counter txCounter;
};

// Rows that mean the same in both directions.
const Row kRows[] = {
    {77, "index one too far", 8, [](const Attack& a) { a.ring.setAvailIdx(a.ring.nextAvail() + 9); },
     Outcome::kBreak, kBROKEN, kBROKEN},
    {77, "index 30,000 too far", 8,
     [](const Attack& a) { a.ring.setAvailIdx(static_cast<std::uint16_t>(a.ring.nextAvail() + 30000)); },
     Outcome::kBreak, kBROKEN, kBROKEN},
    {77, "index backwards", 8, [](const Attack& a) { a.ring.setAvailIdx(a.ring.nextAvail() - 1); },
     Outcome::kBreak, kBROKEN, kBROKEN},
    {79, "head = size", 8, [](const Attack& a) { a.offer(8); }, Outcome::kSkip, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {79, "head = 65,535", 8, [](const Attack& a) { a.offer(0xffff); }, Outcome::kSkip, kRX_BAD_CHAIN,
     kTX_BAD_CHAIN},
    {79, "head = size of the largest ring", 8, [](const Attack& a) { a.offer(32768); }, Outcome::kSkip,
     kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {81, "next = size", 8,
     [](const Attack& a) {
       a.desc(0, a.buffer, 100, a.right | kNext, 8);
       a.offer(0);
     },
     Outcome::kDrop, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {81, "next = 65,535", 8,
     [](const Attack& a) {
       a.desc(0, a.buffer, 100, a.right | kNext, 0xffff);
       a.offer(0);
     },
     Outcome::kDrop, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {81, "next is itself", 8,
     [](const Attack& a) {
       a.desc(0, a.buffer, 100, a.right | kNext, 0);
       a.offer(0);
     },
     Outcome::kDrop, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {81, "a loop through the ring", 8,
     [](const Attack& a) {
       for (std::uint32_t i = 0; i < 8; i++) a.desc(i, a.buffer, 100, a.right | kNext, (i + 1) % 8);
       a.offer(0);
     },
     Outcome::kDrop, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {81, "a long loop of nothing", 4096,
     [](const Attack& a) {
       for (std::uint32_t i = 0; i < 4096; i++) a.desc(i, a.buffer, 0, a.right | kNext, (i + 1) % 4096);
       a.offer(0);
     },
     Outcome::kDrop, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {82, "as long as the ring", 8, [](const Attack& a) { a.chain(8, kWhole / 8); }, Outcome::kGood, kPACKETS,
     kPACKETS},
    {82, "one more, through a table", 8,
     [](const Attack& a) {
       for (std::uint32_t i = 0; i < 9; i++) a.entry(i, a.buffer, 8, a.right | (i < 8 ? kNext : 0), i + 1);
       a.single(a.table, 9 * 16, kIndirect);
     },
     Outcome::kDrop, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {82, "one more, half in a table", 8,
     [](const Attack& a) {
       for (std::uint32_t i = 0; i < 8; i++) a.entry(i, a.buffer, 8, a.right | (i < 7 ? kNext : 0), i + 1);
       a.desc(0, a.buffer, 8, a.right | kNext, 1);
       a.desc(1, a.table, 8 * 16, kIndirect);
       a.offer(0);
     },
     Outcome::kDrop, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {83, "257 pieces", 512, [](const Attack& a) { a.chain(257, 1); }, Outcome::kDrop, kRX_BAD_CHAIN,
     kTX_BAD_CHAIN},
    {83, "256 pieces", 512, [](const Attack& a) { a.chain(256, 1); }, Outcome::kGood, kPACKETS, kPACKETS},
    {84, "all lengths 0", 8, [](const Attack& a) { a.chain(3, 0); }, Outcome::kDrop, kRX_BAD_LENGTH,
     kTX_BAD_CHAIN},
    {84, "length 0", 8, [](const Attack& a) { a.single(a.buffer, 0, a.right); }, Outcome::kDrop,
     kRX_BAD_LENGTH, kTX_BAD_CHAIN},
    {84, "no room for the header", 8, [](const Attack& a) { a.single(a.buffer, 11, a.right); },
     Outcome::kDrop, kRX_BAD_LENGTH, kTX_BAD_CHAIN},
    {84, "no room for the header, in pieces", 8, [](const Attack& a) { a.chain(2, 5); }, Outcome::kDrop,
     kRX_BAD_LENGTH, kTX_BAD_CHAIN},
    {85, "4 GiB in one piece", 8, [](const Attack& a) { a.single(a.buffer, ~0u, a.right); }, Outcome::kDrop,
     kRX_BAD_ADDRESS, kTX_BAD_ADDRESS},
    {85, "more than 4 GiB", 8,
     [](const Attack& a) {
       for (std::uint32_t i = 0; i < 4; i++)
         a.desc(i, a.buffer, 0x80000000, a.right | (i < 3 ? kNext : 0), i + 1);
       a.offer(0);
     },
     Outcome::kDrop, kRX_BAD_ADDRESS, kTX_BAD_ADDRESS},
    {86, "address 0", 8, [](const Attack& a) { a.single(0, 100, a.right); }, Outcome::kDrop, kRX_BAD_ADDRESS,
     kTX_BAD_ADDRESS},
    {86, "address behind the end", 8, [](const Attack& a) { a.single(a.end, 100, a.right); }, Outcome::kDrop,
     kRX_BAD_ADDRESS, kTX_BAD_ADDRESS},
    {86, "address before the beginning", 8,
     [](const Attack& a) { a.single(GuestMemory::kBase - 1, 100, a.right); }, Outcome::kDrop, kRX_BAD_ADDRESS,
     kTX_BAD_ADDRESS},
    {86, "the end of the address space", 8, [](const Attack& a) { a.single(~0ull - 99, 100, a.right); },
     Outcome::kDrop, kRX_BAD_ADDRESS, kTX_BAD_ADDRESS},
    {86, "wraps around 2^64", 8, [](const Attack& a) { a.single(~0ull - 50, 100, a.right); }, Outcome::kDrop,
     kRX_BAD_ADDRESS, kTX_BAD_ADDRESS},
    {86, "wraps into memory", 8, [](const Attack& a) { a.single(~0ull - 50, 0x40001000, a.right); },
     Outcome::kDrop, kRX_BAD_ADDRESS, kTX_BAD_ADDRESS},
    {86, "last byte outside", 8, [](const Attack& a) { a.single(a.end - 99, 100, a.right); }, Outcome::kDrop,
     kRX_BAD_ADDRESS, kTX_BAD_ADDRESS},
    {86, "the second of two outside", 8,
     [](const Attack& a) {
       a.desc(0, a.buffer, kWhole, a.right | kNext, 1);
       a.desc(1, a.end, 1, a.right);
       a.offer(0);
     },
     Outcome::kDrop, kRX_BAD_ADDRESS, kTX_BAD_ADDRESS},
    {86, "over the border of two regions", 8,
     [](const Attack& a) { a.single(a.link.memory.specs()[1].guestAddr - 30, kWhole, a.right); },
     Outcome::kGood, kPACKETS, kPACKETS},
    {87, "the wrong direction", 8, [](const Attack& a) { a.single(a.buffer, kWhole, a.wrong); },
     Outcome::kDrop, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {87, "the wrong direction behind the right one", 8,
     [](const Attack& a) {
       a.desc(0, a.buffer, kWhole, a.right | kNext, 1);
       a.desc(1, a.buffer + 2048, 100, a.wrong);
       a.offer(0);
     },
     Outcome::kDrop, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {87, "the right direction behind the wrong one", 8,
     [](const Attack& a) {
       a.desc(0, a.buffer, kWhole, a.wrong | kNext, 1);
       a.desc(1, a.buffer + 2048, 100, a.right);
       a.offer(0);
     },
     Outcome::kDrop, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {87, "the wrong direction in a table", 8,
     [](const Attack& a) {
       a.entry(0, a.buffer, kWhole, a.right | kNext, 1);
       a.entry(1, a.buffer + 2048, 100, a.wrong);
       a.single(a.table, 32, kIndirect);
     },
     Outcome::kDrop, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {88, "a table with NEXT", 8,
     [](const Attack& a) {
       a.desc(0, a.table, 16, kIndirect | kNext, 1);
       a.offer(0);
     },
     Outcome::kDrop, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {88, "a table in a table", 8,
     [](const Attack& a) {
       a.entry(0, a.table + 1024, 16, kIndirect);
       a.single(a.table, 16, kIndirect);
     },
     Outcome::kDrop, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {88, "a table that names itself", 8,
     [](const Attack& a) {
       a.entry(0, a.buffer, 10, a.right | kNext, 1);
       a.entry(1, a.table, 32, kIndirect);
       a.single(a.table, 32, kIndirect);
     },
     Outcome::kDrop, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {88, "a table of 0 bytes", 8, [](const Attack& a) { a.single(a.table, 0, kIndirect); }, Outcome::kDrop,
     kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {88, "a table of 15 bytes", 8, [](const Attack& a) { a.single(a.table, 15, kIndirect); }, Outcome::kDrop,
     kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {88, "a table of 17 bytes", 8, [](const Attack& a) { a.single(a.table, 17, kIndirect); }, Outcome::kDrop,
     kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {88, "a table of 4 GiB", 8, [](const Attack& a) { a.single(a.table, ~0u - 15, kIndirect); },
     Outcome::kDrop, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {88, "a table outside", 8, [](const Attack& a) { a.single(a.end, 16, kIndirect); }, Outcome::kDrop,
     kRX_BAD_ADDRESS, kTX_BAD_ADDRESS},
    {88, "a table half outside", 8, [](const Attack& a) { a.single(a.end - 16, 32, kIndirect); },
     Outcome::kDrop, kRX_BAD_ADDRESS, kTX_BAD_ADDRESS},
    {88, "a table that wraps", 8, [](const Attack& a) { a.single(~0ull - 15, 32, kIndirect); },
     Outcome::kDrop, kRX_BAD_ADDRESS, kTX_BAD_ADDRESS},
    {88, "a table that is the ring", 8, [](const Attack& a) { a.single(a.ring.desc, 128, kIndirect); },
     Outcome::kDrop, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {88, "an entry whose next is outside the table", 8,
     [](const Attack& a) {
       a.entry(0, a.buffer, 10, a.right | kNext, 2);
       a.single(a.table, 32, kIndirect);
     },
     Outcome::kDrop, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {88, "a loop in a table", 8,
     [](const Attack& a) {
       a.entry(0, a.buffer, 10, a.right | kNext, 1);
       a.entry(1, a.buffer, 10, a.right | kNext, 0);
       a.single(a.table, 32, kIndirect);
     },
     Outcome::kDrop, kRX_BAD_CHAIN, kTX_BAD_CHAIN},
    {88, "a table over the border of two regions", 8,
     [](const Attack& a) {
       const std::uint64_t at = a.link.memory.specs()[1].guestAddr - 20;
       const split::Desc entries[] = {{a.buffer, 20, static_cast<std::uint16_t>(a.right | kNext), 1},
                                      {a.buffer + 20, kWhole - 20, a.right, 0}};
       a.link.memory.write(at, std::as_bytes(std::span(entries)));
       a.single(at, 32, kIndirect);
     },
     Outcome::kGood, kPACKETS, kPACKETS},
    {89, "unknown flags", 8, [](const Attack& a) { a.single(a.buffer, kWhole, a.right | 0xfff8u); },
     Outcome::kGood, kPACKETS, kPACKETS},
    {89, "unknown flags in a table", 8,
     [](const Attack& a) {
       a.entry(0, a.buffer, kWhole, a.right | 0xfff8u);
       a.single(a.table, 16, kIndirect | 0xfff8u);
     },
     Outcome::kGood, kPACKETS, kPACKETS},
    {91, "the buffer is the available ring", 64,
     [](const Attack& a) { a.single(a.ring.avail, kWhole, a.right); }, Outcome::kGood, kPACKETS, kPACKETS},
    {91, "the same buffer twice in a chain", 8,
     [](const Attack& a) {
       a.desc(0, a.buffer, kWhole / 2, a.right | kNext, 1);
       a.desc(1, a.buffer, kWhole / 2, a.right);
       a.offer(0);
     },
     Outcome::kGood, kPACKETS, kPACKETS},
    {95, "garbage in the available flags", 8,
     [](const Attack& a) {
       a.ring.setAvailFlags(0xfffe);
       a.single(a.buffer, kWhole, a.right);
     },
     Outcome::kGood, kPACKETS, kPACKETS},
    {96, "garbage in the used index", 8,
     [](const Attack& a) {
       a.single(a.buffer, kWhole, a.right);
       a.ring.setUsedIdx(4711);
     },
     Outcome::kGood, kPACKETS, kPACKETS},
};

class HostileRing : public ArenaTest, public ::testing::WithParamInterface<Row> {
 protected:
  static Attack attackOn(Link& link, bool rx) {
    const std::uint64_t buffer = link.memory.alloc(4096);
    const std::uint64_t table = link.memory.alloc(65536, 16, link.memory.lastRegion());
    return Attack{link,
                  rx ? link.guest.tx : link.guest.rx,
                  rx ? std::uint16_t{0} : kWrite,
                  rx ? kWrite : std::uint16_t{0},
                  buffer,
                  table,
                  link.memory.end()};
  }

  // A packet passes in both directions.
  static void expectWorks(Link& link, bool rx) {
    const std::uint64_t mark = link.memory.mark();
    const ByteVector frame = patternBytes(100);
    if (rx) {
      ASSERT_TRUE(link.guest.send(frame));
      EXPECT_EQ(link.receiveFrames(), only(frame));
      EXPECT_EQ(link.guest.reclaim(), 1u);
    } else {
      ASSERT_TRUE(link.guest.post(200));
      EXPECT_TRUE(link.transmit(frame));
      const auto packets = link.guest.receive();
      ASSERT_EQ(packets.size(), 1u);
      EXPECT_EQ(packets[0].frame, frame);
    }
    link.memory.reset(mark);
  }

  void run(bool rx) {
    const Row& row = GetParam();
    Mempool& pool = makePool(16);
    Link link(pool, {.ringSize = row.ringSize, .start = 65533, .memory = 256 << 10});
    expectWorks(link, rx);
    expectWorks(link, !rx);
    (void)events::drain();
    const Attack attack = attackOn(link, rx);
    const std::uint16_t usedBefore = attack.ring.usedIdx();
    row.attack(attack);
    const auto snapshot = link.memory.snapshot();
    const Counter counter = rx ? row.rxCounter : row.txCounter;
    const std::uint64_t counted = rx ? link.rxCount(counter) : link.txCount(counter);

    // One burst: a poll for rx, one packet for tx.
    std::size_t passed = 0;
    if (rx) {
      passed = link.receiveFrames().size();
    } else {
      Handle packet = makePacket(pool, patternBytes(kFrame));
      if (link.txSlot().run(&packet, 1) == 0) freeChain(packet);
      passed = link.txCount(kPACKETS) - 1;
    }

    EXPECT_EQ(passed, row.outcome == Outcome::kGood ? 1u : 0u);
    EXPECT_EQ((rx ? link.rxCount(counter) : link.txCount(counter)) - counted, 1u) << "counter " << counter;
    const bool answered = row.outcome == Outcome::kGood || row.outcome == Outcome::kDrop;
    EXPECT_EQ(attack.ring.usedIdx(), static_cast<std::uint16_t>(usedBefore + (answered ? 1 : 0)));
    if (answered) {
      const split::UsedElem element = attack.ring.skipUsed();
      EXPECT_EQ(element.id, 0u);
      EXPECT_EQ(element.len, rx || row.outcome == Outcome::kDrop ? 0u : kWhole);
    }
    auto allowed = attack.ring.deviceWrites();
    // A tx packet that passed may have gone wherever its chain said.
    if (row.outcome != Outcome::kGood || rx) link.memory.expectUntouched(snapshot, allowed);
    link.memory.expectSurroundingsUntouched();
    EXPECT_EQ(pool.available(), pool.size());

    const std::uint32_t ring = rx ? Link::kGuestTx : Link::kGuestRx;
    if (row.outcome == Outcome::kBreak) {
      EXPECT_EQ(events::drain().size(), 1u);
      EXPECT_NE(link.device.state(ring)->broken, "");
      attack.ring.setAvailIdx(attack.ring.nextAvail());
      EXPECT_EQ(rx ? link.receive().size() : link.transmit(patternBytes(60)), 0u)
          << "broken until it is set up anew";
      expectWorks(link, !rx);
      ASSERT_TRUE(link.device.stopRing(ring).ok());
      link.startRing(ring);
    } else {
      EXPECT_TRUE(events::drain().empty());
    }
    if (row.id != 91) {
      attack.ring.setAvailFlags(0);
      expectWorks(link, rx);
    }
    expectWorks(link, !rx);
  }
};

TEST_P(HostileRing, FromTheGuestsTx) { run(true); }
TEST_P(HostileRing, FromTheGuestsRx) { run(false); }

INSTANTIATE_TEST_SUITE_P(Rows, HostileRing, ::testing::ValuesIn(kRows), [](const auto& test) {
  std::string name =
      "row" + std::to_string(test.param.id) + "_" + std::to_string(test.index) + "_" + test.param.what;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
});

}  // namespace
}  // namespace pollwire::test
