#include "mbuf/mempool.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "mem/arena.hpp"

namespace pollwire {

namespace detail {
PW_THREAD_LOCAL std::uint32_t lcoreId = kNoLcore;
}

namespace {
std::mutex tableLock;
}

Mempool* Mempool::table_[kMaxPools] = {};

Result<std::uint32_t> Mempool::create(const std::string& name, std::uint32_t count, std::uint32_t dataRoom,
                                      std::uint32_t cacheSize) {
  Arena* arena = Arena::get();
  if (arena == nullptr) return Status(StatusCode::kBadState, "pool " + name + ": create the arena first");
  if (count == 0) return Status(StatusCode::kOutOfRange, "pool " + name + ": 0 mbufs; ask for at least 1");
  if (dataRoom < kMinDataRoom || dataRoom > 65472) {
    return Status(StatusCode::kOutOfRange, "pool " + name + ": data room of " + std::to_string(dataRoom) +
                                               " bytes; give 192 to 65472, headroom of 128 included");
  }
  if (cacheSize > kMaxCache) {
    return Status(StatusCode::kOutOfRange,
                  "pool " + name + ": cache of " + std::to_string(cacheSize) + " mbufs; the most is 512");
  }
  const std::lock_guard<std::mutex> hold(tableLock);
  std::uint32_t id = 0;
  while (id < kMaxPools && table_[id] != nullptr) id++;
  if (id == kMaxPools) return Status(StatusCode::kNoMemory, "pool " + name + ": there are 64 pools already");

  std::unique_ptr<Mempool> pool(new Mempool());
  pool->id_ = id;
  pool->name_ = name;
  pool->count_ = count;
  pool->dataRoom_ = static_cast<std::uint32_t>(alignUp(dataRoom, kCacheLine));
  // An odd number of cache lines per mbuf spreads headers over all cache sets.
  std::uint32_t lines = (kMbufHeader + pool->dataRoom_) / static_cast<std::uint32_t>(kCacheLine);
  pool->elementSize_ = (lines | 1u) * static_cast<std::uint32_t>(kCacheLine);
  pool->cacheSize_ = cacheSize;

  auto ringOffset = arena->allocate(MpmcRing::bytesFor(count), kCacheLine, "ring of pool " + name);
  if (!ringOffset) return ringOffset.status();
  const std::uint64_t bytes = static_cast<std::uint64_t>(count) * pool->elementSize_;
  auto offset = arena->allocate(bytes, bytes >= (2u << 20) ? (2u << 20) : 4096, "pool " + name);
  if (!offset) {
    arena->release(*ringOffset);
    return offset.status();
  }
  pool->offset_ = *offset;
  pool->ringOffset_ = *ringOffset;
  pool->ring_ = MpmcRing::create(arena->at<std::byte>(*ringOffset), count);
  pool->cacheStorage_.resize(static_cast<std::size_t>(kMaxLcores) * cacheSize * 2);
  for (std::uint32_t lcore = 0; lcore < kMaxLcores; lcore++) {
    pool->caches_[lcore].limit = cacheSize + cacheSize / 2;
    pool->caches_[lcore].handles =
        pool->cacheStorage_.data() + static_cast<std::size_t>(lcore) * cacheSize * 2;
  }
  pool->layOut();
  table_[id] = pool.release();
  return id;
}

void Mempool::layOut() noexcept {
  const auto first = static_cast<Handle>(offset_ >> kHandleShift);
  const std::uint32_t stride = elementSize_ >> kHandleShift;
  check_.init(id_, first, stride, count_);
  for (std::uint32_t i = 0; i < count_; i++) {
    const Handle handle = first + i * stride;
    Mbuf* mbuf = mbufOf(handle);
    mbuf->bufAddr = ownBuffer(mbuf);
    mbuf->dataOff = kHeadroom;
    mbuf->refcnt = 1;
    mbuf->nbSegs = 1;
    mbuf->port = kNoPort;
    mbuf->bufLen = static_cast<std::uint16_t>(dataRoom_);
    mbuf->pool = static_cast<std::uint8_t>(id_);
    (void)ring_->enqueueBulk(&handle, 1);
  }
}

Status Mempool::destroy(std::uint32_t id) {
  const std::lock_guard<std::mutex> hold(tableLock);
  Mempool* pool = byId(id);
  if (pool == nullptr) return Status(StatusCode::kNotFound, "there is no pool " + std::to_string(id));
  if (pool->users_ != 0) {
    return Status(StatusCode::kBusy, "pool " + pool->name_ + ": " + std::to_string(pool->users_) +
                                         " rx queues take from it; close their ports first");
  }
  const std::uint32_t out = pool->count_ - pool->available();
  if (out != 0) {
    return Status(StatusCode::kBusy, "pool " + pool->name_ + ": " + std::to_string(out) + " of " +
                                         std::to_string(pool->count_) + " mbufs are in use; free them first");
  }
  table_[id] = nullptr;
  Arena::get()->release(pool->offset_);
  Arena::get()->release(pool->ringOffset_);
  delete pool;
  return {};
}

void Mempool::destroyAll() noexcept {
  const std::lock_guard<std::mutex> hold(tableLock);
  for (auto& pool : table_) delete std::exchange(pool, nullptr);
}

bool Mempool::refillAndTake(Cache* cache, Handle* out, std::uint32_t count) noexcept {
  if (cache == nullptr || count > cacheSize_) return ring_->dequeueBulk(out, count) == count;
  // One trip to the shared ring fills the cache to its nominal size after this request is served.
  const std::uint32_t want = count + cacheSize_ - cache->length;
  const std::uint32_t got =
      ring_->dequeueBurst(cache->handles + cache->length, std::min(want, 2 * cacheSize_ - cache->length));
  cache->resize(cache->length + got);
  if (cache->length < count) return false;
  takeFromCache(*cache, out, count);
  return true;
}

void Mempool::spill(Cache* cache, const Handle* handles, std::uint32_t count) noexcept {
  if (cache == nullptr || count > cacheSize_) {
    (void)ring_->enqueueBulk(handles, count);
    return;
  }
  // Keep half of the cache: the next allocations are served without the shared ring.
  const std::uint32_t keep = cacheSize_ / 2;
  if (cache->length > keep) {
    (void)ring_->enqueueBulk(cache->handles + keep, cache->length - keep);
    cache->resize(keep);
  }
  std::copy(handles, handles + count, cache->handles + cache->length);
  cache->resize(cache->length + count);
}

std::uint32_t Mempool::cached() const noexcept {
  std::uint32_t sum = 0;
  for (const Cache& cache : caches_) sum += loadRelaxed(cache.length);
  return sum;
}

std::uint32_t Mempool::available() const noexcept { return ring_->count() + cached(); }

bool Mempool::owns(Handle handle) const noexcept {
  const auto first = static_cast<Handle>(offset_ >> kHandleShift);
  const std::uint32_t stride = elementSize_ >> kHandleShift;
  return handle >= first && (handle - first) % stride == 0 && (handle - first) / stride < count_;
}

void Mempool::flush(std::uint32_t lcore) noexcept {
  if (lcore >= kMaxLcores) return;
  Cache& cache = caches_[lcore];
  if (cache.length != 0) (void)ring_->enqueueBulk(cache.handles, cache.length);
  cache.resize(0);
}

void Mempool::flushAll(std::uint32_t lcore) noexcept {
  const std::lock_guard<std::mutex> hold(tableLock);
  for (Mempool* pool : table_) {
    if (pool != nullptr) pool->flush(lcore);
  }
}

}  // namespace pollwire
