// The first burst of a ring whose memory arrives while the guest runs (postcopy). Reading where the ring
// stands may take until a page has come from another machine: an lcore can wait for it, the control plane
// cannot, whose next answer the page may depend on.
#include "vhost/vhost_queue.hpp"

namespace pollwire::vhost {

namespace {

template <BurstFn (*kSelect)(const Queue&) noexcept>
std::uint32_t firstTouch(void* context, Handle*, std::uint32_t) noexcept {
  Queue& queue = *static_cast<Queue*>(context);
  std::visit(
      [](auto& layout) {
        layout.adoptUsed();
        layout.setKickWanted(false);
      },
      queue.ring);
  queue.logEvent();
  queue.untouched.store(false);
  queue.slot->replaceFromInside(kSelect(queue));
  return 0;
}

}  // namespace

BurstFn selectRxUntouched(const Queue&) noexcept { return firstTouch<selectRx>; }
BurstFn selectTxUntouched(const Queue&) noexcept { return firstTouch<selectTx>; }

}  // namespace pollwire::vhost
