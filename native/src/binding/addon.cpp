#include "binding/addon.hpp"

namespace {

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  using namespace pollwire::binding;
  addLayout(env, exports);
  addMemory(env, exports);
  addMbuf(env, exports);
  addRings(env, exports);
  addLcore(env, exports);
  addSlots(env, exports);
  addPorts(env, exports);
  addNetDevices(env, exports);
  addVhost(env, exports);
  addVhostChains(env, exports);
  addVirtio(env, exports);
  addSys(env, exports);
  addWatch(env, exports);
  addEvents(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(pollwire, initialise)
