// Which frames a receive filter lets through: addresses, groups, VLANs, each mode by itself and together.
#include "net/rx_filter.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace pollwire::test {
namespace {

using Verdict = RxFilter::Verdict;

constexpr MacAddress kOwn{{2, 0, 0, 0, 0, 0x10}};
constexpr MacAddress kSecond{{2, 0, 0, 0, 0, 0x11}};
constexpr MacAddress kOther{{2, 0, 0, 0, 0, 0x12}};
constexpr MacAddress kGroup{{1, 0, 0x5e, 0, 0, 1}};
constexpr MacAddress kOtherGroup{{1, 0, 0x5e, 0, 0, 2}};
constexpr MacAddress kAll{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

RxFilterSettings quiet() {
  RxFilterSettings settings;
  settings.promiscuous = false;
  settings.allMulticast = false;
  settings.addresses = {kOwn, kSecond, kGroup};
  return settings;
}

void allow(RxFilterSettings& settings, unsigned vlan) { settings.vlans[vlan / 64] |= 1ull << vlan % 64; }

struct Frame16 {
  std::byte bytes[18];
};
Frame16 frameTo(const MacAddress& destination, std::uint16_t type = kEtherIpv4, std::uint16_t tci = 0) {
  Frame16 frame{};
  destination.store(frame.bytes);
  const std::uint8_t rest[] = {static_cast<std::uint8_t>(type >> 8), static_cast<std::uint8_t>(type),
                               static_cast<std::uint8_t>(tci >> 8), static_cast<std::uint8_t>(tci)};
  std::memcpy(frame.bytes + 12, rest, sizeof rest);
  return frame;
}
Verdict judge(const RxFilterSettings& settings, const Frame16& frame, std::uint32_t length = 60) {
  return RxFilter::make(settings)->judge(frame.bytes, length);
}

TEST(RxFilter, LetsEverythingThroughByDefault) {
  const RxFilter filter;
  EXPECT_FALSE(filter.active());
  for (const MacAddress& to : {kOwn, kOther, kGroup, kAll, MacAddress{}}) {
    EXPECT_EQ(filter.judge(frameTo(to).bytes, 60), Verdict::kPass);
    EXPECT_EQ(filter.judge(frameTo(to, kEtherVlan, 5).bytes, 60), Verdict::kPass);
  }
}

TEST(RxFilter, KnowsItsAddressesAndGroups) {
  const RxFilterSettings settings = quiet();
  EXPECT_TRUE(RxFilter::make(settings)->active());
  EXPECT_EQ(judge(settings, frameTo(kOwn)), Verdict::kPass);
  EXPECT_EQ(judge(settings, frameTo(kSecond)), Verdict::kPass);
  EXPECT_EQ(judge(settings, frameTo(kGroup)), Verdict::kPass);
  EXPECT_EQ(judge(settings, frameTo(kAll)), Verdict::kPass);
  EXPECT_EQ(judge(settings, frameTo(kOther)), Verdict::kOtherUnicast);
  EXPECT_EQ(judge(settings, frameTo(kOtherGroup)), Verdict::kOtherMulticast);
  EXPECT_EQ(judge(settings, frameTo(MacAddress{})), Verdict::kOtherUnicast) << "an empty place is no address";
}

TEST(RxFilter, WithoutAddressesOnlyBroadcastPasses) {
  RxFilterSettings settings = quiet();
  settings.addresses.clear();
  EXPECT_EQ(judge(settings, frameTo(kOwn)), Verdict::kOtherUnicast);
  EXPECT_EQ(judge(settings, frameTo(MacAddress{})), Verdict::kOtherUnicast);
  EXPECT_EQ(judge(settings, frameTo(kAll)), Verdict::kPass);
}

TEST(RxFilter, ModesOpenWhatTheyName) {
  RxFilterSettings settings = quiet();
  settings.allMulticast = true;
  EXPECT_EQ(judge(settings, frameTo(kOtherGroup)), Verdict::kPass);
  EXPECT_EQ(judge(settings, frameTo(kOther)), Verdict::kOtherUnicast);
  settings.promiscuous = true;
  settings.allMulticast = false;
  EXPECT_EQ(judge(settings, frameTo(kOther)), Verdict::kPass);
  EXPECT_EQ(judge(settings, frameTo(kOtherGroup)), Verdict::kPass);
  EXPECT_FALSE(RxFilter::make(settings)->active());
}

TEST(RxFilter, VlanTableHoldsInEveryMode) {
  RxFilterSettings settings = quiet();
  settings.filterVlans = true;
  for (const unsigned id : {0u, 63u, 64u, 4095u}) allow(settings, id);
  for (const bool promiscuous : {false, true}) {
    settings.promiscuous = promiscuous;
    EXPECT_TRUE(RxFilter::make(settings)->active());
    for (unsigned id = 0; id < 4096; id++) {
      const bool listed = id == 0 || id == 63 || id == 64 || id == 4095;
      // Priority and drop bits are no part of the id.
      const auto tci = static_cast<std::uint16_t>(0xf000 | id);
      ASSERT_EQ(judge(settings, frameTo(kOwn, kEtherVlan, tci)),
                listed ? Verdict::kPass : Verdict::kOtherVlan)
          << id;
    }
    EXPECT_EQ(judge(settings, frameTo(kOwn)), Verdict::kPass) << "untagged";
    EXPECT_EQ(judge(settings, frameTo(kOwn, kEtherQinq, 7)), Verdict::kPass) << "another tag type";
    EXPECT_EQ(judge(settings, frameTo(kAll, kEtherVlan, 7)), Verdict::kOtherVlan) << "broadcast";
  }
  settings.promiscuous = false;
  EXPECT_EQ(judge(settings, frameTo(kOther, kEtherVlan, 64)), Verdict::kOtherUnicast);
}

TEST(RxFilter, FrameThatEndsBeforeItsVlanIdIsJudgedByItsAddress) {
  RxFilterSettings settings = quiet();
  settings.filterVlans = true;
  for (const std::uint32_t length : {14u, 15u}) {
    EXPECT_EQ(judge(settings, frameTo(kOwn, kEtherVlan, 5), length), Verdict::kPass);
    EXPECT_EQ(judge(settings, frameTo(kOther, kEtherVlan, 5), length), Verdict::kOtherUnicast);
  }
  EXPECT_EQ(judge(settings, frameTo(kOwn, kEtherVlan, 5), 16), Verdict::kOtherVlan);
}

TEST(RxFilter, HoldsAsManyAddressesAsItSaysAndNoOthers) {
  RxFilterSettings settings = quiet();
  settings.addresses.clear();
  // Neighbours, as a hypervisor gives them out.
  for (unsigned i = 0; i < RxFilter::kMaxAddresses; i++)
    settings.addresses.push_back(
        {{2, 0, 0, 0, static_cast<std::uint8_t>(i >> 7), static_cast<std::uint8_t>(i)}});
  const auto filter = RxFilter::make(settings);
  ASSERT_TRUE(filter.ok());
  unsigned passed = 0;
  for (unsigned i = 0; i < 4096; i++) {
    const MacAddress to{{2, 0, 0, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}};
    const bool listed =
        std::find(settings.addresses.begin(), settings.addresses.end(), to) != settings.addresses.end();
    ASSERT_EQ(filter->judge(frameTo(to).bytes, 60), listed ? Verdict::kPass : Verdict::kOtherUnicast) << i;
    passed += listed ? 1 : 0;
  }
  EXPECT_EQ(passed, RxFilter::kMaxAddresses);
  settings.addresses.push_back(kOther);
  const auto refused = RxFilter::make(settings);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kOutOfRange);
  EXPECT_NE(refused.status().detail().find("129 addresses"), std::string::npos) << refused.status().detail();
}

TEST(RxFilter, TheSameAddressTwiceIsOneEntry) {
  RxFilterSettings settings = quiet();
  settings.addresses.assign(RxFilter::kMaxAddresses, kOwn);
  EXPECT_EQ(judge(settings, frameTo(kOwn)), Verdict::kPass);
  EXPECT_EQ(judge(settings, frameTo(kOther)), Verdict::kOtherUnicast);
}

}  // namespace
}  // namespace pollwire::test
