// CPUs, pinning, names, the cycle counter. Threads are pinned in threads of their own.
#include "sys/thread.hpp"

#include <gtest/gtest.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <string>
#include <thread>

#include "sys/tsc.hpp"

namespace pollwire {
namespace {

TEST(Thread, UsableCpusAreSortedAndContainTheCurrentOne) {
  const auto cpus = usableCpus();
  ASSERT_TRUE(cpus.ok());
  ASSERT_FALSE(cpus->empty());
  EXPECT_TRUE(std::is_sorted(cpus->begin(), cpus->end()));
  EXPECT_TRUE(std::find(cpus->begin(), cpus->end(), currentCpu()) != cpus->end());
}

TEST(Thread, PinningMovesTheThreadAndShowsInItsCpus) {
  for (const std::uint32_t cpu : *usableCpus()) {
    std::thread([cpu] {
      ASSERT_TRUE(pinThisThread(cpu).ok());
      EXPECT_EQ(currentCpu(), cpu);
      EXPECT_EQ(*usableCpus(), std::vector<std::uint32_t>{cpu});
      EXPECT_LT(numaNodeOfCpu(cpu), 1024u);
    }).join();
  }
}

TEST(Thread, PinningToAMissingCpuNamesTheUsableOnes) {
  std::thread([] {
    const Status status = pinThisThread(9999);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_NE(status.detail().find("pin to CPU 9999 (usable: " + formatCpuList(*usableCpus())),
              std::string::npos)
        << status.detail();
    EXPECT_EQ(pinThisThread(UINT32_MAX).code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(setThisThreadCpus({}).code(), StatusCode::kInvalidArgument);
  }).join();
}

TEST(Thread, NameIsCutToFifteenBytes) {
  std::thread([] {
    ASSERT_TRUE(nameThisThread("lcore-worker-17-of-many").ok());
    std::array<char, 32> name{};
    ASSERT_EQ(pthread_getname_np(pthread_self(), name.data(), name.size()), 0);
    EXPECT_EQ(std::string(name.data()), "lcore-worker-17");
    EXPECT_GT(threadId(), 0);
  }).join();
}

TEST(Thread, CpuListsAreReadable) {
  EXPECT_EQ(formatCpuList(std::array<std::uint32_t, 6>{0, 1, 2, 3, 8, 10}), "0-3,8,10");
  EXPECT_EQ(formatCpuList(std::array<std::uint32_t, 1>{5}), "5");
  EXPECT_EQ(formatCpuList({}), "");
}

TEST(Tsc, RunsForward) {
  const std::uint64_t first = readTsc();
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_GT(readTsc(), first);
}

TEST(Tsc, RateIsStableBetweenMeasurements) {
  const auto hz = static_cast<double>(tscHz());
  EXPECT_GT(hz, 1e6);
  EXPECT_EQ(tscHz(), tscHz());
  if (!tscIsInvariant()) GTEST_SKIP() << "the cycle counter of this CPU changes its rate";
  const auto again = static_cast<double>(measureTscHz(20));
  EXPECT_NEAR(again / hz, 1.0, 0.002);
}

}  // namespace
}  // namespace pollwire
