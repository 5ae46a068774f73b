// Receiving through a filter: exactly the frames it lets through arrive, the others are counted by their
// reason and their buffers posted again, and it changes while the queue runs. Every verdict for both layouts.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/hand_device.hpp"

namespace pollwire::test {
namespace {

constexpr std::uint64_t kModern = virtio::kVersion1;
constexpr std::uint64_t kMergeable = virtio::kVersion1 | virtio::kNetMrgRxbuf;
constexpr std::uint32_t kRoom = 512;

constexpr MacAddress kOwn{{2, 0, 0, 0, 0, 0x10}};
constexpr MacAddress kOther{{2, 0, 0, 0, 0, 0x12}};
constexpr MacAddress kGroup{{1, 0, 0x5e, 0, 0, 1}};

ByteVector frameTo(const MacAddress& destination, std::size_t length = 60, unsigned vlan = 4096) {
  ByteVector frame = patternBytes(length);
  destination.store(frame.data());
  const std::uint8_t tag[] = {0x81, 0, static_cast<std::uint8_t>(vlan >> 8), static_cast<std::uint8_t>(vlan)};
  const std::uint8_t plain[] = {0x08, 0};
  if (vlan < 4096) std::memcpy(frame.data() + 12, tag, sizeof tag);
  else std::memcpy(frame.data() + 12, plain, sizeof plain);
  return frame;
}

RxFilterSettings onlyOwn() {
  RxFilterSettings settings;
  settings.promiscuous = false;
  settings.allMulticast = false;
  settings.addresses = {kOwn};
  return settings;
}

template <class Layout>
class VirtioRxFilter : public ArenaTest {
 protected:
  using Hand = HandDevice<Layout>;
  Mempool& pool(std::uint32_t count = 300) { return makePool(count, kRoom + kHeadroom); }
  static virtio::NetHdr header(std::uint16_t buffers) { return {0, 0, 0, 0, 0, 0, buffers}; }
  // In buffers of `piece` bytes.
  static void deliverIn(Hand& hand, const ByteVector& frame, std::size_t piece) {
    const auto count = static_cast<std::uint16_t>((frame.size() + 12 + piece - 1) / piece);
    const ByteVector bytes = hand.withHeader(frame, header(count));
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      const std::size_t length = std::min(piece, bytes.size() - at);
      hand.fill(std::span(bytes).subspan(at, length), static_cast<std::uint32_t>(length));
    }
  }
};

using Layouts = ::testing::Types<SplitLayout, PackedLayout>;
TYPED_TEST_SUITE(VirtioRxFilter, Layouts);

TYPED_TEST(VirtioRxFilter, StopsCountsAndPostsAgain) {
  for (const std::uint64_t features :
       {kModern, kMergeable, kModern | virtio::kInOrder, kMergeable | virtio::kInOrder}) {
    Mempool& pool = this->pool();
    typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {features, 16});
    RxFilterSettings settings = onlyOwn();
    settings.filterVlans = true;
    settings.vlans[0] = 1u << 5;
    ASSERT_TRUE(hand.driver.setRxFilter(settings).ok());
    for (std::uint32_t round = 0; round < 20; round++) {
      hand.deliver(frameTo(kOwn, 100));
      hand.deliver(frameTo(kOther, 101));
      hand.deliver(frameTo(kGroup, 102));
      hand.deliver(frameTo(kOwn, 103, 6));
      hand.deliver(frameTo(kOwn, 104, 5));
      hand.answer();
      ASSERT_EQ(hand.receiveFrames(), (std::vector<ByteVector>{frameTo(kOwn, 100), frameTo(kOwn, 104, 5)}));
    }
    EXPECT_EQ(hand.count(kPACKETS), 40u);
    EXPECT_EQ(hand.count(kBYTES), 20u * 204);
    EXPECT_EQ(hand.count(kMULTICAST), 0u) << "only what is delivered is counted";
    EXPECT_EQ(hand.count(kRX_FILTERED_UNICAST), 20u);
    EXPECT_EQ(hand.count(kRX_FILTERED_MULTICAST), 20u);
    EXPECT_EQ(hand.count(kRX_FILTERED_VLAN), 20u);
    EXPECT_EQ(hand.driver.state(0)->inFlight, 16u);
    EXPECT_EQ(pool.available(), pool.size() - 16);
  }
}

TYPED_TEST(VirtioRxFilter, LooksIntoFramesOfSeveralBuffers) {
  Mempool& pool = this->pool();
  typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {kMergeable, 256});
  RxFilterSettings settings = onlyOwn();
  settings.filterVlans = true;
  settings.vlans[0] = 1u << 5;
  ASSERT_TRUE(hand.driver.setRxFilter(settings).ok());
  // The header fills the first buffer, ends in the addresses, in the tag, and behind it.
  for (const std::size_t piece : {12u, 13u, 15u, 20u, 27u, 100u}) {
    const std::uint64_t unicast = hand.count(kRX_FILTERED_UNICAST);
    const std::uint64_t vlan = hand.count(kRX_FILTERED_VLAN);
    const ByteVector good = frameTo(kOwn, 150, 5);
    TestFixture::deliverIn(hand, frameTo(kOther, 150), piece);
    TestFixture::deliverIn(hand, frameTo(kOwn, 150, 6), piece);
    TestFixture::deliverIn(hand, good, piece);
    hand.answer();
    // A header alone, with the rest elsewhere, is what the largest piece of 12 gives.
    ASSERT_EQ(hand.receiveFrames(), std::vector<ByteVector>{good}) << piece;
    ASSERT_EQ(hand.count(kRX_FILTERED_UNICAST), unicast + 1) << piece;
    ASSERT_EQ(hand.count(kRX_FILTERED_VLAN), vlan + 1) << piece;
    ASSERT_EQ(pool.available(), pool.size() - hand.driver.state(0)->inFlight) << piece;
  }
}

