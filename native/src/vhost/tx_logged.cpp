// Transmit to a vhost device whose writes have to be told to its address space.
#include "vhost/tx_burst.hpp"

namespace pollwire::vhost {

BurstFn selectTxLogged(const Queue& queue) noexcept { return txOn<GuestSpace>(queue); }

}  // namespace pollwire::vhost
