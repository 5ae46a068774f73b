#include "sys/packet_socket.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <string>

#include "sys/mapping.hpp"

namespace pollwire {

namespace {

Status set(int fd, int level, int option, const void* value, socklen_t length, const char* what) {
  if (::setsockopt(fd, level, option, value, length) == 0) return {};
  return Status::system(errno, what);
}

Status setFlag(int fd, int option, int value, const char* what) {
  return set(fd, SOL_PACKET, option, &value, sizeof value, what);
}

Status wrongSize(const std::string& what) { return Status(StatusCode::kInvalidArgument, what); }

Status checkSizes(const PacketSocketOptions& options) {
  const auto page = static_cast<std::uint32_t>(systemPageSize());
  const std::string block = std::to_string(options.blockSize);
  const std::string frame = std::to_string(options.frameSize);
  if (options.blockSize == 0 || options.blockSize % page != 0)
    return wrongSize("blocksz=" + block + " is no multiple of the page size, " + std::to_string(page));
  if (options.frameSize < 256 || options.frameSize % TPACKET_ALIGNMENT != 0)
    return wrongSize("framesz=" + frame + " is not a multiple of 16 from 256 on");
  if (options.frameSize > options.blockSize)
    return wrongSize("framesz=" + frame + " does not fit a block; raise blocksz=" + block);
  if (options.frameCount < options.blockSize / options.frameSize)
    return wrongSize("framecnt=" + std::to_string(options.frameCount) +
                     " does not fill one block of blocksz=" + block);
  return {};
}

}  // namespace

Result<std::shared_ptr<PacketSocket>> PacketSocket::open(const PacketSocketOptions& options) {
  PW_RETURN_IF_ERROR(checkSizes(options));
  std::shared_ptr<PacketSocket> made(new PacketSocket());
  PacketSocket& socket = *made;
  // Protocol 0: nothing is received before the rings are there.
  socket.fd_.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.fd_) return Status::system(errno, "packet socket");
  const int fd = socket.fd_.get();

  PW_RETURN_IF_ERROR(setFlag(fd, PACKET_VERSION, TPACKET_V2, "PACKET_VERSION"));
  PW_RETURN_IF_ERROR(setFlag(fd, PACKET_VNET_HDR, 1, "PACKET_VNET_HDR"));
  // A frame that the kernel refuses is skipped instead of stopping the ring.
  PW_RETURN_IF_ERROR(setFlag(fd, PACKET_LOSS, 1, "PACKET_LOSS"));
  // What the host itself sends out there is not received.
  PW_RETURN_IF_ERROR(setFlag(fd, PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING"));
  if (options.bypassQdisc) PW_RETURN_IF_ERROR(setFlag(fd, PACKET_QDISC_BYPASS, 1, "PACKET_QDISC_BYPASS"));

  socket.index_ = options.index;
  socket.blockSize_ = options.blockSize;
  socket.frameSize_ = options.frameSize;
  socket.perBlock_ = options.blockSize / options.frameSize;
  const std::uint32_t blocks = options.frameCount / socket.perBlock_;
  socket.frames_ = blocks * socket.perBlock_;
  const tpacket_req ring{options.blockSize, blocks, options.frameSize, socket.frames_};
  PW_RETURN_IF_ERROR(set(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof ring, "PACKET_RX_RING"));
  PW_RETURN_IF_ERROR(set(fd, SOL_PACKET, PACKET_TX_RING, &ring, sizeof ring, "PACKET_TX_RING"));

  socket.bytes_ = 2 * static_cast<std::size_t>(blocks) * options.blockSize;
  void* mapped = ::mmap(nullptr, socket.bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) {
    socket.bytes_ = 0;
    return Status::system(errno, "map the packet rings");
  }
  socket.rings_ = static_cast<std::byte*>(mapped);

  // A whole ring may be on its way: nothing waits in it for another send call. Without CAP_NET_ADMIN what is
  // allowed has to do.
  const int buffer = static_cast<int>(std::min<std::size_t>(socket.bytes_ * 2, 1u << 30));
  if (::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer) != 0)
    (void)::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);

  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = options.index;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return Status::system(errno, "bind the packet socket");
  return made;
}

PacketSocket::~PacketSocket() {
  if (rings_ != nullptr) ::munmap(rings_, bytes_);
}

Status PacketSocket::listenTo(Reach reach, bool on) {
  packet_mreq membership{};
  membership.mr_ifindex = index_;
  membership.mr_type = reach == Reach::kPromiscuous ? PACKET_MR_PROMISC : PACKET_MR_ALLMULTI;
  return set(fd(), SOL_PACKET, on ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP, &membership,
             sizeof membership, reach == Reach::kPromiscuous ? "PACKET_MR_PROMISC" : "PACKET_MR_ALLMULTI");
}

Status PacketSocket::accept(bool otherStations, bool groups) {
  if (otherStations) {
    // Fails when there is no filter, which is what is wanted.
    const int none = 0;
    (void)::setsockopt(fd(), SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
    return Status();
  }
  const auto drop = [](std::uint32_t type, std::uint8_t skip) noexcept {
    return sock_filter{BPF_JMP | BPF_JEQ | BPF_K, skip, 0, type};
  };
  // Classic BPF over sll_pkttype (packet(7)): the last instruction drops, the one before it keeps the whole
  // frame.
  sock_filter program[] = {
      {BPF_LD | BPF_B | BPF_ABS, 0, 0, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)},
      drop(PACKET_OTHERHOST, 2),
      drop(groups ? PACKET_OTHERHOST : PACKET_MULTICAST, 1),
      {BPF_RET | BPF_K, 0, 0, 0xffffffff},
      {BPF_RET | BPF_K, 0, 0, 0},
  };
  const sock_fprog filter{sizeof program / sizeof program[0], program};
  return set(fd(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter, "SO_ATTACH_FILTER");
}

Result<std::uint32_t> PacketSocket::joinFanout(std::optional<std::uint32_t> group, std::uint32_t mode) {
  const std::uint32_t unique = group ? 0 : PACKET_FANOUT_FLAG_UNIQUEID;
  const std::uint32_t value = group.value_or(0) | ((mode | unique) << 16);
  PW_RETURN_IF_ERROR(set(fd(), SOL_PACKET, PACKET_FANOUT, &value, sizeof value, "PACKET_FANOUT"));
  if (group) return *group;
  std::uint32_t joined = 0;
  socklen_t length = sizeof joined;
  if (::getsockopt(fd(), SOL_PACKET, PACKET_FANOUT, &joined, &length) != 0)
    return Status::system(errno, "PACKET_FANOUT");
  return joined & 0xffffu;
}

}  // namespace pollwire