TYPED_TEST(VirtioRxFilter, ALongRunOfUnwantedFramesIsFreed) {
  Mempool& pool = this->pool(600);
  typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {kModern, 256});
  ASSERT_TRUE(hand.driver.setRxFilter(onlyOwn()).ok());
  for (std::uint32_t i = 0; i < 200; i++) hand.deliver(frameTo(i == 150 ? kOwn : kOther));
  hand.answer();
  EXPECT_EQ(hand.receiveFrames(256), std::vector<ByteVector>{frameTo(kOwn)});
  EXPECT_EQ(hand.count(kRX_FILTERED_UNICAST), 199u);
  EXPECT_EQ(hand.driver.state(0)->inFlight, 256u);
  EXPECT_EQ(pool.available(), pool.size() - 256);
}

TYPED_TEST(VirtioRxFilter, FiltersByTheTagThatStrippingTakesOut) {
  typename TestFixture::Hand hand(virtio::Direction::kRx, this->pool(), {kModern, 16});
  ASSERT_TRUE(hand.driver.setStripVlan(0, true).ok());
  RxFilterSettings settings;
  settings.filterVlans = true;
  settings.vlans[0] = 1u << 5;
  ASSERT_TRUE(hand.driver.setRxFilter(settings).ok());
  hand.deliver(frameTo(kOther, 80, 6));
  hand.deliver(frameTo(kOther, 80, 5));
  hand.answer();
  const auto packets = hand.receive();
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_EQ(mbufOf(packets[0])->vlanTci, 5);
  EXPECT_EQ(mbufOf(packets[0])->pktLen, 76u);
  freeBurst(packets.data(), 1);
  EXPECT_EQ(hand.count(kRX_FILTERED_VLAN), 1u);
}

TYPED_TEST(VirtioRxFilter, OutlivesARestartAndIsRefusedWhole) {
  typename TestFixture::Hand hand(virtio::Direction::kRx, this->pool(), {kModern, 16});
  ASSERT_TRUE(hand.driver.setRxFilter(onlyOwn()).ok());
  RxFilterSettings tooMany = onlyOwn();
  tooMany.addresses.assign(RxFilter::kMaxAddresses + 1, kOther);
  const Status refused = hand.driver.setRxFilter(tooMany);
  EXPECT_EQ(refused.code(), StatusCode::kOutOfRange);
  EXPECT_NE(refused.detail().find("virtio device 7"), std::string::npos) << refused.detail();
  hand.deliver(frameTo(kOther));
  hand.deliver(frameTo(kOwn));
  hand.answer();
  EXPECT_EQ(hand.receiveFrames(), std::vector<ByteVector>{frameTo(kOwn)}) << "the old filter is in force";
}

TYPED_TEST(VirtioRxFilter, ChangesWhileAnotherThreadReceives) {
  Mempool& pool = this->pool(600);
  typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {kModern, 256});
  std::atomic<bool> end{false};
  std::atomic<std::uint32_t> wrong{0};
  std::uint32_t received = 0;
  std::thread poller([&] {
    Handle handles[32];
    for (bool last = false; !last;) {
      last = end.load();
      for (std::uint32_t got = 0; (got = hand.slot().run(handles, 32)) != 0;) {
        for (std::uint32_t i = 0; i < got; i++) {
          const MacAddress to = MacAddress::load(dataOf(mbufOf(handles[i])));
          if (!(to == kOwn || to == kOther)) wrong++;
        }
        received += got;
        freeBurst(handles, got);
      }
      std::this_thread::yield();
    }
  });
  std::uint32_t delivered = 0;
  for (std::uint32_t round = 0; round < 400; round++) {
    RxFilterSettings settings = onlyOwn();
    settings.promiscuous = round % 2 == 0;
    settings.filterVlans = round % 3 == 0;
    ASSERT_TRUE(hand.driver.setRxFilter(settings).ok());
    const std::uint32_t room = std::min(hand.device.available(), 8u);
    for (std::uint32_t i = 0; i < room; i++) hand.deliver(frameTo(i % 2 == 0 ? kOwn : kOther));
    if (room != 0) hand.answer();
    delivered += room;
  }
  end = true;
  poller.join();
  received += static_cast<std::uint32_t>(hand.receiveFrames(256).size());
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(delivered, 0u);
  EXPECT_EQ(received + hand.count(kRX_FILTERED_UNICAST), delivered);
  EXPECT_EQ(pool.available(), pool.size() - hand.driver.state(0)->inFlight);
}

}  // namespace
}  // namespace pollwire::test
