// The asymmetric fence under the pattern it exists for: "store mine, look at yours" on both sides. With a
// fence missing both could miss each other's store; that is counted.
#include "sys/fence.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <thread>

namespace pollwire {
namespace {

TEST(Fence, RegistrationIsStable) {
  const bool first = registerAsymmetricFence();
  EXPECT_EQ(registerAsymmetricFence(), first);
  asymmetricLightFence();
  asymmetricHeavyFence();
}

TEST(Fence, OneSideAlwaysSeesTheOther) {
  registerAsymmetricFence();
  constexpr int kRounds = 20'000;
  alignas(kCacheLine) std::uint32_t inside = 0;
  alignas(kCacheLine) std::uint32_t paused = 0;
  std::uint32_t sawPaused = 0, sawInside = 0;
  int missed = 0;
  std::barrier sync(2, []() noexcept {});

  std::thread lcore([&] {
    for (int i = 0; i < kRounds; i++) {
      sync.arrive_and_wait();
      storeRelaxed(inside, 1u);
      asymmetricLightFence();
      sawPaused = loadRelaxed(paused);
      sync.arrive_and_wait();
    }
  });
  for (int i = 0; i < kRounds; i++) {
    storeRelaxed(inside, 0u);
    storeRelaxed(paused, 0u);
    sync.arrive_and_wait();
    storeRelaxed(paused, 1u);
    asymmetricHeavyFence();
    sawInside = loadRelaxed(inside);
    sync.arrive_and_wait();
    if (sawPaused == 0 && sawInside == 0) missed++;
  }
  lcore.join();
  EXPECT_EQ(missed, 0);
}

}  // namespace
}  // namespace pollwire
