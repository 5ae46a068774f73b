// What a hop costs when one thread forwards between our vhost device and our virtio driver, joined over the
// arena: rx of one and tx of the other, in bursts of 32, both directions in turn. A packet counts once per
// rx, as in testpmd's sum of both ports. No N-API crossing is included: two of about 40 ns each come on top
// for every burst. Usage: loopback_bench [frame bytes] [rounds] [only rows whose name contains this]
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../test/support/loopback_pair.hpp"
#include "mbuf/lcore.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "virtqueue/features.hpp"

namespace {

using namespace pollwire;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kBurst = 32;
constexpr std::uint64_t kBase = virtio::kVersion1 | virtio::kRingIndirectDesc;

struct Row {
  const char* name;
  std::uint64_t features;
};

constexpr Row kRows[] = {
    {"split", kBase | virtio::kNetMrgRxbuf},
    {"split in-order", kBase | virtio::kNetMrgRxbuf | virtio::kInOrder},
    {"split in-order non-mergeable", kBase | virtio::kInOrder},
    {"packed", kBase | virtio::kRingPacked | virtio::kNetMrgRxbuf},
    {"packed in-order", kBase | virtio::kRingPacked | virtio::kNetMrgRxbuf | virtio::kInOrder},
    {"packed in-order non-mergeable", kBase | virtio::kRingPacked | virtio::kInOrder},
};

void fillFrame(Mbuf* mbuf, std::uint32_t bytes) {
  resetForRx(mbuf, 0, bytes);
  std::memset(dataOf(mbuf), 0, bytes);
  static constexpr unsigned char kStart[14] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
  std::memcpy(dataOf(mbuf), kStart, sizeof kStart);
}

// Like testpmd's `start tx_first 4`.
void prime(BurstSlot& tx, Mempool& pool, std::uint32_t frame) {
  for (std::uint32_t burst = 0; burst < 4; burst++) {
    Handle handles[kBurst];
    if (pool.allocBulk(handles, kBurst) != kBurst) std::abort();
    for (const Handle handle : handles) fillFrame(mbufOf(handle), frame);
    const std::uint32_t sent = tx.run(handles, kBurst);
    freeBurst(handles + sent, kBurst - sent);
  }
}

PW_INLINE std::uint32_t hop(BurstSlot& rx, BurstSlot& tx) {
  Handle handles[kBurst];
  const std::uint32_t received = rx.run(handles, kBurst);
  if (received == 0) return 0;
  const std::uint32_t sent = tx.run(handles, received);
  if (sent < received) freeBurst(handles + sent, received - sent);
  return received;
}

double nsPerHop(LoopbackPair& pair, std::uint64_t hops) {
  std::uint64_t done = 0;
  const auto start = Clock::now();
  while (done < hops) {
    const std::uint32_t moved = hop(pair.vhostRx(), pair.virtioTx()) + hop(pair.virtioRx(), pair.vhostTx());
    if (moved == 0) std::abort();
    done += moved;
  }
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / static_cast<double>(done);
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint32_t frame = argc > 1 ? static_cast<std::uint32_t>(std::atoi(argv[1])) : 64;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 400;
  const char* only = argc > 3 ? argv[3] : "";
  LoopbackPair::check(Arena::create(64u << 20, HugePages::kPrefer));
  std::printf("%s\n", Arena::get()->note().c_str());
  setCurrentLcore(1);
  const std::uint32_t id = LoopbackPair::take(Mempool::create("bench", 4096, 2048 + kHeadroom, 250));
  for (const Row& row : kRows) {
    if (std::strstr(row.name, only) == nullptr) continue;
    LoopbackPair pair({row.features, 256, 0, packed::kFreshBase, id});
    prime(pair.vhostTx(), *Mempool::byId(id), frame);
    prime(pair.virtioTx(), *Mempool::byId(id), frame);
    // Short rounds: the best ones are those that nothing else interrupted.
    std::vector<double> results;
    for (int i = 0; i < rounds; i++) results.push_back(nsPerHop(pair, 50'000));
    std::sort(results.begin(), results.end());
    std::printf("%-30s %5u bytes: best %6.2f ns per hop, %6.1f M/s; quarter %6.2f, median %6.2f ns\n",
                row.name, frame, results[0], 1e3 / results[0], results[results.size() / 4],
                results[results.size() / 2]);
  }
  slots::releaseAll();
  Mempool::destroyAll();
  Arena::destroy();
  return 0;
}
