// Lcores for TypeScript: registration of the calling thread, pinning, time, sleeping.
#include "mbuf/lcore.hpp"
#include "binding/addon.hpp"
#include "binding/args.hpp"
#include "binding/fast_args.hpp"
#include "ethdev/idle_wait.hpp"
#include "mbuf/mempool.hpp"
#include "sys/thread.hpp"
#include "sys/tsc.hpp"

namespace pollwire::binding {

namespace {

void leave() noexcept {
  const std::uint32_t id = currentLcore();
  if (id == kNoLcore) return;
  Mempool::flushAll(id);
  setCurrentLcore(kNoLcore);
}

Napi::Value lcoreEnter(const Napi::CallbackInfo& info) {
  const std::uint32_t id = u32(info, 0, "id");
  const int cpu = i32(info, 1, "cpu");
  if (id >= kMaxLcores) {
    raise(info.Env(),
          Status(StatusCode::kOutOfRange, "lcore " + std::to_string(id) + ": ids run from 0 to 127"));
  }
  if (cpu >= 0) check(info.Env(), pinThisThread(static_cast<std::uint32_t>(cpu)));
  check(info.Env(), nameThisThread(text(info, 2, "name")));
  setCurrentLcore(id);
  // A terminated Worker never calls lcoreLeave itself; its environment still ends on this thread.
  static thread_local bool hooked = false;
  if (!hooked) info.Env().AddCleanupHook(leave);
  hooked = true;
  return info.Env().Undefined();
}

Napi::Value lcoreLeave(const Napi::CallbackInfo& info) {
  leave();
  return info.Env().Undefined();
}

Napi::Value usableCpuList(const Napi::CallbackInfo& info) {
  const auto cpus = take(info.Env(), usableCpus());
  Napi::Array list = Napi::Array::New(info.Env(), cpus.size());
  for (std::uint32_t i = 0; i < cpus.size(); i++) list.Set(i, cpus[i]);
  return list;
}

Napi::Value tscRate(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(tscHz()));
}

napi_value tsc(napi_env env, napi_callback_info) {
  napi_value out;
  napi_create_double(env, static_cast<double>(readTsc()), &out);
  return out;
}

Napi::Value lcoreWait(const Napi::CallbackInfo& info) {
  std::uint32_t ids[256];
  const Napi::Array list = info[0].As<Napi::Array>();
  const std::uint32_t count = std::min<std::uint32_t>(list.Length(), 256);
  for (std::uint32_t i = 0; i < count; i++) ids[i] = list.Get(i).ToNumber().Uint32Value();
  const bool woken = idle::wait(currentLcore(), {ids, count}, u32(info, 1, "microseconds"));
  return Napi::Number::New(info.Env(), woken ? 1 : 0);
}

Napi::Value lcoreWake(const Napi::CallbackInfo& info) {
  idle::wake(u32(info, 0, "id"));
  return info.Env().Undefined();
}

}  // namespace

void addLcore(Napi::Env, Napi::Object exports) {
  add(exports, "lcoreEnter", lcoreEnter);
  add(exports, "lcoreLeave", lcoreLeave);
  add(exports, "usableCpus", usableCpuList);
  add(exports, "tscHz", tscRate);
  addFast(exports, "tsc", tsc);
  add(exports, "lcoreWait", lcoreWait);
  add(exports, "lcoreWake", lcoreWake);
}

}  // namespace pollwire::binding
