// The walk over IPv6 extension headers: each kind, the bounds, and every length.
#include "net/ip.hpp"

#include <gtest/gtest.h>

#include <random>

#include "support/frames.hpp"
#include "support/guarded_bytes.hpp"

namespace pollwire {
namespace {

using test::Frame;

Ipv6Extensions walk(Bytes bytes) {
  const auto ip = Ipv6View::parse(bytes);
  EXPECT_TRUE(ip);
  return walkIpv6Extensions(*ip);
}

Ipv6Extensions walk(const Frame& frame) { return walk(Bytes(std::span<const std::uint8_t>(frame))); }

// An extension header of 8 * (extra + 1) bytes.
Frame& extension(Frame& frame, unsigned next, unsigned extra) {
  return frame.u8(next).u8(extra).zeros(6 + 8 * extra);
}

TEST(Ipv6Extensions, NoneIsTheCommonCase) {
  const auto result = walk(Frame().ipv6(kIpTcp, 20).zeros(20));
  EXPECT_EQ(result.protocol, kIpTcp);
  EXPECT_EQ(result.headerLength, 40);
  EXPECT_FALSE(result.present || result.fragment);
  EXPECT_TRUE(result.complete);
}

TEST(Ipv6Extensions, EveryKindIsSkippedByItsOwnLength) {
  Frame frame;
  frame.ipv6(kIpHopByHop, 8 + 16 + 8 + 24 + 8);
  extension(frame, kIpRouting, 0);
  extension(frame, kIpAuthentication, 1);
  frame.u8(kIpMobility).u8(0).zeros(6);  // authentication: (0 + 2) * 4 bytes
  extension(frame, kIpUdp, 2);
  frame.udp(1, 2, 0);
  const auto result = walk(frame);
  EXPECT_EQ(result.protocol, kIpUdp);
  EXPECT_EQ(result.headerLength, 40 + 8 + 16 + 8 + 24);
  EXPECT_TRUE(result.present && result.complete);
}

TEST(Ipv6Extensions, EspAndNoNextHeaderEndTheWalk) {
  for (const unsigned last : {unsigned{kIpEsp}, unsigned{kIpNoNext}}) {
    Frame frame;
    extension(frame.ipv6(kIpHopByHop, 16), last, 0).zeros(8);
    const auto result = walk(frame);
    EXPECT_EQ(result.protocol, last);
    EXPECT_EQ(result.headerLength, 48);
    EXPECT_TRUE(result.complete);
  }
}

TEST(Ipv6Extensions, FirstFragmentIsWalkedOnLaterOnesAreNot) {
  for (const unsigned offset : {0u, 1u, 185u}) {
    Frame frame;
    frame.ipv6(kIpFragment, 8 + 8 + 8);
    frame.u8(kIpDestinationOptions)
        .u8(0xff)
        .u16(offset << 3 | 1)
        .u32(99);  // the second byte is reserved, no length
    extension(frame, kIpTcp, 0).zeros(8);
    const auto result = walk(frame);
    EXPECT_TRUE(result.fragment && result.complete);
    EXPECT_EQ(result.fragmentOffset, offset * 8);
    EXPECT_EQ(result.protocol, offset == 0 ? kIpTcp : kIpDestinationOptions);
    EXPECT_EQ(result.headerLength, offset == 0 ? 56 : 48);
  }
}

TEST(Ipv6Extensions, TooManyAndTooLongAreIncomplete) {
  Frame many;
  many.ipv6(kIpDestinationOptions, 8 * 20);
  for (int i = 0; i < 20; i++) extension(many, kIpDestinationOptions, 0);
  const auto result = walk(many);
  EXPECT_FALSE(result.complete);
  EXPECT_EQ(result.headerLength, 40 + 8 * kMaxIpv6Extensions);

  Frame beyondPacket;  // fits the bytes but not the packet's own length
  extension(beyondPacket.ipv6(kIpHopByHop, 8), kIpTcp, 1);
  EXPECT_FALSE(walk(beyondPacket).complete);
}

TEST(Ipv6Extensions, AddressesForRssAreFound) {
  Frame frame;
  frame.ipv6(kIpDestinationOptions, 24 + 24 + 8);
  frame.u8(kIpRouting).u8(2).raw({1, 2, 0, 0, 201, 16}).zeros(16);  // PadN of 2, home address option
  frame.u8(kIpUdp).u8(2).u8(2).u8(1).zeros(20);                     // routing header of type 2
  frame.udp(1, 2, 0);
  const auto result = walk(frame);
  EXPECT_EQ(result.protocol, kIpUdp);
  EXPECT_EQ(result.homeAddress, 40 + 8);
  EXPECT_EQ(result.routeAddress, 40 + 24 + 8);
}

TEST(Ipv6Extensions, HomeAddressNeedsItsExactLength) {
  const auto withOption = [](unsigned type, unsigned length) {
    Frame frame;
    frame.ipv6(kIpDestinationOptions, 24 + 8);
    frame.u8(kIpUdp).u8(2).u8(0).u8(0);  // two Pad1
    frame.u8(type).u8(length).zeros(18);
    frame.udp(1, 2, 0);
    return walk(frame).homeAddress;
  };
  EXPECT_EQ(withOption(201, 16), 40 + 6);
  EXPECT_EQ(withOption(201, 15), 0);
  EXPECT_EQ(withOption(201, 19), 0);  // leaves the header
  EXPECT_EQ(withOption(202, 16), 0);
}

TEST(Ipv6Extensions, EveryLengthIsSafe) {
  Frame frame;
  frame.ipv6(kIpHopByHop, 0);  // to the end of the bytes
  extension(frame, kIpDestinationOptions, 1);
  frame.u8(kIpRouting).u8(2).u8(0).u8(0).u8(201).u8(16).zeros(18);
  frame.u8(kIpTcp).u8(2).u8(2).u8(1).zeros(20);
  const std::size_t headers = frame.size();
  frame.zeros(20);
  test::forEveryLength(frame, [&](Bytes bytes, std::size_t length) {
    if (length < Ipv6View::kLength) return;
    const auto result = walk(bytes);
    EXPECT_EQ(result.complete, length >= headers);
    EXPECT_LE(result.headerLength, length);
  });
}

TEST(Ipv6Extensions, RandomBytesNeverLeaveThePacket) {
  std::mt19937 source(3);
  const auto engine = [&source] { return static_cast<unsigned>(source()); };
  constexpr unsigned kKinds[] = {0, 6, 17, 43, 44, 50, 51, 58, 59, 60, 135, 139, 140, 201};
  for (int round = 0; round < 20'000; round++) {
    Frame frame;
    const unsigned size = engine() % 200;
    frame.ipv6(kKinds[engine() % std::size(kKinds)], engine() % 3 == 0 ? 0 : size);
    for (unsigned i = 0; i < size; i++) {
      frame.u8(static_cast<unsigned>(engine() % 3 == 0 ? engine() % 256
                                                       : kKinds[engine() % std::size(kKinds)] % 61));
    }
    const test::GuardedBytes guarded(frame);
    const auto result = walk(guarded.bytes());
    ASSERT_LE(result.headerLength, guarded.bytes().size());
    ASSERT_LE(result.homeAddress + 16u, guarded.bytes().size());
    ASSERT_LE(result.routeAddress + 16u, guarded.bytes().size());
  }
}

}  // namespace
}  // namespace pollwire
