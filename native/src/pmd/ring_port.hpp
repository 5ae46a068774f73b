// Ring port: tx puts mbufs into a ring, rx takes them out of one. Nothing is copied; joins ports inside one
// process.
#pragma once

#include <cstdint>
#include <memory>

#include "pmd/null_port.hpp"
#include "ring/any_ring.hpp"

namespace pollwire::pmd {

// `ring` outlives the binding; the binding's owner checks that.
std::unique_ptr<QueueEnd> bindRingRx(BurstSlot& slot, AnyRing ring, std::uint16_t port);
std::unique_ptr<QueueEnd> bindRingTx(BurstSlot& slot, AnyRing ring);

}  // namespace pollwire::pmd
