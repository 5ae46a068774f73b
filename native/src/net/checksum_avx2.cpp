// The AVX2 twin of the checksum's sum. Compiled for AVX2 by attribute and entered only where the CPU has it.
#if defined(__x86_64__)

#include <immintrin.h>

#include "net/checksum.hpp"

namespace pollwire::detail {

__attribute__((target("avx2"))) std::uint64_t sumWordsAvx2(const std::uint8_t* data,
                                                           std::size_t size) noexcept {
  // 64-bit lanes take 32-bit halves: no carry can be lost before 2^32 rounds.
  const __m256i low = _mm256_set1_epi64x(0xffffffff);
  __m256i a = _mm256_setzero_si256();
  __m256i b = a, c = a, d = a;
  std::size_t left = size;
  for (; left >= 64; data += 64, left -= 64) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data));
    const __m256i y = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + 32));
    a = _mm256_add_epi64(a, _mm256_and_si256(x, low));
    b = _mm256_add_epi64(b, _mm256_srli_epi64(x, 32));
    c = _mm256_add_epi64(c, _mm256_and_si256(y, low));
    d = _mm256_add_epi64(d, _mm256_srli_epi64(y, 32));
  }
  const __m256i all = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
  alignas(32) std::uint64_t lanes[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), all);
  // Lanes and rest are far below 2^62 after this fold, so the sum cannot overflow.
  const std::uint64_t rest = sumWordsScalar(data, left);
  return lanes[0] + lanes[1] + lanes[2] + lanes[3] + (rest >> 32) + (rest & 0xffffffff);
}

}  // namespace pollwire::detail

#endif
