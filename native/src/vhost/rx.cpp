// Receive from a vhost device by plain guest-physical addresses, and the choice between that and the rest.
#include "vhost/rx_burst.hpp"

namespace pollwire::vhost {

BurstFn selectRx(const Queue& queue) noexcept {
  if (queue.untouched.load()) return selectRxUntouched(queue);
  if (queue.iommu) return selectRxIova(queue);
  return queue.logged ? selectRxLogged(queue) : rxOn<DirectSpace>(queue);
}

}  // namespace pollwire::vhost
