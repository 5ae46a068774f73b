#include "pmd/pcap_port.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <vector>

#include "ethdev/packet_stats.hpp"
#include "mbuf/mbuf_ops.hpp"
#include "sys/pcap_file.hpp"

namespace pollwire::pmd {

namespace {

constexpr std::uint32_t kMinFrame = 14;
// One write call's worth; the longest record (snapLength is at most 65,535) fits.
constexpr std::size_t kBuffer = 256 * 1024;

struct PcapRx final : QueueEnd {
  PcapRx(BurstSlot& slot, std::unique_ptr<PcapReader> from, Mempool& source, const PcapRxOptions& options)
      : file(std::move(from)),
        pool(source),
        counters(*slot.counters()),
        port(options.port),
        infinite(options.infinite) {
    pool.retain();
  }
  ~PcapRx() override { pool.release(); }

  std::unique_ptr<PcapReader> file;
  Mempool& pool;
  Counters& counters;
  std::uint16_t port;
  bool infinite;
  // Read from the file and not yet handed out.
  std::span<const std::byte> frame;
};

// rx: the caller owns what is returned.
std::uint32_t pcapRx(void* context, Handle* out, std::uint32_t count) noexcept {
  PcapRx& queue = *static_cast<PcapRx*>(context);
  queue.counters.add(kPOLLS, 1);
  setAllocSite("pcap rx");
  BurstStats stats(queue.counters);
  std::uint32_t received = 0;
  // What is dropped counts against the burst too.
  for (std::uint32_t turn = 0; turn < count; turn++) {
    if (queue.frame.data() == nullptr) queue.frame = queue.file->next();
    if (queue.frame.data() == nullptr) {
      if (!queue.infinite) break;
      queue.file->rewind();
      queue.frame = queue.file->next();
      if (queue.frame.data() == nullptr) break;
    }
    if (PW_UNLIKELY(queue.frame.size() < kMinFrame)) {
      queue.counters.add(kRX_BAD_LENGTH, 1);
      queue.frame = {};
      continue;
    }
    const Handle handle = queue.pool.alloc();
    if (PW_UNLIKELY(handle == kNoHandle)) {
      queue.counters.add(kRX_NO_MBUF, 1);
      break;
    }
    Mbuf* packet = mbufOf(handle);
    resetForRx(packet, queue.port, 0);
    if (PW_UNLIKELY(!appendPacket(handle, queue.frame))) {
      queue.counters.add(kRX_NO_MBUF, 1);
      freeChain(handle);
      break;
    }
    queue.frame = {};
    stats.add(dataOf(packet), packet->pktLen);
    out[received++] = handle;
  }
  return received;
}

struct PcapTx final : QueueEnd {
  PcapTx(BurstSlot& slot, int file, std::uint32_t most)
      : counters(*slot.counters()), fd(file), snapLength(most), buffer(kBuffer) {}

  Counters& counters;
  int fd;
  std::uint32_t snapLength;
  std::vector<std::byte> buffer;
};

// All bytes or none: what a full disk took of them is cut off again.
bool append(int fd, const std::byte* bytes, std::size_t length) noexcept {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return false;
  for (std::size_t done = 0; done < length;) {
    const ssize_t wrote = ::write(fd, bytes + done, length - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      (void)::ftruncate(fd, facts.st_size);
      return false;
    }
    done += static_cast<std::size_t>(wrote);
  }
  return true;
}

// Puts records of handles[from, …) into the buffer until it is full; returns where it stopped.
std::uint32_t fillBuffer(PcapTx& queue, const Handle* handles, std::uint32_t from, std::uint32_t count,
                         const timespec& now, std::size_t& used) noexcept {
  used = 0;
  std::uint32_t at = from;
  for (; at < count; at++) {
    const Mbuf* packet = mbufOf(handles[at]);
    if (PW_UNLIKELY(!isConsistent(packet))) continue;
    const std::uint32_t captured = std::min(packet->pktLen, queue.snapLength);
    if (sizeof(PcapRecord) + captured > queue.buffer.size() - used) break;
    const PcapRecord record{static_cast<std::uint32_t>(now.tv_sec), static_cast<std::uint32_t>(now.tv_nsec),
                            captured, packet->pktLen};
    std::memcpy(queue.buffer.data() + used, &record, sizeof record);
    used += sizeof record;
    (void)readPacket(packet, 0, std::span(queue.buffer).subspan(used, captured));
    used += captured;
  }
  return at;
}

// tx: the port owns the first n that are returned and has freed them; the caller still owns the rest.
std::uint32_t pcapTx(void* context, Handle* handles, std::uint32_t count) noexcept {
  PcapTx& queue = *static_cast<PcapTx*>(context);
  queue.counters.add(kPOLLS, 1);
  timespec now{};
  (void)::clock_gettime(CLOCK_REALTIME, &now);
  BurstStats stats(queue.counters);
  std::uint32_t taken = 0;
  while (taken < count) {
    std::size_t used = 0;
    const std::uint32_t end = fillBuffer(queue, handles, taken, count, now, used);
    if (PW_UNLIKELY(!append(queue.fd, queue.buffer.data(), used))) {
      queue.counters.add(kTX_RING_FULL, count - taken);
      break;
    }
    for (; taken < end; taken++) {
      const Mbuf* packet = mbufOf(handles[taken]);
      if (PW_LIKELY(isConsistent(packet))) stats.add(dataOf(packet), packet->pktLen);
      else queue.counters.add(kTX_BAD_MBUF, 1);
    }
  }
  freeBurst(handles, taken);
  return taken;
}

}  // namespace

Result<std::unique_ptr<QueueEnd>> bindPcapRx(BurstSlot& slot, const std::string& path,
                                             const PcapRxOptions& options) {
  Mempool* pool = Mempool::byId(options.pool);
  if (pool == nullptr)
    return Status(StatusCode::kNotFound, "pcap port: there is no pool " + std::to_string(options.pool));
  auto file = PcapReader::open(path);
  if (!file) return file.status();
  auto queue = std::make_unique<PcapRx>(slot, std::move(*file), *pool, options);
  slot.bind(pcapRx, queue.get());
  return std::unique_ptr<QueueEnd>(std::move(queue));
}

std::unique_ptr<QueueEnd> bindPcapTx(BurstSlot& slot, int fd, std::uint32_t snapLength) {
  auto queue = std::make_unique<PcapTx>(slot, fd, snapLength);
  slot.bind(pcapTx, queue.get());
  return queue;
}

}  // namespace pollwire::pmd
