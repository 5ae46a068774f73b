// Rings of handles for TypeScript.
#include "binding/addon.hpp"
#include "binding/args.hpp"
#include "binding/fast_args.hpp"
#include "mem/arena.hpp"
#include "ring/ring_table.hpp"

namespace pollwire::binding {

namespace {

Napi::Value ringCreate(const Napi::CallbackInfo& info) {
  const std::string name = text(info, 0, "name");
  const std::uint32_t capacity = u32(info, 1, "count");
  const std::uint32_t flags = u32(info, 2, "flags");
  Arena* arena = Arena::get();
  if (arena == nullptr)
    raise(info.Env(), Status(StatusCode::kBadState, "ring " + name + ": create the arena first"));
  const std::uint64_t offset =
      take(info.Env(), arena->allocate(ringBytesFor(capacity), kCacheLine, "ring " + name));
  auto id =
      rings::add(name, arena->at<std::byte>(offset), offset, capacity, (flags & 1) != 0, (flags & 2) != 0);
  if (!id) arena->release(offset);
  return Napi::Number::New(info.Env(), take(info.Env(), std::move(id)));
}

Napi::Value ringDestroy(const Napi::CallbackInfo& info) {
  Arena::get()->release(take(info.Env(), rings::remove(u32(info, 0, "ring"))));
  return info.Env().Undefined();
}

template <std::uint32_t (AnyRing::*kMove)(std::uint32_t*, std::uint32_t) noexcept>
napi_value dequeue(napi_env env, napi_callback_info info) {
  const FastArgs<3> args(env, info);
  std::uint32_t count = args[2];
  rings::Entry* entry = rings::byId(args[0]);
  Handle* handles = burstAt(args[1], count);
  return number(env, entry == nullptr || handles == nullptr ? 0 : (entry->ring.*kMove)(handles, count));
}

template <std::uint32_t (AnyRing::*kMove)(const std::uint32_t*, std::uint32_t) noexcept>
napi_value enqueue(napi_env env, napi_callback_info info) {
  const FastArgs<3> args(env, info);
  std::uint32_t count = args[2];
  rings::Entry* entry = rings::byId(args[0]);
  const Handle* handles = burstAt(args[1], count);
  return number(env, entry == nullptr || handles == nullptr ? 0 : (entry->ring.*kMove)(handles, count));
}

napi_value ringCount(napi_env env, napi_callback_info info) {
  const FastArgs<1> args(env, info);
  rings::Entry* entry = rings::byId(args[0]);
  return number(env, entry == nullptr ? 0 : entry->ring.count());
}

}  // namespace

void addRings(Napi::Env, Napi::Object exports) {
  add(exports, "ringCreate", ringCreate);
  add(exports, "ringDestroy", ringDestroy);
  addFast(exports, "ringEnqueueBurst", enqueue<&AnyRing::enqueueBurst>);
  addFast(exports, "ringEnqueueBulk", enqueue<&AnyRing::enqueueBulk>);
  addFast(exports, "ringDequeueBurst", dequeue<&AnyRing::dequeueBurst>);
  addFast(exports, "ringDequeueBulk", dequeue<&AnyRing::dequeueBulk>);
  addFast(exports, "ringCount", ringCount);
}

}  // namespace pollwire::binding
