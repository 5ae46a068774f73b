// Simple native ports for TypeScript: queue ends of null, ring, tap, packet socket and capture file ports.
// Keeps what a bound slot points to, until slotFree.
#include <map>
#include <memory>
#include <mutex>

#include "binding/addon.hpp"
#include "binding/args.hpp"
#include "binding/net_devices.hpp"
#include "ethdev/slot_table.hpp"
#include "pmd/null_port.hpp"
#include "pmd/packet_port.hpp"
#include "pmd/pcap_port.hpp"
#include "pmd/ring_port.hpp"
#include "pmd/tap_port.hpp"
#include "ring/ring_table.hpp"

namespace pollwire::binding {

namespace {

struct Bound {
  std::unique_ptr<pmd::QueueEnd> end;
  rings::Entry* ring = nullptr;
};

std::mutex boundLock;
// Never destroyed at exit: lcores may still be polling.
auto& bound = *new std::map<std::uint32_t, Bound>();

BurstSlot& freshSlot(const Napi::CallbackInfo& info, std::uint32_t id) {
  BurstSlot* slot = slots::byId(id);
  if (slot == nullptr || slot->counters() == nullptr) {
    raise(info.Env(), Status(StatusCode::kNotFound, "there is no queue slot " + std::to_string(id)));
  }
  const std::lock_guard<std::mutex> hold(boundLock);
  if (bound.count(id) != 0)
    raise(info.Env(), Status(StatusCode::kBusy, "queue slot " + std::to_string(id) + " is bound already"));
  return *slot;
}

void keep(std::uint32_t id, std::unique_ptr<pmd::QueueEnd> end, rings::Entry* ring) {
  const std::lock_guard<std::mutex> hold(boundLock);
  if (ring != nullptr) ring->users++;
  bound[id] = Bound{std::move(end), ring};
}

rings::Entry& ringOf(const Napi::CallbackInfo& info, std::size_t index) {
  const std::uint32_t id = u32(info, index, "ring");
  rings::Entry* entry = rings::byId(id);
  if (entry == nullptr)
    raise(info.Env(), Status(StatusCode::kNotFound, "there is no ring " + std::to_string(id)));
  return *entry;
}

Napi::Value bindNullRx(const Napi::CallbackInfo& info) {
  const std::uint32_t id = u32(info, 0, "slot");
  auto end = pmd::bindNullRx(freshSlot(info, id), u32(info, 1, "pool"), u32(info, 2, "size"),
                             flag(info, 3, "copy"), static_cast<std::uint16_t>(u32(info, 4, "port")));
  keep(id, take(info.Env(), std::move(end)), nullptr);
  return info.Env().Undefined();
}

Napi::Value bindNullTx(const Napi::CallbackInfo& info) {
  const std::uint32_t id = u32(info, 0, "slot");
  keep(id, pmd::bindNullTx(freshSlot(info, id), flag(info, 1, "copy")), nullptr);
  return info.Env().Undefined();
}

Napi::Value bindRingRx(const Napi::CallbackInfo& info) {
  const std::uint32_t id = u32(info, 0, "slot");
  rings::Entry& ring = ringOf(info, 1);
  keep(id, pmd::bindRingRx(freshSlot(info, id), ring.ring, static_cast<std::uint16_t>(u32(info, 2, "port"))),
       &ring);
  return info.Env().Undefined();
}

Napi::Value bindRingTx(const Napi::CallbackInfo& info) {
  const std::uint32_t id = u32(info, 0, "slot");
  rings::Entry& ring = ringOf(info, 1);
  keep(id, pmd::bindRingTx(freshSlot(info, id), ring.ring), &ring);
  return info.Env().Undefined();
}

Napi::Value bindTapRx(const Napi::CallbackInfo& info) {
  const std::uint32_t id = u32(info, 0, "slot");
  const pmd::TapRxOptions options{u32(info, 2, "pool"), static_cast<std::uint16_t>(u32(info, 3, "port")),
                                  flag(info, 4, "tun"), flag(info, 5, "stripVlan")};
  keep(id, take(info.Env(), pmd::bindTapRx(freshSlot(info, id), i32(info, 1, "fd"), options)), nullptr);
  return info.Env().Undefined();
}

Napi::Value bindTapTx(const Napi::CallbackInfo& info) {
  const std::uint32_t id = u32(info, 0, "slot");
  keep(id, pmd::bindTapTx(freshSlot(info, id), i32(info, 1, "fd"), flag(info, 2, "tun")), nullptr);
  return info.Env().Undefined();
}

std::shared_ptr<PacketSocket> packetSocketAt(const Napi::CallbackInfo& info, std::size_t index) {
  auto socket = packetSocketOf(i32(info, index, "fd"));
  if (!socket) badArgument(info, index, "fd", "an open packet socket");
  return socket;
}

Napi::Value bindPacketRx(const Napi::CallbackInfo& info) {
  const std::uint32_t id = u32(info, 0, "slot");
  const pmd::PacketRxOptions options{u32(info, 2, "pool"), static_cast<std::uint16_t>(u32(info, 3, "port")),
                                     flag(info, 4, "stripVlan")};
  keep(id, take(info.Env(), pmd::bindPacketRx(freshSlot(info, id), packetSocketAt(info, 1), options)),
       nullptr);
  return info.Env().Undefined();
}

Napi::Value bindPacketTx(const Napi::CallbackInfo& info) {
  const std::uint32_t id = u32(info, 0, "slot");
  keep(id, pmd::bindPacketTx(freshSlot(info, id), packetSocketAt(info, 1)), nullptr);
  return info.Env().Undefined();
}

Napi::Value bindPcapRx(const Napi::CallbackInfo& info) {
  const std::uint32_t id = u32(info, 0, "slot");
  const pmd::PcapRxOptions options{u32(info, 2, "pool"), static_cast<std::uint16_t>(u32(info, 3, "port")),
                                   flag(info, 4, "infinite")};
  keep(id, take(info.Env(), pmd::bindPcapRx(freshSlot(info, id), text(info, 1, "path"), options)), nullptr);
  return info.Env().Undefined();
}

Napi::Value bindPcapTx(const Napi::CallbackInfo& info) {
  const std::uint32_t id = u32(info, 0, "slot");
  keep(id, pmd::bindPcapTx(freshSlot(info, id), i32(info, 1, "fd"), u32(info, 2, "snapLength")), nullptr);
  return info.Env().Undefined();
}

Napi::Value slotFree(const Napi::CallbackInfo& info) {
  const std::uint32_t id = u32(info, 0, "slot");
  slots::release(id);
  const std::lock_guard<std::mutex> hold(boundLock);
  const auto found = bound.find(id);
  if (found != bound.end()) {
    if (found->second.ring != nullptr) found->second.ring->users--;
    bound.erase(found);
  }
  return info.Env().Undefined();
}

}  // namespace

void addPorts(Napi::Env, Napi::Object exports) {
  add(exports, "bindNullRx", bindNullRx);
  add(exports, "bindNullTx", bindNullTx);
  add(exports, "bindRingRx", bindRingRx);
  add(exports, "bindRingTx", bindRingTx);
  add(exports, "bindTapRx", bindTapRx);
  add(exports, "bindTapTx", bindTapTx);
  add(exports, "bindPacketRx", bindPacketRx);
  add(exports, "bindPacketTx", bindPacketTx);
  add(exports, "bindPcapRx", bindPcapRx);
  add(exports, "bindPcapTx", bindPcapTx);
  add(exports, "slotFree", slotFree);
}

}  // namespace pollwire::binding
