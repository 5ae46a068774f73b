#include "pmd/null_port.hpp"

#include <cstring>
#include <string>

#include "ethdev/packet_stats.hpp"
#include "mbuf/mbuf_ops.hpp"

namespace pollwire::pmd {

namespace {

constexpr std::uint32_t kMinFrame = 14;

struct NullRx final : QueueEnd {
  explicit NullRx(Mempool* source) : pool(source) { pool->retain(); }
  ~NullRx() override { pool->release(); }

  Mempool* pool;
  Counters* counters;
  std::uint32_t size;
  std::uint16_t port;
  std::vector<std::byte> pattern;
};

struct NullTx final : QueueEnd {
  Counters* counters;
  std::vector<std::byte> sink;
};

template <bool kCopy>
std::uint32_t nullRx(void* context, Handle* out, std::uint32_t count) noexcept {
  NullRx& queue = *static_cast<NullRx*>(context);
  queue.counters->add(kPOLLS, 1);
  setAllocSite("null rx");
  if (queue.pool->allocBulk(out, count) != count) {
    queue.counters->add(kRX_NO_MBUF, count);
    return 0;
  }
  for (std::uint32_t i = 0; i < count; i++) {
    Mbuf* mbuf = mbufOf(out[i]);
    resetForRx(mbuf, queue.port, queue.size);
    if constexpr (kCopy) std::memcpy(dataOf(mbuf), queue.pattern.data(), queue.size);
  }
  queue.counters->add(kPACKETS, count);
  queue.counters->add(kBYTES, static_cast<std::uint64_t>(count) * queue.size);
  queue.counters->add(sizeClass(queue.size), count);
  return count;
}

template <bool kCopy>
std::uint32_t nullTx(void* context, Handle* handles, std::uint32_t count) noexcept {
  NullTx& queue = *static_cast<NullTx*>(context);
  queue.counters->add(kPOLLS, 1);
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < count; i++) {
    const Mbuf* mbuf = mbufOf(handles[i]);
    bytes += mbuf->pktLen;
    if constexpr (kCopy) (void)readPacket(mbuf, 0, queue.sink);
  }
  queue.counters->add(kPACKETS, count);
  queue.counters->add(kBYTES, bytes);
  freeBurst(handles, count);
  return count;
}

}  // namespace

Result<std::unique_ptr<QueueEnd>> bindNullRx(BurstSlot& slot, std::uint32_t pool, std::uint32_t size,
                                             bool copy, std::uint16_t port) {
  Mempool* source = Mempool::byId(pool);
  if (source == nullptr)
    return Status(StatusCode::kNotFound, "null port: there is no pool " + std::to_string(pool));
  if (size < kMinFrame) {
    return Status(StatusCode::kOutOfRange,
                  "null port: packets of " + std::to_string(size) + " bytes are no frames; give at least 14");
  }
  if (size > source->segmentRoom()) {
    return Status(StatusCode::kOutOfRange, "null port: packets of " + std::to_string(size) +
                                               " bytes do not fit pool " + source->name() +
                                               ", whose mbufs hold " + std::to_string(source->segmentRoom()));
  }
  auto queue = std::make_unique<NullRx>(source);
  queue->counters = slot.counters();
  queue->size = size;
  queue->port = port;
  queue->pattern.resize(size);
  slot.bind(copy ? nullRx<true> : nullRx<false>, queue.get());
  return std::unique_ptr<QueueEnd>(std::move(queue));
}

std::unique_ptr<QueueEnd> bindNullTx(BurstSlot& slot, bool copy) {
  auto queue = std::make_unique<NullTx>();
  queue->counters = slot.counters();
  queue->sink.resize(65536);
  slot.bind(copy ? nullTx<true> : nullTx<false>, queue.get());
  return queue;
}

}  // namespace pollwire::pmd
