// An mbuf with the buffer of another pool's mbuf: the two live and go together.
#include <gtest/gtest.h>

#include "support/arena_test.hpp"

namespace pollwire::test {
namespace {

class BorrowBuffer : public ArenaTest {
 protected:
  void SetUp() override {
    ArenaTest::SetUp();
    small_ = &makePool(4, 256);
    large_ = &makePool(2, 16384);
  }
  Handle borrowed(std::span<const std::byte> bytes) {
    const Handle handle = small_->alloc();
    resetForRx(mbufOf(handle), 3, static_cast<std::uint32_t>(bytes.size()));
    EXPECT_TRUE(borrowBuffer(handle, *large_));
    std::memcpy(dataOf(mbufOf(handle)), bytes.data(), bytes.size());
    return handle;
  }

  Mempool* small_ = nullptr;
  Mempool* large_ = nullptr;
};

TEST_F(BorrowBuffer, HoldsWhatItsOwnWouldNot) {
  const ByteVector bytes = patternBytes(9000);
  const Handle handle = borrowed(bytes);
  EXPECT_EQ(mbufOf(handle)->nbSegs, 1u);
  EXPECT_EQ(contentsOf(handle), bytes);
  EXPECT_TRUE(isConsistent(mbufOf(handle)));
  EXPECT_EQ(small_->available(), 3u);
  EXPECT_EQ(large_->available(), 1u);
  freeChain(handle);
  EXPECT_EQ(small_->available(), 4u);
  EXPECT_EQ(large_->available(), 2u);
}

TEST_F(BorrowBuffer, LeavesTheMbufAsItWas) {
  for (int round = 0; round < 5; round++) {
    freeChain(borrowed(patternBytes(9000)));
    const Handle plain = makePacket(*small_, patternBytes(100));
    EXPECT_EQ(mbufOf(plain)->bufAddr, ownBuffer(mbufOf(plain)));
    EXPECT_EQ(mbufOf(plain)->bufLen, small_->dataRoom());
    EXPECT_TRUE(isPlain(mbufOf(plain)));
    freeChain(plain);
  }
}

TEST_F(BorrowBuffer, IsRefusedWhenNoneIsLeft) {
  const Handle first = borrowed(patternBytes(10));
  const Handle second = borrowed(patternBytes(10));
  const Handle third = small_->alloc();
  resetForRx(mbufOf(third), 3, 0);
  EXPECT_FALSE(borrowBuffer(third, *large_));
  EXPECT_TRUE(isPlain(mbufOf(third)));
  const Handle handles[] = {first, second, third};
  freeBurst(handles, 3);
}

// The buffer stays until its last user is gone, whoever that is.
TEST_F(BorrowBuffer, IsSharedWithClones) {
  const ByteVector bytes = patternBytes(9000);
  for (const bool cloneFirst : {true, false}) {
    const Handle handle = borrowed(bytes);
    const Handle clone = clonePacket(handle, *small_);
    freeChain(cloneFirst ? clone : handle);
    EXPECT_EQ(large_->available(), 1u);
    EXPECT_EQ(contentsOf(cloneFirst ? handle : clone), bytes);
    freeChain(cloneFirst ? handle : clone);
    EXPECT_EQ(large_->available(), 2u);
  }
}

TEST_F(BorrowBuffer, LeaksAreReportedForBoth) {
  const Handle handle = borrowed(patternBytes(9000));
  if (POLLWIRE_CHECKED) {
    EXPECT_EQ(small_->leaks().size(), 1u);
    EXPECT_EQ(large_->leaks().size(), 1u);
  }
  freeChain(handle);
  EXPECT_TRUE(large_->leaks().empty());
}

#if POLLWIRE_CHECKED
TEST_F(BorrowBuffer, AFreeTooManyIsReported) {
  const Handle handle = borrowed(patternBytes(9000));
  const Handle owner = mbufOf(handle)->ext;
  freeChain(handle);
  expectViolations(2);
  freeChain(handle);
  freeChain(owner);
  EXPECT_EQ(small_->available(), 4u);
  EXPECT_EQ(large_->available(), 2u);
}
#endif

}  // namespace
}  // namespace pollwire::test
