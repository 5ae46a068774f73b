// Transmit to a vhost device by plain guest-physical addresses, and the choice between that and the rest.
#include "vhost/tx_burst.hpp"

namespace pollwire::vhost {

BurstFn selectTx(const Queue& queue) noexcept {
  if (queue.untouched.load()) return selectTxUntouched(queue);
  if (queue.iommu) return selectTxIova(queue);
  return queue.logged ? selectTxLogged(queue) : txOn<DirectSpace>(queue);
}

}  // namespace pollwire::vhost
