// The virtio driver side for TypeScript: rings that we own, given to a device that a transport found.
#include <map>
#include <memory>
#include <mutex>

#include "base/endian.hpp"
#include "virtio/virtio_device.hpp"

#include "binding/addon.hpp"
#include "binding/args.hpp"

namespace pollwire::binding {

namespace {

constexpr std::uint32_t kMaxDevices = 1024;
constexpr std::uint32_t kMaxVirtqueues = 257;

std::mutex devicesLock;
// Never destroyed at exit: the kernel gives everything back, and lcores may still be polling.
auto& devices = *new std::map<std::uint32_t, std::unique_ptr<virtio::Device>>();

virtio::Device& deviceOf(const Napi::CallbackInfo& info) {
  const std::uint32_t id = u32(info, 0, "device");
  const std::lock_guard<std::mutex> hold(devicesLock);
  const auto found = devices.find(id);
  if (found == devices.end())
    raise(info.Env(), Status(StatusCode::kNotFound, "there is no virtio device " + std::to_string(id)));
  return *found->second;
}

std::uint32_t queueOf(const Napi::CallbackInfo& info) { return u32(info, 1, "queue"); }

Napi::Value virtioCreate(const Napi::CallbackInfo& info) {
  const std::uint32_t queues = u32(info, 0, "queues");
  if (queues == 0 || queues > kMaxVirtqueues) {
    raise(info.Env(), Status(StatusCode::kOutOfRange,
                             "virtio device with " + std::to_string(queues) + " virtqueues; 1 to 257"));
  }
  const std::lock_guard<std::mutex> hold(devicesLock);
  std::uint32_t id = 0;
  while (devices.count(id) != 0) id++;
  if (id == kMaxDevices)
    raise(info.Env(), Status(StatusCode::kNoMemory, "there are 1024 virtio devices already"));
  devices.emplace(id, std::make_unique<virtio::Device>(id, queues));
  return Napi::Number::New(info.Env(), id);
}

Napi::Value virtioDestroy(const Napi::CallbackInfo& info) {
  (void)deviceOf(info);
  const std::lock_guard<std::mutex> hold(devicesLock);
  devices.erase(u32(info, 0, "device"));
  return info.Env().Undefined();
}

Napi::Value virtioQueueSetup(const Napi::CallbackInfo& info) {
  const Napi::Object setup = object(info, 2, "setup");
  virtio::QueueConfig config;
  config.size = u32Property(setup, "size");
  config.features = bigProperty(setup, "features");
  const std::uint32_t queue = queueOf(info);
  const auto direction = queue % 2 == 0 ? virtio::Direction::kRx : virtio::Direction::kTx;
  const virtio::QueueAreas areas = take(info.Env(), deviceOf(info).setup(queue, direction, config));
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("desc", Napi::BigInt::New(info.Env(), areas.addresses.desc));
  out.Set("avail", Napi::BigInt::New(info.Env(), areas.addresses.driver));
  out.Set("used", Napi::BigInt::New(info.Env(), areas.addresses.device));
  out.Set("base", areas.base);
  return out;
}

Napi::Value virtioBind(const Napi::CallbackInfo& info) {
  const Napi::Object options = object(info, 3, "options");
  const virtio::BindOptions bind{u32Property(options, "pool"),
                                 static_cast<std::uint16_t>(u32Property(options, "port"))};
  check(info.Env(), deviceOf(info).bind(queueOf(info), u32(info, 2, "slot"), bind));
  return info.Env().Undefined();
}

Napi::Value virtioUnbind(const Napi::CallbackInfo& info) {
  check(info.Env(), deviceOf(info).unbind(queueOf(info)));
  return info.Env().Undefined();
}

Napi::Value virtioStripVlan(const Napi::CallbackInfo& info) {
  check(info.Env(), deviceOf(info).setStripVlan(queueOf(info), flag(info, 2, "wanted")));
  return info.Env().Undefined();
}

bool flagProperty(const Napi::Object& from, const char* name) {
  const Napi::Value value = from.Get(name);
  if (!value.IsBoolean())
    throw Napi::TypeError::New(from.Env(), std::string("property ") + name + " must be true or false");
  return value.As<Napi::Boolean>().Value();
}

Napi::Value virtioRxFilter(const Napi::CallbackInfo& info) {
  const Napi::Object modes = object(info, 1, "modes");
  const Napi::Uint8Array addresses = bytes(info, 2, "addresses");
  const Napi::Uint8Array vlans = bytes(info, 3, "vlans");
  if (addresses.ByteLength() % 6 != 0) badArgument(info, 2, "addresses", "6 bytes for each address");
  if (vlans.ByteLength() != sizeof(VlanTable)) badArgument(info, 3, "vlans", "512 bytes");
  RxFilterSettings settings;
  settings.promiscuous = flagProperty(modes, "promiscuous");
  settings.allMulticast = flagProperty(modes, "allMulticast");
  settings.filterVlans = flagProperty(modes, "filterVlans");
  for (std::size_t at = 0; at < addresses.ByteLength(); at += 6)
    settings.addresses.push_back(MacAddress::load(addresses.Data() + at));
  for (std::size_t word = 0; word < settings.vlans.size(); word++)
    settings.vlans[word] = loadLe64(vlans.Data() + 8 * word);
  check(info.Env(), deviceOf(info).setRxFilter(settings));
  return info.Env().Undefined();
}

Napi::Value virtioQueueStart(const Napi::CallbackInfo& info) {
  check(info.Env(), deviceOf(info).start(queueOf(info)));
  return info.Env().Undefined();
}

Napi::Value virtioQueueStop(const Napi::CallbackInfo& info) {
  const auto reclaim = flag(info, 2, "quarantine") ? virtio::Reclaim::kQuarantine : virtio::Reclaim::kNow;
  return Napi::Number::New(info.Env(), take(info.Env(), deviceOf(info).stop(queueOf(info), reclaim)));
}

Napi::Value virtioReleaseQuarantine(const Napi::CallbackInfo& info) {
  deviceOf(info).releaseQuarantine();
  return info.Env().Undefined();
}

Napi::Value virtioQueueKick(const Napi::CallbackInfo& info) {
  Fd fd(i32(info, 2, "fd"));
  check(info.Env(), deviceOf(info).setKick(queueOf(info), std::move(fd)));
  return info.Env().Undefined();
}

Napi::Value virtioQueueCall(const Napi::CallbackInfo& info) {
  Fd fd(i32(info, 2, "fd"));
  check(info.Env(), deviceOf(info).setCall(queueOf(info), std::move(fd)));
  return info.Env().Undefined();
}

Napi::Value virtioQueueState(const Napi::CallbackInfo& info) {
  const virtio::QueueState state = take(info.Env(), deviceOf(info).state(queueOf(info)));
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("started", state.started);
  out.Set("broken", state.broken);
  out.Set("inFlight", state.inFlight);
  out.Set("size", state.size);
  return out;
}

}  // namespace

void addVirtio(Napi::Env, Napi::Object exports) {
  add(exports, "virtioCreate", virtioCreate);
  add(exports, "virtioDestroy", virtioDestroy);
  add(exports, "virtioQueueSetup", virtioQueueSetup);
  add(exports, "virtioBind", virtioBind);
  add(exports, "virtioUnbind", virtioUnbind);
  add(exports, "virtioStripVlan", virtioStripVlan);
  add(exports, "virtioRxFilter", virtioRxFilter);
  add(exports, "virtioQueueStart", virtioQueueStart);
  add(exports, "virtioQueueStop", virtioQueueStop);
  add(exports, "virtioReleaseQuarantine", virtioReleaseQuarantine);
  add(exports, "virtioQueueKick", virtioQueueKick);
  add(exports, "virtioQueueCall", virtioQueueCall);
  add(exports, "virtioQueueState", virtioQueueState);
}

}  // namespace pollwire::binding
