// Hostile rows 78 to 94 that take more than one chain or one burst, and row 90: a second thread that rewrites
// everything the device reads while it reads.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "ethdev/native_events.hpp"
#include "support/vhost_test.hpp"

namespace pollwire::test {
namespace {

using Link = VhostLink<>;

constexpr std::uint16_t kNext = split::kNext;
constexpr std::uint16_t kWrite = split::kWrite;
constexpr std::uint16_t kIndirect = split::kIndirect;
constexpr std::uint32_t kFrame = 60;
constexpr std::uint32_t kWhole = kFrame + 12;

using HostileTraffic = ArenaTest;

// Row 88: not negotiated.
TEST_F(HostileTraffic, Row88TablesWithoutTheFeature) {
  Mempool& pool = makePool(16);
  Link link(pool, {.features = kMergeable});
  const std::uint64_t table = link.memory.alloc(16);
  const std::uint64_t buffer = link.memory.alloc(200);
  for (const bool rx : {true, false}) {
    auto& ring = rx ? link.guest.tx : link.guest.rx;
    *link.memory.as<split::Desc>(table) = {buffer, kWhole, rx ? std::uint16_t{0} : kWrite, 0};
    ring.setDesc(0, table, 16, kIndirect, 0);
    ring.offer(0);
    ring.publish();
    if (rx) EXPECT_TRUE(link.receive().empty());
    else EXPECT_TRUE(link.transmit(patternBytes(kFrame)));
    EXPECT_EQ(ring.skipUsed().len, 0u);
  }
  EXPECT_EQ(link.rxCount(kRX_BAD_CHAIN), 1u);
  EXPECT_EQ(link.txCount(kTX_BAD_CHAIN), 1u);
}

// Row 78: a burst takes no more chains than it was asked for, whether they are good or rubbish.
TEST_F(HostileTraffic, Row78OneBurstIsBounded) {
  Mempool& pool = makePool(600);
  Link link(pool, {.ringSize = 4096});
  for (std::uint32_t i = 0; i < 4096; i++) {
    // A long chain of nothing from every head.
    link.guest.tx.setDesc(i, 0, 0, kNext, static_cast<std::uint16_t>((i + 1) % 4096));
    link.guest.tx.offer(static_cast<std::uint16_t>(i));
  }
  link.guest.tx.publish();
  for (const std::uint32_t burst : {1u, 32u, 512u}) {
    const std::uint16_t before = link.guest.tx.usedIdx();
    EXPECT_TRUE(link.receive(burst).empty());
    EXPECT_EQ(wrap16::distance(link.guest.tx.usedIdx(), before), burst);
  }
}

// Row 80: a head that is in flight twice is served twice; no mbuf has two owners.
TEST_F(HostileTraffic, Row80TheSameHeadTwice) {
  Mempool& pool = makePool(16);
  Link link(pool);
  const std::uint64_t buffer = link.memory.alloc(kWhole);
  link.guest.tx.setDesc(3, buffer, kWhole, 0, 0);
  for (int i = 0; i < 3; i++) link.guest.tx.offer(3);
  link.guest.tx.publish();
  const auto handles = link.receive();
  ASSERT_EQ(handles.size(), 3u);
  EXPECT_NE(handles[0], handles[1]);
  EXPECT_NE(handles[1], handles[2]);
  freeBurst(handles.data(), 3);

  link.guest.rx.setDesc(3, buffer, kWhole, kWrite, 0);
  for (int i = 0; i < 3; i++) link.guest.rx.offer(3);
  link.guest.rx.publish();
  // One packet over all three.
  EXPECT_TRUE(link.transmit(patternBytes(2 * kWhole)));
  EXPECT_EQ(link.guest.rx.pendingUsed(), 3u);
}

// Row 91 for what we write: wherever the guest's buffers lie over its own rings, we stay inside its memory.
TEST_F(HostileTraffic, Row91BuffersOverTheRings) {
  Mempool& pool = makePool(600);
  for (std::uint32_t offset = 0; offset < 400; offset += 7) {
    Link link(pool, {.ringSize = 8, .memory = 64 << 10});
    auto& ring = link.guest.rx;
    for (std::uint16_t i = 0; i < 8; i++) {
      ring.setDesc(i, ring.desc + offset, 100, kWrite, 0);
      ring.offer(i);
    }
    ring.publish();
    for (int i = 0; i < 12; i++) (void)link.transmit(patternBytes(80 + offset % 9, offset));
    link.memory.expectSurroundingsUntouched();
    EXPECT_EQ(pool.available(), pool.size());
  }
}

// Row 92: a packet that meets a bad chain among its buffers goes, and all of them come back empty, in order.
TEST_F(HostileTraffic, Row92ABadChainBetweenGoodBuffers) {
  Mempool& pool = makePool(64);
  for (const std::uint32_t position : {0u, 1u, 5u, 70u, 150u}) {
    Link link(pool, {.ringSize = 256});
    const std::uint64_t buffers = link.memory.alloc(256 * 100);
    for (std::uint32_t i = 0; i < 200; i++) {
      const bool bad = i == position;
      link.guest.rx.setDesc(i, bad ? link.memory.end() : buffers + i * 100, 100, kWrite, 0);
      link.guest.rx.offer(static_cast<std::uint16_t>(i));
    }
    link.guest.rx.publish();
    // Each packet takes ten buffers; the one that meets the bad one is lost.
    Handle burst[15];
    for (std::uint32_t i = 0; i < 15; i++) burst[i] = makePacket(pool, patternBytes(10 * 100 - 12, i));
    EXPECT_EQ(link.txSlot().run(burst, 15), 15u);
    const std::uint32_t lost = position / 10;
    EXPECT_EQ(link.txCount(kTX_BAD_ADDRESS), position < 150 ? 1u : 0u);
    EXPECT_EQ(link.txCount(kPACKETS), position < 150 ? 14u : 15u);
    std::uint32_t next = 0;
    for (std::uint32_t packet = 0; packet < 15; packet++) {
      const std::uint32_t count = packet == lost ? position % 10 + 1 : 10;
      for (std::uint32_t i = 0; i < count; i++) {
        const split::UsedElem element = link.guest.rx.skipUsed();
        EXPECT_EQ(element.id, next++);
        EXPECT_EQ(element.len, packet == lost ? 0u : 100u) << "packet " << packet;
      }
    }
    EXPECT_EQ(link.guest.rx.pendingUsed(), 0u);
  }
}

// Row 92: one-byte buffers, as many as a ring can have.
TEST_F(HostileTraffic, Row92BuffersOfOneByte) {
  Mempool& pool = makePool(64);
  Link link(pool, {.ringSize = 32768, .memory = 8u << 20});
  const std::uint64_t buffer = link.memory.alloc(1, 1);
  for (std::uint32_t i = 0; i < 32768; i++) {
    link.guest.rx.setDesc(i, buffer, 1, kWrite, 0);
    link.guest.rx.offer(static_cast<std::uint16_t>(i));
  }
  link.guest.rx.publish();
  // The header does not fit the first one: it comes back, and so does the next for the next packet.
  Handle burst[32];
  for (Handle& handle : burst) handle = makePacket(pool, patternBytes(kFrame));
  EXPECT_EQ(link.txSlot().run(burst, 32), 32u);
  EXPECT_EQ(link.guest.rx.pendingUsed(), 32u);
  EXPECT_EQ(link.txCount(kTX_BAD_CHAIN), 32u);
  EXPECT_EQ(link.txCount(kPACKETS), 0u);
}

// Row 94: whatever the guest writes into the fields that only ask for calls, a polling device goes on.
TEST_F(HostileTraffic, Row94EventIndicesOfAnyValue) {
  Mempool& pool = makePool(16);
  Link link(pool, {.features = kMergeable | virtio::kRingEventIdx});
  const std::uint64_t place = link.memory.alloc(100);
  const std::uint32_t room = 100;
  for (std::uint32_t event = 0; event < 65536; event += 97) {
    link.guest.tx.setUsedEvent(static_cast<std::uint16_t>(event));
    link.guest.rx.setUsedEvent(static_cast<std::uint16_t>(event));
    // And avail_event, which is ours to write.
    *link.memory.as<std::uint16_t>(link.guest.tx.used + 4 + 8 * 256) = static_cast<std::uint16_t>(event);
    ASSERT_TRUE(link.guest.sendAt(place, patternBytes(60)));
    ASSERT_EQ(link.receiveFrames().size(), 1u);
    ASSERT_EQ(link.guest.reclaim(), 1u);
    ASSERT_TRUE(link.guest.postAt(place, std::span(&room, 1)));
    ASSERT_TRUE(link.transmit(patternBytes(60)));
    ASSERT_EQ(link.guest.receive().size(), 1u);
  }
}

// Row 90. The guest's own driver keeps both rings going; a second thread flips addresses, lengths, flags,
// next, heads, table entries, headers and used rings between good and hostile values. Each packet must be
// what *some* snapshot says: consistent, of a possible length, from inside the guest's memory.
class Flipper {
 public:
  Flipper(Link& link, std::uint64_t buffers, std::uint64_t tables)
      : link_(link), buffers_(buffers), tables_(tables) {}

