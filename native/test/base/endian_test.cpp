// Byte orders: value types and loads at any alignment.
#include "base/endian.hpp"

#include <gtest/gtest.h>

#include <array>

#include "base/bytes.hpp"

namespace pollwire {
namespace {

TEST(Endian, ValueTypesStoreTheirOrder) {
  struct Record {
    le16 a{0x1122};
    be16 b{0x1122};
    le32 c{0x11223344};
    be32 d{0x11223344};
  } record;
  std::array<std::uint8_t, sizeof(Record)> bytes;
  std::memcpy(bytes.data(), &record, sizeof record);
  const std::array<std::uint8_t, 12> want = {0x22, 0x11, 0x11, 0x22, 0x44, 0x33,
                                             0x22, 0x11, 0x11, 0x22, 0x33, 0x44};
  EXPECT_EQ(bytes, want);
  EXPECT_EQ(record.b, 0x1122);
  EXPECT_EQ(record.d.get(), 0x11223344u);
  record.a = std::uint16_t{0xabcd};
  EXPECT_EQ(record.a.get(), 0xabcd);
  EXPECT_EQ(le64::fromStored(le64::toStored(0x0102030405060708u)), 0x0102030405060708u);
}

TEST(Endian, LoadsAndStoresNeedNoAlignment) {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t at = 0; at < 8; at++) {
    storeBe32(&bytes[at], 0xdeadbeef);
    EXPECT_EQ(bytes[at], 0xde);
    EXPECT_EQ(loadBe32(&bytes[at]), 0xdeadbeefu);
    EXPECT_EQ(loadLe32(&bytes[at]), 0xefbeaddeu);
    storeLe64(&bytes[at], 0x1122334455667788u);
    EXPECT_EQ(loadLe64(&bytes[at]), 0x1122334455667788u);
    EXPECT_EQ(loadBe64(&bytes[at]), 0x8877665544332211u);
    storeLe16(&bytes[at], 0x0102);
    EXPECT_EQ(loadBe16(&bytes[at]), 0x0201);
  }
}

TEST(Bytes, HoldsIsRightForAnyNumbers) {
  const std::array<std::uint8_t, 4> four{1, 2, 3, 4};
  const Bytes bytes(four);
  EXPECT_TRUE(bytes.holds(0, 4));
  EXPECT_TRUE(bytes.holds(4, 0));
  EXPECT_FALSE(bytes.holds(1, 4));
  EXPECT_FALSE(bytes.holds(5, 0));
  EXPECT_FALSE(bytes.holds(1, SIZE_MAX));
  EXPECT_FALSE(bytes.holds(SIZE_MAX, 2));
}

TEST(Bytes, PartsStayInside) {
  const std::array<std::uint8_t, 4> four{1, 2, 3, 4};
  const Bytes bytes(four);
  EXPECT_EQ(bytes.from(1).size(), 3u);
  EXPECT_EQ(bytes.from(1).be16(0), 0x0203);
  EXPECT_TRUE(bytes.from(4).empty());
  EXPECT_TRUE(bytes.from(SIZE_MAX).empty());
  EXPECT_EQ(bytes.first(9).size(), 4u);
  EXPECT_TRUE(Bytes().from(0).empty());
}

#if POLLWIRE_CHECKED
TEST(BytesDeathTest, CheckedBuildTrapsOutside) {
  const std::array<std::uint8_t, 4> four{1, 2, 3, 4};
  EXPECT_DEATH((void)Bytes(four).be32(1), "");
}
#endif

}  // namespace
}  // namespace pollwire
