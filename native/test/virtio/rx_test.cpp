// Receiving from a device that lies: lengths, buffer counts, headers, ids. Every verdict for both layouts.
#include <gtest/gtest.h>

#include "ethdev/native_events.hpp"
#include "support/hand_device.hpp"
#include "support/random.hpp"

namespace pollwire::test {
namespace {

constexpr std::uint64_t kModern = virtio::kVersion1;
constexpr std::uint64_t kMergeable = virtio::kVersion1 | virtio::kNetMrgRxbuf;
constexpr std::uint32_t kRoom = 512;

template <class Layout>
class VirtioRx : public ArenaTest {
 protected:
  using Hand = HandDevice<Layout>;

  Mempool& pool(std::uint32_t count = 300) { return makePool(count, kRoom + kHeadroom); }
  static virtio::NetHdr header(std::uint16_t buffers) { return {0, 0, 0, 0, 0, 0, buffers}; }
};

using Layouts = ::testing::Types<SplitLayout, PackedLayout>;
TYPED_TEST_SUITE(VirtioRx, Layouts);

TYPED_TEST(VirtioRx, PostsTheWholeRing) {
  Mempool& pool = this->pool();
  typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {kModern, 16});
  const auto heads = hand.heads();
  ASSERT_EQ(heads.size(), 16u);
  for (const Head& head : heads) {
    EXPECT_TRUE(isSingle(head, Access::kWrite));
    EXPECT_EQ(head.len, kRoom + 12);
    // The header ends where the packet of every mbuf begins.
    EXPECT_EQ((head.addr + 12) % 64, 0u);
  }
  EXPECT_EQ(pool.available(), pool.size() - 16);
}

TYPED_TEST(VirtioRx, DeliversAndPostsAgain) {
  Mempool& pool = this->pool();
  typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {kModern, 16});
  for (std::uint32_t round = 0; round < 20; round++) {
    std::vector<ByteVector> sent;
    for (std::uint32_t i = 0; i < 1 + round % 16; i++) {
      sent.push_back(patternBytes(14 + 31 * i, round));
      hand.deliver(sent.back());
    }
    EXPECT_TRUE(hand.receiveFrames().empty()) << "not answered yet";
    hand.answer();
    EXPECT_EQ(hand.receiveFrames(), sent);
  }
  EXPECT_EQ(hand.driver.state(0)->inFlight, 16u);
}

TYPED_TEST(VirtioRx, TakesNoMoreThanAsked) {
  typename TestFixture::Hand hand(virtio::Direction::kRx, this->pool(), {kModern, 16});
  for (std::uint32_t i = 0; i < 10; i++) hand.deliver(patternBytes(60, i));
  hand.answer();
  EXPECT_EQ(hand.receiveFrames(3).size(), 3u);
  EXPECT_EQ(hand.receiveFrames(0).size(), 0u);
  EXPECT_EQ(hand.receiveFrames(64).size(), 7u);
}

// Row 144.
TYPED_TEST(VirtioRx, LengthsThatCannotBeAreDropped) {
  for (const std::uint64_t features : {kModern, kMergeable}) {
    Mempool& pool = this->pool();
    typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {features, 16});
    const std::uint32_t bad[] = {0, 1, 11, 12, 12 + 13, kRoom + 13, 0x10000, 0x7fffffff, 0xfffffffe};
    for (const std::uint32_t length : bad)
      hand.fill(hand.withHeader(patternBytes(60), this->header(1)), length);
    hand.deliver(patternBytes(14));
    hand.deliver(patternBytes(kRoom));
    hand.answer();
    const auto frames = hand.receiveFrames();
    ASSERT_EQ(frames.size(), 2u);
    EXPECT_EQ(frames[0].size(), 14u);
    EXPECT_EQ(frames[1], patternBytes(kRoom));
    EXPECT_EQ(hand.count(kRX_BAD_LENGTH), std::size(bad));
    EXPECT_EQ(hand.driver.state(0)->inFlight, 16u) << "their buffers are posted again";
  }
}

TYPED_TEST(VirtioRx, MergesBuffers) {
  Mempool& pool = this->pool();
  typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {kMergeable, 32});
  for (std::uint32_t round = 0; round < 30; round++) {
    const ByteVector frame = patternBytes(3 * kRoom + 100 + round, round);
    const ByteVector bytes = hand.withHeader(frame, this->header(4));
    const std::size_t whole = kRoom + 12;
    for (std::size_t at = 0; at < bytes.size(); at += whole) {
      const std::size_t piece = std::min(whole, bytes.size() - at);
      hand.fill(std::span(bytes).subspan(at, piece), static_cast<std::uint32_t>(piece));
    }
    hand.deliver(patternBytes(60, round));
    hand.answer();
    const auto packets = hand.receive();
    ASSERT_EQ(packets.size(), 2u);
    EXPECT_EQ(mbufOf(packets[0])->nbSegs, 4);
    EXPECT_TRUE(isConsistent(mbufOf(packets[0])));
    EXPECT_EQ(contentsOf(packets[0]), frame);
    EXPECT_EQ(contentsOf(packets[1]), patternBytes(60, round));
    freeBurst(packets.data(), 2);
  }
}

