// Frame: builds packets header by header for the parser tests. Lengths and checksums are what the test gives,
// right or wrong.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace pollwire::test {

class Frame {
 public:
  Frame& u8(unsigned v) {
    bytes_.push_back(static_cast<std::uint8_t>(v));
    return *this;
  }
  Frame& u16(unsigned v) { return u8(v >> 8).u8(v); }
  Frame& u32(std::uint32_t v) { return u16(v >> 16).u16(v & 0xffff); }
  Frame& raw(std::initializer_list<unsigned> values) {
    for (const unsigned v : values) u8(v);
    return *this;
  }
  Frame& zeros(std::size_t n) {
    bytes_.insert(bytes_.end(), n, std::uint8_t{0});
    return *this;
  }
  Frame& append(std::span<const std::uint8_t> more) {
    bytes_.insert(bytes_.end(), more.begin(), more.end());
    return *this;
  }

  Frame& ether(unsigned type) { return raw({2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}).u16(type); }
  Frame& vlan(unsigned tci, unsigned type) { return u16(tci).u16(type); }
  // `options` is a multiple of 4; `payload` is what follows the header.
  Frame& ipv4(unsigned protocol, unsigned payload, unsigned options = 0, unsigned fragment = 0) {
    u8(0x45 + options / 4).u8(0).u16(20 + options + payload).u16(0x1234).u16(fragment);
    return u8(64).u8(protocol).u16(0).u32(0xc0a80001).u32(0xc0a80002).zeros(options);
  }
  Frame& ipv6(unsigned next, unsigned payload) {
    u32(0x60000000).u16(payload).u8(next).u8(64);
    raw({0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
    return raw({0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2});
  }
  Frame& udp(unsigned source, unsigned destination, unsigned payload) {
    return u16(source).u16(destination).u16(8 + payload).u16(0);
  }
  Frame& tcp(unsigned source, unsigned destination, unsigned options = 0) {
    u16(source).u16(destination).u32(1).u32(2).u8((5 + options / 4) << 4).u8(0x18).u16(0x1000).u16(0).u16(0);
    return zeros(options);
  }

  std::vector<std::uint8_t>& bytes() { return bytes_; }
  operator std::span<const std::uint8_t>() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }

 private:
  std::vector<std::uint8_t> bytes_;
};

}  // namespace pollwire::test
