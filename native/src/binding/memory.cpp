// Arena and pools for TypeScript.
#include "binding/addon.hpp"
#include "binding/args.hpp"
#include "mbuf/mempool.hpp"
#include "mem/arena.hpp"

namespace pollwire::binding {

namespace {

Arena& arenaOf(const Napi::CallbackInfo& info) {
  Arena* arena = Arena::get();
  if (arena == nullptr)
    raise(info.Env(), Status(StatusCode::kBadState, "the arena does not exist yet; initialise the EAL"));
  return *arena;
}

Mempool& poolOf(const Napi::CallbackInfo& info, std::size_t index) {
  const std::uint32_t id = u32(info, index, "pool");
  Mempool* pool = Mempool::byId(id);
  if (pool == nullptr)
    raise(info.Env(), Status(StatusCode::kNotFound, "there is no pool " + std::to_string(id)));
  return *pool;
}

Napi::Object describe(Napi::Env env, const Arena& arena) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("bytes", static_cast<double>(arena.bytes()));
  out.Set("pageSize", static_cast<double>(arena.pageSize()));
  out.Set("fd", arena.fd());
  out.Set("base", Napi::BigInt::New(env, reinterpret_cast<std::uint64_t>(arena.base())));
  out.Set("note", arena.note());
  return out;
}

Napi::Value arenaCreate(const Napi::CallbackInfo& info) {
  const Napi::Object options = object(info, 0, "options");
  HugePages huge = HugePages::kPrefer;
  if (options.Has("huge") && options.Get("huge").IsString()) {
    const std::string word = options.Get("huge").As<Napi::String>().Utf8Value();
    if (word == "never") huge = HugePages::kNever;
    else if (word == "require") huge = HugePages::kRequire;
  }
  const double bytes = options.Get("bytes").ToNumber().DoubleValue();
  check(info.Env(), Arena::create(bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0, huge));
  return describe(info.Env(), *Arena::get());
}

Napi::Value arenaInfo(const Napi::CallbackInfo& info) {
  const Arena* arena = Arena::get();
  return arena == nullptr ? info.Env().Undefined() : describe(info.Env(), *arena);
}

Napi::Value arenaBuffer(const Napi::CallbackInfo& info) {
  Arena& arena = arenaOf(info);
  // The mapping lives as long as the process; the view owns nothing.
  return Napi::ArrayBuffer::New(info.Env(), arena.base(), arena.bytes());
}

Napi::Value arenaAlloc(const Napi::CallbackInfo& info) {
  const double bytes = info[0].ToNumber().DoubleValue();
  const std::uint32_t align = u32(info, 1, "align");
  auto offset = arenaOf(info).allocate(bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0, align,
                                       text(info, 2, "label"));
  return Napi::Number::New(info.Env(), static_cast<double>(take(info.Env(), std::move(offset))));
}

Napi::Value arenaFree(const Napi::CallbackInfo& info) {
  const auto offset = static_cast<std::uint64_t>(info[0].ToNumber().DoubleValue());
  if (!arenaOf(info).release(offset)) {
    raise(info.Env(),
          Status(StatusCode::kNotFound, "no arena block starts at offset " + std::to_string(offset)));
  }
  return info.Env().Undefined();
}

Napi::Value arenaUsage(const Napi::CallbackInfo& info) {
  const Arena& arena = arenaOf(info);
  const Napi::Env env = info.Env();
  Napi::Array blocks = Napi::Array::New(env);
  std::uint32_t index = 0;
  for (const BlockList::Block& block : arena.blocks()) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("label", block.label);
    row.Set("bytes", static_cast<double>(block.bytes));
    blocks.Set(index++, row);
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("bytes", static_cast<double>(arena.bytes()));
  out.Set("used", static_cast<double>(arena.used()));
  out.Set("blocks", blocks);
  return out;
}

Napi::Value poolCreate(const Napi::CallbackInfo& info) {
  auto id = Mempool::create(text(info, 0, "name"), u32(info, 1, "count"), u32(info, 2, "dataRoom"),
                            u32(info, 3, "cacheSize"));
  return Napi::Number::New(info.Env(), take(info.Env(), std::move(id)));
}

Napi::Value poolDestroy(const Napi::CallbackInfo& info) {
  check(info.Env(), Mempool::destroy(u32(info, 0, "pool")));
  return info.Env().Undefined();
}

Napi::Value poolInfo(const Napi::CallbackInfo& info) {
  const Mempool& pool = poolOf(info, 0);
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("name", pool.name());
  out.Set("size", pool.size());
  out.Set("free", pool.available());
  out.Set("cached", pool.cached());
  out.Set("dataRoom", pool.dataRoom());
  out.Set("cacheSize", pool.cacheSize());
  out.Set("elementSize", pool.elementSize());
  return out;
}

Napi::Value poolLeaks(const Napi::CallbackInfo& info) {
  Napi::Array lines = Napi::Array::New(info.Env());
  std::uint32_t index = 0;
  for (const std::string& line : poolOf(info, 0).leaks()) lines.Set(index++, line);
  return lines;
}

Napi::Value mbufViolations(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(MbufCheck::violations()));
}

}  // namespace

void addMemory(Napi::Env, Napi::Object exports) {
  add(exports, "arenaCreate", arenaCreate);
  add(exports, "arenaInfo", arenaInfo);
  add(exports, "arenaBuffer", arenaBuffer);
  add(exports, "arenaAlloc", arenaAlloc);
  add(exports, "arenaFree", arenaFree);
  add(exports, "arenaUsage", arenaUsage);
  add(exports, "poolCreate", poolCreate);
  add(exports, "poolDestroy", poolDestroy);
  add(exports, "poolInfo", poolInfo);
  add(exports, "poolLeaks", poolLeaks);
  add(exports, "mbufViolations", mbufViolations);
}

}  // namespace pollwire::binding
