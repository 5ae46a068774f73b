// Internet checksum: published example, both twins against a naive reference, segments at odd boundaries,
// updates.
#include "net/checksum.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "net/tcp.hpp"
#include "support/frames.hpp"
#include "support/guarded_bytes.hpp"

namespace pollwire {
namespace {

// RFC 1071 as written: 16-bit big-endian words, one at a time, each carry added back.
std::uint16_t naiveSum(const std::vector<std::uint8_t>& bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<std::uint32_t>(bytes[i] << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0));
    if (sum > 0xffff) sum -= 0xffff;
  }
  return static_cast<std::uint16_t>(sum);
}

std::uint16_t naive(const std::vector<std::uint8_t>& bytes) {
  return static_cast<std::uint16_t>(~naiveSum(bytes));
}

std::vector<std::uint8_t> randomBytes(std::mt19937& engine, std::size_t size, unsigned kind = 0) {
  std::vector<std::uint8_t> bytes(size);
  // Runs of 0xff make carries travel, zeros make the two representations of zero meet.
  for (auto& b : bytes) b = static_cast<std::uint8_t>(kind == 1 ? 0xff : kind == 2 ? 0 : engine());
  return bytes;
}

TEST(Checksum, PublishedIpv4Header) {
  // A header that many texts use as their example; its checksum is b861.
  const std::vector<std::uint8_t> header = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                                            0x00, 0x00, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
  EXPECT_EQ(internetChecksum(Bytes(header)), 0xb861);
  auto filled = header;
  storeBe16(&filled[10], 0xb861);
  EXPECT_TRUE(verifyChecksum(Bytes(filled)));
  filled[3] ^= 1;
  EXPECT_FALSE(verifyChecksum(Bytes(filled)));
}

TEST(Checksum, EmptyAndZero) {
  EXPECT_EQ(internetChecksum(Bytes()), 0xffff);
  EXPECT_EQ(internetChecksum(Bytes(std::vector<std::uint8_t>(64, 0))), 0xffff);
  EXPECT_EQ(ChecksumSum().folded(), 0);
}

TEST(Checksum, EveryShortLengthMatchesTheReference) {
  std::mt19937 engine(1);
  for (unsigned kind = 0; kind < 3; kind++) {
    const auto whole = randomBytes(engine, 700, kind);
    test::forEveryLength(whole, [&](Bytes bytes, std::size_t length) {
      const std::vector<std::uint8_t> part(whole.begin(),
                                           whole.begin() + static_cast<std::ptrdiff_t>(length));
      ASSERT_EQ(internetChecksum(bytes), naive(part)) << length;
      ASSERT_EQ(detail::foldSum(detail::sumWordsScalar(bytes.data(), length)), byteSwap(naiveSum(part)))
          << length;
    });
  }
}

#if defined(__x86_64__)
TEST(Checksum, TheTwinsAgreeAtEveryLengthAndAlignment) {
  if (!detail::haveAvx2()) GTEST_SKIP() << "this CPU has no AVX2";
  std::mt19937 engine(2);
  for (unsigned kind = 0; kind < 2; kind++) {
    const auto whole = randomBytes(engine, 4200, kind);
    for (std::size_t length = 0; length <= 4100; length += 1 + length / 256) {
      for (std::size_t offset = 0; offset < 33; offset += length < 300 ? 1 : 7) {
        const std::uint8_t* at = whole.data() + offset;
        ASSERT_EQ(detail::foldSum(detail::sumWordsAvx2(at, length)),
                  detail::foldSum(detail::sumWordsScalar(at, length)))
            << length << " at " << offset;
      }
    }
    test::forEveryLength(std::span(whole).first(600), [&](Bytes bytes, std::size_t length) {
      ASSERT_EQ(detail::foldSum(detail::sumWordsAvx2(bytes.data(), length)),
                detail::foldSum(detail::sumWordsScalar(bytes.data(), length)));
    });
  }
}
#endif

TEST(Checksum, LargestPacketDoesNotOverflow) {
  const std::vector<std::uint8_t> ones(1 << 20, 0xff);
  EXPECT_EQ(internetChecksum(Bytes(ones)), 0);
  ChecksumSum sum;
  for (int i = 0; i < 5000; i++) sum.add(Bytes(ones));
  EXPECT_TRUE(sum.verifies());
}

