// What ports are made of beside memory, for TypeScript: TUN/TAP queues, packet sockets, interfaces, capture
// files.
#include "binding/net_devices.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>

#include "binding/addon.hpp"
#include "binding/args.hpp"
#include "sys/net_link.hpp"
#include "sys/pcap_file.hpp"
#include "sys/tap_device.hpp"

namespace pollwire::binding {

namespace {

std::mutex socketLock;
// Never destroyed at exit: lcores may still be polling.
auto& sockets = *new std::map<int, std::shared_ptr<PacketSocket>>();

bool flagOf(const Napi::Object& from, const char* name) { return from.Get(name).ToBoolean().Value(); }

Napi::Value tapOpen(const Napi::CallbackInfo& info) {
  const Napi::Object options = object(info, 1, "options");
  const TapOptions wanted{flagOf(options, "tun"), flagOf(options, "multiQueue"),
                          flagOf(options, "mustBeNew")};
  TapQueue queue = take(info.Env(), openTapQueue(text(info, 0, "name"), wanted));
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("fd", queue.fd.release());
  out.Set("name", queue.name);
  return out;
}

Napi::Value tapOffload(const Napi::CallbackInfo& info) {
  check(info.Env(),
        setTapOffload(i32(info, 0, "fd"), flag(info, 1, "checksum"), flag(info, 2, "segmentation")));
  return info.Env().Undefined();
}

Napi::Value tapPersist(const Napi::CallbackInfo& info) {
  check(info.Env(), setTapPersist(i32(info, 0, "fd"), flag(info, 1, "persist")));
  return info.Env().Undefined();
}

Napi::Value tapCarrier(const Napi::CallbackInfo& info) {
  check(info.Env(), setTapCarrier(i32(info, 0, "fd"), flag(info, 1, "up")));
  return info.Env().Undefined();
}

Napi::Value tapIsAttached(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), tapAttached(i32(info, 0, "fd")));
}

Napi::Value packetOpen(const Napi::CallbackInfo& info) {
  const Napi::Object options = object(info, 0, "options");
  const PacketSocketOptions wanted{static_cast<int>(u32Property(options, "index")),
                                   u32Property(options, "blockSize"), u32Property(options, "frameSize"),
                                   u32Property(options, "frameCount"), flagOf(options, "bypassQdisc")};
  auto socket = take(info.Env(), PacketSocket::open(wanted));
  const int fd = socket->fd();
  const std::lock_guard<std::mutex> hold(socketLock);
  sockets[fd] = std::move(socket);
  return Napi::Number::New(info.Env(), fd);
}

Napi::Value packetFanout(const Napi::CallbackInfo& info) {
  const auto socket = packetSocketOf(i32(info, 0, "fd"));
  if (!socket) badArgument(info, 0, "fd", "an open packet socket");
  std::optional<std::uint32_t> group;
  if (!info[1].IsUndefined()) group = u32(info, 1, "group");
  return Napi::Number::New(info.Env(), take(info.Env(), socket->joinFanout(group, u32(info, 2, "mode"))));
}

Napi::Value packetClose(const Napi::CallbackInfo& info) {
  const std::lock_guard<std::mutex> hold(socketLock);
  sockets.erase(i32(info, 0, "fd"));
  return info.Env().Undefined();
}

Napi::Value linkFacts(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto found =
      info[0].IsString() ? linkByName(text(info, 0, "interface")) : linkByIndex(i32(info, 0, "interface"));
  if (!found && found.status().code() == StatusCode::kNotFound) return env.Undefined();
  const LinkFacts facts = take(env, std::move(found));
  Napi::Object out = Napi::Object::New(env);
  out.Set("index", facts.index);
  out.Set("name", facts.name);
  out.Set("mtu", facts.mtu);
  Napi::Uint8Array mac = Napi::Uint8Array::New(env, facts.mac.size());
  std::copy(facts.mac.begin(), facts.mac.end(), mac.Data());
  out.Set("mac", mac);
  out.Set("adminUp", facts.adminUp);
  out.Set("carrier", facts.carrier);
  return out;
}

