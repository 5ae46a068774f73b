// A vhost device as the control plane sees it: rings start and stop at the right place, states and errors are
// what they should be. Memory tables: vhost_memory_test.cpp; kick and call: vhost_notify_test.cpp.
#include "vhost/vhost_device.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "ethdev/idle_wait.hpp"
#include "ethdev/native_events.hpp"
#include "support/temp_dir.hpp"
#include "support/vhost_test.hpp"

namespace pollwire::test {
namespace {

using Link = VhostLink<>;
using VhostDevice = ArenaTest;

constexpr std::uint32_t kRings[] = {Link::kGuestRx, Link::kGuestTx};

TEST_F(VhostDevice, UnknownRingsAndSlotsAreNamed) {
  Mempool& pool = makePool(8);
  vhost::Device device(3, 2);
  const auto says = [](const Status& status, StatusCode code, const char* text) {
    EXPECT_EQ(status.code(), code) << status.detail();
    EXPECT_NE(status.detail().find(text), std::string::npos) << status.detail();
  };
  const char* text = "vhost device 3 has rings 0 to 1, not 2";
  says(device.startRing(2, {}), StatusCode::kNotFound, text);
  says(device.stopRing(2).status(), StatusCode::kNotFound, text);
  says(device.setKick(2, Fd()), StatusCode::kNotFound, text);
  says(device.setCall(2, Fd()), StatusCode::kNotFound, text);
  says(device.enableRing(2, true), StatusCode::kNotFound, text);
  says(device.wantKicks(2, true), StatusCode::kNotFound, text);
  says(device.state(2).status(), StatusCode::kNotFound, text);
  says(device.bind(2, 0, vhost::Direction::kTx, {}), StatusCode::kNotFound, text);
  says(device.unbind(2), StatusCode::kNotFound, text);
  says(device.bind(0, 12345, vhost::Direction::kTx, {}), StatusCode::kNotFound, "12345");
  says(device.bind(0, ~0u, vhost::Direction::kTx, {}), StatusCode::kNotFound, "slot");
  const std::uint32_t slot = *slots::allocate();
  says(device.bind(1, slot, vhost::Direction::kRx, {}), StatusCode::kNotFound, "needs a pool");
  EXPECT_TRUE(device.bind(1, slot, vhost::Direction::kRx, {.pool = pool.id()}).ok());
  says(device.bind(1, slot, vhost::Direction::kRx, {.pool = pool.id()}), StatusCode::kBusy,
       "ring 1 is bound");
  EXPECT_TRUE(device.unbind(1).ok());
  EXPECT_TRUE(device.unbind(1).ok());
  slots::release(slot);
  says(device.bind(1, slot, vhost::Direction::kRx, {.pool = pool.id()}), StatusCode::kNotFound, "slot");
}

// Hostile rows 62, 64 and 65.
TEST_F(VhostDevice, RingsThatCannotStart) {
  GuestMemory memory(256 << 10, 2);
  vhost::Device device(0, 2);
  const std::uint64_t a = memory.userAddr(GuestMemory::kBase);
  const std::uint64_t end = a + (256 << 10);
  const std::uint64_t b = memory.userAddr(memory.specs()[1].guestAddr);
  const vhost::RingConfig good{256, a, a + 0x2000, a + 0x4000, 0, kModern};
  EXPECT_EQ(device.startRing(0, good).code(), StatusCode::kBadAddress) << "before any memory";
  ASSERT_TRUE(device.setMemory(memory.specs(), memory.fds()).ok());
  const auto with = [&](auto&& change) {
    vhost::RingConfig config = good;
    change(config);
    return config;
  };
  const std::uint64_t event = kModern | virtio::kRingEventIdx;
  struct {
    const char* what;
    vhost::RingConfig config;
    StatusCode code;
    const char* says;
  } const rows[] = {
      {"size 0", with([](auto& c) { c.size = 0; }), StatusCode::kOutOfRange, "size 0"},
      {"size 3", with([](auto& c) { c.size = 3; }), StatusCode::kOutOfRange, "size 3"},
      {"size 255", with([](auto& c) { c.size = 255; }), StatusCode::kOutOfRange, "size 255"},
      {"size 32769", with([](auto& c) { c.size = 32769; }), StatusCode::kOutOfRange, "32769"},
      {"size 65536", with([](auto& c) { c.size = 65536; }), StatusCode::kOutOfRange, "65536"},
      {"size 2^32-1", with([](auto& c) { c.size = ~0u; }), StatusCode::kOutOfRange, "4294967295"},
      {"size beyond the region", with([](auto& c) { c.size = 32768; }), StatusCode::kBadAddress,
       "descriptor table"},
      {"descriptors at 0", with([](auto& c) { c.desc = 0; }), StatusCode::kBadAddress, "descriptor table"},
      {"avail at 0", with([](auto& c) { c.avail = 0; }), StatusCode::kBadAddress, "available ring"},
      {"used at 0", with([](auto& c) { c.used = 0; }), StatusCode::kBadAddress, "used ring"},
      {"descriptors not aligned", with([](auto& c) { c.desc += 8; }), StatusCode::kBadAddress,
       "aligned to 16"},
      {"avail not aligned", with([](auto& c) { c.avail += 1; }), StatusCode::kBadAddress, "aligned to 2"},
      {"used not aligned", with([](auto& c) { c.used += 2; }), StatusCode::kBadAddress, "aligned to 4"},
      {"outside", with([&](auto& c) { c.desc = b + (1 << 20); }), StatusCode::kBadAddress,
       "descriptor table"},
      {"far outside", with([](auto& c) { c.avail = ~0ull - 1; }), StatusCode::kBadAddress, "available ring"},
      {"wraps", with([](auto& c) { c.desc = ~0ull - 15; }), StatusCode::kBadAddress, "descriptor table"},
      {"last descriptor outside", with([&](auto& c) { c.desc = end - 4096 + 16; }), StatusCode::kBadAddress,
       "descriptor table"},
      {"last avail entry outside", with([&](auto& c) { c.avail = end - 516 + 2; }), StatusCode::kBadAddress,
       "available ring"},
      {"last used entry outside", with([&](auto& c) { c.used = end - 2052 + 4; }), StatusCode::kBadAddress,
       "used ring"},
      {"used_event outside", with([&](auto& c) {
         c.avail = end - 516;
         c.features = event;
       }),
       StatusCode::kBadAddress, "available"},
      {"avail_event outside", with([&](auto& c) {
         c.used = end - 2052;
         c.features = event;
       }),
       StatusCode::kBadAddress, "used"},
      {"guest instead of user address", with([](auto& c) { c.desc = GuestMemory::kBase; }),
       StatusCode::kBadAddress, "table"},
  };
  const auto before = memory.snapshot();
  for (const auto& row : rows) {
    const Status status = device.startRing(0, row.config);
    EXPECT_EQ(status.code(), row.code) << row.what << ": " << status.detail();
    EXPECT_NE(status.detail().find(row.says), std::string::npos) << row.what << ": " << status.detail();
    EXPECT_NE(status.detail().find("vhost device 0, ring 0"), std::string::npos) << status.detail();
    EXPECT_FALSE(device.state(0)->started);
  }
  memory.expectUntouched(before);
  // Exactly at the end, and without the event fields.
  for (const auto& config :
       {good, with([&](auto& c) { c.desc = end - 4096; }), with([&](auto& c) { c.avail = end - 516; }),
        with([&](auto& c) { c.used = end - 2052; }), with([&](auto& c) {
          c.avail = end - 518;
          c.features = event;
        }),
        with([&](auto& c) { c.size = 1; }), with([&](auto& c) { c.desc = b; }),
        with([&](auto& c) { c.avail = c.used = c.desc; })}) {
    const Status status = device.startRing(0, config);
    EXPECT_TRUE(status.ok()) << status.detail();
    EXPECT_EQ(device.startRing(0, config).code(), StatusCode::kBadState) << "it runs already";
    EXPECT_TRUE(device.stopRing(0).ok());
  }
  memory.expectSurroundingsUntouched();
}

// Hostile row 66: a base is a number modulo 2^16; what follows is the avail index rule.
TEST_F(VhostDevice, AnyBaseIsTaken) {
  Mempool& pool = makePool(8);
  for (const std::uint32_t base : {0u, 1u, 65535u, 65536u + 7, ~0u}) {
    Link link(pool, {.start = static_cast<std::uint16_t>(base)});
    (void)link.device.stopRing(Link::kGuestTx);
    auto config = link.guest.tx.config(link.features);
    config.base = base;
    ASSERT_TRUE(link.device.startRing(Link::kGuestTx, config).ok());
    ASSERT_TRUE(link.guest.send(patternBytes(60)));
    EXPECT_EQ(link.receiveFrames().size(), 1u);
    EXPECT_EQ(*link.device.stopRing(Link::kGuestTx), static_cast<std::uint16_t>(base + 1));
  }
}

// Hostile row 73.
TEST_F(VhostDevice, StopReportsWhereToGoOn) {
  Mempool& pool = makePool(64);
  vhost::Device fresh(0, 2);
  EXPECT_EQ(*fresh.stopRing(1), 0u) << "never started";
  Link link(pool, {.ringSize = 64});
  for (std::uint32_t i = 0; i < 50; i++) ASSERT_TRUE(link.guest.send(patternBytes(60, i)));
  EXPECT_EQ(link.receiveFrames(20).size(), 20u);
  EXPECT_EQ(*link.device.stopRing(Link::kGuestTx), 65520u);
  EXPECT_EQ(*link.device.stopRing(Link::kGuestTx), 65520u) << "asked again";
  EXPECT_TRUE(link.receive().empty());
  EXPECT_FALSE(link.device.state(Link::kGuestTx)->started);

  auto config = link.guest.tx.config(link.features);
  config.base = 65520;
  ASSERT_TRUE(link.device.startRing(Link::kGuestTx, config).ok());
  std::uint32_t seen = 20;
  for (auto frames = link.receiveFrames(); !frames.empty(); frames = link.receiveFrames()) {
    for (const ByteVector& frame : frames) EXPECT_EQ(frame, patternBytes(60, seen++));
  }
  EXPECT_EQ(seen, 50u);
  EXPECT_EQ(link.guest.reclaim(), 50u);
  EXPECT_EQ(*link.device.stopRing(Link::kGuestTx), 14u) << "past 65,535";
  EXPECT_EQ(*link.device.stopRing(Link::kGuestRx), 65500u);
}

// After stopRing returned, nothing is read and nothing written, however busily a lcore polls and whatever the
// guest offers.
TEST_F(VhostDevice, NoAccessAfterStop) {
  Mempool& pool = makePool(512);
  Link link(pool);
  const std::uint32_t room = 2000;
  const std::uint64_t mark = link.memory.mark();
  std::atomic<bool> stop{false};
  std::thread lcore([&] {
    Handle handles[32];
    while (!stop) {
      freeBurst(handles, link.rxSlot().run(handles, 32));
      Handle packet = pool.alloc();
      if (packet == kNoHandle) continue;
      resetForRx(mbufOf(packet), 0, 60);
      if (link.txSlot().run(&packet, 1) == 0) freeChain(packet);
    }
  });
  for (int round = 0; round < 200; round++) {
    link.memory.reset(mark);
    for (std::uint32_t i = 0; i < 8; i++) {
      (void)link.guest.send(patternBytes(60));
      (void)link.guest.postAt(link.memory.alloc(room + 1, 1), std::span(&room, 1));
    }
    for (const std::uint32_t ring : kRings) {
      const auto base = link.device.stopRing(ring);
      auto& driver = ring == Link::kGuestRx ? link.guest.rx : link.guest.tx;
      ASSERT_EQ(*base, driver.usedIdx());
    }
    for (std::uint32_t i = 0; i < 4; i++) {
      (void)link.guest.send(patternBytes(60));
      (void)link.guest.postAt(link.memory.alloc(room + 1, 1), std::span(&room, 1));
    }
    const std::uint16_t rxUsed = link.guest.rx.usedIdx();
    const std::uint16_t txUsed = link.guest.tx.usedIdx();
    std::this_thread::yield();
    ASSERT_EQ(link.guest.rx.usedIdx(), rxUsed);
    ASSERT_EQ(link.guest.tx.usedIdx(), txUsed);
    for (const std::uint32_t ring : kRings) {
      auto& driver = ring == Link::kGuestRx ? link.guest.rx : link.guest.tx;
      auto config = driver.config(link.features);
      config.base = driver.usedIdx();
      ASSERT_TRUE(link.device.startRing(ring, config).ok());
    }
    while (link.guest.rx.inFlight() > 0 || link.guest.tx.inFlight() > 0) {
      link.guest.reclaim();
      (void)link.guest.receive();
      std::this_thread::yield();
    }
  }
  stop = true;
  lcore.join();
}

// Hostile row 75: other addresses and base 0 without any disconnect.
TEST_F(VhostDevice, AGuestRebootNeverTouchesTheOldRings) {
  Mempool& pool = makePool(64);
  Link link(pool);
  ASSERT_TRUE(link.guest.send(patternBytes(60)));
  ASSERT_TRUE(link.guest.post(200));
  EXPECT_EQ(link.receiveFrames().size(), 1u);
  for (const std::uint32_t ring : kRings) ASSERT_TRUE(link.device.stopRing(ring).ok());
  FakeGuest<SplitGuestRing> rebooted(link.memory, 128, link.features, 0);
  const auto before = link.memory.snapshot();
  auto allowed = rebooted.rx.deviceWrites();
  for (const GuestRange& range : rebooted.tx.deviceWrites()) allowed.push_back(range);
  ASSERT_TRUE(link.device.startRing(Link::kGuestRx, rebooted.rx.config(link.features)).ok());
  ASSERT_TRUE(link.device.startRing(Link::kGuestTx, rebooted.tx.config(link.features)).ok());
  EXPECT_FALSE(link.transmit(patternBytes(60))) << "the new guest posted nothing yet";
  EXPECT_TRUE(link.receive().empty());
  link.memory.expectUntouched(before, allowed);
  ASSERT_TRUE(rebooted.send(patternBytes(99)));
  ASSERT_TRUE(rebooted.post(200));
  EXPECT_EQ(link.receiveFrames(), only(patternBytes(99)));
  EXPECT_TRUE(link.transmit(patternBytes(60)));
  EXPECT_EQ(rebooted.receive().size(), 1u);
}

// Hostile row 72: each ring by itself.
TEST_F(VhostDevice, EnableOpensAndClosesOneRing) {
  Mempool& pool = makePool(64);
  Link link(pool);
  ASSERT_TRUE(link.guest.post(200));
  for (int i = 0; i < 20; i++) {
    ASSERT_TRUE(link.device.enableRing(Link::kGuestTx, false).ok());
    EXPECT_FALSE(link.device.state(Link::kGuestTx)->enabled);
    ASSERT_TRUE(link.guest.send(patternBytes(60)));
    EXPECT_TRUE(link.receive().empty());
    EXPECT_TRUE(link.transmit(patternBytes(60))) << "the other ring goes on";
    EXPECT_EQ(link.guest.receive(true).size(), 1u);
    ASSERT_TRUE(link.device.enableRing(Link::kGuestTx, true).ok());
    EXPECT_EQ(link.receiveFrames().size(), 1u);
  }
  // Enabled before it starts, and a ring that never starts.
  vhost::Device device(1, 2);
  EXPECT_TRUE(device.enableRing(0, true).ok());
  EXPECT_TRUE(device.state(0)->enabled);
  EXPECT_FALSE(device.state(0)->started);
}

// Hostile row 74 without the clock: flapping under a polling lcore loses nothing.
TEST_F(VhostDevice, FlappingLosesNothing) {
  Mempool& pool = makePool(512, 192);
  Link link(pool);
  std::atomic<bool> stop{false};
  std::uint64_t received = 0;
  bool ordered = true;
  std::thread lcore([&] {
    Handle handles[32];
    while (!stop || link.rxSlot().used() != 0) {
      const std::uint32_t count = link.rxSlot().run(handles, 32);
      for (std::uint32_t i = 0; i < count; i++) {
        std::uint64_t number = 0;
        std::memcpy(&number, dataOf(mbufOf(handles[i])), 8);
        ordered = ordered && number == received++;
      }
      freeBurst(handles, count);
    }
  });
  const std::uint64_t mark = link.memory.mark();
  std::uint64_t sent = 0;
  for (int round = 0; round < 500; round++) {
    if (round % 8 == 0) {
      while (link.guest.tx.inFlight() > 0) {
        link.guest.reclaim();
        std::this_thread::yield();
      }
      link.memory.reset(mark);
    }
    for (int i = 0; i < 16; i++) {
      ByteVector frame(60);
      std::memcpy(frame.data(), &sent, 8);
      ASSERT_TRUE(link.guest.send(frame));
      sent++;
    }
    ASSERT_TRUE(link.device.enableRing(Link::kGuestTx, false).ok());
    ASSERT_TRUE(link.device.enableRing(Link::kGuestTx, true).ok());
  }
  stop = true;
  lcore.join();
  EXPECT_EQ(received, sent);
  EXPECT_TRUE(ordered);
}

TEST_F(VhostDevice, StateShowsBothIndices) {
  Mempool& pool = makePool(64);
  Link link(pool);
  for (int i = 0; i < 5; i++) ASSERT_TRUE(link.guest.send(patternBytes(60)));
  EXPECT_EQ(link.receiveFrames(3).size(), 3u);
  const auto state = link.device.state(Link::kGuestTx);
  ASSERT_TRUE(state.ok());
  EXPECT_TRUE(state->started);
  EXPECT_TRUE(state->enabled);
  EXPECT_EQ(state->broken, "");
  EXPECT_EQ(state->lastAvail, 65503u);
  EXPECT_EQ(state->lastUsed, 65503u);
  EXPECT_EQ(state->availIdx, 65505u);
  EXPECT_EQ(link.rxSlot().used(), 2u);
}

// A ring that broke stays so, wherever it is bound, until it is set up anew; the slot it leaves is as good as
// new.
TEST_F(VhostDevice, BrokenIsThePropertyOfTheRing) {
  Mempool& pool = makePool(64);
  Link link(pool);
  (void)events::drain();
  link.guest.tx.setAvailIdx(static_cast<std::uint16_t>(65500 + 257));
  EXPECT_TRUE(link.receive().empty());
  const auto reported = events::drain();
  ASSERT_EQ(reported.size(), 1u);
  EXPECT_EQ(reported[0].type, events::Type::kRingBroken);
  EXPECT_EQ(reported[0].ring, static_cast<std::uint32_t>(Link::kGuestTx));
  EXPECT_EQ(link.device.state(Link::kGuestTx)->broken, "AVAIL_JUMP");
  EXPECT_EQ(link.rxCount(kBROKEN), 1u);
  link.guest.tx.setAvailIdx(65500);
  ASSERT_TRUE(link.guest.send(patternBytes(60)));
  EXPECT_TRUE(link.receive().empty()) << "an index that became right again does not heal it";
  EXPECT_TRUE(events::drain().empty()) << "said once";

  // To another slot and back.
  ASSERT_TRUE(link.device.unbind(Link::kGuestTx).ok());
  const std::uint32_t other = *slots::allocate();
  slots::byId(other)->open(kSlotPortStopped);
  ASSERT_TRUE(
      link.device.bind(Link::kGuestTx, other, vhost::Direction::kRx, {.pool = pool.id(), .port = 0}).ok());
  Handle handles[4];
  EXPECT_EQ(slots::byId(other)->run(handles, 4), 0u);
  EXPECT_NE(slots::byId(other)->closed() & kSlotBroken, 0u);
  ASSERT_TRUE(link.device.unbind(Link::kGuestTx).ok());
  slots::release(other);

  // The old slot serves a ring that is in order.
  vhost::Device second(1, 2);
  ASSERT_TRUE(second.setMemory(link.memory.specs(), link.memory.fds()).ok());
  ASSERT_TRUE(second.bind(1, link.rxSlotId(), vhost::Direction::kRx, {.pool = pool.id(), .port = 0}).ok());
  ASSERT_TRUE(second.enableRing(1, true).ok());
  ASSERT_TRUE(second
                  .startRing(1, {256, link.memory.userAddr(link.guest.tx.desc),
                                 link.memory.userAddr(link.guest.tx.avail),
                                 link.memory.userAddr(link.guest.tx.used), 65500, link.features})
                  .ok());
  EXPECT_EQ(link.receiveFrames(), only(patternBytes(60)));
  ASSERT_TRUE(second.unbind(1).ok());

  // Set up anew.
  ASSERT_TRUE(
      link.device.bind(Link::kGuestTx, link.rxSlotId(), vhost::Direction::kRx, {.pool = pool.id(), .port = 0})
          .ok());
  EXPECT_EQ(*link.device.stopRing(Link::kGuestTx), 65500u);
  auto config = link.guest.tx.config(link.features);
  config.base = 65501;
  ASSERT_TRUE(link.device.startRing(Link::kGuestTx, config).ok());
  EXPECT_EQ(link.device.state(Link::kGuestTx)->broken, "");
  ASSERT_TRUE(link.guest.send(patternBytes(61)));
  EXPECT_EQ(link.receiveFrames(), only(patternBytes(61)));
}

// A slot was released and given to somebody else before the device let go of it.
TEST_F(VhostDevice, LeavesASlotAloneThatIsNoLongerItsOwn) {
  Mempool& pool = makePool(64);
  const std::uint32_t slot = *slots::allocate();
  auto device = std::make_unique<vhost::Device>(0, 2);
  ASSERT_TRUE(device->bind(1, slot, vhost::Direction::kRx, {.pool = pool.id()}).ok());
  slots::release(slot);
  ASSERT_EQ(*slots::allocate(), slot);
  slots::byId(slot)->bind([](void*, Handle*, std::uint32_t count) noexcept { return count; }, &pool);
  slots::byId(slot)->open(kSlotPortStopped);
  device.reset();
  Handle handle = 0;
  EXPECT_EQ(slots::byId(slot)->run(&handle, 1), 1u);
  slots::release(slot);
}

// Nothing may be left when a device goes: not while it runs, not when it never did.
TEST_F(VhostDevice, DestroyedInAnyState) {
  Mempool& pool = makePool(64);
  const std::size_t before = openFdCount();
  for (int state = 0; state < 4; state++) {
    Link link(pool);
    if (state > 0) (void)link.device.stopRing(Link::kGuestTx);
    if (state > 1) (void)link.device.enableRing(Link::kGuestRx, false);
    if (state > 2) (void)link.device.unbind(Link::kGuestRx);
  }
  EXPECT_EQ(openFdCount(), before);
}

}  // namespace
}  // namespace pollwire::test
