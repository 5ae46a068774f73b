#include "pmd/ring_port.hpp"

#include "ethdev/packet_stats.hpp"
#include "mbuf/mbuf_ops.hpp"

namespace pollwire::pmd {

namespace {

struct RingEnd final : QueueEnd {
  AnyRing ring;
  Counters* counters;
  std::uint16_t port;
};

std::uint32_t ringRx(void* context, Handle* out, std::uint32_t count) noexcept {
  RingEnd& queue = *static_cast<RingEnd*>(context);
  queue.counters->add(kPOLLS, 1);
  const std::uint32_t received = queue.ring.dequeueBurst(out, count);
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < received; i++) {
    Mbuf* mbuf = mbufOf(out[i]);
    mbuf->port = queue.port;
    bytes += mbuf->pktLen;
    countFrame(*queue.counters, dataOf(mbuf), mbuf->pktLen);
  }
  queue.counters->add(kPACKETS, received);
  queue.counters->add(kBYTES, bytes);
  return received;
}

std::uint32_t ringTx(void* context, Handle* handles, std::uint32_t count) noexcept {
  RingEnd& queue = *static_cast<RingEnd*>(context);
  queue.counters->add(kPOLLS, 1);
  // Lengths are read first: once enqueued, the packets belong to the other end.
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < count; i++) bytes += mbufOf(handles[i])->pktLen;
  const std::uint32_t sent = queue.ring.enqueueBurst(handles, count);
  for (std::uint32_t i = sent; i < count; i++) bytes -= mbufOf(handles[i])->pktLen;
  if (sent < count) queue.counters->add(kTX_RING_FULL, count - sent);
  queue.counters->add(kPACKETS, sent);
  queue.counters->add(kBYTES, bytes);
  return sent;
}

std::uint32_t ringUsed(void* context) noexcept { return static_cast<const RingEnd*>(context)->ring.count(); }

std::unique_ptr<QueueEnd> bindEnd(BurstSlot& slot, AnyRing ring, std::uint16_t port, BurstFn fn) {
  auto queue = std::make_unique<RingEnd>();
  queue->ring = ring;
  queue->counters = slot.counters();
  queue->port = port;
  slot.bind(fn, queue.get(), ringUsed);
  return queue;
}

}  // namespace

std::unique_ptr<QueueEnd> bindRingRx(BurstSlot& slot, AnyRing ring, std::uint16_t port) {
  return bindEnd(slot, ring, port, ringRx);
}

std::unique_ptr<QueueEnd> bindRingTx(BurstSlot& slot, AnyRing ring) {
  return bindEnd(slot, ring, kNoPort, ringTx);
}

}  // namespace pollwire::pmd
