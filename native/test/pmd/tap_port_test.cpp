// A datagram socket pair behaves as a TUN/TAP descriptor does: one message is one packet, EAGAIN is "nothing
// there".
#include "pmd/tap_port.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "support/arena_test.hpp"
#include "sys/fd.hpp"
#include "virtqueue/net_hdr.hpp"

namespace pollwire::test {
namespace {

constexpr std::size_t kHeader = 10;

class TapPort : public ArenaTest {
 protected:
  void SetUp() override {
    ArenaTest::SetUp();
    slot_ = slots::byId(*slots::allocate());
    slot_->open(kSlotPortStopped);
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    ours_.reset(fds[0]);
    kernel_.reset(fds[1]);
    const int buffer = 1 << 20;
    for (const int fd : fds) (void)::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  }
  void TearDown() override {
    slot_->unbind();
    end_.reset();
    ArenaTest::TearDown();
  }

  void bindRx(Mempool& pool, bool tun = false) {
    auto end = pmd::bindTapRx(*slot_, ours_.get(), {pool.id(), 7, tun, false});
    ASSERT_TRUE(end.ok());
    end_ = std::move(*end);
  }

  std::vector<std::byte> frame(std::size_t length) const {
    std::vector<std::byte> bytes(length);
    for (std::size_t i = 0; i < length; i++) bytes[i] = static_cast<std::byte>(i * 7 + (i >> 8));
    if (length > 0) bytes[0] = std::byte{2};
    return bytes;
  }

  void kernelSends(const std::vector<std::byte>& bytes, const virtio::NetHdr& header = {}) {
    std::vector<std::byte> message(kHeader + bytes.size());
    std::memcpy(message.data(), &header, kHeader);
    std::copy(bytes.begin(), bytes.end(), message.begin() + kHeader);
    ASSERT_EQ(::send(kernel_.get(), message.data(), message.size(), 0), static_cast<ssize_t>(message.size()));
  }

  std::uint64_t count(Counter counter) const { return slot_->counters()->value[counter]; }

  BurstSlot* slot_ = nullptr;
  Fd ours_;
  Fd kernel_;
  std::unique_ptr<pmd::QueueEnd> end_;
};

TEST_F(TapPort, ReceivesEveryLengthInAsManySegmentsAsItTakes) {
  Mempool& pool = makePool(256);
  bindRx(pool);
  for (const std::size_t length : {14u, 60u, 2047u, 2048u, 2049u, 4096u, 9018u, 65535u}) {
    kernelSends(frame(length));
    Handle handle;
    ASSERT_EQ(slot_->run(&handle, 1), 1u) << length;
    const Mbuf* mbuf = mbufOf(handle);
    EXPECT_TRUE(isConsistent(mbuf));
    EXPECT_EQ(mbuf->nbSegs, (length + 2047) / 2048);
    EXPECT_EQ(mbuf->port, 7u);
    const auto bytes = contentsOf(handle);
    const auto want = frame(length);
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), want.begin(), want.end())) << length;
    freeBurst(&handle, 1);
  }
  Handle none[4];
  EXPECT_EQ(slot_->run(none, 4), 0u);
  EXPECT_EQ(count(kPACKETS), 8u);
}

TEST_F(TapPort, DropsWhatIsTooShortAndGoesOn) {
  Mempool& pool = makePool(256);
  bindRx(pool);
  kernelSends(frame(13));
  kernelSends(frame(0));
  ASSERT_EQ(::send(kernel_.get(), "abc", 3, 0), 3);
  kernelSends(frame(60));
  Handle out[8];
  ASSERT_EQ(slot_->run(out, 8), 1u);
  EXPECT_EQ(mbufOf(out[0])->pktLen, 60u);
  EXPECT_EQ(count(kRX_BAD_LENGTH), 3u);
  freeBurst(out, 1);
}

TEST_F(TapPort, AShortPoolTakesWhatFitsAndCountsTheRest) {
  Mempool& pool = makePool(2);
  bindRx(pool);
  kernelSends(frame(9000));
  kernelSends(frame(3000));
  kernelSends(frame(60));
  Handle out[4];
  ASSERT_EQ(slot_->run(out, 4), 1u);
  EXPECT_EQ(mbufOf(out[0])->pktLen, 3000u);
  // One for the packet that did not fit, one for the pool that is empty now.
  EXPECT_EQ(count(kRX_NO_MBUF), 2u);
  freeBurst(out, 1);
  ASSERT_EQ(slot_->run(out, 4), 1u);
  EXPECT_EQ(mbufOf(out[0])->pktLen, 60u);
  freeBurst(out, 1);
}

TEST_F(TapPort, TransmitsSegmentsAsOnePacket) {
  Mempool& pool = makePool(64);
  end_ = pmd::bindTapTx(*slot_, ours_.get(), false);
  const auto want = frame(5000);
  const Handle handle = pool.alloc();
  resetForRx(mbufOf(handle), 0, 0);
  ASSERT_TRUE(appendPacket(handle, want));
  ASSERT_EQ(slot_->run(const_cast<Handle*>(&handle), 1), 1u);
  std::vector<std::byte> message(65536);
  ASSERT_EQ(::recv(kernel_.get(), message.data(), message.size(), 0), 5010);
  EXPECT_TRUE(
      std::all_of(message.begin(), message.begin() + kHeader, [](std::byte b) { return b == std::byte{}; }));
  EXPECT_TRUE(std::equal(want.begin(), want.end(), message.begin() + kHeader));
  EXPECT_EQ(count(kPACKETS), 1u);
  EXPECT_EQ(count(kBYTES), 5000u);
}

TEST_F(TapPort, KeepsWhatTheKernelDoesNotTake) {
  Mempool& pool = makePool(2048);
  const int small = 16384;
  ASSERT_EQ(::setsockopt(ours_.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
  end_ = pmd::bindTapTx(*slot_, ours_.get(), false);
  std::uint32_t sent = 0;
  std::array<Handle, 32> handles{};
  for (int round = 0; round < 60; round++) {
    ASSERT_EQ(pool.allocBulk(handles.data(), 32), 32u);
    for (const Handle handle : handles) resetForRx(mbufOf(handle), 0, 60);
    const std::uint32_t took = slot_->run(handles.data(), 32);
    sent += took;
    freeBurst(handles.data() + took, 32 - took);
    if (took < 32) break;
  }
  EXPECT_LT(sent, 60u * 32u);
  EXPECT_EQ(count(kTX_RING_FULL), 1u);
  std::array<std::byte, 128> message;
  std::uint32_t arrived = 0;
  while (::recv(kernel_.get(), message.data(), message.size(), 0) > 0) arrived++;
  EXPECT_EQ(arrived, sent);
}

TEST_F(TapPort, DropsAnInconsistentMbuf) {
  Mempool& pool = makePool(8);
  end_ = pmd::bindTapTx(*slot_, ours_.get(), false);
  Handle handle = pool.alloc();
  resetForRx(mbufOf(handle), 0, 60);
  mbufOf(handle)->pktLen = 61;
  EXPECT_EQ(slot_->run(&handle, 1), 1u);
  EXPECT_EQ(count(kTX_BAD_MBUF), 1u);
  EXPECT_EQ(count(kPACKETS), 0u);
}

}  // namespace
}  // namespace pollwire::test
