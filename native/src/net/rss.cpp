// Toeplitz hash by table, and which bytes of a packet go into it (virtio 1.2 §5.1.6.4.3.1 to 4).
#include "net/rss.hpp"

#include <cstring>

#include "net/ip.hpp"

namespace pollwire {
namespace {

// The 32 key bits that start at `bit`.
std::uint32_t keyWindow(std::span<const std::uint8_t, kRssKeyLength> key, std::size_t bit) noexcept {
  std::uint64_t five = 0;  // the bytes that the window touches
  for (std::size_t i = 0; i < 5; i++) {
    const std::size_t at = bit / 8 + i;
    five = five << 8 | (at < key.size() ? key[at] : 0u);
  }
  return static_cast<std::uint32_t>(five >> (8 - bit % 8));
}

// Addresses and, perhaps, ports, gathered in the order in which they are hashed.
struct Input {
  std::array<std::uint8_t, kRssMaxInput> bytes;
  std::size_t size = 0;

  void add(Bytes part) noexcept {
    const std::size_t room = bytes.size() - size;
    const std::size_t n = part.size() < room ? part.size() : room;
    if (n != 0) std::memcpy(bytes.data() + size, part.data(), n);
    size += n;
  }
};

struct Choice {
  RssReport report;
  bool ports;
  bool extended;  // addresses of the extension headers stand in for those of the IPv6 header
};

constexpr Choice kNothing{RssReport::kNone, false, false};

// TCP before UDP before plain IP, each only when it is asked for.
Choice chooseIpv4(std::uint32_t types, bool tcp, bool udp) noexcept {
  if (tcp && (types & kRssTcpv4) != 0) return {RssReport::kTcpv4, true, false};
  if (udp && (types & kRssUdpv4) != 0) return {RssReport::kUdpv4, true, false};
  if ((types & kRssIpv4) != 0) return {RssReport::kIpv4, false, false};
  return kNothing;
}

Choice chooseIpv6(std::uint32_t types, bool tcp, bool udp, bool extensions) noexcept {
  if (extensions) {
    if (tcp && (types & kRssTcpEx) != 0) return {RssReport::kTcpv6Ex, true, true};
    if (udp && (types & kRssUdpEx) != 0) return {RssReport::kUdpv6Ex, true, true};
    if ((types & kRssIpEx) != 0) return {RssReport::kIpv6Ex, false, true};
  }
  if (tcp && (types & kRssTcpv6) != 0) return {RssReport::kTcpv6, true, false};
  if (udp && (types & kRssUdpv6) != 0) return {RssReport::kUdpv6, true, false};
  if ((types & kRssIpv6) != 0) return {RssReport::kIpv6, false, false};
  return kNothing;
}

void addIpv6Addresses(Input& input, Bytes packet, const Ipv6View& ip, bool extended) noexcept {
  if (!extended) return input.add(ip.addresses());
  const Ipv6Extensions extensions = walkIpv6Extensions(ip);
  input.add(extensions.homeAddress != 0 ? packet.from(extensions.homeAddress).first(16) : ip.source());
  input.add(extensions.routeAddress != 0 ? packet.from(extensions.routeAddress).first(16) : ip.destination());
}

}  // namespace

ToeplitzKey::ToeplitzKey(std::span<const std::uint8_t, kRssKeyLength> key) noexcept {
  for (std::size_t half = 0; half < table_.size(); half++) {
    for (std::uint32_t value = 0; value < 16; value++) {
      std::uint32_t hash = 0;
      for (std::size_t bit = 0; bit < 4; bit++) {
        if ((value & (8u >> bit)) != 0) hash ^= keyWindow(key, half * 4 + bit);
      }
      table_[half][value] = hash;
    }
  }
}

std::uint32_t ToeplitzKey::hash(Bytes input) const noexcept {
  const std::size_t size = input.size() < kRssMaxInput ? input.size() : kRssMaxInput;
  std::uint32_t hash = 0;
  for (std::size_t i = 0; i < size; i++) {
    const std::uint8_t byte = input.u8(i);
    hash ^= table_[2 * i][byte >> 4] ^ table_[2 * i + 1][byte & 0x0f];
  }
  return hash;
}

std::uint32_t toeplitzBitwise(std::span<const std::uint8_t, kRssKeyLength> key, Bytes input) noexcept {
  std::uint32_t hash = 0;
  for (std::size_t bit = 0; bit < input.size() * 8; bit++) {
    if ((input.u8(bit / 8) & (0x80u >> (bit % 8))) != 0) hash ^= keyWindow(key, bit);
  }
  return hash;
}

RssHash hashPacket(const ToeplitzKey& key, std::uint32_t types, Bytes frame,
                   const PacketLayout& layout) noexcept {
  const std::uint32_t l4 = layout.field(PTYPE_L4_MASK);
  // A length of 0 says that the header was cut: no ports to read.
  const bool tcp = l4 == PTYPE_L4_TCP && layout.l4Length != 0;
  const bool udp = l4 == PTYPE_L4_UDP && layout.l4Length != 0;
  const Bytes packet = frame.from(layout.l3Offset());
  const std::uint32_t l3 = layout.field(PTYPE_L3_MASK);

  Choice choice = kNothing;
  Input input;
  if (l3 == PTYPE_L3_IPV4 || l3 == PTYPE_L3_IPV4_EXT) {
    choice = chooseIpv4(types, tcp, udp);
    if (const auto ip = Ipv4View::parse(packet)) input.add(ip->addresses());
  } else if (l3 == PTYPE_L3_IPV6 || l3 == PTYPE_L3_IPV6_EXT) {
    choice = chooseIpv6(types, tcp, udp, l3 == PTYPE_L3_IPV6_EXT);
    if (const auto ip = Ipv6View::parse(packet)) addIpv6Addresses(input, packet, *ip, choice.extended);
  }
  if (choice.report == RssReport::kNone || input.size == 0) return {};
  if (choice.ports) input.add(frame.from(layout.l4Offset()).first(4));
  return {key.hash(Bytes(input.bytes.data(), input.size)), choice.report};
}

}  // namespace pollwire
