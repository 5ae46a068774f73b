// Rings of handles that TypeScript creates by name: the ring port, fan-out between lcores. Lives in the
// arena. ring/ knows no arena, so the memory comes from the caller.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "ring/any_ring.hpp"

namespace pollwire::rings {

struct Entry {
  std::string name;
  AnyRing ring;
  std::uint64_t offset = 0;
  std::uint32_t users = 0;
};

// Registers a ring made in `memory` (at arena offset `offset`); its id.
Result<std::uint32_t> add(const std::string& name, void* memory, std::uint64_t offset, std::uint32_t capacity,
                          bool singleProducer, bool singleConsumer);
// nullptr when there is no such ring.
Entry* byId(std::uint32_t id) noexcept;
// Forgets it and returns its arena offset; BUSY while a port uses it.
Result<std::uint64_t> remove(std::uint32_t id);

}  // namespace pollwire::rings
