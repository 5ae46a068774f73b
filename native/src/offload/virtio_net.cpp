// Reading: a bounded parse of the packet decides whether mbuf flags can say what the header says. Writing:
// checksums in the packet first, then the header.
#include "offload/virtio_net.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include "mbuf/mbuf_ops.hpp"
#include "net/checksum.hpp"
#include "net/ip.hpp"
#include "net/ptype.hpp"
#include "net/tcp.hpp"
#include "net/udp.hpp"
#include "net/vlan.hpp"

namespace pollwire::offload {

namespace {

// Ethernet with four tags, IPv6, TCP with all options: 130 bytes. Longer headers mean "cannot be described".
constexpr std::uint32_t kHeaders = 192;

// The first bytes of a packet, in place or, when the first segment ends before, in `copy`.
Bytes headersOf(const Mbuf& mbuf, std::span<std::byte, kHeaders> copy) noexcept {
  const std::uint32_t wanted = std::min(mbuf.pktLen, kHeaders);
  if (PW_LIKELY(mbuf.dataLen >= wanted)) return Bytes(dataOf(&mbuf), mbuf.dataLen);
  return Bytes(copy.data(), readPacket(&mbuf, 0, copy.first(wanted)));
}

// Sum over packet bytes [offset, offset + length), which lie inside.
void addPacket(ChecksumSum& sum, const Mbuf& mbuf, std::uint32_t offset, std::uint32_t length) noexcept {
  for (const Mbuf* segment = &mbuf; length > 0; segment = mbufOf(segment->next)) {
    if (offset < segment->dataLen) {
      const std::uint32_t piece = std::min<std::uint32_t>(segment->dataLen - offset, length);
      sum.add(Bytes(dataOf(segment) + offset, piece));
      length -= piece;
      offset = 0;
    } else {
      offset -= segment->dataLen;
    }
    if (segment->next == kNoHandle) break;
  }
}

void writeWord(Mbuf& mbuf, std::uint32_t offset, std::uint16_t value) noexcept {
  std::byte bytes[2];
  storeBe16(bytes, value);
  (void)writePacket(&mbuf, offset, bytes);
}

struct Transport {
  std::uint8_t protocol = 0;  // kIpTcp, kIpUdp; 0 = neither
  std::uint16_t checksumOffset = 0;
};

constexpr Transport kTcp{kIpTcp, TcpView::kChecksumOffset};
constexpr Transport kUdp{kIpUdp, UdpView::kChecksumOffset};

Transport transportOf(std::uint32_t packetType) noexcept {
  switch (packetType & PTYPE_L4_MASK) {
    case PTYPE_L4_TCP:
      return kTcp;
    case PTYPE_L4_UDP:
      return kUdp;
    default:
      return {};
  }
}

// Reading.

// Completes what the sender left open: the sum from `start` to the end of the packet, over the seed in the
// field. For protocols, tunnels and headers that mbuf flags have no words for.
bool completeAt(Mbuf& mbuf, std::uint32_t start, std::uint32_t offset) noexcept {
  if (start + offset + 2 > mbuf.pktLen || offset % 2 != 0) return false;
  ChecksumSum sum;
  addPacket(sum, mbuf, start, mbuf.pktLen - start);
  // 0xffff stands for 0 in every Internet checksum, and UDP wants it so.
  writeWord(mbuf, start + offset, sum.finishUdp());
  return true;
}

// Addresses of the pseudo header are those in the IP header only when no option or extension header replaces
// them.
bool isPlainIp(std::uint32_t packetType) noexcept {
  const std::uint32_t l3 = packetType & PTYPE_L3_MASK;
  return l3 == PTYPE_L3_IPV4 || l3 == PTYPE_L3_IPV6;
}

// For a packet whose headers were understood and whose checksum is known to be right or left open (§5.1.6.2).
bool readSegmentation(Mbuf& mbuf, const virtio::NetHdr& header, const Accepted& accepted) noexcept {
  const std::uint32_t l3 = mbuf.packetType & PTYPE_L3_MASK;
  const std::uint32_t l4 = mbuf.packetType & PTYPE_L4_MASK;
  const bool ecn = (header.gsoType & virtio::kGsoEcn) != 0;
  if (header.gsoSize == 0) return false;
  bool allowed = false;
  switch (header.gsoType & ~virtio::kGsoEcn) {
    case virtio::kGsoTcpv4:
      allowed = accepted.tso4 && l3 == PTYPE_L3_IPV4 && l4 == PTYPE_L4_TCP && (!ecn || accepted.ecn);
      break;
    case virtio::kGsoTcpv6:
      allowed = accepted.tso6 && l3 == PTYPE_L3_IPV6 && l4 == PTYPE_L4_TCP && (!ecn || accepted.ecn);
      break;
    case virtio::kGsoUdp:
      allowed = accepted.ufo && l4 == PTYPE_L4_UDP && !ecn;
      break;
    default:
      break;
  }
  if (!allowed) return false;
  mbuf.olFlags |= kRxLro;
  mbuf.tsoSegsz = header.gsoSize;
  return true;
}

// Writing.

// What the checks before any write found: the packet's headers, as l2Len, l3Len and flags describe them.
struct Plan {
  Transport transport;
  bool ipv4 = false;
  std::uint32_t l4Start = 0;
  std::uint32_t l4Length = 0;  // header and payload
  std::uint8_t addresses[32];
  std::size_t addressBytes = 0;
};

Transport askedTransport(const Mbuf& mbuf) noexcept {
  const bool tcp = (mbuf.olFlags & (kTxTcpCksum | kTxTcpSeg)) != 0;
  const bool udp = (mbuf.olFlags & kTxUdpCksum) != 0;
  if (tcp && udp) return {};
  if (tcp) return kTcp;
  if (udp) return kUdp;
  return transportOf(mbuf.packetType);
}

// Reads the IP header at l2Len. Lengths come from the application: all are checked against the packet.
bool planTransport(const Mbuf& mbuf, bool segmented, Plan& plan) noexcept {
  plan.transport = askedTransport(mbuf);
  plan.l4Start = static_cast<std::uint32_t>(mbuf.l2Len) + mbuf.l3Len;
  const std::uint32_t room = mbuf.pktLen > plan.l4Start ? mbuf.pktLen - plan.l4Start : 0;
  if (plan.transport.protocol == 0 || room < plan.transport.checksumOffset + 2u || plan.l4Start > UINT16_MAX)
    return false;
  std::byte ip[Ipv6View::kLength];
  const std::uint32_t have =
      readPacket(&mbuf, mbuf.l2Len, std::span(ip).first(std::min<std::size_t>(mbuf.l3Len, sizeof ip)));
  if (have < Ipv4View::kMinLength) return false;
  plan.ipv4 = std::to_integer<unsigned>(ip[0]) >> 4 == 4;
  std::uint32_t total = 0;
  // The protocol in the header says whether this is still the header that the lengths were meant for; behind
  // extension headers it cannot.
  auto protocol = static_cast<std::uint8_t>(plan.ipv4 ? ip[9] : ip[6]);
  if (plan.ipv4) {
    if ((std::to_integer<unsigned>(ip[0]) & 15u) * 4 != mbuf.l3Len) return false;
    plan.addressBytes = 8;
    std::memcpy(plan.addresses, ip + 12, 8);
    total = loadBe16(ip + 2);
  } else {
    if (have < Ipv6View::kLength || std::to_integer<unsigned>(ip[0]) >> 4 != 6) return false;
    plan.addressBytes = 32;
    std::memcpy(plan.addresses, ip + 8, 32);
    total = loadBe16(ip + 4) + static_cast<std::uint32_t>(Ipv6View::kLength);
    if (isIpv6Extension(protocol)) protocol = plan.transport.protocol;
  }
  if (protocol != plan.transport.protocol) return false;
  const std::uint32_t announced = total > mbuf.l3Len ? total - mbuf.l3Len : 0;
  // What stands behind the IP packet is padding. Packets that wait for segmentation may be longer than IP can
  // say.
  plan.l4Length = announced == 0 || segmented ? room : std::min(room, announced);
  return plan.l4Length >= plan.transport.checksumOffset + 2u;
}

ChecksumSum seedOf(const Plan& plan) noexcept {
  return pseudoHeader(Bytes(plan.addresses, plan.addressBytes), plan.transport.protocol, plan.l4Length);
}

// The field holds the pseudo header's sum; the reader adds the rest (§5.1.6.2).
void leaveOpen(Mbuf& mbuf, const Plan& plan, virtio::NetHdr& header) noexcept {
  writeWord(mbuf, plan.l4Start + plan.transport.checksumOffset, seedOf(plan).folded());
  header.flags |= virtio::kNeedsCsum;
  header.csumStart = static_cast<std::uint16_t>(plan.l4Start);
  header.csumOffset = plan.transport.checksumOffset;
}

void complete(Mbuf& mbuf, const Plan& plan) noexcept {
  const std::uint32_t field = plan.l4Start + plan.transport.checksumOffset;
  writeWord(mbuf, field, 0);
  ChecksumSum sum = seedOf(plan);
  addPacket(sum, mbuf, plan.l4Start, plan.l4Length);
  writeWord(mbuf, field, plan.transport.protocol == kIpUdp ? sum.finishUdp() : sum.finish());
}

bool completeIpv4(Mbuf& mbuf) noexcept {
  std::byte ip[60];
  if (mbuf.l3Len < Ipv4View::kMinLength || mbuf.l3Len > sizeof ip) return false;
  const auto header = std::span(ip).first(mbuf.l3Len);
  if (readPacket(&mbuf, mbuf.l2Len, header) != mbuf.l3Len) return false;
  const auto first = std::to_integer<unsigned>(ip[0]);
  if (first >> 4 != 4 || (first & 15u) * 4 != mbuf.l3Len) return false;
  storeBe16(ip + Ipv4View::kChecksumOffset, std::uint16_t{0});
  writeWord(mbuf, mbuf.l2Len + static_cast<std::uint32_t>(Ipv4View::kChecksumOffset),
            internetChecksum(Bytes(ip, mbuf.l3Len)));
  mbuf.olFlags &= ~static_cast<std::uint32_t>(kTxIpCksum);
  return true;
}

bool insertVlan(Mbuf& mbuf) noexcept {
  constexpr std::size_t kAddresses = 12;
  if (mbuf.refcnt != 1 || mbuf.flags != 0 || mbuf.dataLen < kAddresses || headroomOf(&mbuf) < kVlanTagLength)
    return false;
  std::byte* before = dataOf(&mbuf);
  mbuf.dataOff = static_cast<std::uint16_t>(mbuf.dataOff - kVlanTagLength);
  mbuf.dataLen = static_cast<std::uint16_t>(mbuf.dataLen + kVlanTagLength);
  mbuf.pktLen += kVlanTagLength;
  std::byte* data = dataOf(&mbuf);
  std::memmove(data, before, kAddresses);
  storeBe16(data + kAddresses, std::uint16_t{kEtherVlan});
  storeBe16(data + kAddresses + 2, mbuf.vlanTci);
  if (mbuf.l2Len != 0) mbuf.l2Len = static_cast<std::uint8_t>(mbuf.l2Len + kVlanTagLength);
  mbuf.olFlags &= ~static_cast<std::uint32_t>(kTxVlan);
  return true;
}

// More than one segment's worth of payload, so that the peer has to know where to cut.
bool needsSegmentation(const Mbuf& mbuf) noexcept {
  if ((mbuf.olFlags & (kTxTcpSeg | kRxLro)) == 0) return false;
  const std::uint32_t headers = static_cast<std::uint32_t>(mbuf.l2Len) + mbuf.l3Len + mbuf.l4Len;
  return mbuf.pktLen > headers && mbuf.pktLen - headers > mbuf.tsoSegsz;
}

bool writeSegmentation(const Mbuf& mbuf, const Plan& plan, virtio::NetHdr& header,
                       const Accepted& accepted) noexcept {
  if (mbuf.tsoSegsz == 0 || !accepted.csum) return false;
  if (plan.transport.protocol == kIpTcp) {
    if (!(plan.ipv4 ? accepted.tso4 : accepted.tso6) || mbuf.l4Len < TcpView::kMinLength) return false;
    header.gsoType = plan.ipv4 ? virtio::kGsoTcpv4 : virtio::kGsoTcpv6;
    std::byte flags[1] = {};
    (void)readPacket(&mbuf, plan.l4Start + static_cast<std::uint32_t>(TcpView::kFlagsOffset), flags);
    // Set on the first segment only: a reader that cannot treat CWR so gets it on all, as from any switch in
    // between.
    if (accepted.ecn && (std::to_integer<unsigned>(flags[0]) & kTcpCwr) != 0)
      header.gsoType |= virtio::kGsoEcn;
  } else {
    if (!accepted.ufo) return false;
    header.gsoType = virtio::kGsoUdp;
  }
  header.gsoSize = mbuf.tsoSegsz;
  header.hdrLen = static_cast<std::uint16_t>(plan.l4Start + mbuf.l4Len);
  return true;
}

}  // namespace

bool detail::readHeader(Mbuf& mbuf, const virtio::NetHdr& header, const Accepted& accepted) noexcept {
  const bool open = (header.flags & virtio::kNeedsCsum) != 0 && accepted.csum;
  const bool valid = (header.flags & virtio::kDataValid) != 0 && accepted.dataValid;
  const bool segmented = header.gsoType != virtio::kGsoNone;
  // False for what was not negotiated: nothing that the sender may say.
  bool good = open || (header.flags & virtio::kNeedsCsum) == 0;
  if (!open && !valid) return good && !segmented;

  std::byte copy[kHeaders];
  const PacketLayout layout = parsePacket(headersOf(mbuf, copy));
  const Transport transport = transportOf(layout.type);
  mbuf.packetType = layout.type;
  bool described = transport.protocol != 0 && layout.l4Length != 0 && isPlainIp(layout.type);
  if (open) {
    described =
        described && header.csumStart == layout.l4Offset() && header.csumOffset == transport.checksumOffset;
    if (PW_LIKELY(described)) mbuf.olFlags |= kRxL4CksumNone;
    else good = completeAt(mbuf, header.csumStart, header.csumOffset);
  } else if (transport.protocol != 0) {
    mbuf.olFlags |= kRxL4CksumGood;
  }
  if (PW_LIKELY(described)) {
    mbuf.l2Len = static_cast<std::uint8_t>(layout.l2Length);
    mbuf.l3Len = layout.l3Length;
    mbuf.l4Len = static_cast<std::uint8_t>(layout.l4Length);
  }
  if (segmented) good = described && readSegmentation(mbuf, header, accepted) && good;
  return good;
}

bool toHeader(Mbuf& mbuf, virtio::NetHdr& header, const Accepted& accepted) noexcept {
  if ((mbuf.olFlags & kTxUdpSeg) != 0) return false;
  if ((mbuf.olFlags & kTxVlan) != 0 && !insertVlan(mbuf)) return false;
  if ((mbuf.olFlags & kTxIpCksum) != 0 && !completeIpv4(mbuf)) return false;
  const bool partial = (mbuf.olFlags & kRxL4CksumNone) == kRxL4CksumNone;
  if (!partial && (mbuf.olFlags & (kTxTcpCksum | kTxUdpCksum | kTxTcpSeg | kRxLro)) == 0) return true;

  const bool segmented = needsSegmentation(mbuf);
  Plan plan;
  if (!planTransport(mbuf, segmented, plan)) return false;
  if (segmented && !writeSegmentation(mbuf, plan, header, accepted)) return false;
  if (PW_LIKELY(accepted.csum)) {
    leaveOpen(mbuf, plan, header);
    return true;
  }
  complete(mbuf, plan);
  mbuf.olFlags &= ~static_cast<std::uint32_t>(kTxTcpCksum | kTxUdpCksum | kTxTcpSeg | kRxL4CksumBad);
  mbuf.olFlags |= kRxL4CksumGood;
  return true;
}

}  // namespace pollwire::offload
