// The ownership check of the checked flavours: what it reports, and that a wrong free does no harm.
#include "mbuf/mbuf_check.hpp"

#include <gtest/gtest.h>

#include "support/arena_test.hpp"

#if POLLWIRE_CHECKED

namespace pollwire {
namespace {

class MbufCheckTest : public test::ArenaTest {
 protected:
  void SetUp() override {
    ArenaTest::SetUp();
    ::testing::internal::CaptureStderr();
  }
  void TearDown() override {
    if (!read_) (void)reported();
    ArenaTest::TearDown();
  }
  std::string reported() {
    read_ = true;
    return ::testing::internal::GetCapturedStderr();
  }

 private:
  bool read_ = false;
};

TEST_F(MbufCheckTest, DoubleFreeIsReportedAndChangesNothing) {
  Mempool& pool = makePool(8, 2176, 4);
  setAllocSite("the test");
  const Handle handle = pool.alloc();
  setAllocSite("the first free");
  freeChain(handle);
  setAllocSite("the second free");
  freeChain(handle);
  EXPECT_EQ(pool.available(), 8u);
  Handle all[8];
  EXPECT_EQ(pool.allocBulk(all, 8), 8u);
  freeBurst(all, 8);
  expectViolations(1);
  const std::string line = reported();
  EXPECT_NE(line.find("freed twice: handle " + std::to_string(handle)), std::string::npos) << line;
  EXPECT_NE(line.find("the first free"), std::string::npos) << line;
  EXPECT_NE(line.find("the second free"), std::string::npos) << line;
}

TEST_F(MbufCheckTest, AHandleThatIsNoMbufIsRefused) {
  Mempool& pool = makePool(8);
  const Handle handle = pool.alloc();
  const Handle inside = handle + 1;
  pool.putBulk(&inside, 1);
  pool.putBulk(&handle, 1);
  expectViolations(1);
  EXPECT_NE(reported().find("does not belong to"), std::string::npos);
}

TEST_F(MbufCheckTest, AnMbufOfAnotherPoolIsRefused) {
  Mempool& pool = makePool(8);
  Mempool& other = makePool(8);
  const Handle handle = pool.alloc();
  other.putBulk(&handle, 1);
  EXPECT_EQ(other.available(), 8u);
  pool.putBulk(&handle, 1);
  expectViolations(1);
}

TEST_F(MbufCheckTest, AWriteAfterFreeShowsAtTheNextAllocation) {
  Mempool& pool = makePool(1);
  const Handle handle = pool.alloc();
  std::byte* data = dataOf(mbufOf(handle));
  freeChain(handle);
  data[0] = std::byte{1};
  EXPECT_EQ(pool.alloc(), handle);
  freeChain(handle);
  expectViolations(1);
  EXPECT_NE(reported().find("written after it was freed"), std::string::npos);
}

TEST_F(MbufCheckTest, LeaksNameTheSiteAndTheLcore) {
  Mempool& pool = makePool(8);
  setCurrentLcore(3);
  setAllocSite("the leaking test");
  const Handle handle = pool.alloc();
  const auto lines = pool.leaks();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(lines[0].find("the leaking test on lcore 3"), std::string::npos) << lines[0];
  EXPECT_NE(lines[0].find(std::to_string(handle)), std::string::npos) << lines[0];
  freeChain(handle);
  EXPECT_TRUE(pool.leaks().empty());
}

}  // namespace
}  // namespace pollwire

#endif