Napi::Value linkSetUp(const Napi::CallbackInfo& info) {
  check(info.Env(), setLinkUp(i32(info, 0, "index"), flag(info, 1, "up")));
  return info.Env().Undefined();
}

Napi::Value linkSetMtu(const Napi::CallbackInfo& info) {
  check(info.Env(), setLinkMtu(i32(info, 0, "index"), u32(info, 1, "mtu")));
  return info.Env().Undefined();
}

Napi::Value linkSetMac(const Napi::CallbackInfo& info) {
  const Napi::Uint8Array given = bytes(info, 1, "mac");
  std::array<std::uint8_t, 6> mac{};
  if (given.ByteLength() != mac.size()) badArgument(info, 1, "mac", "6 bytes");
  std::copy_n(given.Data(), mac.size(), mac.begin());
  check(info.Env(), setLinkMac(i32(info, 0, "index"), mac));
  return info.Env().Undefined();
}

Napi::Value packetPromiscuous(const Napi::CallbackInfo& info) {
  const auto socket = packetSocketOf(i32(info, 0, "fd"));
  if (!socket) badArgument(info, 0, "fd", "an open packet socket");
  check(info.Env(), socket->listenTo(flag(info, 1, "multicastOnly") ? PacketSocket::Reach::kAllMulticast
                                                                    : PacketSocket::Reach::kPromiscuous,
                                     flag(info, 2, "on")));
  return info.Env().Undefined();
}

Napi::Value packetAccept(const Napi::CallbackInfo& info) {
  const auto socket = packetSocketOf(i32(info, 0, "fd"));
  if (!socket) badArgument(info, 0, "fd", "an open packet socket");
  check(info.Env(), socket->accept(flag(info, 1, "otherStations"), flag(info, 2, "groups")));
  return info.Env().Undefined();
}

Napi::Value linkWatchOpen(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), take(info.Env(), openLinkWatch()).release());
}

Napi::Value linkWatchDrain(const Napi::CallbackInfo& info) {
  drainLinkWatch(i32(info, 0, "fd"));
  return info.Env().Undefined();
}

Napi::Value pcapPackets(const Napi::CallbackInfo& info) {
  const auto reader = take(info.Env(), PcapReader::open(text(info, 0, "path")));
  return Napi::Number::New(info.Env(), reader->packets());
}

Napi::Value pcapCreate(const Napi::CallbackInfo& info) {
  Fd fd = take(info.Env(), createPcapFile(text(info, 0, "path"), u32(info, 1, "snapLength")));
  return Napi::Number::New(info.Env(), fd.release());
}

}  // namespace

std::shared_ptr<PacketSocket> packetSocketOf(int fd) {
  const std::lock_guard<std::mutex> hold(socketLock);
  const auto found = sockets.find(fd);
  return found == sockets.end() ? nullptr : found->second;
}

void addNetDevices(Napi::Env, Napi::Object exports) {
  add(exports, "tapOpen", tapOpen);
  add(exports, "tapOffload", tapOffload);
  add(exports, "tapPersist", tapPersist);
  add(exports, "tapCarrier", tapCarrier);
  add(exports, "tapIsAttached", tapIsAttached);
  add(exports, "packetOpen", packetOpen);
  add(exports, "packetFanout", packetFanout);
  add(exports, "packetPromiscuous", packetPromiscuous);
  add(exports, "packetAccept", packetAccept);
  add(exports, "packetClose", packetClose);
  add(exports, "linkFacts", linkFacts);
  add(exports, "linkSetUp", linkSetUp);
  add(exports, "linkSetMtu", linkSetMtu);
  add(exports, "linkSetMac", linkSetMac);
  add(exports, "linkWatchOpen", linkWatchOpen);
  add(exports, "linkWatchDrain", linkWatchDrain);
  add(exports, "pcapPackets", pcapPackets);
  add(exports, "pcapCreate", pcapCreate);
}

}  // namespace pollwire::binding