  void operator()(const std::atomic<bool>& stop) {
    std::minstd_rand random(42);
    while (!stop) {
      auto& ring = random() % 2 == 0 ? link_.guest.tx : link_.guest.rx;
      const std::uint64_t place =
          random() % 3 == 0 ? tables_ + 16 * (random() % 64) : ring.desc + 16 * (random() % ring.size());
      switch (random() % 7) {
        case 0:
          flip<std::uint64_t>(place, address(random()));
          break;
        case 1:
          flip<std::uint32_t>(place + 8, length(random()));
          break;
        case 2:
          flip<std::uint16_t>(place + 12, static_cast<std::uint16_t>(random() % 9));
          break;
        case 3:
          flip<std::uint16_t>(place + 14, static_cast<std::uint16_t>(random() % 40));
          break;
        case 4:
          flip<std::uint16_t>(ring.avail + 4 + 2 * (random() % ring.size()),
                              static_cast<std::uint16_t>(random() % 40));
          break;
        case 5:
          flip<std::uint64_t>(buffers_ + 8 * (random() % 512), random() * 0x100000001ull);
          break;
        default:
          flip<std::uint32_t>(ring.used + 4 * (1 + random() % (2 * ring.size())),
                              static_cast<std::uint32_t>(random()));
          break;
      }
    }
  }

