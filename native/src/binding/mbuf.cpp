// mbuf operations for TypeScript that need more than a field access.
#include "mbuf/mbuf_ops.hpp"

#include "binding/addon.hpp"
#include "binding/args.hpp"
#include "binding/fast_args.hpp"
#include "binding/fast_call.hpp"

namespace pollwire::binding {

namespace {

std::uint32_t mbufAlloc(std::uint32_t poolId) noexcept {
  setAllocSite("application");
  Mempool* pool = Mempool::byId(poolId);
  Handle handle = pool == nullptr ? kNoHandle : pool->alloc();
  if (handle != kNoHandle) resetForRx(mbufOf(handle), kNoPort, 0);
  return handle;
}

std::uint32_t mbufAllocBulk(std::uint32_t poolId, std::uint32_t word, std::uint32_t wanted) noexcept {
  setAllocSite("application");
  std::uint32_t count = wanted;
  Mempool* pool = Mempool::byId(poolId);
  Handle* handles = burstAt(word, count);
  if (pool == nullptr || handles == nullptr || count != wanted) return 0;
  const std::uint32_t got = pool->allocBulk(handles, count);
  for (std::uint32_t i = 0; i < got; i++) resetForRx(mbufOf(handles[i]), kNoPort, 0);
  return got;
}

void mbufFree(std::uint32_t handle) noexcept {
  setAllocSite("application");
  if (mbufArgument(handle) != nullptr) freeChain(handle);
}

void mbufFreeBulk(std::uint32_t word, std::uint32_t wanted) noexcept {
  setAllocSite("application");
  std::uint32_t count = wanted;
  const Handle* handles = burstAt(word, count);
  if (handles != nullptr) freeBurst(handles, count);
}

Mbuf& packetOf(const Napi::CallbackInfo& info) {
  const std::uint32_t handle = u32(info, 0, "handle");
  Mbuf* mbuf = mbufArgument(handle);
  if (mbuf == nullptr) {
    raise(info.Env(), Status(StatusCode::kInvalidArgument,
                             "mbuf handle " + std::to_string(handle) + " is outside the arena"));
  }
  return *mbuf;
}

std::span<std::byte> spanOf(Napi::Uint8Array array) {
  return {reinterpret_cast<std::byte*>(array.Data()), array.ByteLength()};
}

Napi::Value mbufRead(const Napi::CallbackInfo& info) {
  return Napi::Number::New(
      info.Env(), readPacket(&packetOf(info), u32(info, 1, "offset"), spanOf(bytes(info, 2, "target"))));
}

Napi::Value mbufWrite(const Napi::CallbackInfo& info) {
  return Napi::Number::New(
      info.Env(), writePacket(&packetOf(info), u32(info, 1, "offset"), spanOf(bytes(info, 2, "source"))));
}

Napi::Value mbufAppend(const Napi::CallbackInfo& info) {
  setAllocSite("application");
  const Napi::Uint8Array source = bytes(info, 1, "source");
  const bool done = appendPacket(handleOf(&packetOf(info)), spanOf(source));
  return Napi::Number::New(info.Env(), done ? static_cast<double>(source.ByteLength()) : 0);
}

Mempool& targetPool(const Napi::CallbackInfo& info) {
  const std::uint32_t id = u32(info, 1, "pool");
  Mempool* pool = Mempool::byId(id);
  if (pool == nullptr)
    raise(info.Env(), Status(StatusCode::kNotFound, "there is no pool " + std::to_string(id)));
  return *pool;
}

Napi::Value mbufCopy(const Napi::CallbackInfo& info) {
  setAllocSite("application");
  return Napi::Number::New(info.Env(), copyPacket(handleOf(&packetOf(info)), targetPool(info)));
}

Napi::Value mbufClone(const Napi::CallbackInfo& info) {
  setAllocSite("application");
  return Napi::Number::New(info.Env(), clonePacket(handleOf(&packetOf(info)), targetPool(info)));
}

Napi::Value mbufLinearize(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), linearize(handleOf(&packetOf(info))));
}

Napi::Value mbufChain(const Napi::CallbackInfo& info) {
  const Handle head = handleOf(&packetOf(info));
  const Handle tail = u32(info, 1, "tail");
  return Napi::Boolean::New(info.Env(), mbufArgument(tail) != nullptr && joinChains(head, tail));
}

}  // namespace

void addMbuf(Napi::Env, Napi::Object exports) {
  addCall<mbufAlloc>(exports, "mbufAlloc");
  addCall<mbufAllocBulk>(exports, "mbufAllocBulk");
  addCall<mbufFree>(exports, "mbufFree");
  addCall<mbufFreeBulk>(exports, "mbufFreeBulk");
  add(exports, "mbufRead", mbufRead);
  add(exports, "mbufWrite", mbufWrite);
  add(exports, "mbufAppend", mbufAppend);
  add(exports, "mbufCopy", mbufCopy);
  add(exports, "mbufClone", mbufClone);
  add(exports, "mbufLinearize", mbufLinearize);
  add(exports, "mbufChain", mbufChain);
}

}  // namespace pollwire::binding
