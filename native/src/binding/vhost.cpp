// The vhost device side for TypeScript: what vhost-user messages ask for, one call each.
#include <map>
#include <memory>
#include <mutex>

#include "binding/addon.hpp"
#include "binding/args.hpp"
#include "binding/vhost_devices.hpp"

namespace pollwire::binding {

namespace {

constexpr std::uint32_t kMaxDevices = 1024;
constexpr std::uint32_t kMaxVrings = 257;

std::mutex devicesLock;
// Never destroyed at exit: the kernel gives everything back, and lcores may still be polling.
auto& devices = *new std::map<std::uint32_t, std::unique_ptr<vhost::Device>>();

vhost::Device& deviceOf(const Napi::CallbackInfo& info) { return vhostDeviceOf(info); }

}  // namespace

vhost::Device& vhostDeviceOf(const Napi::CallbackInfo& info) {
  const std::uint32_t id = u32(info, 0, "device");
  const std::lock_guard<std::mutex> hold(devicesLock);
  const auto found = devices.find(id);
  if (found == devices.end())
    raise(info.Env(), Status(StatusCode::kNotFound, "there is no vhost device " + std::to_string(id)));
  return *found->second;
}

namespace {

std::uint32_t ringOf(const Napi::CallbackInfo& info) { return u32(info, 1, "ring"); }

RegionSpec specOf(const Napi::Object& row) {
  return RegionSpec{bigProperty(row, "guestAddr"), bigProperty(row, "size"), bigProperty(row, "userAddr"),
                    bigProperty(row, "mmapOffset")};
}

Fd fdOf(const Napi::Object& row) { return Fd(row.Get("fd").ToNumber().Int32Value()); }

Napi::Value ringList(Napi::Env env, const std::vector<std::uint32_t>& rings) {
  Napi::Array list = Napi::Array::New(env, rings.size());
  for (std::uint32_t i = 0; i < rings.size(); i++) list.Set(i, rings[i]);
  return list;
}

Napi::Value vhostCreate(const Napi::CallbackInfo& info) {
  const std::uint32_t rings = u32(info, 0, "rings");
  if (rings == 0 || rings > kMaxVrings) {
    raise(info.Env(),
          Status(StatusCode::kOutOfRange, "vhost device with " + std::to_string(rings) + " rings; 1 to 257"));
  }
  const std::lock_guard<std::mutex> hold(devicesLock);
  std::uint32_t id = 0;
  while (devices.count(id) != 0) id++;
  if (id == kMaxDevices)
    raise(info.Env(), Status(StatusCode::kNoMemory, "there are 1024 vhost devices already"));
  devices.emplace(id, std::make_unique<vhost::Device>(id, rings));
  return Napi::Number::New(info.Env(), id);
}

Napi::Value vhostDestroy(const Napi::CallbackInfo& info) {
  (void)deviceOf(info);
  const std::lock_guard<std::mutex> hold(devicesLock);
  devices.erase(u32(info, 0, "device"));
  return info.Env().Undefined();
}

Napi::Value vhostSetMemory(const Napi::CallbackInfo& info) {
  const Napi::Array rows = info[1].As<Napi::Array>();
  std::vector<RegionSpec> specs;
  std::vector<Fd> fds;
  // Own every descriptor before anything can throw.
  for (std::uint32_t i = 0; i < rows.Length(); i++) fds.push_back(fdOf(rows.Get(i).As<Napi::Object>()));
  for (std::uint32_t i = 0; i < rows.Length(); i++) specs.push_back(specOf(rows.Get(i).As<Napi::Object>()));
  return ringList(info.Env(), take(info.Env(), deviceOf(info).setMemory(specs, std::move(fds))));
}

Napi::Value vhostAddRegion(const Napi::CallbackInfo& info) {
  const Napi::Object row = object(info, 1, "region");
  Fd fd = fdOf(row);
  return ringList(info.Env(), take(info.Env(), deviceOf(info).addRegion(specOf(row), std::move(fd))));
}

std::uint64_t big(const Napi::CallbackInfo& info, std::size_t index, const char* name) {
  if (!info[index].IsBigInt()) badArgument(info, index, name, "a bigint");
  bool lossless = false;
  return info[index].As<Napi::BigInt>().Uint64Value(&lossless);
}

Napi::Value vhostRemoveRegion(const Napi::CallbackInfo& info) {
  const RegionSpec spec{big(info, 1, "guestAddr"), big(info, 3, "size"), big(info, 2, "userAddr"), 0};
  return ringList(info.Env(), take(info.Env(), deviceOf(info).removeRegion(spec)));
}

// Nothing is mapped yet: the front-end sends it back with SET_INFLIGHT_FD.
Napi::Value vhostCreateInflight(const Napi::CallbackInfo& info) {
  const std::uint32_t rings = u32(info, 0, "rings");
  MemoryFile file =
      take(info.Env(), vhost::InflightArea::create(rings, u32(info, 1, "ringSize"), flag(info, 2, "packed")));
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("fd", file.fd.release());
  out.Set("size", Napi::BigInt::New(info.Env(), file.size));
  return out;
}

Napi::Value vhostSetInflight(const Napi::CallbackInfo& info) {
  const Napi::Object row = object(info, 1, "region");
  Fd fd = fdOf(row);
  const vhost::InflightSpec spec{bigProperty(row, "size"), bigProperty(row, "offset"),
                                 u32Property(row, "rings"), u32Property(row, "ringSize")};
  check(info.Env(), deviceOf(info).setInflight(spec, row.Get("packed").ToBoolean().Value(), std::move(fd)));
  return info.Env().Undefined();
}

Napi::Value vhostDropInflight(const Napi::CallbackInfo& info) {
  deviceOf(info).dropInflight();
  return info.Env().Undefined();
}

Napi::Value vhostBind(const Napi::CallbackInfo& info) {
  const Napi::Object options = object(info, 4, "options");
  vhost::BindOptions bind;
  bind.pool = u32Property(options, "pool");
  bind.port = static_cast<std::uint16_t>(u32Property(options, "port"));
  bind.linear = options.Get("linear").ToBoolean().Value();
  bind.stripVlan = options.Get("stripVlan").ToBoolean().Value();
  bind.legacyFlags = options.Get("legacyFlags").ToBoolean().Value();
  if (options.Has("buffers")) bind.buffers = u32Property(options, "buffers");
  const auto direction = text(info, 3, "direction") == "rx" ? vhost::Direction::kRx : vhost::Direction::kTx;
  check(info.Env(), deviceOf(info).bind(ringOf(info), u32(info, 2, "slot"), direction, bind));
  return info.Env().Undefined();
}

Napi::Value vhostUnbind(const Napi::CallbackInfo& info) {
  check(info.Env(), deviceOf(info).unbind(ringOf(info)));
  return info.Env().Undefined();
}

Napi::Value vhostRingStart(const Napi::CallbackInfo& info) {
  const Napi::Object config = object(info, 2, "config");
  vhost::RingConfig ring;
  ring.size = u32Property(config, "size");
  ring.desc = bigProperty(config, "desc");
  ring.avail = bigProperty(config, "avail");
  ring.used = bigProperty(config, "used");
  ring.base = u32Property(config, "base");
  ring.features = bigProperty(config, "features");
  ring.logUsed = config.Get("logUsed").ToBoolean().Value();
  ring.usedLogAddr = bigProperty(config, "usedLogAddr");
  check(info.Env(), deviceOf(info).startRing(ringOf(info), ring));
  return info.Env().Undefined();
}

Napi::Value vhostRingStop(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), take(info.Env(), deviceOf(info).stopRing(ringOf(info))));
}

