// Capture file port: rx replays a file, tx appends to one, one write per burst. Bound by the binding for
// net_pcap.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "pmd/null_port.hpp"

namespace pollwire::pmd {

struct PcapRxOptions {
  std::uint32_t pool = 0;
  std::uint16_t port = 0;
  bool infinite = false;  // begins again at the end
};

Result<std::unique_ptr<QueueEnd>> bindPcapRx(BurstSlot& slot, const std::string& path,
                                             const PcapRxOptions& options);
// `fd` comes from createPcapFile and outlives every burst.
std::unique_ptr<QueueEnd> bindPcapTx(BurstSlot& slot, int fd, std::uint32_t snapLength);

}  // namespace pollwire::pmd
