// The heavy side of the asymmetric fence: membarrier(2), with full fences where the kernel has none.
#include "sys/fence.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace pollwire {
namespace {

long membarrier(int command) noexcept { return ::syscall(SYS_membarrier, command, 0, 0); }

bool registerOnce() noexcept {
  const long commands = membarrier(MEMBARRIER_CMD_QUERY);
  if (commands < 0 || (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0) return false;
  if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) != 0) return false;
  storeRelease(detail::membarrierRegistered, true);
  return true;
}

}  // namespace

bool registerAsymmetricFence() noexcept {
  static const bool registered = registerOnce();
  return registered;
}

void asymmetricHeavyFence() noexcept {
  // Registering here as well means that no light side can rely on membarrier before this side uses it.
  const bool registered = registerAsymmetricFence();
  fullFence();
  if (registered) membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

}  // namespace pollwire
