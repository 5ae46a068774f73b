#include "sys/pcap_file.hpp"

#include <sys/stat.h>

#include <cstring>

namespace pollwire {

namespace {

constexpr std::uint32_t kMicroseconds = 0xa1b2c3d4;
constexpr std::uint32_t kNanoseconds = 0xa1b23c4d;
constexpr std::uint32_t kPcapng = 0x0a0d0d0a;
constexpr std::uint32_t kEthernet = 1;
constexpr std::uint64_t kLargest = 1ull << 31;
constexpr std::uint32_t kLongestFrame = 65535;

struct FileHeader {
  std::uint32_t magic;
  std::uint16_t major;
  std::uint16_t minor;
  std::uint32_t reserved[2];
  std::uint32_t snapLength;
  std::uint32_t linkType;
};
static_assert(sizeof(FileHeader) == 24);

Status wrong(const std::string& path, const std::string& why) {
  return Status(StatusCode::kBadFile, path + ": " + why);
}

Result<std::vector<std::byte>> readWhole(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return Status::system(errno, "open " + path);
  struct stat facts {};
  if (::fstat(fd.get(), &facts) != 0) return Status::system(errno, path);
  if (!S_ISREG(facts.st_mode)) return wrong(path, "it is no regular file");
  if (static_cast<std::uint64_t>(facts.st_size) > kLargest)
    return wrong(path, "captures of more than 2 GiB are not read; split it (editcap -c)");
  std::vector<std::byte> bytes(static_cast<std::size_t>(facts.st_size));
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = ::read(fd.get(), bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Status::system(errno, "read " + path);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

}  // namespace

Result<std::unique_ptr<PcapReader>> PcapReader::open(const std::string& path) {
  auto bytes = readWhole(path);
  if (!bytes) return bytes.status();
  std::unique_ptr<PcapReader> reader(new PcapReader());
  reader->bytes_ = std::move(*bytes);
  PW_RETURN_IF_ERROR(reader->check(path));
  return reader;
}

// Walks all records once, so that next() need not doubt them.
Status PcapReader::check(const std::string& path) {
  if (bytes_.size() < kFileHeader) return wrong(path, "it is too short for a capture");
  const std::uint32_t magic = word(0);
  if (magic == kPcapng) return wrong(path, "pcapng is not read; convert it (editcap -F pcap)");
  const std::uint32_t turned = __builtin_bswap32(magic);
  swapped_ = turned == kMicroseconds || turned == kNanoseconds;
  if (!swapped_ && magic != kMicroseconds && magic != kNanoseconds)
    return wrong(path, "it is no capture file");
  const std::uint32_t linkType = word(20) & 0x0fffffffu;
  if (linkType != kEthernet)
    return wrong(path, "its packets have link type " + std::to_string(linkType) + ", not Ethernet (1)");
  for (std::size_t at = kFileHeader; at < bytes_.size(); packets_++) {
    const std::size_t left = bytes_.size() - at;
    const std::string which = "packet " + std::to_string(packets_ + 1);
    if (left < sizeof(PcapRecord)) return wrong(path, "it ends within " + which);
    const std::uint32_t captured = word(at + 8);
    if (captured > kLongestFrame) return wrong(path, which + " has " + std::to_string(captured) + " bytes");
    if (captured > left - sizeof(PcapRecord)) return wrong(path, "it ends within " + which);
    at += sizeof(PcapRecord) + captured;
  }
  return {};
}

std::span<const std::byte> PcapReader::next() noexcept {
  if (at_ >= bytes_.size()) return {};
  const std::uint32_t captured = word(at_ + 8);
  const std::span<const std::byte> frame(bytes_.data() + at_ + sizeof(PcapRecord), captured);
  at_ += sizeof(PcapRecord) + captured;
  return frame;
}

std::uint32_t PcapReader::word(std::size_t offset) const noexcept {
  std::uint32_t value;
  std::memcpy(&value, bytes_.data() + offset, sizeof value);
  return swapped_ ? __builtin_bswap32(value) : value;
}

Result<Fd> createPcapFile(const std::string& path, std::uint32_t snapLength) {
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
               0644));
  if (!fd) return Status::system(errno, "create " + path);
  struct stat facts {};
  if (::fstat(fd.get(), &facts) != 0) return Status::system(errno, path);
  if (!S_ISREG(facts.st_mode)) return wrong(path, "it is no regular file");
  const FileHeader header{kNanoseconds, 2, 4, {0, 0}, snapLength, kEthernet};
  if (::write(fd.get(), &header, sizeof header) != static_cast<ssize_t>(sizeof header))
    return Status::system(errno, "write " + path);
  return fd;
}

}  // namespace pollwire