 private:
  template <typename T>
  void flip(std::uint64_t addr, T value) {
    storeRelaxed(*link_.memory.as<T>(addr), value);
  }
  std::uint64_t address(unsigned long seed) const {
    switch (seed % 8) {
      case 0:
        return link_.memory.end() - seed / 8 % 100;
      case 1:
        return ~0ull - seed / 8 % 100;
      case 2:
        return link_.memory.specs()[1].guestAddr - seed / 8 % 100;
      case 3:
        return tables_;
      default:
        return buffers_ + seed / 8 % 3000;
    }
  }
  static std::uint32_t length(unsigned long seed) {
    constexpr std::uint32_t kLengths[] = {0,  1,   11,   12,   13,    16,         26,        32,
                                          64, 112, 1000, 4096, 70000, 0x7fffffff, 0xffffffff};
    return kLengths[seed % std::size(kLengths)];
  }

  Link& link_;
  std::uint64_t buffers_;
  std::uint64_t tables_;
};

TEST_F(HostileTraffic, Row90EverythingChangesWhileItIsRead) {
  for (const std::uint64_t features : {kMergeable | virtio::kRingIndirectDesc | virtio::kNetCsum |
                                           virtio::kNetHostTso4 | virtio::kNetHostTso6,
                                       kModern | virtio::kRingIndirectDesc | virtio::kRingEventIdx}) {
    Mempool& pool = makePool(512, 2176, 32);
    Link link(pool, {.features = features, .ringSize = 32, .memory = 256 << 10});
    const std::uint64_t buffers = link.memory.alloc(8192);
    const std::uint64_t tables = link.memory.alloc(64 * 16);
    std::atomic<bool> stop{false};
    std::thread hammer([&] { Flipper(link, buffers, tables)(stop); });
    std::uint64_t packets = 0;
    for (int i = 0; i < 20000; i++) {
      for (auto* ring : {&link.guest.tx, &link.guest.rx}) {
        const std::uint16_t ahead = wrap16::distance(ring->nextAvail(), ring->usedIdx());
        if (ahead < 24) {
          const auto head = static_cast<std::uint16_t>(i % 32);
          const bool write = ring == &link.guest.rx;
          ring->setDesc(head, i % 5 == 0 ? tables : buffers, i % 5 == 0 ? 64 * 16 : 112,
                        static_cast<std::uint16_t>((write ? kWrite : 0) | (i % 5 == 0 ? kIndirect : 0)), 0);
          ring->offer(head);
          ring->publish();
        }
      }
      Handle handles[16];
      const std::uint32_t count = link.rxSlot().run(handles, 16);
      for (std::uint32_t k = 0; k < count; k++) {
        const Mbuf* mbuf = mbufOf(handles[k]);
        ASSERT_TRUE(isConsistent(mbuf));
        ASSERT_GE(mbuf->pktLen, 14u);
        ASSERT_LE(mbuf->pktLen, 65553u);
      }
      packets += count;
      const std::uint32_t sent = link.txSlot().run(handles, count);
      if (sent < count) freeBurst(handles + sent, count - sent);
      for (const std::uint32_t ring : {Link::kGuestRx, Link::kGuestTx}) {
        if (link.device.state(ring)->broken.empty()) continue;
        auto& driver = ring == Link::kGuestRx ? link.guest.rx : link.guest.tx;
        ASSERT_TRUE(link.device.stopRing(ring).ok());
        driver.setAvailIdx(driver.nextAvail());
        link.startRing(ring);
      }
    }
    stop = true;
    hammer.join();
    EXPECT_GT(packets, 0u);
    EXPECT_GT(link.txCount(kPACKETS), 0u);
    (void)events::drain();
    pool.flush(currentLcore());
    EXPECT_EQ(pool.available(), pool.size());
    link.memory.expectSurroundingsUntouched();
  }
}

}  // namespace
}  // namespace pollwire::test
