// The kernel's TUN/TAP character device: opens queues of an interface and sets what belongs to the
// descriptor. Called by the binding for net_tap and net_tun. Control plane only.
#pragma once

#include <string>

#include "base/result.hpp"
#include "sys/fd.hpp"

namespace pollwire {

struct TapOptions {
  bool tun = false;        // IP packets instead of Ethernet frames
  bool multiQueue = true;  // more descriptors may be opened for the same interface
  bool mustBeNew = false;  // an interface of this name must not exist
};

struct TapQueue {
  Fd fd;             // non-blocking; every packet is preceded by a virtio-net header of 10 bytes
  std::string name;  // what became of a name with %d
};

// Opens one queue of interface `name` (at most 15 bytes; %d stands for the first free number), making the
// interface when there is none. errno is kept: ENOENT or ENXIO without the device node, EPERM without
// CAP_NET_ADMIN, EBUSY and EINVAL when the name belongs to something else.
Result<TapQueue> openTapQueue(const std::string& name, const TapOptions& options);

// What the kernel may leave to us: checksums, and segmentation of TCP.
Status setTapOffload(int fd, bool checksum, bool segmentation);
// Whether the interface outlives its last descriptor.
Status setTapPersist(int fd, bool persist);
// Carrier of the interface; needs no privilege beyond the descriptor.
Status setTapCarrier(int fd, bool up);
// False when the interface was deleted under the descriptor.
bool tapAttached(int fd) noexcept;

}  // namespace pollwire