TYPED_TEST(VirtioRx, MergesOverManyBuffersWhateverTheBurst) {
  Mempool& pool = this->pool();
  typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {kMergeable, 256});
  const ByteVector frame = patternBytes(150 * 100);
  const ByteVector bytes = hand.withHeader(frame, this->header(151));
  hand.deliver(patternBytes(99));
  for (std::size_t at = 0; at < bytes.size(); at += 100) {
    const std::size_t piece = std::min<std::size_t>(100, bytes.size() - at);
    hand.fill(std::span(bytes).subspan(at, piece), static_cast<std::uint32_t>(piece));
  }
  hand.answer();
  EXPECT_EQ(hand.receiveFrames(1), std::vector<ByteVector>{patternBytes(99)});
  EXPECT_EQ(hand.receiveFrames(1), std::vector<ByteVector>{frame});
}

// Row 146.
TYPED_TEST(VirtioRx, BufferCountsThatLieAreDropped) {
  for (const std::uint16_t lie : std::initializer_list<std::uint16_t>{0, 2, 3, 17, 65535}) {
    Mempool& pool = this->pool();
    typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {kMergeable, 16});
    hand.deliver(patternBytes(60, 1));
    hand.deliver(patternBytes(60, 2), this->header(lie));
    hand.answer();
    EXPECT_EQ(hand.receiveFrames(), std::vector<ByteVector>{patternBytes(60, 1)}) << lie;
    EXPECT_EQ(hand.count(kRX_BAD_CHAIN), 1u) << lie;
    hand.deliver(patternBytes(60, 3));
    hand.answer();
    EXPECT_EQ(hand.receiveFrames(), std::vector<ByteVector>{patternBytes(60, 3)}) << lie;
  }
}

TYPED_TEST(VirtioRx, BadPiecesDropTheWholePacket) {
  struct Lengths {
    std::uint32_t first, second;
  };
  for (const Lengths lengths :
       {Lengths{72, 0}, Lengths{72, kRoom + 13}, Lengths{11, 60}, Lengths{kRoom + 13, 60}, Lengths{12, 13}}) {
    Mempool& pool = this->pool();
    typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {kMergeable, 16});
    const ByteVector bytes = hand.withHeader(patternBytes(60), this->header(2));
    hand.fill(bytes, lengths.first);
    hand.fill(bytes, lengths.second);
    hand.deliver(patternBytes(80));
    hand.answer();
    EXPECT_EQ(hand.receiveFrames(), std::vector<ByteVector>{patternBytes(80)});
    EXPECT_EQ(hand.count(kRX_BAD_LENGTH), 1u);
  }
}

TYPED_TEST(VirtioRx, PacketLongerThanAnyFrameIsDropped) {
  Mempool& pool = this->pool();
  typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {kMergeable, 256});
  const std::uint32_t whole = kRoom + 12;
  for (std::uint32_t i = 0; i < 130; i++) hand.fill(hand.withHeader({}, this->header(130)), whole);
  hand.answer();
  EXPECT_TRUE(hand.receiveFrames().empty());
  EXPECT_EQ(hand.count(kRX_BAD_LENGTH), 1u);
}

// Rows 108, 109, 149: with every offload negotiated, headers full of nonsense.
TYPED_TEST(VirtioRx, RandomHeadersAreHarmless) {
  constexpr std::uint64_t kOffloads = virtio::kNetGuestCsum | virtio::kNetGuestTso4 | virtio::kNetGuestTso6 |
                                      virtio::kNetGuestEcn | virtio::kNetGuestUfo;
  Mempool& pool = this->pool();
  typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {kMergeable | kOffloads, 16});
  Random random(11);
  std::uint64_t received = 0;
  for (std::uint32_t i = 0; i < 3000; i++) {
    virtio::NetHdr header{static_cast<std::uint8_t>(random()),
                          static_cast<std::uint8_t>(random.below(6)),
                          random.half(),
                          random.half(),
                          static_cast<std::uint16_t>(random.below(200)),
                          random.half(),
                          1};
    hand.deliver(patternBytes(14 + random.below(200), i), header);
    hand.answer();
    received += hand.receiveFrames().size();
  }
  EXPECT_EQ(received, 3000u);
  EXPECT_GT(hand.count(kRX_BAD_OFFLOAD), 0u);
}

