// Receive from a vhost device whose writes have to be told to its address space.
#include "vhost/rx_burst.hpp"

namespace pollwire::vhost {

BurstFn selectRxLogged(const Queue& queue) noexcept { return rxOn<GuestSpace>(queue); }

}  // namespace pollwire::vhost
