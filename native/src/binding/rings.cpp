// Rings of handles for TypeScript.
#include "binding/addon.hpp"
#include "binding/args.hpp"
#include "binding/fast_args.hpp"
#include "binding/fast_call.hpp"
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
std::uint32_t dequeue(std::uint32_t ring, std::uint32_t word, std::uint32_t count) noexcept {
  rings::Entry* entry = rings::byId(ring);
  Handle* handles = burstAt(word, count);
  return entry == nullptr || handles == nullptr ? 0 : (entry->ring.*kMove)(handles, count);
}

template <std::uint32_t (AnyRing::*kMove)(const std::uint32_t*, std::uint32_t) noexcept>
std::uint32_t enqueue(std::uint32_t ring, std::uint32_t word, std::uint32_t count) noexcept {
  rings::Entry* entry = rings::byId(ring);
  const Handle* handles = burstAt(word, count);
  return entry == nullptr || handles == nullptr ? 0 : (entry->ring.*kMove)(handles, count);
}

std::uint32_t ringCount(std::uint32_t ring) noexcept {
  rings::Entry* entry = rings::byId(ring);
  return entry == nullptr ? 0 : entry->ring.count();
}

}  // namespace

void addRings(Napi::Env, Napi::Object exports) {
  add(exports, "ringCreate", ringCreate);
  add(exports, "ringDestroy", ringDestroy);
  addCall<enqueue<&AnyRing::enqueueBurst>>(exports, "ringEnqueueBurst");
  addCall<enqueue<&AnyRing::enqueueBulk>>(exports, "ringEnqueueBulk");
  addCall<dequeue<&AnyRing::dequeueBurst>>(exports, "ringDequeueBurst");
  addCall<dequeue<&AnyRing::dequeueBulk>>(exports, "ringDequeueBulk");
  addCall<ringCount>(exports, "ringCount");
}

}  // namespace pollwire::binding