TYPED_TEST(VirtioRx, EmptyPoolIsCountedAndRecovers) {
  Mempool& pool = this->pool(20);
  typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {kModern, 16});
  std::vector<Handle> held(4);
  ASSERT_EQ(pool.allocBulk(held.data(), 4), 4u);
  for (std::uint32_t i = 0; i < 16; i++) hand.deliver(patternBytes(60, i));
  hand.answer();
  const auto packets = hand.receive();
  ASSERT_EQ(packets.size(), 16u);
  EXPECT_EQ(hand.count(kRX_NO_MBUF), 16u);
  EXPECT_EQ(hand.driver.state(0)->inFlight, 0u);
  EXPECT_TRUE(hand.receiveFrames().empty());
  freeBurst(packets.data(), 16);
  freeBurst(held.data(), 4);
  EXPECT_TRUE(hand.receiveFrames().empty()) << "this one posts";
  EXPECT_EQ(hand.driver.state(0)->inFlight, 16u);
  hand.deliver(patternBytes(60));
  hand.answer();
  EXPECT_EQ(hand.receiveFrames().size(), 1u);
}

// Rows 143, 152: the ring stops, once, with an event; the mbufs come back when it is stopped.
TYPED_TEST(VirtioRx, BrokenRingStops) {
  Mempool& pool = this->pool();
  typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {kModern, 16});
  (void)events::drain();
  auto heads = hand.heads(2);
  heads[1].id = heads[0].id;
  hand.device.putUsed(0, heads[0], 80);
  hand.device.putUsed(1, heads[1], 80);
  hand.device.publish(2, 2);
  EXPECT_EQ(hand.receiveFrames().size(), 1u) << "the good one before it";
  EXPECT_TRUE(hand.receiveFrames().empty());
  EXPECT_EQ(hand.count(kBROKEN), 1u);
  EXPECT_EQ(hand.slot().closed(), kSlotBroken);
  const auto state = hand.driver.state(0);
  EXPECT_EQ(state->broken, "BAD_USED");
  const auto pushed = events::drain();
  ASSERT_EQ(pushed.size(), 1u);
  EXPECT_EQ(pushed[0].side, events::Side::kVirtio);
  EXPECT_EQ(pushed[0].device, 7u);
  EXPECT_EQ(*hand.driver.stop(0), state->inFlight);
  EXPECT_EQ(pool.available(), pool.size());
  ASSERT_TRUE(hand.driver.start(0).ok());
  EXPECT_EQ(hand.slot().closed(), 0u);
  EXPECT_EQ(hand.driver.state(0)->broken, "");
}

TYPED_TEST(VirtioRx, InOrderBatchFillsWholeBuffers) {
  Mempool& pool = this->pool();
  typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {kModern | virtio::kInOrder, 16});
  const auto heads = hand.heads(5);
  for (const Head& head : heads) {
    const ByteVector bytes = hand.withHeader(patternBytes(kRoom), this->header(1));
    std::memcpy(hand.template at<std::byte>(head.addr), bytes.data(), bytes.size());
  }
  hand.device.putUsed(0, heads[4], 12 + 60);
  hand.device.publish(5, 5);
  const auto frames = hand.receiveFrames();
  ASSERT_EQ(frames.size(), 5u);
  for (std::uint32_t i = 0; i < 4; i++) EXPECT_EQ(frames[i], patternBytes(kRoom));
  EXPECT_EQ(frames[4].size(), 60u);
}

TYPED_TEST(VirtioRx, LegacyHeaderIsTenBytes) {
  Mempool& pool = this->pool();
  typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {0, 16});
  EXPECT_EQ(hand.headerLen, 10u);
  hand.deliver(patternBytes(60));
  hand.answer();
  EXPECT_EQ(hand.receiveFrames(), std::vector<ByteVector>{patternBytes(60)});
}

TYPED_TEST(VirtioRx, SleepersAreWokenAndCounted) {
  Mempool& pool = this->pool();
  typename TestFixture::Hand hand(virtio::Direction::kRx, pool, {kModern, 16});
  auto call = createEventFd();
  const int fd = call->get();
  ASSERT_TRUE(hand.driver.setCall(0, std::move(*call)).ok());
  EXPECT_FALSE(hand.device.wantsCall()) << "a polling driver wants none";
  BurstSlot::Wait wait = hand.slot().arm(true);
  EXPECT_EQ(wait.fd, fd);
  EXPECT_FALSE(wait.pending);
  EXPECT_TRUE(hand.device.wantsCall());
  hand.deliver(patternBytes(60));
  hand.answer();
  EXPECT_EQ(hand.slot().used(), 1u);
  EXPECT_TRUE(hand.slot().arm(true).pending) << "what came before is not slept over";
  hand.slot().arm(false);
  EXPECT_FALSE(hand.device.wantsCall());
  EXPECT_EQ(hand.receiveFrames().size(), 1u);
}

}  // namespace
}  // namespace pollwire::test
