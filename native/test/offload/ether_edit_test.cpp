// Address edits of a burst: what changes, what stays, packets that are too short or cut in two.
#include "offload/ether_edit.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "mbuf/mbuf_ops.hpp"
#include "support/arena_test.hpp"

namespace pollwire::test {
namespace {

using offload::EtherAddresses;

class EtherEdit : public ArenaTest {
 protected:
  static constexpr std::uint32_t kFrame = 60;

  // Bytes 0, 1, 2, …
  static std::vector<std::byte> counting(std::uint32_t length) {
    std::vector<std::byte> bytes(length);
    for (std::uint32_t i = 0; i < length; i++) bytes[i] = static_cast<std::byte>(i);
    return bytes;
  }
  Handle packet(std::uint32_t length) {
    if (pool_ == nullptr) pool_ = &makePool(16);
    const Handle handle = pool_->alloc();
    resetForRx(mbufOf(handle), 0, length);
    const auto bytes = counting(length);
    std::memcpy(dataOf(mbufOf(handle)), bytes.data(), length);
    return handle;
  }
  // The same bytes with the first `cut` of them in a segment of their own.
  Handle split(std::uint32_t length, std::uint32_t cut) {
    const Handle head = packet(length);
    const Handle tail = packet(length);
    Mbuf* const first = mbufOf(head);
    Mbuf* const second = mbufOf(tail);
    first->dataLen = static_cast<std::uint16_t>(cut);
    first->pktLen = cut;
    second->dataOff = static_cast<std::uint16_t>(second->dataOff + cut);
    second->dataLen = static_cast<std::uint16_t>(length - cut);
    second->pktLen = length - cut;
    EXPECT_TRUE(joinChains(head, tail));
    return head;
  }
  static std::vector<std::byte> bytesOf(Handle handle) {
    std::vector<std::byte> bytes(mbufOf(handle)->pktLen);
    EXPECT_EQ(readPacket(mbufOf(handle), 0, bytes), bytes.size());
    return bytes;
  }
  static std::vector<std::byte> swapped(std::uint32_t length) {
    auto bytes = counting(length);
    std::swap_ranges(bytes.begin(), bytes.begin() + 6, bytes.begin() + 6);
    return bytes;
  }

 private:
  Mempool* pool_ = nullptr;
};

TEST_F(EtherEdit, SwapsTheAddressesOfEachPacketAndNothingElse) {
  const Handle handles[] = {packet(kFrame), packet(12), packet(1500)};
  offload::swapAddresses(handles, 3);
  for (const Handle handle : handles) EXPECT_EQ(bytesOf(handle), swapped(mbufOf(handle)->pktLen));
  offload::swapAddresses(handles, 3);
  for (const Handle handle : handles) EXPECT_EQ(bytesOf(handle), counting(mbufOf(handle)->pktLen));
  for (const Handle handle : handles) freeChain(handle);
}

TEST_F(EtherEdit, WritesBothAddressesOfEachPacketAndNothingElse) {
  std::byte addresses[12];
  std::memset(addresses, 0xa5, sizeof addresses);
  const Handle handles[] = {packet(kFrame), packet(12)};
  offload::setAddresses(handles, 2, EtherAddresses::load(addresses));
  for (const Handle handle : handles) {
    auto expected = counting(mbufOf(handle)->pktLen);
    std::fill_n(expected.begin(), 12, std::byte{0xa5});
    EXPECT_EQ(bytesOf(handle), expected);
    freeChain(handle);
  }
}

TEST_F(EtherEdit, ReachesAcrossSegmentsWhereverTheyAreCut) {
  for (std::uint32_t cut = 1; cut < 14; cut++) {
    const Handle handle = split(kFrame, cut);
    offload::swapAddresses(&handle, 1);
    EXPECT_EQ(bytesOf(handle), swapped(kFrame)) << cut;
    freeChain(handle);
  }
}

TEST_F(EtherEdit, LeavesWhatIsTooShortOrInconsistent) {
  const Handle shortOne = packet(11);
  offload::swapAddresses(&shortOne, 1);
  EXPECT_EQ(bytesOf(shortOne), counting(11));
  freeChain(shortOne);

  const Handle wrong = packet(kFrame);
  Mbuf* const mbuf = mbufOf(wrong);
  const std::uint16_t offset = mbuf->dataOff;
  mbuf->dataOff = 0xffff;
  offload::swapAddresses(&wrong, 1);
  mbuf->dataOff = offset;
  EXPECT_EQ(bytesOf(wrong), counting(kFrame));
  freeChain(wrong);
}

}  // namespace
}  // namespace pollwire::test
