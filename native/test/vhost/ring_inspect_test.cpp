// What inspect() sees of a ring, and that it leaves everything as it was.
#include <gtest/gtest.h>

#include "support/vhost_test.hpp"

namespace pollwire::test {
namespace {

using Link = VhostLink<>;
using RingInspect = ArenaTest;

TEST_F(RingInspect, TellsWhatWaitsAndWhetherAnybodyEverWroteThere) {
  Mempool& pool = makePool(8);
  Link link(pool);
  auto seen = link.device.inspect(Link::kGuestTx);
  ASSERT_TRUE(seen.ok());
  EXPECT_EQ(seen->waiting, 0u);
  EXPECT_TRUE(seen->blank);
  EXPECT_FALSE(seen->kickPending);
  ASSERT_TRUE(link.guest.send(patternBytes(60)));
  EXPECT_EQ(signalEventFd(link.kicks[Link::kGuestTx].get()), SignalResult::kSignalled);
  for (int look = 0; look < 2; look++) {
    seen = link.device.inspect(Link::kGuestTx);
    EXPECT_EQ(seen->waiting, 1u);
    EXPECT_FALSE(seen->blank);
    EXPECT_TRUE(seen->kickPending) << "looking does not read it";
  }
  EXPECT_EQ(link.receiveFrames().size(), 1u);
  EXPECT_EQ(link.device.inspect(Link::kGuestTx)->waiting, 0u);
  ASSERT_TRUE(link.device.stopRing(Link::kGuestTx).ok());
  seen = link.device.inspect(Link::kGuestTx);
  EXPECT_FALSE(seen->blank) << "nothing is known of a stopped ring";
  EXPECT_EQ(link.device.inspect(2).status().code(), StatusCode::kNotFound);
}

TEST_F(RingInspect, SignalsTheDriverWhateverItWants) {
  Mempool& pool = makePool(8);
  Link link(pool);
  const int call = link.calls[Link::kGuestRx].get();
  (void)drainEventFd(call);
  link.guest.rx.wantCalls(false);
  EXPECT_TRUE(*link.device.signalDriver(Link::kGuestRx));
  EXPECT_EQ(drainEventFd(call), 1u);
  ASSERT_TRUE(link.device.setCall(Link::kGuestRx, Fd()).ok());
  EXPECT_FALSE(*link.device.signalDriver(Link::kGuestRx));
  EXPECT_EQ(link.device.signalDriver(7).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace pollwire::test
