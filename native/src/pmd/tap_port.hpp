// TUN/TAP port: one system call per packet, straight between mbufs and the kernel, with the virtio-net header
// that carries checksum and segmentation offload both ways. Bound by the binding for net_tap and net_tun.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "pmd/null_port.hpp"

namespace pollwire::pmd {

struct TapRxOptions {
  std::uint32_t pool = 0;
  std::uint16_t port = 0;
  bool tun = false;
  bool stripVlan = false;
};

// `fd` is a queue of sys/tap_device.hpp and outlives every burst. The queue keeps the mbufs of one largest
// packet posted, as a NIC does.
Result<std::unique_ptr<QueueEnd>> bindTapRx(BurstSlot& slot, int fd, const TapRxOptions& options);
std::unique_ptr<QueueEnd> bindTapTx(BurstSlot& slot, int fd, bool tun);

}  // namespace pollwire::pmd
