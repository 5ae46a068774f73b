// Transmit to a vhost device behind an IOMMU.
#include "vhost/tx_burst.hpp"

namespace pollwire::vhost {

BurstFn selectTxIova(const Queue& queue) noexcept { return txOn<IovaSpace>(queue); }

}  // namespace pollwire::vhost
