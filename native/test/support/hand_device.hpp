// HandDevice: a virtio driver of ours with one queue, and the device side of its ring in the test's hands: it
// writes and reads posted buffers itself, and answers what it likes.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <span>
#include <vector>

#include "ethdev/slot_table.hpp"
#include "support/arena_test.hpp"
#include "support/driver_rig.hpp"
#include "virtio/virtio_device.hpp"
#include "virtqueue/net_hdr.hpp"

namespace pollwire::test {

struct HandOptions {
  std::uint64_t features = virtio::kVersion1 | virtio::kRingIndirectDesc;
  std::uint32_t size = 16;
};

template <class Layout>
class HandDevice {
 public:
  HandDevice(virtio::Direction direction, Mempool& pool, HandOptions options = {})
      : features(options.features | (Layout::kPacked ? virtio::kRingPacked : 0)),
        driver(7, 1),
        headerLen(virtio::netHdrLen(features)),
        slotId_(*slots::allocate()) {
    virtio::QueueConfig config;
    config.size = options.size;
    config.features = features;
    config.splitBase = 65530;
    const auto areas = driver.setup(0, direction, config);
    EXPECT_TRUE(areas.ok()) << areas.status().detail();
    EXPECT_TRUE(driver.bind(0, slotId_, {pool.id(), 3}).ok());
    slot().open(kSlotPortStopped);
    const Status started = driver.start(0);
    EXPECT_TRUE(started.ok()) << started.detail();
    const bool eventIdx = (features & virtio::kRingEventIdx) != 0;
    if constexpr (Layout::kPacked) {
      device = PackedDevice(
          at<packed::Desc>(areas->addresses.desc), at<packed::EventSuppress>(areas->addresses.driver),
          at<packed::EventSuppress>(areas->addresses.device), options.size, areas->base, eventIdx, true);
    } else {
      device = SplitDevice(at<split::Desc>(areas->addresses.desc), at<split::Avail>(areas->addresses.driver),
                           at<split::Used>(areas->addresses.device), options.size,
                           static_cast<std::uint16_t>(areas->base), eventIdx, true);
    }
  }
  ~HandDevice() {
    EXPECT_TRUE(driver.unbind(0).ok());
    slots::release(slotId_);
  }

  BurstSlot& slot() { return *slots::byId(slotId_); }
  std::uint64_t count(Counter counter) { return slot().counters()->value[counter]; }

  std::vector<Head> heads(std::uint32_t max = 64) {
    std::vector<Head> list(max);
    const std::uint32_t ready = device.available();
    list.resize(device.gather(list.data(), 0, std::min(ready, max)));
    return list;
  }

  // Receiving: what the device does with posted buffers.

  // Takes the next posted buffer and writes `bytes` into it; shown to the driver by answer().
  void fill(std::span<const std::byte> bytes, std::uint32_t usedLen) {
    Head head;
    ASSERT_EQ(device.gather(&head, taken_, 1), 1u) << "the driver has posted nothing more";
    ASSERT_LE(bytes.size(), head.len);
    std::memcpy(at<std::byte>(head.addr), bytes.data(), bytes.size());
    device.putUsed(taken_, head, usedLen);
    taken_ += head.count;
  }
  // A packet in one buffer.
  void deliver(std::span<const std::byte> frame, virtio::NetHdr header = {0, 0, 0, 0, 0, 0, 1}) {
    const ByteVector bytes = withHeader(frame, header);
    fill(bytes, static_cast<std::uint32_t>(bytes.size()));
  }
  void answer() {
    device.publish(taken_, taken_);
    taken_ = 0;
  }
  ByteVector withHeader(std::span<const std::byte> frame, const virtio::NetHdr& header) const {
    ByteVector bytes(headerLen);
    std::memcpy(bytes.data(), &header, headerLen);
    bytes.insert(bytes.end(), frame.begin(), frame.end());
    return bytes;
  }
  std::vector<Handle> receive(std::uint32_t max = 64) {
    std::vector<Handle> handles(max);
    handles.resize(slot().run(handles.data(), max));
    return handles;
  }
  // Frees what it returns.
  std::vector<ByteVector> receiveFrames(std::uint32_t max = 64) {
    std::vector<ByteVector> frames;
    const auto handles = receive(max);
    for (const Handle handle : handles) {
      EXPECT_TRUE(isConsistent(mbufOf(handle)));
      frames.push_back(contentsOf(handle));
    }
    freeBurst(handles.data(), static_cast<std::uint32_t>(handles.size()));
    return frames;
  }

  // Transmitting.

  // True when the driver took it; otherwise it stays the caller's.
  bool transmit(Handle packet) { return slot().run(&packet, 1) == 1; }
  // The pieces of the next posted packet, as they lie in memory.
  std::vector<Piece> walk(const Head& head) {
    FlatSpace space;
    PieceList pieces;
    EXPECT_EQ(device.walk(head, Access::kRead, space, pieces), ChainVerdict::kGood);
    std::vector<Piece> list;
    for (std::uint32_t i = 0; i < pieces.count(); i++) list.push_back(pieces[i]);
    return list;
  }
  ByteVector bytesOf(const Head& head) {
    ByteVector bytes;
    for (const Piece& piece : walk(head)) bytes.insert(bytes.end(), piece.data, piece.data + piece.length);
    return bytes;
  }
  void use(const std::vector<Head>& list) {
    std::uint32_t entries = 0;
    for (const Head& head : list) {
      device.putUsed(entries, head, 0);
      entries += head.count;
    }
    device.publish(entries, entries);
  }

  template <typename T>
  static T* at(std::uint64_t addr) {
    return reinterpret_cast<T*>(addr);
  }

  const std::uint64_t features;
  virtio::Device driver;
  typename Layout::Device device;
  const std::uint32_t headerLen;

 private:
  std::uint32_t slotId_;
  std::uint32_t taken_ = 0;
};

}  // namespace pollwire::test
