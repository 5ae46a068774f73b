// A vhost ring for TypeScript, beside its bursts: descriptor chains to take, read, write and complete; a look
// at its state.
#include <span>

#include "binding/addon.hpp"
#include "binding/args.hpp"
#include "binding/vhost_devices.hpp"

namespace pollwire::binding {

namespace {

std::uint32_t ringOf(const Napi::CallbackInfo& info) { return u32(info, 1, "ring"); }
std::uint32_t tokenOf(const Napi::CallbackInfo& info) { return u32(info, 2, "token"); }

vhost::ChainQueue& chainsOf(const Napi::CallbackInfo& info) {
  return *take(info.Env(), vhostDeviceOf(info).chains(ringOf(info)));
}

Napi::Value vhostChainTake(const Napi::CallbackInfo& info) {
  vhost::ChainQueue& chains = chainsOf(info);
  const vhost::RingState state = take(info.Env(), vhostDeviceOf(info).state(ringOf(info)));
  if (!state.started || !state.enabled) return info.Env().Undefined();
  const auto chain = chains.take();
  if (!chain) return info.Env().Undefined();
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("token", chain->token);
  out.Set("readable", static_cast<double>(chain->readable));
  out.Set("writable", static_cast<double>(chain->writable));
  return out;
}

Napi::Value vhostChainRead(const Napi::CallbackInfo& info) {
  Napi::Uint8Array target = bytes(info, 4, "target");
  const std::span<std::byte> span(reinterpret_cast<std::byte*>(target.Data()), target.ByteLength());
  return Napi::Number::New(info.Env(), chainsOf(info).read(tokenOf(info), u32(info, 3, "offset"), span));
}

Napi::Value vhostChainWrite(const Napi::CallbackInfo& info) {
  const Napi::Uint8Array source = bytes(info, 4, "source");
  const std::span<const std::byte> span(reinterpret_cast<const std::byte*>(source.Data()),
                                        source.ByteLength());
  return Napi::Number::New(info.Env(), chainsOf(info).write(tokenOf(info), u32(info, 3, "offset"), span));
}

Napi::Value vhostChainComplete(const Napi::CallbackInfo& info) {
  const std::uint32_t written = u32(info, 3, "written");
  return Napi::Boolean::New(info.Env(), chainsOf(info).complete(tokenOf(info), written));
}

Napi::Value vhostChainStats(const Napi::CallbackInfo& info) {
  const vhost::ChainQueue& chains = chainsOf(info);
  const vhost::ChainStats& stats = chains.stats();
  Napi::Object out = Napi::Object::New(info.Env());
  const auto set = [&](const char* name, std::uint64_t value) {
    out.Set(name, Napi::BigInt::New(info.Env(), value));
  };
  set("taken", stats.taken);
  set("completed", stats.completed);
  set("bytesRead", stats.bytesRead);
  set("bytesWritten", stats.bytesWritten);
  set("badChains", stats.badChains);
  set("badAddresses", stats.badAddresses);
  set("tooLong", stats.tooLong);
  set("notifications", stats.notifications);
  set("notificationsSuppressed", stats.notificationsSuppressed);
  set("notificationsFailed", stats.notificationsFailed);
  set("inFlight", chains.inFlight());
  return out;
}

Napi::Value vhostRingKickFd(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), take(info.Env(), vhostDeviceOf(info).kickFd(ringOf(info))));
}

Napi::Value vhostRingInspect(const Napi::CallbackInfo& info) {
  const vhost::RingInspection seen = take(info.Env(), vhostDeviceOf(info).inspect(ringOf(info)));
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("waiting", seen.waiting);
  out.Set("blank", seen.blank);
  out.Set("kickPending", seen.kickPending);
  return out;
}

Napi::Value vhostRingSignal(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), take(info.Env(), vhostDeviceOf(info).signalDriver(ringOf(info))));
}

}  // namespace

void addVhostChains(Napi::Env, Napi::Object exports) {
  add(exports, "vhostChainTake", vhostChainTake);
  add(exports, "vhostChainRead", vhostChainRead);
  add(exports, "vhostChainWrite", vhostChainWrite);
  add(exports, "vhostChainComplete", vhostChainComplete);
  add(exports, "vhostChainStats", vhostChainStats);
  add(exports, "vhostRingKickFd", vhostRingKickFd);
  add(exports, "vhostRingInspect", vhostRingInspect);
  add(exports, "vhostRingSignal", vhostRingSignal);
}

}  // namespace pollwire::binding
