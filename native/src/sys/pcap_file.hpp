// Classic capture files (draft-ietf-opsawg-pcap): reading one that is in memory, writing whole records.
// Called by pmd/pcap_port.cpp and the binding for net_pcap.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "sys/fd.hpp"

namespace pollwire {

// A capture of Ethernet frames, read when it is opened: the file may change or go afterwards.
class PcapReader {
 public:
  // BAD_FILE with the reason: no capture file, pcapng, another link type, cut short.
  static Result<std::unique_ptr<PcapReader>> open(const std::string& path);

  std::uint32_t packets() const noexcept { return packets_; }
  // The next frame, at most 65,535 bytes; empty at the end.
  std::span<const std::byte> next() noexcept;
  void rewind() noexcept { at_ = kFileHeader; }

 private:
  static constexpr std::size_t kFileHeader = 24;
  PcapReader() = default;
  std::uint32_t word(std::size_t offset) const noexcept;
  Status check(const std::string& path);

  std::vector<std::byte> bytes_;
  std::size_t at_ = kFileHeader;
  std::uint32_t packets_ = 0;
  bool swapped_ = false;
};

// Replaces the file at `path` by an empty capture (Ethernet, nanoseconds); returns it open for appending
// records.
Result<Fd> createPcapFile(const std::string& path, std::uint32_t snapLength);

// The 16 bytes before each frame, in this machine's byte order.
struct PcapRecord {
  std::uint32_t seconds;
  std::uint32_t nanoseconds;
  std::uint32_t captured;
  std::uint32_t length;
};
static_assert(sizeof(PcapRecord) == 16);

}  // namespace pollwire
