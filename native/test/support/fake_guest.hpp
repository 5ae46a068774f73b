// FakeGuest: a guest's virtio-net driver over two rings in its memory: posts rx buffers, sends packets in any
// shape, collects what was used. `Ring` is the driver's side of a ring, such as SplitGuestRing.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <numeric>
#include <span>
#include <vector>

#include "support/guest_memory.hpp"
#include "support/split_guest_ring.hpp"
#include "virtqueue/net_hdr.hpp"

namespace pollwire::test {

struct ReceivedPacket {
  virtio::NetHdr header;
  std::vector<std::byte> frame;
  std::uint32_t buffers;
};

template <class Ring>
class FakeGuest {
 public:
  FakeGuest(GuestMemory& guestMemory, std::uint32_t ringSize, std::uint64_t features, std::uint16_t start)
      : memory(guestMemory),
        rx(guestMemory, ringSize, features, start),
        tx(guestMemory, ringSize, features, start),
        headerLen_(virtio::netHdrLen(features)),
        mergeable_((features & virtio::kNetMrgRxbuf) != 0) {}

  std::uint32_t headerLen() const { return headerLen_; }

  // Receiving.

  // One rx chain of buffers with these sizes, a byte apart from each other. False when the ring is full.
  bool post(std::span<const std::uint32_t> sizes, Placement placement = Placement::kDirect) {
    const std::uint64_t total = std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0}) + sizes.size();
    return postAt(memory.alloc(total, 1), sizes, placement);
  }
  bool post(std::uint32_t size) { return post(std::span(&size, 1)); }
  // The same at a place that the caller chose, with a byte between the buffers.
  bool postAt(std::uint64_t addr, std::span<const std::uint32_t> sizes,
              Placement placement = Placement::kDirect) {
    std::vector<Segment> chain;
    for (const std::uint32_t size : sizes) {
      chain.push_back(Segment{addr, size, true});
      addr += size + 1u;
    }
    return postChain(chain, placement);
  }
  bool postChain(const std::vector<Segment>& chain, Placement placement) {
    const auto id = rx.add(chain, placement);
    if (!id) return false;
    posted_[*id] = chain;
    rx.publish();
    return true;
  }
  // Packets that arrived; their buffers are posted again when `repost`.
  std::vector<ReceivedPacket> receive(bool repost = false, Placement placement = Placement::kDirect) {
    std::vector<ReceivedPacket> packets;
    std::vector<std::vector<Segment>> done;
    const std::vector<UsedChain> list = rx.collect();
    for (std::size_t i = 0; i < list.size();) {
      std::vector<std::byte> bytes = take(list[i], done);
      if (bytes.empty()) {  // handed back unused
        returnedEmpty++;
        i++;
        continue;
      }
      ReceivedPacket packet{{}, {}, 1};
      EXPECT_GE(bytes.size(), headerLen_);
      std::memcpy(&packet.header, bytes.data(), std::min<std::size_t>(headerLen_, bytes.size()));
      if (mergeable_) packet.buffers = packet.header.numBuffers;
      EXPECT_GE(packet.buffers, 1u);
      for (std::uint32_t part = 1; part < packet.buffers; part++) {
        if (i + part >= list.size()) {
          ADD_FAILURE() << "a packet of " << packet.buffers << " buffers came with " << part;
          return packets;
        }
        const auto more = take(list[i + part], done);
        bytes.insert(bytes.end(), more.begin(), more.end());
      }
      packet.frame.assign(bytes.begin() + headerLen_, bytes.end());
      packets.push_back(std::move(packet));
      i += packets.back().buffers;
    }
    if (repost) {
      for (const auto& chain : done) EXPECT_TRUE(postChain(chain, placement));
    }
    return packets;
  }

  // Sending.

  // One tx chain that holds header and frame, cut into pieces of these sizes; the last piece takes the rest.
  // False when the ring is full.
  bool send(std::span<const std::byte> frame, std::span<const std::uint32_t> sizes = {},
            Placement placement = Placement::kDirect, const virtio::NetHdr& header = {}) {
    return sendAt(memory.alloc(frame.size() + headerLen_ + sizes.size() + 1, 1), frame, sizes, placement,
                  header);
  }
  bool sendAt(std::uint64_t addr, std::span<const std::byte> frame, std::span<const std::uint32_t> sizes = {},
              Placement placement = Placement::kDirect, const virtio::NetHdr& header = {}) {
    std::vector<std::byte> bytes(headerLen_);
    std::memcpy(bytes.data(), &header, headerLen_);
    bytes.insert(bytes.end(), frame.begin(), frame.end());
    std::vector<Segment> chain;
    std::size_t done = 0;
    for (std::size_t i = 0; done < bytes.size(); i++) {
      const std::size_t piece =
          i < sizes.size() ? std::min<std::size_t>(sizes[i], bytes.size() - done) : bytes.size() - done;
      memory.write(addr, std::span(bytes).subspan(done, piece));
      chain.push_back(Segment{addr, static_cast<std::uint32_t>(piece), false});
      done += piece;
      addr += piece + (sizes.empty() ? 0 : 1);
    }
    return sendChain(chain, placement);
  }
  bool sendChain(const std::vector<Segment>& chain, Placement placement) {
    if (!tx.add(chain, placement)) return false;
    tx.publish();
    return true;
  }
  // How many sent chains came back.
  std::uint32_t reclaim() {
    const std::vector<UsedChain> list = tx.collect();
    for (const UsedChain& chain : list)
      EXPECT_EQ(chain.len, 0u) << "a device writes nothing into a sent packet";
    return static_cast<std::uint32_t>(list.size());
  }

  GuestMemory& memory;
  Ring rx;
  Ring tx;
  // Rx chains that came back with nothing in them.
  std::uint32_t returnedEmpty = 0;

 private:
  // What the device wrote into a used chain.
  std::vector<std::byte> take(const UsedChain& used, std::vector<std::vector<Segment>>& done) {
    std::vector<std::byte> bytes;
    std::uint64_t left = used.len;
    for (const Segment& segment : posted_[used.id]) {
      const auto piece = static_cast<std::uint32_t>(std::min<std::uint64_t>(left, segment.len));
      const auto part = memory.read(segment.addr, piece);
      bytes.insert(bytes.end(), part.begin(), part.end());
      left -= piece;
    }
    EXPECT_EQ(left, 0u) << "more was used than posted";
    done.push_back(std::move(posted_[used.id]));
    posted_.erase(used.id);
    return bytes;
  }

  std::uint32_t headerLen_;
  bool mergeable_;
  std::map<std::uint16_t, std::vector<Segment>> posted_;
};

}  // namespace pollwire::test
