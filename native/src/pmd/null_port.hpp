// Null port: rx yields blank packets of one size, tx frees. The baseline that every other driver is measured
// against.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.hpp"
#include "ethdev/burst_slot.hpp"

namespace pollwire::pmd {

// What a bound simple port keeps alive; dropped after its slot was unbound.
class QueueEnd {
 public:
  virtual ~QueueEnd() = default;
};

Result<std::unique_ptr<QueueEnd>> bindNullRx(BurstSlot& slot, std::uint32_t pool, std::uint32_t size,
                                             bool copy, std::uint16_t port);
std::unique_ptr<QueueEnd> bindNullTx(BurstSlot& slot, bool copy);

}  // namespace pollwire::pmd