Napi::Value vhostRingKick(const Napi::CallbackInfo& info) {
  Fd fd(i32(info, 2, "fd"));
  check(info.Env(), deviceOf(info).setKick(ringOf(info), std::move(fd)));
  return info.Env().Undefined();
}

Napi::Value vhostRingCall(const Napi::CallbackInfo& info) {
  Fd fd(i32(info, 2, "fd"));
  check(info.Env(), deviceOf(info).setCall(ringOf(info), std::move(fd)));
  return info.Env().Undefined();
}

Napi::Value vhostRingEnable(const Napi::CallbackInfo& info) {
  check(info.Env(), deviceOf(info).enableRing(ringOf(info), flag(info, 2, "enabled")));
  return info.Env().Undefined();
}

Napi::Value vhostRingNotify(const Napi::CallbackInfo& info) {
  check(info.Env(), deviceOf(info).wantKicks(ringOf(info), flag(info, 2, "enabled")));
  return info.Env().Undefined();
}

Napi::Value vhostRingState(const Napi::CallbackInfo& info) {
  const vhost::RingState state = take(info.Env(), deviceOf(info).state(ringOf(info)));
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("started", state.started);
  out.Set("enabled", state.enabled);
  out.Set("broken", state.broken);
  out.Set("lastAvail", state.lastAvail);
  out.Set("lastUsed", state.lastUsed);
  out.Set("availIdx", state.availIdx);
  out.Set("usedIdx", state.usedIdx);
  return out;
}

Napi::Value vhostSetLog(const Napi::CallbackInfo& info) {
  Fd fd(i32(info, 3, "fd"));
  check(info.Env(), deviceOf(info).setLog(big(info, 1, "size"), big(info, 2, "offset"), std::move(fd)));
  return info.Env().Undefined();
}

Napi::Value vhostLogAll(const Napi::CallbackInfo& info) {
  deviceOf(info).setLogAll(flag(info, 1, "on"));
  return info.Env().Undefined();
}

Napi::Value vhostRingLog(const Napi::CallbackInfo& info) {
  check(info.Env(),
        deviceOf(info).setRingLog(ringOf(info), flag(info, 2, "logUsed"), big(info, 3, "usedLogAddr")));
  return info.Env().Undefined();
}

