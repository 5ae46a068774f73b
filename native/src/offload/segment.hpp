// Segmentation in software (what a peer with TSO does by itself): cuts a large TCP packet into packets of
// tsoSegsz payload bytes. Called by vhost/ and virtio/ for a peer that did not negotiate it; never in the
// common path.
#pragma once

#include <cstddef>
#include <cstdint>

#include "mbuf/mbuf.hpp"
#include "mbuf/mempool.hpp"
#include "offload/virtio_net.hpp"

namespace pollwire::offload {

// Whether this packet, which is consistent, is TCP of more than one segment and the peer cannot cut it.
bool mustBeCut(const Mbuf& mbuf, const Accepted& accepted) noexcept;

// One packet and the place reached in it. The packet is not changed, may be shared, and outlives the object.
class Segmenter {
 public:
  // More would let a sender buy much work with little: 64 KiB in pieces of 64 bytes.
  static constexpr std::uint32_t kMaxSegments = 1024;

  explicit Segmenter(const Mbuf& packet) noexcept;

  // False: header lengths or tsoSegsz do not describe a TCP packet that can be cut. Nothing else may be
  // called then.
  bool valid() const noexcept { return count_ != 0; }
  std::uint32_t count() const noexcept { return count_; }
  // Bytes of segment `index` as it is sent, with the VLAN tag that the packet asks for.
  std::uint32_t lengthOf(std::uint32_t index) const noexcept;
  // Mbufs that the longest segment takes.
  std::uint32_t mbufsEach() const noexcept;

  // The next segment, in mbufs of the packet's pool: headers as on the wire (RFC 9293 §3.1; IPv4 id counted
  // up, CWR on the first, FIN and PSH on the last), apart from the TCP checksum and the tag, which it asks
  // for with TX_TCP_CKSUM and TX_VLAN. kNoHandle when the pool is empty. At most count() times.
  Handle next() noexcept;

 private:
  // Ethernet with tags, IPv6 with extension headers, TCP with all options.
  static constexpr std::uint32_t kMaxHeaders = 256;

  bool readHeaders() noexcept;
  void writeHeaders(std::uint32_t payload) noexcept;
  bool appendPayload(Handle segment, std::uint32_t length) noexcept;
  std::uint32_t payloadOf(std::uint32_t index) const noexcept;

  const Mbuf& packet_;
  std::uint32_t headerBytes_;
  std::uint32_t size_;
  std::uint32_t payload_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t index_ = 0;
  bool ipv4_ = false;
  // What the packet's own headers say.
  std::uint16_t identification_ = 0;
  std::uint32_t sequence_ = 0;
  std::uint8_t flags_ = 0;
  // Where the next payload byte stands.
  const Mbuf* at_;
  std::uint32_t offset_ = 0;
  std::byte headers_[kMaxHeaders];
};

}  // namespace pollwire::offload
