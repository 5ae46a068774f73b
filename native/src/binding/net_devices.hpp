// Packet sockets that TypeScript opened, by descriptor. Shared by net_devices.cpp and ports.cpp.
#pragma once

#include <memory>

#include "sys/packet_socket.hpp"

namespace pollwire::binding {

// nullptr when there is none.
std::shared_ptr<PacketSocket> packetSocketOf(int fd);

}  // namespace pollwire::binding
