// Status and Result: codes, errno mapping, the line a person reads.
#include "base/result.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>

namespace pollwire {
namespace {

TEST(Status, DefaultIsOk) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.codeName(), "OK");
  EXPECT_TRUE(status.detail().empty());
}

TEST(Status, SystemErrorNamesTheThingAndKeepsErrno) {
  const Status status = Status::system(EACCES, "bind /run/x.sock");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(status.codeName(), "PERMISSION_DENIED");
  EXPECT_EQ(status.sysErrno(), EACCES);
  EXPECT_EQ(status.detail(), "bind /run/x.sock: Permission denied");
}

TEST(Status, ErrnoMapsToTheClosestCode) {
  EXPECT_EQ(statusCodeOfErrno(0), StatusCode::kOk);
  EXPECT_EQ(statusCodeOfErrno(EMFILE), StatusCode::kNoDescriptors);
  EXPECT_EQ(statusCodeOfErrno(EADDRINUSE), StatusCode::kAddressInUse);
  EXPECT_EQ(statusCodeOfErrno(ECONNRESET), StatusCode::kPeerClosed);
  EXPECT_EQ(statusCodeOfErrno(EXDEV), StatusCode::kSystemError);
}

TEST(Status, CodesAreUniqueAndRetryableOnesAreTheTransientOnes) {
  std::set<std::string_view> codes;
  std::set<std::string_view> retryable;
  for (const StatusCodeInfo& info : kStatusCodes) {
    EXPECT_TRUE(codes.insert(info.code).second) << info.code;
    EXPECT_FALSE(info.text.empty());
    if (info.retryable) retryable.insert(info.code);
  }
  EXPECT_TRUE(retryable.contains("AGAIN") && retryable.contains("CONNECTION_REFUSED"));
  EXPECT_FALSE(retryable.contains("INVALID_ARGUMENT") || retryable.contains("NO_HUGEPAGES"));
  EXPECT_EQ(statusInfo(StatusCode::kSystemError).code, "SYSTEM_ERROR");
}

TEST(Result, HoldsAValueThatCanOnlyMove) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(**result, 7);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 7);
}

Status passThrough(Status status, bool& reached) {
  PW_RETURN_IF_ERROR(std::move(status));
  reached = true;
  return {};
}

TEST(Result, ReturnIfErrorStopsOnlyOnErrors) {
  bool reached = false;
  EXPECT_EQ(passThrough(Status(StatusCode::kBusy, "queue 3 is in use"), reached).detail(),
            "queue 3 is in use");
  EXPECT_FALSE(reached);
  EXPECT_TRUE(passThrough({}, reached).ok());
  EXPECT_TRUE(reached);
}

TEST(ResultDeathTest, ReadingAMissingValueEndsTheProcessWithTheReason) {
  Result<int> result(Status(StatusCode::kNotFound, "no pool 9"));
  EXPECT_DEATH((void)result.value(), "no pool 9");
}

}  // namespace
}  // namespace pollwire
