#include "sys/net_link.hpp"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cstring>

namespace pollwire {

namespace {

// One request about one interface: header, interface, at most one attribute.
struct Request {
  nlmsghdr header;
  ifinfomsg link;
  std::byte attribute[RTA_SPACE(IFNAMSIZ)];
};

Request makeRequest(std::uint16_t type, int index) {
  Request request{};
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.link);
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.link.ifi_family = AF_UNSPEC;
  request.link.ifi_index = index;
  return request;
}

void addAttribute(Request& request, std::uint16_t type, const void* data, std::size_t length) {
  rtattr attribute{static_cast<std::uint16_t>(RTA_LENGTH(length)), type};
  std::memcpy(request.attribute, &attribute, sizeof attribute);
  std::memcpy(request.attribute + RTA_LENGTH(0), data, length);
  request.header.nlmsg_len =
      static_cast<std::uint32_t>(NLMSG_LENGTH(sizeof request.link) + RTA_SPACE(length));
}

Result<Fd> routeSocket(std::uint32_t groups) {
  Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd) return Status::system(errno, "rtnetlink socket");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return Status::system(errno, "bind rtnetlink socket");
  return fd;
}

LinkFacts readLink(const nlmsghdr* header) {
  const auto* link = static_cast<const ifinfomsg*>(NLMSG_DATA(header));
  LinkFacts facts;
  facts.index = link->ifi_index;
  facts.adminUp = (link->ifi_flags & IFF_UP) != 0;
  auto left = static_cast<int>(IFLA_PAYLOAD(header));
  for (const rtattr* at = IFLA_RTA(link); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
    const void* data = RTA_DATA(at);
    const std::size_t length = RTA_PAYLOAD(at);
    if (at->rta_type == IFLA_IFNAME)
      facts.name.assign(static_cast<const char*>(data), ::strnlen(static_cast<const char*>(data), length));
    if (at->rta_type == IFLA_MTU && length == 4) std::memcpy(&facts.mtu, data, 4);
    if (at->rta_type == IFLA_ADDRESS && length == 6) std::memcpy(facts.mac.data(), data, 6);
    if (at->rta_type == IFLA_CARRIER && length == 1)
      facts.carrier = *static_cast<const std::uint8_t*>(data) != 0;
  }
  return facts;
}

// The kernel answers before sendmsg returns: nothing waits here.
Result<LinkFacts> askKernel(const Request& request, const std::string& what) {
  auto fd = routeSocket(0);
  if (!fd) return fd.status();
  if (::send(fd->get(), &request, request.header.nlmsg_len, 0) < 0) return Status::system(errno, what);
  alignas(nlmsghdr) std::byte answer[32768];
  const ssize_t length = ::recv(fd->get(), answer, sizeof answer, 0);
  if (length < 0) return Status::system(errno, what);
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer);
  if (!NLMSG_OK(header, static_cast<std::uint32_t>(length)))
    return Status(StatusCode::kBadMessage, what + ": the kernel's answer is cut short");
  if (header->nlmsg_type == RTM_NEWLINK) return readLink(header);
  const auto* error = static_cast<const nlmsgerr*>(NLMSG_DATA(header));
  if (header->nlmsg_type != NLMSG_ERROR || error->error == 0) return LinkFacts{};
  const int err = -error->error;
  return Status::withErrno(err == ENODEV ? StatusCode::kNotFound : statusCodeOfErrno(err), err, what);
}

Status change(Request request, const std::string& what) {
  request.header.nlmsg_flags |= NLM_F_ACK;
  auto answer = askKernel(request, what);
  return answer ? Status() : answer.status();
}

}  // namespace

Result<LinkFacts> linkByName(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ)
    return Status(StatusCode::kInvalidArgument, "interface name '" + name + "' has not 1 to 15 bytes");
  Request request = makeRequest(RTM_GETLINK, 0);
  addAttribute(request, IFLA_IFNAME, name.c_str(), name.size() + 1);
  return askKernel(request, "interface " + name);
}

Result<LinkFacts> linkByIndex(int index) {
  return askKernel(makeRequest(RTM_GETLINK, index), "interface number " + std::to_string(index));
}

Status setLinkUp(int index, bool up) {
  Request request = makeRequest(RTM_NEWLINK, index);
  request.link.ifi_flags = up ? IFF_UP : 0;
  request.link.ifi_change = IFF_UP;
  return change(request, up ? "set the interface up" : "set the interface down");
}

Status setLinkMtu(int index, std::uint32_t mtu) {
  Request request = makeRequest(RTM_NEWLINK, index);
  addAttribute(request, IFLA_MTU, &mtu, sizeof mtu);
  return change(request, "set the interface's MTU to " + std::to_string(mtu));
}

Status setLinkMac(int index, const std::array<std::uint8_t, 6>& mac) {
  Request request = makeRequest(RTM_NEWLINK, index);
  addAttribute(request, IFLA_ADDRESS, mac.data(), mac.size());
  return change(request, "set the interface's MAC address");
}

Result<Fd> openLinkWatch() { return routeSocket(RTMGRP_LINK); }

void drainLinkWatch(int fd) noexcept {
  std::byte scrap[256];
  // ENOBUFS means that messages were lost, which makes no difference here.
  while (::recv(fd, scrap, sizeof scrap, MSG_DONTWAIT) >= 0 || errno == ENOBUFS || errno == EINTR) {
  }
}

}  // namespace pollwire
