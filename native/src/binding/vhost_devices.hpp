// The vhost devices of the process, by the number that TypeScript knows them by. Kept by vhost.cpp, used by
// the other files of binding/ that deal with them.
#pragma once

#include <napi.h>

#include "vhost/vhost_device.hpp"

namespace pollwire::binding {

// The device that the first argument names; raises NOT_FOUND when there is none.
vhost::Device& vhostDeviceOf(const Napi::CallbackInfo& info);

}  // namespace pollwire::binding
