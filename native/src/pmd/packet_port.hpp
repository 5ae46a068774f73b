// Packet socket port: walks the two rings that a packet socket shares with the kernel; one system call per
// transmitted burst, none for received ones. Bound by the binding for net_af_packet.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "pmd/null_port.hpp"
#include "sys/packet_socket.hpp"

namespace pollwire::pmd {

struct PacketRxOptions {
  std::uint32_t pool = 0;
  std::uint16_t port = 0;
  bool stripVlan = false;
};

Result<std::unique_ptr<QueueEnd>> bindPacketRx(BurstSlot& slot, std::shared_ptr<PacketSocket> socket,
                                               const PacketRxOptions& options);
std::unique_ptr<QueueEnd> bindPacketTx(BurstSlot& slot, std::shared_ptr<PacketSocket> socket);

}  // namespace pollwire::pmd
