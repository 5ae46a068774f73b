#include "sys/net_link.hpp"

#include <gtest/gtest.h>

namespace pollwire::test {
namespace {

TEST(NetLink, FindsAnInterfaceByNameAndByNumber) {
  const auto byName = linkByName("lo");
  ASSERT_TRUE(byName.ok()) << byName.status().detail();
  EXPECT_EQ(byName->name, "lo");
  EXPECT_GT(byName->index, 0);
  EXPECT_GE(byName->mtu, 68u);
  const auto byIndex = linkByIndex(byName->index);
  ASSERT_TRUE(byIndex.ok());
  EXPECT_EQ(byIndex->name, "lo");
}

TEST(NetLink, SaysWhenThereIsNone) {
  EXPECT_EQ(linkByName("no-such-one").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(linkByIndex(0x7fffffff).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(linkByName("").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(linkByName("a-name-of-16-byt").status().code(), StatusCode::kInvalidArgument);
}

TEST(NetLink, AWatchCanBeDrainedAtAnyTime) {
  auto watch = openLinkWatch();
  ASSERT_TRUE(watch.ok());
  drainLinkWatch(watch->get());
}

}  // namespace
}  // namespace pollwire::test
