#include "offload/segment.hpp"

#include <algorithm>
#include <span>

#include "mbuf/mbuf_ops.hpp"
#include "net/checksum.hpp"
#include "net/ip.hpp"
#include "net/ptype.hpp"
#include "net/tcp.hpp"
#include "net/vlan.hpp"

namespace pollwire::offload {

namespace {

constexpr std::uint32_t kMaxIpBytes = 65535;

std::uint32_t headerBytesOf(const Mbuf& mbuf) noexcept {
  return static_cast<std::uint32_t>(mbuf.l2Len) + mbuf.l3Len + mbuf.l4Len;
}

// Whether the IP header is what l3Len says, in front of TCP, and not that of a fragment.
bool isTcpOver(Bytes ip, std::uint32_t l3Len) noexcept {
  if (const auto v4 = Ipv4View::parse(ip)) {
    return v4->headerLength() == l3Len && v4->protocol() == kIpTcp && !v4->isFragment();
  }
  const auto v6 = Ipv6View::parse(ip);
  if (!v6) return false;
  const Ipv6Extensions extensions = walkIpv6Extensions(*v6);
  return extensions.complete && !extensions.fragment && extensions.headerLength == l3Len &&
         extensions.protocol == kIpTcp;
}

}  // namespace

bool mustBeCut(const Mbuf& mbuf, const Accepted& accepted) noexcept {
  if ((mbuf.olFlags & (kTxTcpSeg | kRxLro)) == 0) return false;
  const bool tcp = (mbuf.olFlags & kTxTcpSeg) != 0 || (mbuf.packetType & PTYPE_L4_MASK) == PTYPE_L4_TCP;
  const std::uint32_t headers = headerBytesOf(mbuf);
  if (!tcp || mbuf.pktLen <= headers || mbuf.pktLen - headers <= mbuf.tsoSegsz) return false;
  if (!accepted.csum) return true;
  std::byte version[1] = {};
  (void)readPacket(&mbuf, mbuf.l2Len, version);
  return std::to_integer<unsigned>(version[0]) >> 4 == 4 ? !accepted.tso4 : !accepted.tso6;
}

Segmenter::Segmenter(const Mbuf& packet) noexcept
    : packet_(packet), headerBytes_(headerBytesOf(packet)), size_(packet.tsoSegsz), at_(&packet) {
  if (size_ == 0 || headerBytes_ > kMaxHeaders || packet.pktLen <= headerBytes_ || !readHeaders()) return;
  payload_ = packet.pktLen - headerBytes_;
  if (packet.l3Len + packet.l4Len + std::min(size_, payload_) > kMaxIpBytes) return;
  const std::uint32_t count = (payload_ + size_ - 1) / size_;
  if (count > kMaxSegments) return;
  for (offset_ = headerBytes_; offset_ >= at_->dataLen; at_ = mbufOf(at_->next)) offset_ -= at_->dataLen;
  count_ = count;
}

bool Segmenter::readHeaders() noexcept {
  if (readPacket(&packet_, 0, std::span(headers_).first(headerBytes_)) != headerBytes_) return false;
  const std::byte* const ip = headers_ + packet_.l2Len;
  const std::byte* const tcp = ip + packet_.l3Len;
  if (!isTcpOver(Bytes(ip, headerBytes_ - packet_.l2Len), packet_.l3Len)) return false;
  const auto view = TcpView::parse(Bytes(tcp, packet_.l4Len));
  if (!view || view->headerLength() != packet_.l4Len) return false;
  ipv4_ = std::to_integer<unsigned>(ip[0]) >> 4 == 4;
  identification_ = loadBe16(ip + 4);
  sequence_ = view->sequence();
  flags_ = view->flags();
  return true;
}

std::uint32_t Segmenter::payloadOf(std::uint32_t index) const noexcept {
  return std::min(size_, payload_ - index * size_);
}

std::uint32_t Segmenter::lengthOf(std::uint32_t index) const noexcept {
  const std::uint32_t tag = (packet_.olFlags & kTxVlan) != 0 ? kVlanTagLength : 0;
  return headerBytes_ + payloadOf(index) + tag;
}

std::uint32_t Segmenter::mbufsEach() const noexcept {
  const Mempool& pool = *Mempool::byId(packet_.pool);
  const std::uint32_t bytes = headerBytes_ + payloadOf(0);
  if (bytes <= pool.segmentRoom()) return 1;
  return 1 + (bytes - pool.segmentRoom() + pool.dataRoom() - 1) / pool.dataRoom();
}

void Segmenter::writeHeaders(std::uint32_t payload) noexcept {
  std::byte* const ip = headers_ + packet_.l2Len;
  std::byte* const tcp = ip + packet_.l3Len;
  const std::uint32_t ipBytes = packet_.l3Len + packet_.l4Len + payload;
  if (ipv4_) {
    storeBe16(ip + 2, static_cast<std::uint16_t>(ipBytes));
    storeBe16(ip + 4, static_cast<std::uint16_t>(identification_ + index_));
    storeBe16(ip + Ipv4View::kChecksumOffset, std::uint16_t{0});
    storeBe16(ip + Ipv4View::kChecksumOffset, internetChecksum(Bytes(ip, packet_.l3Len)));
  } else {
    storeBe16(ip + 4, static_cast<std::uint16_t>(ipBytes - Ipv6View::kLength));
  }
  storeBe32(tcp + TcpView::kSequenceOffset, sequence_ + index_ * size_);
  unsigned flags = flags_;
  if (index_ != 0) flags &= ~static_cast<unsigned>(kTcpCwr);
  if (index_ + 1 != count_) flags &= ~static_cast<unsigned>(kTcpFin | kTcpPsh);
  tcp[TcpView::kFlagsOffset] = static_cast<std::byte>(flags);
}

bool Segmenter::appendPayload(Handle segment, std::uint32_t length) noexcept {
  while (length > 0) {
    const std::uint32_t piece = std::min<std::uint32_t>(at_->dataLen - offset_, length);
    if (!appendPacket(segment, {dataOf(at_) + offset_, piece})) return false;
    length -= piece;
    offset_ += piece;
    if (offset_ == at_->dataLen && at_->next != kNoHandle) {
      at_ = mbufOf(at_->next);
      offset_ = 0;
    }
  }
  return true;
}

Handle Segmenter::next() noexcept {
  const Handle handle = Mempool::byId(packet_.pool)->alloc();
  if (handle == kNoHandle) return kNoHandle;
  Mbuf* const mbuf = mbufOf(handle);
  resetForRx(mbuf, packet_.port, 0);
  const std::uint32_t payload = payloadOf(index_);
  writeHeaders(payload);
  if (!appendPacket(handle, {headers_, headerBytes_}) || !appendPayload(handle, payload)) {
    freeChain(handle);
    return kNoHandle;
  }
  mbuf->l2Len = packet_.l2Len;
  mbuf->l3Len = packet_.l3Len;
  mbuf->l4Len = packet_.l4Len;
  mbuf->packetType = packet_.packetType;
  mbuf->vlanTci = packet_.vlanTci;
  mbuf->olFlags = kTxTcpCksum | (ipv4_ ? kTxIpv4 : kTxIpv6) | (packet_.olFlags & kTxVlan);
  index_++;
  return handle;
}

}  // namespace pollwire::offload
