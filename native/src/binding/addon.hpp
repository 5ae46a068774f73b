// The addon's parts: each file of binding/ adds its functions to the exports object.
// Each wrapped function reads its arguments, calls the core, wraps the result; nothing else happens here.
#pragma once

#include <napi.h>

namespace pollwire::binding {

void addLayout(Napi::Env env, Napi::Object exports);
void addMemory(Napi::Env env, Napi::Object exports);
void addMbuf(Napi::Env env, Napi::Object exports);
void addRings(Napi::Env env, Napi::Object exports);
void addLcore(Napi::Env env, Napi::Object exports);
void addSlots(Napi::Env env, Napi::Object exports);
void addPorts(Napi::Env env, Napi::Object exports);
void addNetDevices(Napi::Env env, Napi::Object exports);
void addVhost(Napi::Env env, Napi::Object exports);
void addVhostChains(Napi::Env env, Napi::Object exports);
void addVirtio(Napi::Env env, Napi::Object exports);
void addSys(Napi::Env env, Napi::Object exports);
void addWatch(Napi::Env env, Napi::Object exports);
void addEvents(Napi::Env env, Napi::Object exports);

using Function = Napi::Value (*)(const Napi::CallbackInfo&);

inline void add(Napi::Object exports, const char* name, Function function) {
  exports.Set(name, Napi::Function::New(exports.Env(), function, name));
}

// For the data path: no C++ wrapper object per call.
inline void addFast(Napi::Object exports, const char* name, napi_callback function) {
  napi_value value;
  napi_create_function(exports.Env(), name, NAPI_AUTO_LENGTH, function, nullptr, &value);
  exports.Set(name, Napi::Value(exports.Env(), value));
}

}  // namespace pollwire::binding
