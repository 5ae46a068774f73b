// Typed argument readers with exact messages, and the one place where a Status becomes a JavaScript error.
// Used by every file of binding/.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace pollwire::binding {

// Throws a TypeError that names the function's argument: "poolCreate: argument 2 (count) must be …".
[[noreturn]] inline void badArgument(const Napi::CallbackInfo& info, std::size_t index, const char* name,
                                     const char* want) {
  throw Napi::TypeError::New(info.Env(),
                             "argument " + std::to_string(index + 1) + " (" + name + ") must be " + want);
}

inline std::uint32_t u32(const Napi::CallbackInfo& info, std::size_t index, const char* name) {
  const Napi::Value value = info[index];
  if (!value.IsNumber()) badArgument(info, index, name, "a whole number");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (!(number >= 0 && number <= 4294967295.0) ||
      number != static_cast<double>(static_cast<std::uint32_t>(number))) {
    badArgument(info, index, name, "a whole number from 0 to 4294967295");
  }
  return static_cast<std::uint32_t>(number);
}

inline int i32(const Napi::CallbackInfo& info, std::size_t index, const char* name) {
  const Napi::Value value = info[index];
  if (!value.IsNumber()) badArgument(info, index, name, "a whole number");
  return value.As<Napi::Number>().Int32Value();
}

inline std::string text(const Napi::CallbackInfo& info, std::size_t index, const char* name) {
  const Napi::Value value = info[index];
  if (!value.IsString()) badArgument(info, index, name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

inline bool flag(const Napi::CallbackInfo& info, std::size_t index, const char* name) {
  const Napi::Value value = info[index];
  if (!value.IsBoolean()) badArgument(info, index, name, "true or false");
  return value.As<Napi::Boolean>().Value();
}

inline Napi::Object object(const Napi::CallbackInfo& info, std::size_t index, const char* name) {
  const Napi::Value value = info[index];
  if (!value.IsObject()) badArgument(info, index, name, "an object");
  return value.As<Napi::Object>();
}

inline Napi::Uint8Array bytes(const Napi::CallbackInfo& info, std::size_t index, const char* name) {
  const Napi::Value value = info[index];
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    badArgument(info, index, name, "a Uint8Array");
  }
  return value.As<Napi::Uint8Array>();
}

// A bigint property, taken modulo 2^64.
inline std::uint64_t bigProperty(const Napi::Object& from, const char* name) {
  const Napi::Value value = from.Get(name);
  if (!value.IsBigInt())
    throw Napi::TypeError::New(from.Env(), std::string("property ") + name + " must be a bigint");
  bool lossless = false;
  return value.As<Napi::BigInt>().Uint64Value(&lossless);
}

inline std::uint32_t u32Property(const Napi::Object& from, const char* name) {
  const Napi::Value value = from.Get(name);
  if (!value.IsNumber())
    throw Napi::TypeError::New(from.Env(), std::string("property ") + name + " must be a number");
  return value.As<Napi::Number>().Uint32Value();
}

// An Error with `code`, `errno` and the detail as its message.
[[noreturn]] inline void raise(Napi::Env env, const Status& status) {
  Napi::Error error = Napi::Error::New(env, status.detail());
  error.Set("code", Napi::String::New(env, std::string(status.codeName())));
  if (status.sysErrno() != 0) error.Set("errno", Napi::Number::New(env, status.sysErrno()));
  throw error;
}

inline void check(Napi::Env env, const Status& status) {
  if (!status.ok()) raise(env, status);
}

template <typename T>
T take(Napi::Env env, Result<T>&& result) {
  if (!result) raise(env, result.status());
  return std::move(*result);
}

}  // namespace pollwire::binding
