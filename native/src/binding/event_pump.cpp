// Native events → one coalesced wake-up → TypeScript. One listener per process: the control plane's isolate.
#include <memory>
#include <mutex>

#include "binding/addon.hpp"
#include "binding/args.hpp"
#include "binding/loop_call.hpp"
#include "ethdev/native_events.hpp"

namespace pollwire::binding {

namespace {

struct Listener {
  Napi::FunctionReference callback;
  std::unique_ptr<LoopCall> wake;
  napi_env env = nullptr;
};

std::mutex listenerLock;
// Never destroyed at exit: by then its isolate is gone.
auto& listener = *new std::unique_ptr<Listener>();

void wakeListener() noexcept {
  const std::lock_guard<std::mutex> hold(listenerLock);
  if (listener) listener->wake->signal();
}

void dropListener(napi_env env) {
  const std::lock_guard<std::mutex> hold(listenerLock);
  if (listener && listener->env == env) listener.reset();
}

void deliver(Napi::Env env) {
  Napi::Function callback;
  {
    const std::lock_guard<std::mutex> hold(listenerLock);
    if (!listener || listener->env != napi_env(env)) return;
    callback = listener->callback.Value();
  }
  for (const events::Event& event : events::drain()) {
    Napi::Object out = Napi::Object::New(env);
    out.Set("type", event.type == events::Type::kRingBroken ? "ring_broken" : "iotlb_miss");
    out.Set("side", event.side == events::Side::kVhost ? "vhost" : "virtio");
    out.Set("device", event.device);
    out.Set("ring", event.ring);
    out.Set("reason", event.reason);
    callback.Call({out});
  }
}

Napi::Value onNativeEvent(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  dropListener(env);
  if (info[0].IsFunction()) {
    auto fresh = std::make_unique<Listener>();
    fresh->callback = Napi::Persistent(info[0].As<Napi::Function>());
    fresh->wake = std::make_unique<LoopCall>(env, "pollwire:event", deliver);
    fresh->env = env;
    {
      const std::lock_guard<std::mutex> hold(listenerLock);
      listener = std::move(fresh);
    }
    events::setWake(wakeListener);
    const napi_env raw = env;
    env.AddCleanupHook([raw] { dropListener(raw); });
  }
  return env.Undefined();
}

}  // namespace

void addEvents(Napi::Env, Napi::Object exports) { add(exports, "onNativeEvent", onNativeEvent); }

}  // namespace pollwire::binding
