// What the Internet checksum costs by length: the scalar sum, the AVX2 sum, and what the dispatcher chooses.
#include <chrono>
#include <cstdio>
#include <vector>

#include "net/checksum.hpp"

namespace {

using namespace pollwire;

template <typename F>
double nsPerCall(F&& call) {
  double best = 1e9;
  for (int repeat = 0; repeat < 5; repeat++) {
    constexpr int kRounds = 200'000;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kRounds; i++) {
      const auto result = call();
      asm volatile("" : : "r"(result) : "memory");
    }
    const double ns =
        std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
    best = ns / kRounds < best ? ns / kRounds : best;
  }
  return best;
}

}  // namespace

int main() {
  std::vector<std::uint8_t> bytes(9000);
  for (std::size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<std::uint8_t>(i * 31);
  for (const std::size_t size : {20u, 40u, 64u, 96u, 128u, 192u, 256u, 512u, 1500u, 9000u}) {
    const double scalar = nsPerCall([&] { return detail::sumWordsScalar(bytes.data(), size); });
    double avx2 = 0;
#if defined(__x86_64__)
    if (detail::haveAvx2()) avx2 = nsPerCall([&] { return detail::sumWordsAvx2(bytes.data(), size); });
#endif
    const double chosen = nsPerCall([&] { return internetChecksum(Bytes(bytes.data(), size)); });
    std::printf("%5zu bytes: scalar %7.2f ns, avx2 %7.2f ns, internetChecksum %7.2f ns\n", size, scalar, avx2,
                chosen);
  }
  return 0;
}
