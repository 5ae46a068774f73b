// Network interfaces of the kernel over rtnetlink: what they are, their changes, and the few settings that
// ports have. Called by the binding for ports that sit on an interface. Control plane only.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "sys/fd.hpp"

namespace pollwire {

struct LinkFacts {
  int index = 0;
  std::string name;
  std::uint32_t mtu = 0;
  std::array<std::uint8_t, 6> mac{};  // zero where the interface has none
  bool adminUp = false;               // IFF_UP
  bool carrier = false;               // the interface itself says so, up or not
};

// NOT_FOUND (errno ENODEV) when there is no such interface.
Result<LinkFacts> linkByName(const std::string& name);
Result<LinkFacts> linkByIndex(int index);

Status setLinkUp(int index, bool up);
Status setLinkMtu(int index, std::uint32_t mtu);
Status setLinkMac(int index, const std::array<std::uint8_t, 6>& mac);

// A descriptor that becomes readable when any interface changes or goes.
Result<Fd> openLinkWatch();
// Empties it; the changes themselves are looked up with linkByIndex.
void drainLinkWatch(int fd) noexcept;

}  // namespace pollwire
