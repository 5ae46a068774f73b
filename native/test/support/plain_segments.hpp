// Cuts a TCP frame by the plainest arithmetic there is: what the tests of segmentation compare with.
#pragma once

#include <cstdint>
#include <vector>

#include "support/offload_frames.hpp"

namespace pollwire::test {

inline std::uint32_t longAt(std::span<const std::uint8_t> frame, unsigned at) {
  return std::uint32_t{wordAt(frame, at)} << 16 | wordAt(frame, at + 2);
}

// The frames that a sender without segmentation offload would have sent instead of `frame`, checksums and
// all.
inline std::vector<std::vector<std::uint8_t>> plainSegments(const std::vector<std::uint8_t>& frame,
                                                            const FrameShape& shape, unsigned size) {
  std::vector<std::vector<std::uint8_t>> segments;
  const unsigned headers = shape.l4Start() + shape.l4();
  const unsigned ip = shape.l2();
  const unsigned tcp = shape.l4Start();
  for (unsigned from = 0; from < shape.payload; from += size) {
    FrameShape part = shape;
    part.payload = std::min(size, shape.payload - from);
    part.padding = 0;
    std::vector<std::uint8_t> bytes(frame.begin(), frame.begin() + headers);
    bytes.insert(bytes.end(), frame.begin() + headers + from, frame.begin() + headers + from + part.payload);
    const unsigned number = from / size;
    if (shape.ipv6) {
      putWord(bytes, ip + 4, part.l4Bytes());
    } else {
      putWord(bytes, ip + 2, shape.l3() + part.l4Bytes());
      putWord(bytes, ip + 4, wordAt(frame, ip + 4) + number);
      putWord(bytes, ip + 10, 0);
      putWord(bytes, ip + 10, ~plainSum(std::span(bytes).subspan(ip, shape.l3())) & 0xffffu);
    }
    const std::uint32_t sequence = longAt(frame, tcp + 4) + from;
    putWord(bytes, tcp + 4, sequence >> 16);
    putWord(bytes, tcp + 6, sequence & 0xffff);
    if (from != 0) bytes[tcp + 13] &= 0x7f;
    if (from + size < shape.payload) bytes[tcp + 13] &= 0xf6;
    putWord(bytes, part.field(), 0);
    const unsigned sum =
        plainSum(std::span(bytes).subspan(part.l4Start(), part.l4Bytes()), plainSeed(bytes, part));
    putWord(bytes, part.field(), ~sum & 0xffffu);
    segments.push_back(std::move(bytes));
  }
  return segments;
}

}  // namespace pollwire::test
