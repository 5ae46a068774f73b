#include "virtio/control_queue.hpp"

#include <gtest/gtest.h>

#include "support/arena_test.hpp"
#include "support/driver_rig.hpp"
#include "sys/eventfd.hpp"
#include "virtqueue/features.hpp"

namespace pollwire::test {
namespace {

using virtio::ControlQueue;
using Answer = ControlQueue::Answer;

template <class Layout>
class Control : public ArenaTest {
 protected:
  void SetUp() override {
    ArenaTest::SetUp();
    queue = std::move(*ControlQueue::create(8, Layout::kPacked ? virtio::kRingPacked : 0));
    openDevice();
  }
  void TearDown() override {
    queue.reset();
    ArenaTest::TearDown();
  }

  void openDevice() {
    const virtio::VringAreas areas = queue->areas();
    if constexpr (Layout::kPacked) {
      device = PackedDevice(
          reinterpret_cast<packed::Desc*>(areas.desc), reinterpret_cast<packed::EventSuppress*>(areas.driver),
          reinterpret_cast<packed::EventSuppress*>(areas.device), 8, queue->base(), false, false);
    } else {
      device = SplitDevice(reinterpret_cast<split::Desc*>(areas.desc),
                           reinterpret_cast<split::Avail*>(areas.driver),
                           reinterpret_cast<split::Used*>(areas.device), 8,
                           static_cast<std::uint16_t>(queue->base()), false, false);
    }
  }

  // The elements of the command that waits: a device reads all but the last, and writes that.
  std::vector<std::pair<std::uint64_t, std::uint32_t>> elements(Head& head) {
    EXPECT_EQ(device.gather(&head, 0, 1), 1u);
    std::vector<std::pair<std::uint64_t, std::uint32_t>> list;
    // A chain of both directions is not for walk(); it is read as a device model reads it.
    std::uint32_t at = Layout::kPacked ? head.next : head.id;
    for (;;) {
      std::uint16_t flags;
      if constexpr (Layout::kPacked) {
        const auto* desc = reinterpret_cast<const packed::Desc*>(queue->areas().desc) + at;
        list.emplace_back(desc->addr, packed::lenOf(desc->word));
        flags = packed::flagsOf(desc->word);
        at = (at + 1) % 8;
      } else {
        const auto* desc = reinterpret_cast<const split::Desc*>(queue->areas().desc) + at;
        list.emplace_back(desc->addr, desc->len);
        flags = desc->flags;
        at = desc->next;
      }
      EXPECT_EQ((flags & kDescWrite) != 0, (flags & kDescNext) == 0) << "only the last is written";
      if ((flags & kDescNext) == 0) return list;
    }
  }
  void answer(std::uint8_t ack) {
    Head head;
    *reinterpret_cast<std::uint8_t*>(elements(head).back().first) = ack;
    device.putUsed(0, head, 1);
    device.publish(head.count, head.count);
  }

  std::unique_ptr<ControlQueue> queue;
  typename Layout::Device device;
};

using Layouts = ::testing::Types<SplitLayout, PackedLayout>;
TYPED_TEST_SUITE(Control, Layouts);

TYPED_TEST(Control, SendsAndIsAnswered) {
  EXPECT_EQ(this->queue->poll(), Answer::kIdle);
  // Past the end of the ring several times.
  for (std::uint32_t i = 0; i < 40; i++) {
    const ByteVector data = patternBytes(i * 3, i);
    ASSERT_TRUE(this->queue->send(4, static_cast<std::uint8_t>(i), data).ok());
    EXPECT_EQ(this->queue->poll(), Answer::kPending);
    Head head;
    const auto elements = this->elements(head);
    ASSERT_EQ(elements.size(), data.empty() ? 2u : 3u);
    EXPECT_EQ(elements[0].second, 2u);
    EXPECT_EQ(reinterpret_cast<const std::uint8_t*>(elements[0].first)[0], 4);
    EXPECT_EQ(reinterpret_cast<const std::uint8_t*>(elements[0].first)[1], i);
    if (!data.empty()) {
      ASSERT_EQ(elements[1].second, data.size());
      EXPECT_EQ(std::memcmp(reinterpret_cast<const void*>(elements[1].first), data.data(), data.size()), 0);
    }
    EXPECT_EQ(elements.back().second, 1u);
    this->answer(i % 2 ? 0 : 1);
    EXPECT_EQ(this->queue->poll(), i % 2 ? Answer::kOk : Answer::kError);
    EXPECT_EQ(this->queue->poll(), Answer::kIdle);
  }
}

TYPED_TEST(Control, AnAnswerWithoutAnAckIsAnError) {
  ASSERT_TRUE(this->queue->send(0, 0, {}).ok());
  Head head;
  (void)this->elements(head);
  this->device.putUsed(0, head, 0);
  this->device.publish(head.count, head.count);
  EXPECT_EQ(this->queue->poll(), Answer::kError);
}

TYPED_TEST(Control, OneCommandAtATime) {
  ASSERT_TRUE(this->queue->send(0, 0, {}).ok());
  EXPECT_EQ(this->queue->send(0, 1, {}).code(), StatusCode::kBusy);
  this->answer(0);
  EXPECT_EQ(this->queue->poll(), Answer::kOk);
  EXPECT_TRUE(this->queue->send(0, 1, {}).ok());
}

TYPED_TEST(Control, RefusesTooMuchData) {
  EXPECT_TRUE(this->queue->send(0, 0, patternBytes(ControlQueue::kMaxData)).ok());
  this->answer(0);
  EXPECT_EQ(this->queue->poll(), Answer::kOk);
  EXPECT_EQ(this->queue->send(0, 0, patternBytes(ControlQueue::kMaxData + 1)).code(),
            StatusCode::kOutOfRange);
  EXPECT_FALSE(ControlQueue::create(2, 0).ok());
}

TYPED_TEST(Control, BrokenRingStaysBrokenUntilReset) {
  ASSERT_TRUE(this->queue->send(0, 0, {}).ok());
  Head head;
  (void)this->elements(head);
  head.id = 7;
  this->device.putUsed(0, head, 1);
  this->device.publish(head.count, head.count);
  EXPECT_EQ(this->queue->poll(), Answer::kBroken);
  EXPECT_EQ(this->queue->poll(), Answer::kBroken);
  EXPECT_EQ(this->queue->send(0, 0, {}).code(), StatusCode::kRingBroken);
  this->queue->reset();
  this->openDevice();
  ASSERT_TRUE(this->queue->send(1, 0, {}).ok());
  this->answer(0);
  EXPECT_EQ(this->queue->poll(), Answer::kOk);
}

TYPED_TEST(Control, Kicks) {
  auto kick = createEventFd();
  const int fd = kick->get();
  ASSERT_TRUE(this->queue->setKick(std::move(*kick)).ok());
  this->device.setKickWanted(true);
  ASSERT_TRUE(this->queue->send(0, 0, {}).ok());
  EXPECT_EQ(drainEventFd(fd), 1u);
  this->answer(0);
  EXPECT_EQ(this->queue->poll(), Answer::kOk);
  this->device.setKickWanted(false);
  ASSERT_TRUE(this->queue->send(0, 0, {}).ok());
  EXPECT_EQ(drainEventFd(fd), 0u);
}

}  // namespace
}  // namespace pollwire::test
