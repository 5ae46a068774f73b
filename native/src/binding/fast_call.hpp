// Functions of numbers that the data path calls once per burst. Each is written once, as a plain function of
// 32-bit words. TypeScript reaches it through V8's own interface where the headers of the running Node were
// found at build time, as a fast call where they describe those (optimised code then jumps right to the
// function); else through Node-API.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <type_traits>
#include <utility>

#include "binding/fast_args.hpp"

#if POLLWIRE_V8
#include <node_version.h>
#include <v8.h>
#if __has_include(<v8-fast-api-calls.h>)
#include <v8-fast-api-calls.h>
#define POLLWIRE_V8_FAST 1
#endif
#endif

namespace pollwire::binding {

namespace detail {

template <typename F>
struct Signature;
template <typename R, typename... A>
struct Signature<R (*)(A...) noexcept> {
  static_assert((std::is_same_v<A, std::uint32_t> && ...));
  static_assert(std::is_same_v<R, std::uint32_t> || std::is_void_v<R>);
  using Result = R;
  static constexpr std::size_t kCount = sizeof...(A);
  using Indices = std::make_index_sequence<kCount>;
};

template <auto kFunction, std::size_t... kIndex>
PW_INLINE auto apply(const std::uint32_t* args, std::index_sequence<kIndex...>) noexcept {
  return kFunction(args[kIndex]...);
}

template <auto kFunction>
napi_value callback(napi_env env, napi_callback_info info) {
  using Shape = Signature<decltype(kFunction)>;
  const FastArgs<Shape::kCount> args(env, info);
  if constexpr (std::is_void_v<typename Shape::Result>) {
    apply<kFunction>(args.value, typename Shape::Indices{});
    return nullptr;
  } else {
    return number(env, apply<kFunction>(args.value, typename Shape::Indices{}));
  }
}

#if POLLWIRE_V8

template <auto kFunction>
void slowCall(const v8::FunctionCallbackInfo<v8::Value>& info) {
  using Shape = Signature<decltype(kFunction)>;
  std::uint32_t args[Shape::kCount] = {};
  for (std::size_t i = 0; i < Shape::kCount; i++) {
    const v8::Local<v8::Value> value = info[static_cast<int>(i)];
    if (PW_LIKELY(value->IsUint32())) args[i] = value.As<v8::Uint32>()->Value();
    // As through Node-API: what is no number leaves 0.
    else if (value->IsNumber())
      args[i] = value->Uint32Value(info.GetIsolate()->GetCurrentContext()).FromMaybe(0);
  }
  if constexpr (std::is_void_v<typename Shape::Result>) apply<kFunction>(args, typename Shape::Indices{});
  else info.GetReturnValue().Set(apply<kFunction>(args, typename Shape::Indices{}));
}

#if POLLWIRE_V8_FAST
template <auto kFunction, typename = typename Signature<decltype(kFunction)>::Indices>
struct FastCall;
template <auto kFunction, std::size_t... kIndex>
struct FastCall<kFunction, std::index_sequence<kIndex...>> {
  template <std::size_t>
  using Word = std::uint32_t;
  static auto call(v8::Local<v8::Value>, Word<kIndex>... args) { return kFunction(args...); }
};
#endif

// V8's interface, unlike Node-API's, is that of one Node version.
inline bool builtForThisNode(napi_env env) noexcept {
  const napi_node_version* running = nullptr;
  return napi_get_node_version(env, &running) == napi_ok && running->major == NODE_MAJOR_VERSION &&
         running->minor == NODE_MINOR_VERSION && running->patch == NODE_PATCH_VERSION;
}

template <auto kFunction>
napi_value fastFunction(const char* name) {
  v8::Isolate* const isolate = v8::Isolate::GetCurrent();
#if POLLWIRE_V8_FAST
  static const v8::CFunction direct = v8::CFunction::Make(&FastCall<kFunction>::call);
  const v8::CFunction* const fast = &direct;
#else
  const v8::CFunction* const fast = nullptr;
#endif
  const v8::Local<v8::FunctionTemplate> shape =
      v8::FunctionTemplate::New(isolate, slowCall<kFunction>, {}, {}, Signature<decltype(kFunction)>::kCount,
                                v8::ConstructorBehavior::kThrow, v8::SideEffectType::kHasSideEffect, fast);
  v8::Local<v8::Function> function;
  if (!shape->GetFunction(isolate->GetCurrentContext()).ToLocal(&function)) return nullptr;
  function->SetName(v8::String::NewFromUtf8(isolate, name).ToLocalChecked());
  // Node-API's values are V8's handles.
  static_assert(sizeof(napi_value) == sizeof(v8::Local<v8::Function>));
  return reinterpret_cast<napi_value>(*function);
}

#endif

}  // namespace detail

// Exports `kFunction`, a function of 32-bit words that returns one or nothing, does not throw, and takes 0
// for whatever is not a number.
template <auto kFunction>
void addCall(Napi::Object exports, const char* name) {
  const napi_env env = exports.Env();
  napi_value function = nullptr;
#if POLLWIRE_V8
  if (detail::builtForThisNode(env)) function = detail::fastFunction<kFunction>(name);
#endif
  if (function == nullptr) {
    napi_create_function(env, name, NAPI_AUTO_LENGTH, detail::callback<kFunction>, nullptr, &function);
  }
  exports.Set(name, Napi::Value(env, function));
}

}  // namespace pollwire::binding
