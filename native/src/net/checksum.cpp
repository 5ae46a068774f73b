// Scalar sum, dispatch, and the arithmetic around it. The AVX2 twin of the sum is checksum_avx2.cpp.
#include "net/checksum.hpp"

#include <bit>

namespace pollwire {
namespace {

// From here on the vector setup pays for itself (measured with bench/checksum_bench.cpp).
constexpr std::size_t kVectorFrom = 192;

// False until static initialisation reaches this line: then the scalar twin answers, with the same value.
#if defined(__x86_64__)
const bool cpuHasAvx2 = __builtin_cpu_supports("avx2") != 0;
#else
constexpr bool cpuHasAvx2 = false;
#endif

std::uint64_t load64(const std::uint8_t* from) noexcept {
  return loadAs<std::uint64_t, std::endian::native>(from);
}

// End-around carry: 2^64 counts as 1, like every power of 2^16.
std::uint64_t addCarry(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t sum = 0;
  const bool carry = __builtin_add_overflow(a, b, &sum);
  return sum + (carry ? 1u : 0u);
}

std::uint64_t sumWords(Bytes bytes) noexcept {
#if defined(__x86_64__)
  if (bytes.size() >= kVectorFrom && cpuHasAvx2) return detail::sumWordsAvx2(bytes.data(), bytes.size());
#endif
  return detail::sumWordsScalar(bytes.data(), bytes.size());
}

}  // namespace

namespace detail {

bool haveAvx2() noexcept { return cpuHasAvx2; }

std::uint64_t sumWordsScalar(const std::uint8_t* data, std::size_t size) noexcept {
  // Four chains: an add with carry each, so that they run side by side.
  std::uint64_t a = 0, b = 0, c = 0, d = 0;
  for (; size >= 32; data += 32, size -= 32) {
    a = addCarry(a, load64(data));
    b = addCarry(b, load64(data + 8));
    c = addCarry(c, load64(data + 16));
    d = addCarry(d, load64(data + 24));
  }
  a = addCarry(addCarry(a, b), addCarry(c, d));
  for (; size >= 8; data += 8, size -= 8) a = addCarry(a, load64(data));
  // The rest by parts of fixed size: a copy of variable length would cost more than all of the above.
  if ((size & 4) != 0) {
    a = addCarry(a, loadAs<std::uint32_t, std::endian::native>(data));
    data += 4;
  }
  if ((size & 2) != 0) {
    a = addCarry(a, loadAs<std::uint16_t, std::endian::native>(data));
    data += 2;
  }
  if ((size & 1) != 0) {
    const std::uint64_t last = *data;
    a = addCarry(a, std::endian::native == std::endian::little ? last : last << 8);
  }
  return a;
}

}  // namespace detail

void ChecksumSum::add(Bytes bytes) noexcept {
  std::uint16_t part = detail::foldSum(sumWords(bytes));
  // Behind an odd number of bytes every byte stands in the other half of its word: the sum with its bytes
  // swapped.
  if (odd_) part = byteSwap(part);
  sum_ += part;
  odd_ ^= (bytes.size() & 1) != 0;
}

std::uint16_t ChecksumSum::folded() const noexcept {
  return convertOrder<std::endian::big>(detail::foldSum(sum_));
}

std::uint16_t internetChecksum(Bytes bytes) noexcept {
  return static_cast<std::uint16_t>(~convertOrder<std::endian::big>(detail::foldSum(sumWords(bytes))));
}

bool verifyChecksum(Bytes bytes) noexcept { return internetChecksum(bytes) == 0; }

ChecksumSum pseudoHeader(Bytes addresses, std::uint8_t protocol, std::uint32_t length) noexcept {
  // IPv4 has one 16-bit length, IPv6 one of 32 bits: the same sum for what fits IPv4.
  ChecksumSum sum;
  sum.add(addresses);
  sum.addWord32(length);
  sum.addWord(protocol);
  return sum;
}

std::uint16_t updateChecksum(std::uint16_t checksum, std::uint16_t before, std::uint16_t after) noexcept {
  // RFC 1624 §3, equation 3: HC' = ~(~HC + ~m + m').
  const std::uint32_t sum = static_cast<std::uint16_t>(~checksum) +
                            static_cast<std::uint32_t>(static_cast<std::uint16_t>(~before)) + after;
  return static_cast<std::uint16_t>(~detail::foldSum(sum));
}

std::uint16_t updateChecksum32(std::uint16_t checksum, std::uint32_t before, std::uint32_t after) noexcept {
  checksum = updateChecksum(checksum, static_cast<std::uint16_t>(before >> 16),
                            static_cast<std::uint16_t>(after >> 16));
  return updateChecksum(checksum, static_cast<std::uint16_t>(before), static_cast<std::uint16_t>(after));
}

}  // namespace pollwire