Napi::Value vhostPostcopyAdvise(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), take(info.Env(), deviceOf(info).postcopyAdvise()).release());
}

Napi::Value vhostPostcopyListen(const Napi::CallbackInfo& info) {
  check(info.Env(), deviceOf(info).postcopyListen());
  return info.Env().Undefined();
}

Napi::Value vhostPostcopyAddress(const Napi::CallbackInfo& info) {
  auto address = deviceOf(info).postcopyAddress(big(info, 1, "guestAddr"), big(info, 2, "size"));
  return Napi::BigInt::New(info.Env(), take(info.Env(), std::move(address)));
}

Napi::Value vhostPostcopyReady(const Napi::CallbackInfo& info) {
  check(info.Env(), deviceOf(info).postcopyReady());
  return info.Env().Undefined();
}

Napi::Value vhostPostcopyEnd(const Napi::CallbackInfo& info) {
  deviceOf(info).postcopyEnd();
  return info.Env().Undefined();
}

Napi::Value vhostIotlbUpdate(const Napi::CallbackInfo& info) {
  const std::uint32_t permission = u32(info, 4, "permission");
  check(info.Env(), deviceOf(info).iotlbUpdate(big(info, 1, "iova"), big(info, 2, "last"),
                                               big(info, 3, "user"), static_cast<std::uint8_t>(permission)));
  return info.Env().Undefined();
}

Napi::Value vhostIotlbInvalidate(const Napi::CallbackInfo& info) {
  deviceOf(info).iotlbInvalidate(big(info, 1, "iova"), big(info, 2, "last"));
  return info.Env().Undefined();
}

Napi::Value vhostIotlbMisses(const Napi::CallbackInfo& info) {
  const auto misses = deviceOf(info).takeMisses(flag(info, 1, "again"));
  Napi::Array out = Napi::Array::New(info.Env(), misses.size());
  for (std::uint32_t i = 0; i < misses.size(); i++) {
    Napi::Object miss = Napi::Object::New(info.Env());
    miss.Set("iova", Napi::BigInt::New(info.Env(), misses[i].iova));
    miss.Set("permission", permissionFor(misses[i].access));
    out.Set(i, miss);
  }
  return out;
}

Napi::Value vhostIotlbGiveUp(const Napi::CallbackInfo& info) {
  deviceOf(info).giveUpMiss(big(info, 1, "iova"));
  return info.Env().Undefined();
}

Napi::Value vhostInject(const Napi::CallbackInfo& info) {
  const Napi::Uint8Array frame = bytes(info, 2, "frame");
  const auto* first = reinterpret_cast<const std::byte*>(frame.Data());
  check(info.Env(),
        deviceOf(info).inject(ringOf(info), std::vector<std::byte>(first, first + frame.ByteLength())));
  return info.Env().Undefined();
}

}  // namespace

void addVhost(Napi::Env, Napi::Object exports) {
  add(exports, "vhostCreate", vhostCreate);
  add(exports, "vhostDestroy", vhostDestroy);
  add(exports, "vhostSetMemory", vhostSetMemory);
  add(exports, "vhostAddRegion", vhostAddRegion);
  add(exports, "vhostRemoveRegion", vhostRemoveRegion);
  add(exports, "vhostCreateInflight", vhostCreateInflight);
  add(exports, "vhostSetInflight", vhostSetInflight);
  add(exports, "vhostDropInflight", vhostDropInflight);
  add(exports, "vhostBind", vhostBind);
  add(exports, "vhostUnbind", vhostUnbind);
  add(exports, "vhostRingStart", vhostRingStart);
  add(exports, "vhostRingStop", vhostRingStop);
  add(exports, "vhostRingKick", vhostRingKick);
  add(exports, "vhostRingCall", vhostRingCall);
  add(exports, "vhostRingEnable", vhostRingEnable);
  add(exports, "vhostRingNotify", vhostRingNotify);
  add(exports, "vhostRingState", vhostRingState);
  add(exports, "vhostSetLog", vhostSetLog);
  add(exports, "vhostLogAll", vhostLogAll);
  add(exports, "vhostRingLog", vhostRingLog);
  add(exports, "vhostPostcopyAdvise", vhostPostcopyAdvise);
  add(exports, "vhostPostcopyListen", vhostPostcopyListen);
  add(exports, "vhostPostcopyAddress", vhostPostcopyAddress);
  add(exports, "vhostPostcopyReady", vhostPostcopyReady);
  add(exports, "vhostPostcopyEnd", vhostPostcopyEnd);
  add(exports, "vhostIotlbUpdate", vhostIotlbUpdate);
  add(exports, "vhostIotlbInvalidate", vhostIotlbInvalidate);
  add(exports, "vhostIotlbMisses", vhostIotlbMisses);
  add(exports, "vhostIotlbGiveUp", vhostIotlbGiveUp);
  add(exports, "vhostInject", vhostInject);
}

}  // namespace pollwire::binding
