// Receive from a vhost device behind an IOMMU.
#include "vhost/rx_burst.hpp"

namespace pollwire::vhost {

BurstFn selectRxIova(const Queue& queue) noexcept { return rxOn<IovaSpace>(queue); }

}  // namespace pollwire::vhost
