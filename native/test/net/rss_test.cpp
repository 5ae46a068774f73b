// RSS: the published verification suite of the Toeplitz hash, selection by hash type, extension headers,
// queue choice.
#include "net/rss.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

#include "net/ether.hpp"
#include "net/ip.hpp"
#include "support/frames.hpp"

namespace pollwire {
namespace {

using test::Frame;

struct Vector {
  int family;
  const char* destination;
  unsigned destinationPort;
  const char* source;
  unsigned sourcePort;
  std::uint32_t ipOnly;
  std::uint32_t withPorts;
};

// "Verifying the RSS Hash Calculation", Windows driver documentation: key kDefaultRssKey.
constexpr Vector kVectors[] = {
    {AF_INET, "161.142.100.80", 1766, "66.9.149.187", 2794, 0x323e8fc2, 0x51ccc178},
    {AF_INET, "65.69.140.83", 4739, "199.92.111.2", 14230, 0xd718262a, 0xc626b0ea},
    {AF_INET, "12.22.207.184", 38024, "24.19.198.95", 12898, 0xd2d0a5de, 0x5c2b394a},
    {AF_INET, "209.142.163.6", 2217, "38.27.205.30", 48228, 0x82989176, 0xafc7327f},
    {AF_INET, "202.188.127.2", 1303, "153.39.163.191", 44251, 0x5d1809c5, 0x10e828a2},
    {AF_INET6, "3ffe:2501:200:3::1", 1766, "3ffe:2501:200:1fff::7", 2794, 0x2cc18cd5, 0x40207d3d},
    {AF_INET6, "ff02::1", 4739, "3ffe:501:8::260:97ff:fe40:efab", 14230, 0x0f0c461c, 0xdde51bbf},
    {AF_INET6, "fe80::200:f8ff:fe21:67cf", 38024, "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, 0x4b61e985,
     0x02d1feef},
};

std::vector<std::uint8_t> addressBytes(int family, const char* text) {
  std::vector<std::uint8_t> bytes(family == AF_INET ? 4 : 16);
  EXPECT_EQ(inet_pton(family, text, bytes.data()), 1) << text;
  return bytes;
}

// A TCP or UDP frame between the addresses of a vector.
Frame frameOf(const Vector& v, unsigned protocol) {
  const bool v4 = v.family == AF_INET;
  Frame frame;
  frame.ether(v4 ? kEtherIpv4 : kEtherIpv6);
  v4 ? frame.ipv4(protocol, 20) : frame.ipv6(protocol, 20);
  const auto source = addressBytes(v.family, v.source);
  const auto destination = addressBytes(v.family, v.destination);
  const std::size_t at = v4 ? 26 : 22;
  std::copy(source.begin(), source.end(), frame.bytes().begin() + static_cast<std::ptrdiff_t>(at));
  std::copy(destination.begin(), destination.end(),
            frame.bytes().begin() + static_cast<std::ptrdiff_t>(at + source.size()));
  return protocol == kIpTcp ? frame.tcp(v.sourcePort, v.destinationPort)
                            : frame.udp(v.sourcePort, v.destinationPort, 12).zeros(12);
}

RssHash hashOf(const Frame& frame, std::uint32_t types) {
  static const ToeplitzKey key;
  const Bytes bytes{std::span<const std::uint8_t>(frame)};
  return hashPacket(key, types, bytes, parsePacket(bytes));
}

TEST(Rss, PublishedVectorsByTableAndByDefinition) {
  const ToeplitzKey key;
  for (const Vector& v : kVectors) {
    Frame input;
    input.append(addressBytes(v.family, v.source)).append(addressBytes(v.family, v.destination));
    EXPECT_EQ(key.hash(Bytes(std::span<const std::uint8_t>(input))), v.ipOnly) << v.source;
    EXPECT_EQ(toeplitzBitwise(kDefaultRssKey, Bytes(std::span<const std::uint8_t>(input))), v.ipOnly);
    input.u16(v.sourcePort).u16(v.destinationPort);
    EXPECT_EQ(key.hash(Bytes(std::span<const std::uint8_t>(input))), v.withPorts) << v.source;
    EXPECT_EQ(toeplitzBitwise(kDefaultRssKey, Bytes(std::span<const std::uint8_t>(input))), v.withPorts);
  }
}

TEST(Rss, TableEqualsDefinitionForRandomKeysAndInputs) {
  std::mt19937 engine(6);
  for (int round = 0; round < 200; round++) {
    std::array<std::uint8_t, kRssKeyLength> random;
    for (auto& byte : random) byte = static_cast<std::uint8_t>(engine());
    const ToeplitzKey key(random);
    std::vector<std::uint8_t> input(engine() % (kRssMaxInput + 1));
    for (auto& byte : input) byte = static_cast<std::uint8_t>(engine());
    ASSERT_EQ(key.hash(Bytes(input)), toeplitzBitwise(random, Bytes(input)));
  }
  const std::vector<std::uint8_t> tooLong(100, 0xff);
  EXPECT_EQ(ToeplitzKey().hash(Bytes(tooLong)), ToeplitzKey().hash(Bytes(tooLong.data(), kRssMaxInput)));
}

TEST(Rss, FramesHashLikeTheirTuples) {
  for (const Vector& v : kVectors) {
    const bool v4 = v.family == AF_INET;
    const RssHash tcp = hashOf(frameOf(v, kIpTcp), kRssAll);
    EXPECT_EQ(tcp.value, v.withPorts);
    EXPECT_EQ(tcp.report, v4 ? RssReport::kTcpv4 : RssReport::kTcpv6);
    const RssHash udp = hashOf(frameOf(v, kIpUdp), kRssAll);
    EXPECT_EQ(udp.value, v.withPorts);
    EXPECT_EQ(udp.report, v4 ? RssReport::kUdpv4 : RssReport::kUdpv6);
    const RssHash plain = hashOf(frameOf(v, kIpTcp), kRssIpv4 | kRssIpv6 | kRssUdpv4 | kRssUdpv6);
    EXPECT_EQ(plain.value, v.ipOnly);
    EXPECT_EQ(plain.report, v4 ? RssReport::kIpv4 : RssReport::kIpv6);
  }
}

TEST(Rss, NothingAskedForOrNothingToHashIsNone) {
  const Frame tcp4 = frameOf(kVectors[0], kIpTcp);
  EXPECT_EQ(hashOf(tcp4, 0).report, RssReport::kNone);
  EXPECT_EQ(hashOf(tcp4, kRssUdpv4 | kRssTcpv6 | kRssIpv6).report, RssReport::kNone);
  EXPECT_EQ(hashOf(Frame().ether(kEtherArp).zeros(28), kRssAll).report, RssReport::kNone);
  EXPECT_EQ(hashOf(Frame().zeros(5), kRssAll).report, RssReport::kNone);
  EXPECT_EQ(hashOf(Frame(), kRssAll).value, 0u);
}

TEST(Rss, FragmentsAndCutHeadersHashAddressesOnly) {
  Frame fragment = frameOf(kVectors[0], kIpTcp);
  fragment.bytes()[20] = 0x20;  // more fragments
  EXPECT_EQ(hashOf(fragment, kRssAll).report, RssReport::kIpv4);
  EXPECT_EQ(hashOf(fragment, kRssAll).value, kVectors[0].ipOnly);
  Frame cut = frameOf(kVectors[0], kIpTcp);
  cut.bytes().resize(14 + 20 + 3);
  EXPECT_EQ(hashOf(cut, kRssAll).value, kVectors[0].ipOnly);
}

TEST(Rss, ExtensionHeadersReplaceTheAddresses) {
  // The addresses of the first IPv6 vector stand in a home address option and a routing header of type 2.
  const Vector& v = kVectors[5];
  Frame frame;
  frame.ether(kEtherIpv6).ipv6(kIpDestinationOptions, 24 + 24 + 20);
  frame.u8(kIpRouting).u8(2).raw({1, 2, 0, 0, 201, 16}).append(addressBytes(AF_INET6, v.source));
  frame.u8(kIpTcp).u8(2).u8(2).u8(1).u32(0).append(addressBytes(AF_INET6, v.destination));
  frame.tcp(v.sourcePort, v.destinationPort);

  EXPECT_EQ(hashOf(frame, kRssAll).report, RssReport::kTcpv6Ex);
  EXPECT_EQ(hashOf(frame, kRssAll).value, v.withPorts);
  EXPECT_EQ(hashOf(frame, kRssIpEx | kRssIpv6).report, RssReport::kIpv6Ex);
  EXPECT_EQ(hashOf(frame, kRssIpEx | kRssIpv6).value, v.ipOnly);
  // Without the EX types the extension headers are skipped and the fixed header counts.
  const RssHash plain = hashOf(frame, kRssTcpv6 | kRssIpv6);
  EXPECT_EQ(plain.report, RssReport::kTcpv6);
  EXPECT_EQ(
      plain.value,
      hashOf(Frame().ether(kEtherIpv6).ipv6(kIpTcp, 20).tcp(v.sourcePort, v.destinationPort), kRssAll).value);

  // An extension header without addresses of its own: the fixed header's addresses, and still an EX report.
  Frame hop = Frame().ether(kEtherIpv6).ipv6(kIpHopByHop, 28).u8(kIpTcp).zeros(7);
  hop.tcp(v.sourcePort, v.destinationPort);
  EXPECT_EQ(hashOf(hop, kRssAll).report, RssReport::kTcpv6Ex);
  EXPECT_EQ(hashOf(hop, kRssAll).value, plain.value);
}

TEST(Rss, QueueIsLowBitsOfTheHashThroughTheTable) {
  const std::array<std::uint16_t, 4> table{10, 11, 12, 13};
  EXPECT_EQ(selectQueue(table, 99, {0x51ccc17a, RssReport::kTcpv4}), 12);
  EXPECT_EQ(selectQueue(table, 99, {0x51ccc17a, RssReport::kNone}), 99);
  EXPECT_EQ(selectQueue({}, 99, {1, RssReport::kTcpv4}), 99);
}

TEST(Rss, ManyFlowsSpreadEvenly) {
  std::array<std::uint16_t, 128> table;
  for (std::size_t i = 0; i < table.size(); i++) table[i] = static_cast<std::uint16_t>(i % 4);
  std::array<int, 4> counts{};
  for (unsigned port = 0; port < 4000; port++) {
    const Frame frame = Frame().ether(kEtherIpv4).ipv4(kIpUdp, 8).udp(1024 + port, 53, 0);
    counts[selectQueue(table, 0, hashOf(frame, kRssAll))]++;
  }
  for (const int count : counts) EXPECT_NEAR(count, 1000, 150);
}

}  // namespace
}  // namespace pollwire