TEST(Checksum, SegmentsAtOddBoundariesEqualTheWhole) {
  std::mt19937 engine(4);
  for (int round = 0; round < 5000; round++) {
    const auto whole = randomBytes(engine, engine() % 600);
    ChecksumSum sum;
    for (std::size_t at = 0; at < whole.size();) {
      const std::size_t n = std::min<std::size_t>(engine() % 70, whole.size() - at);
      sum.add(Bytes(whole.data() + at, n));  // sometimes 0 bytes, often an odd number
      at += n;
    }
    ASSERT_EQ(sum.finish(), naive(whole)) << "round " << round;
  }
}

TEST(Checksum, PseudoHeadersOfBothVersions) {
  // UDP from fe80::1 to fe80::2 and from 192.168.0.1 to 192.168.0.2, verified against sums written out by
  // hand.
  test::Frame ipv4, ipv6;
  ipv4.ipv4(kIpUdp, 12);
  ipv6.ipv6(kIpUdp, 12);
  test::Frame udp;
  udp.udp(0x1111, 0x2222, 4).raw({1, 2, 3, 4});
  const auto sum4 =
      pseudoHeader(Ipv4View::parse(Bytes(std::span<const std::uint8_t>(ipv4)))->addresses(), kIpUdp, 12);
  EXPECT_EQ(sum4.folded(), naiveSum({0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 2, 0, 17, 0, 12}));
  const auto sum6 =
      pseudoHeader(Ipv6View::parse(Bytes(std::span<const std::uint8_t>(ipv6)))->addresses(), kIpUdp, 12);
  EXPECT_EQ(sum6.folded(), naiveSum({0xfe, 0x80, 0, 1, 0xfe, 0x80, 0, 2, 0, 12, 0, 17}));
  for (const ChecksumSum& seed : {sum4, sum6}) {
    ChecksumSum sum = seed;
    sum.add(Bytes(std::span<const std::uint8_t>(udp)));
    test::Frame filled = udp;
    storeBe16(&filled.bytes()[6], sum.finishUdp());
    ChecksumSum verify = seed;
    verify.add(Bytes(std::span<const std::uint8_t>(filled)));
    EXPECT_TRUE(verify.verifies());
    filled.bytes()[9] ^= 0x40;
    ChecksumSum broken = seed;
    broken.add(Bytes(std::span<const std::uint8_t>(filled)));
    EXPECT_FALSE(broken.verifies());
  }
  EXPECT_EQ(pseudoHeader(Bytes(), kIpTcp, 0x12345).folded(), naiveSum({0, 1, 0x23, 0x45, 0, 6}));
}

TEST(Checksum, SeedInTheFieldGivesTheFullChecksum) {
  // What NEEDS_CSUM asks for: the field holds the pseudo-header sum, the sum runs from the transport header
  // to the end.
  test::Frame ip, tcp;
  ip.ipv4(kIpTcp, 25);
  tcp.tcp(1, 2).raw({1, 2, 3, 4, 5});
  const auto seed = pseudoHeader(Bytes(std::span<const std::uint8_t>(ip)).from(12).first(8), kIpTcp, 25);
  ChecksumSum direct = seed;
  direct.add(Bytes(std::span<const std::uint8_t>(tcp)));
  storeBe16(&tcp.bytes()[TcpView::kChecksumOffset], seed.folded());
  EXPECT_EQ(internetChecksum(Bytes(std::span<const std::uint8_t>(tcp))), direct.finish());
}

TEST(Checksum, UdpNeverSaysNone) {
  ChecksumSum sum;
  sum.addWord(0xffff);
  EXPECT_EQ(sum.finish(), 0);
  EXPECT_EQ(sum.finishUdp(), 0xffff);
}

TEST(Checksum, UpdateEqualsComputingAgain) {
  // RFC 1624 §4's own example: checksum dd2f, field 5555 becomes 3285.
  EXPECT_EQ(updateChecksum(0xdd2f, 0x5555, 0x3285), 0x0000);
  std::mt19937 engine(5);
  for (int round = 0; round < 50'000; round++) {
    auto bytes = randomBytes(engine, 20);
    const std::uint16_t before = internetChecksum(Bytes(bytes));
    const std::size_t at = engine() % 9 * 2;
    if ((round & 1) != 0) {
      const std::uint16_t old = loadBe16(&bytes[at]);
      storeBe16(&bytes[at], static_cast<std::uint16_t>(engine()));
      ASSERT_EQ(updateChecksum(before, old, loadBe16(&bytes[at])), internetChecksum(Bytes(bytes)));
    } else {
      const std::uint32_t old = loadBe32(&bytes[at]);
      storeBe32(&bytes[at], static_cast<std::uint32_t>(engine()));
      ASSERT_EQ(updateChecksum32(before, old, loadBe32(&bytes[at])), internetChecksum(Bytes(bytes)));
    }
  }
}

}  // namespace
}  // namespace pollwire
