// A packet socket with its two rings in shared memory (packet(7), TPACKET_V2): the kernel writes received
// frames into one and sends what it finds in the other. Every frame is preceded by a virtio-net header of 10
// bytes. Opened by the binding for net_af_packet; the rings are walked by pmd/packet_port.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.hpp"
#include "sys/fd.hpp"

namespace pollwire {

struct PacketSocketOptions {
  int index = 0;  // of the interface
  std::uint32_t blockSize = 4096;
  std::uint32_t frameSize = 2048;
  std::uint32_t frameCount = 512;
  bool bypassQdisc = false;
};

class PacketSocket {
 public:
  // INVALID_ARGUMENT names the number that does not fit; PERMISSION_DENIED without CAP_NET_RAW.
  static Result<std::shared_ptr<PacketSocket>> open(const PacketSocketOptions& options);
  ~PacketSocket();
  PacketSocket(const PacketSocket&) = delete;
  PacketSocket& operator=(const PacketSocket&) = delete;

  // Shares the interface's traffic with other sockets. Without a group it makes one; returns its number.
  Result<std::uint32_t> joinFanout(std::optional<std::uint32_t> group, std::uint32_t mode);

  // Has the interface take frames for others too, as long as this socket lives or until told otherwise.
  enum class Reach : std::uint8_t { kPromiscuous, kAllMulticast };
  Status listenTo(Reach reach, bool on);
  // Which frames of those that the interface takes come into the ring: to its own address and to everybody
  // always; for other stations and to groups if told so. An interface without a filter of its own (a veth)
  // takes all of them.
  Status accept(bool otherStations, bool groups);

  int fd() const noexcept { return fd_.get(); }
  std::uint32_t frames() const noexcept { return frames_; }
  std::uint32_t frameSize() const noexcept { return frameSize_; }
  std::byte* rxFrame(std::uint32_t i) const noexcept { return rings_ + place(i); }
  std::byte* txFrame(std::uint32_t i) const noexcept { return rings_ + bytes_ / 2 + place(i); }

 private:
  PacketSocket() = default;
  // Frames do not cross blocks.
  std::size_t place(std::uint32_t i) const noexcept {
    return static_cast<std::size_t>(i / perBlock_) * blockSize_ +
           static_cast<std::size_t>(i % perBlock_) * frameSize_;
  }

  Fd fd_;
  std::byte* rings_ = nullptr;
  std::size_t bytes_ = 0;
  int index_ = 0;
  std::uint32_t frames_ = 0;
  std::uint32_t frameSize_ = 0;
  std::uint32_t blockSize_ = 0;
  std::uint32_t perBlock_ = 1;
};

}  // namespace pollwire
