// VhostTest: a vhost device with one queue pair, both slots open, and a FakeGuest on the other side of its
// rings.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "ethdev/slot_table.hpp"
#include "support/arena_test.hpp"
#include "support/fake_guest.hpp"
#include "sys/eventfd.hpp"
#include "vhost/vhost_device.hpp"

namespace pollwire::test {

constexpr std::uint64_t kModern = virtio::kVersion1;
constexpr std::uint64_t kMergeable = virtio::kVersion1 | virtio::kNetMrgRxbuf;

struct LinkOptions {
  std::uint64_t features = kMergeable | virtio::kRingIndirectDesc;
  std::uint32_t ringSize = 256;
  // Near the end, so that every traffic test takes the indices past 65,535.
  std::uint16_t start = 65500;
  std::uint64_t memory = 4u << 20;
  bool linear = false;
  bool stripVlan = false;
  bool legacyFlags = false;
  // Pool that larger packets borrow their buffers from.
  std::uint32_t buffers = ~0u;
  // The device may not seal the memory against shrinking.
  bool shrinkable = false;
};

// One device and one guest, joined. Ring 0 is the guest's rx, ring 1 its tx.
template <class Ring = SplitGuestRing>
class VhostLink {
 public:
  static constexpr std::uint32_t kGuestRx = 0;
  static constexpr std::uint32_t kGuestTx = 1;

  VhostLink(Mempool& pool, const LinkOptions& options = {}, std::uint32_t id = 0)
      : features(options.features | Ring::kFeatures),
        memory(options.memory),
        guest(memory, options.ringSize, features, options.start),
        device(id, 2),
        rxSlot_(*slots::allocate()),
        txSlot_(*slots::allocate()),
        pool_(pool),
        port_(static_cast<std::uint16_t>(id)) {
    if (options.shrinkable) memory.keepShrinkable();
    EXPECT_TRUE(device.setMemory(memory.specs(), memory.fds()).ok());
    vhost::BindOptions bind;
    bind.pool = pool.id();
    bind.port = port_;
    bind.linear = options.linear;
    bind.stripVlan = options.stripVlan;
    bind.legacyFlags = options.legacyFlags;
    bind.buffers = options.buffers;
    EXPECT_TRUE(device.bind(kGuestTx, rxSlot_, vhost::Direction::kRx, bind).ok());
    EXPECT_TRUE(device.bind(kGuestRx, txSlot_, vhost::Direction::kTx, bind).ok());
    rxSlot().open(kSlotPortStopped);
    txSlot().open(kSlotPortStopped);
    for (std::uint32_t ring = 0; ring < 2; ring++) {
      calls[ring] = newEventFd();
      kicks[ring] = newEventFd();
      EXPECT_TRUE(device.setCall(ring, dup(calls[ring])).ok());
      EXPECT_TRUE(device.setKick(ring, dup(kicks[ring])).ok());
      EXPECT_TRUE(device.enableRing(ring, true).ok());
    }
    start();
  }
  ~VhostLink() {
    EXPECT_TRUE(device.unbind(kGuestRx).ok());
    EXPECT_TRUE(device.unbind(kGuestTx).ok());
    slots::release(rxSlot_);
    slots::release(txSlot_);
    memory.expectSurroundingsUntouched();
  }

  void start() {
    startRing(kGuestRx);
    startRing(kGuestTx);
  }
  void startRing(std::uint32_t ring) {
    const auto config = (ring == kGuestRx ? guest.rx : guest.tx).config(features);
    const Status status = device.startRing(ring, config);
    EXPECT_TRUE(status.ok()) << status.detail();
  }

  BurstSlot& rxSlot() { return *slots::byId(rxSlot_); }
  BurstSlot& txSlot() { return *slots::byId(txSlot_); }
  std::uint32_t rxSlotId() const { return rxSlot_; }
  std::uint32_t txSlotId() const { return txSlot_; }
  std::uint64_t rxCount(Counter counter) { return rxSlot().counters()->value[counter]; }
  std::uint64_t txCount(Counter counter) { return txSlot().counters()->value[counter]; }
  Mempool& pool() { return pool_; }

  // One burst; the handles are the caller's.
  std::vector<Handle> receive(std::uint32_t count = 32) {
    std::vector<Handle> handles(count);
    handles.resize(rxSlot().run(handles.data(), count));
    return handles;
  }
  // One burst; frees what it returns.
  std::vector<ByteVector> receiveFrames(std::uint32_t count = 32) {
    const std::vector<Handle> handles = receive(count);
    std::vector<ByteVector> frames;
    for (const Handle handle : handles) {
      EXPECT_TRUE(isConsistent(mbufOf(handle)));
      EXPECT_EQ(mbufOf(handle)->port, port_);
      frames.push_back(contentsOf(handle));
    }
    freeBurst(handles.data(), static_cast<std::uint32_t>(handles.size()));
    return frames;
  }
  // One burst of one packet. True when the device took it; otherwise it is freed here.
  bool transmit(Handle packet) {
    if (txSlot().run(&packet, 1) == 1) return true;
    freeChain(packet);
    return false;
  }
  bool transmit(std::span<const std::byte> frame, std::uint32_t segmentBytes = 0) {
    return transmit(makePacket(pool_, frame, segmentBytes));
  }

  const std::uint64_t features;
  GuestMemory memory;
  FakeGuest<Ring> guest;
  vhost::Device device;
  Fd calls[2];
  Fd kicks[2];

 private:
  static Fd newEventFd() { return std::move(*createEventFd()); }
  static Fd dup(const Fd& fd) { return std::move(*duplicateFd(fd.get())); }

  std::uint32_t rxSlot_;
  std::uint32_t txSlot_;
  Mempool& pool_;
  std::uint16_t port_;
};

}  // namespace pollwire::test
