#include "virtqueue/inflight_split.hpp"

#include <cstring>
#include <string>

namespace pollwire {

namespace {

Status contradiction(const std::string& what) {
  return Status(StatusCode::kBadState, "the in-flight region " + what + "; give a new one");
}

void begin(inflight::SplitQueue& queue, inflight::SplitEntry* entries, std::uint32_t count,
           std::uint16_t usedIdx) {
  std::memset(entries, 0, count * sizeof *entries);
  queue.features = 0;
  queue.entries = static_cast<std::uint16_t>(count);
  queue.lastBatchHead = 0;
  queue.usedIdx = usedIdx;
  storeRelease(queue.version, inflight::kVersion);
}

// The last batch was shown to the driver, and its marks may not all be gone: its heads are a list.
Status finishBatch(inflight::SplitQueue& queue, inflight::SplitEntry* entries, std::uint32_t size,
                   std::uint16_t usedIdx) {
  const std::uint16_t noted = loadRelaxed(queue.usedIdx);
  const std::uint32_t batch = wrap16::distance(usedIdx, noted);
  if (batch > size) {
    return contradiction("ends at used index " + std::to_string(noted) + ", the ring of " +
                         std::to_string(size) + " at " + std::to_string(usedIdx));
  }
  std::uint16_t head = loadRelaxed(queue.lastBatchHead);
  for (std::uint32_t i = 0; i < batch; i++) {
    if (head >= size) return contradiction("names descriptor " + std::to_string(head));
    storeRelaxed(entries[head].inflight, 0);
    head = loadRelaxed(entries[head].next);
  }
  storeRelease(queue.usedIdx, usedIdx);
  return {};
}

}  // namespace

Result<InflightSplit> InflightSplit::open(const SplitDevice& ring, const InflightSlice& slice,
                                          bool keepBase) {
  const std::uint32_t size = ring.size();
  if (slice.entries < size) {
    return Status(StatusCode::kOutOfRange, "the in-flight region has room for " +
                                               std::to_string(slice.entries) + " descriptors, the ring has " +
                                               std::to_string(size));
  }
  InflightSplit opened;
  static_cast<SplitDevice&>(opened) = ring;
  opened.state_ = std::make_shared<State>();
  State& state = *opened.state_;
  state.memory = slice.memory;
  state.queue = reinterpret_cast<inflight::SplitQueue*>(slice.data);
  state.entries = reinterpret_cast<inflight::SplitEntry*>(slice.data + sizeof(inflight::SplitQueue));
  state.taken.assign(size, 0);
  // What may be answered in one burst: a ring full of fresh chains, and those that come again.
  state.batch.assign(2 * static_cast<std::size_t>(size), 0);
  const std::uint16_t version = loadAcquire(state.queue->version);
  if (version == 0) {
    begin(*state.queue, state.entries, slice.entries, ring.usedIdx());
  } else if (version != inflight::kVersion) {
    return contradiction("has version " + std::to_string(version) + ", this is 1");
  } else {
    const std::uint16_t entries = loadRelaxed(state.queue->entries);
    if (entries != slice.entries) {
      return contradiction("has " + std::to_string(entries) + " entries, not the " +
                           std::to_string(slice.entries) + " that it was announced with");
    }
    PW_RETURN_IF_ERROR(finishBatch(*state.queue, state.entries, size, ring.usedIdx()));
  }
  std::vector<std::pair<std::uint64_t, std::uint16_t>> left;
  for (std::uint32_t id = 0; id < size; id++) {
    if (loadRelaxed(state.entries[id].inflight) == 0) continue;
    left.emplace_back(loadRelaxed(state.entries[id].counter), static_cast<std::uint16_t>(id));
  }
  std::sort(left.begin(), left.end());
  for (const auto& [counter, id] : left) {
    state.pending.push_back(id);
    state.taken[id] = 1;
    state.counter = counter + 1;
  }
  state.lastBatchHead = loadRelaxed(state.queue->lastBatchHead);
  if (!keepBase) opened.resumeAt(wrap16::advance(ring.usedIdx(), static_cast<std::uint32_t>(left.size())));
  return opened;
}

}  // namespace pollwire
