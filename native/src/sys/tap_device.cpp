#include "sys/tap_device.hpp"

#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <cstring>

namespace pollwire {

namespace {

constexpr const char* kNode = "/dev/net/tun";

Status control(int fd, unsigned long request, unsigned long value, const char* what) {
  if (::ioctl(fd, request, value) == 0) return {};
  return Status::system(errno, what);
}

}  // namespace

Result<TapQueue> openTapQueue(const std::string& name, const TapOptions& options) {
  ifreq request{};
  if (name.empty() || name.size() >= sizeof request.ifr_name)
    return Status(StatusCode::kInvalidArgument, "interface name '" + name + "' has not 1 to 15 bytes");
  Fd fd(::open(kNode, O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return Status::system(errno, std::string("open ") + kNode);

  std::memcpy(request.ifr_name, name.data(), name.size());
  unsigned flags = IFF_NO_PI | IFF_VNET_HDR | (options.tun ? IFF_TUN : IFF_TAP);
  if (options.multiQueue) flags |= IFF_MULTI_QUEUE;
  if (options.mustBeNew) flags |= IFF_TUN_EXCL;
  request.ifr_flags = static_cast<short>(static_cast<unsigned short>(flags));
  if (::ioctl(fd.get(), TUNSETIFF, &request) != 0) return Status::system(errno, "TUNSETIFF " + name);
  request.ifr_name[sizeof request.ifr_name - 1] = '\0';
  return TapQueue{std::move(fd), request.ifr_name};
}

Status setTapOffload(int fd, bool checksum, bool segmentation) {
  unsigned long offload = 0;
  if (checksum) offload |= TUN_F_CSUM;
  if (checksum && segmentation) offload |= TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  return control(fd, TUNSETOFFLOAD, offload, "TUNSETOFFLOAD");
}

Status setTapPersist(int fd, bool persist) {
  return control(fd, TUNSETPERSIST, persist ? 1 : 0, "TUNSETPERSIST");
}

Status setTapCarrier(int fd, bool up) {
  // By address, as the kernel wants this one.
  unsigned carrier = up ? 1 : 0;
  if (::ioctl(fd, TUNSETCARRIER, &carrier) == 0) return {};
  return Status::system(errno, "TUNSETCARRIER");
}

bool tapAttached(int fd) noexcept {
  ifreq request{};
  return ::ioctl(fd, TUNGETIFF, &request) == 0;
}

}  // namespace pollwire
