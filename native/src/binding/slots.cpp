// Burst slots for TypeScript: the data path's only crossing.
#include "binding/addon.hpp"
#include "binding/args.hpp"
#include "binding/fast_args.hpp"
#include "ethdev/slot_table.hpp"
#include "mbuf/mbuf_ops.hpp"

namespace pollwire::binding {

namespace {

napi_value burst(napi_env env, napi_callback_info info) {
  const FastArgs<3> args(env, info);
  std::uint32_t count = args[2];
  BurstSlot* slot = slots::byId(args[0]);
  Handle* handles = burstAt(args[1], count);
  if (PW_UNLIKELY(slot == nullptr || handles == nullptr || count == 0)) return number(env, 0);
  return number(env, slot->run(handles, count));
}

napi_value forwardBurst(napi_env env, napi_callback_info info) {
  const FastArgs<4> args(env, info);
  std::uint32_t count = args[3];
  BurstSlot* rx = slots::byId(args[0]);
  BurstSlot* tx = slots::byId(args[1]);
  Handle* handles = burstAt(args[2], count);
  if (PW_UNLIKELY(rx == nullptr || tx == nullptr || handles == nullptr || count == 0)) return number(env, 0);
  const std::uint32_t received = rx->run(handles, count);
  if (received == 0) return number(env, 0);
  const std::uint32_t sent = tx->run(handles, received);
  if (PW_UNLIKELY(sent < received)) freeBurst(handles + sent, received - sent);
  return number(env, received | (sent << 16));
}

BurstSlot& slotOf(const Napi::CallbackInfo& info) {
  const std::uint32_t id = u32(info, 0, "slot");
  BurstSlot* slot = slots::byId(id);
  if (slot == nullptr || slot->counters() == nullptr) {
    raise(info.Env(), Status(StatusCode::kNotFound, "there is no queue slot " + std::to_string(id)));
  }
  return *slot;
}

Napi::Value slotAlloc(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), take(info.Env(), slots::allocate()));
}

Napi::Value slotClose(const Napi::CallbackInfo& info) {
  slotOf(info).close(u32(info, 1, "reasons"));
  return info.Env().Undefined();
}

Napi::Value slotOpen(const Napi::CallbackInfo& info) {
  slotOf(info).open(u32(info, 1, "reasons"));
  return info.Env().Undefined();
}

Napi::Value slotClosed(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), slotOf(info).closed());
}

Napi::Value slotCounters(const Napi::CallbackInfo& info) {
  (void)slotOf(info);
  return Napi::Number::New(info.Env(), static_cast<double>(slots::countersOffset(u32(info, 0, "slot"))));
}

Napi::Value slotResetCounters(const Napi::CallbackInfo& info) {
  BurstSlot& slot = slotOf(info);
  // The lcore that owns the counters is kept out, so that no increment is lost or revived.
  const BurstSlot::Hold hold(slot);
  for (std::uint64_t& value : slot.counters()->value) storeRelaxed(value, 0u);
  return info.Env().Undefined();
}

Napi::Value slotUsed(const Napi::CallbackInfo& info) {
  const std::uint32_t used = slotOf(info).used();
  return Napi::Number::New(info.Env(), used == ~0u ? -1.0 : static_cast<double>(used));
}

}  // namespace

void addSlots(Napi::Env, Napi::Object exports) {
  addFast(exports, "rxBurst", burst);
  addFast(exports, "txBurst", burst);
  addFast(exports, "forwardBurst", forwardBurst);
  add(exports, "slotAlloc", slotAlloc);
  add(exports, "slotClose", slotClose);
  add(exports, "slotOpen", slotOpen);
  add(exports, "slotClosed", slotClosed);
  add(exports, "slotCounters", slotCounters);
  add(exports, "slotResetCounters", slotResetCounters);
  add(exports, "slotUsed", slotUsed);
}

}  // namespace pollwire::binding
