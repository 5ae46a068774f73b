// Status and Result<T>: how every function of the core that can fail says so. No exceptions. A Status names
// the thing and the value in its detail line; the binding turns it into a PollwireError. Never used in a
// burst: bursts return counts.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace pollwire {

enum class StatusCode : std::uint16_t {
#define PW_STATUS(name, code, retryable, text) k##name,
#include "base/status_codes.def"
#undef PW_STATUS
};

struct StatusCodeInfo {
  std::string_view code;  // "NOT_FOUND"
  bool retryable;
  std::string_view text;
};

inline constexpr StatusCodeInfo kStatusCodes[] = {
#define PW_STATUS(name, code, retryable, text) {code, retryable, text},
#include "base/status_codes.def"
#undef PW_STATUS
};

constexpr const StatusCodeInfo& statusInfo(StatusCode code) noexcept {
  return kStatusCodes[static_cast<std::uint16_t>(code)];
}

// The status code that stands for an errno; SystemError where there is no closer one.
constexpr StatusCode statusCodeOfErrno(int err) noexcept {
  switch (err) {
    case 0:
      return StatusCode::kOk;
    case EINVAL:
      return StatusCode::kInvalidArgument;
    case ENOENT:
      return StatusCode::kNotFound;
    case EEXIST:
      return StatusCode::kAlreadyExists;
    case EPERM:
    case EACCES:
      return StatusCode::kPermissionDenied;
    case ENOMEM:
      return StatusCode::kNoMemory;
    case EMFILE:
    case ENFILE:
      return StatusCode::kNoDescriptors;
    case EAGAIN:
      return StatusCode::kAgain;
    case EBUSY:
      return StatusCode::kBusy;
    case ETIMEDOUT:
      return StatusCode::kTimedOut;
    case EADDRINUSE:
      return StatusCode::kAddressInUse;
    case ECONNREFUSED:
      return StatusCode::kConnectionRefused;
    case EPIPE:
    case ECONNRESET:
      return StatusCode::kPeerClosed;
    case ENOSYS:
    case EOPNOTSUPP:
      return StatusCode::kNotSupported;
    default:
      return StatusCode::kSystemError;
  }
}

class [[nodiscard]] Status {
 public:
  // Success.
  Status() noexcept = default;

  Status(StatusCode code, std::string detail) : code_(code), detail_(std::move(detail)) {}

  // A failed system call; `what` names the call and its object: "bind /run/pw.sock".
  static Status system(int err, std::string_view what) {
    return withErrno(statusCodeOfErrno(err), err, what);
  }

  // As `system`, with a code closer to what the caller tried.
  static Status withErrno(StatusCode code, int err, std::string_view what) {
    Status s(code, std::string(what) + ": " + std::generic_category().message(err));
    s.sysErrno_ = err;
    return s;
  }

  bool ok() const noexcept { return code_ == StatusCode::kOk; }
  explicit operator bool() const noexcept { return ok(); }
  StatusCode code() const noexcept { return code_; }
  std::string_view codeName() const noexcept { return statusInfo(code_).code; }
  bool retryable() const noexcept { return statusInfo(code_).retryable; }
  // errno of the system call that failed, 0 where none did.
  int sysErrno() const noexcept { return sysErrno_; }
  // One line that names the thing and the value; empty on success.
  const std::string& detail() const noexcept { return detail_; }

 private:
  StatusCode code_ = StatusCode::kOk;
  int sysErrno_ = 0;
  std::string detail_;
};

// A value, or the Status that says why there is none. Reading the wrong one ends the process.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Status error) : status_(std::move(error)) {
    if (status_.ok()) die("Result made from a Status that is OK");
  }

  bool ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  const Status& status() const noexcept { return status_; }

  T& value() & noexcept { return *check(); }
  const T& value() const& noexcept { return *const_cast<Result*>(this)->check(); }
  // By value, so that `for (x : *call())` does not loop over what is gone already.
  T value() && noexcept { return std::move(*check()); }
  T& operator*() & noexcept { return *check(); }
  const T& operator*() const& noexcept { return value(); }
  T operator*() && noexcept { return std::move(*check()); }
  T* operator->() noexcept { return check(); }
  const T* operator->() const noexcept { return const_cast<Result*>(this)->check(); }

 private:
  T* check() noexcept {
    if (!value_.has_value()) die(status_.detail().c_str());
    return &*value_;
  }
  [[noreturn]] static void die(const char* why) noexcept {
    std::fprintf(stderr, "pollwire: misuse of Result: %s\n", why);
    std::abort();
  }

  std::optional<T> value_;
  Status status_;
};

}  // namespace pollwire

// Returns from the enclosing function when the expression is a Status that is not OK.
#define PW_RETURN_IF_ERROR(expression)                                               \
  do {                                                                               \
    if (::pollwire::Status pwStatus = (expression); !pwStatus.ok()) return pwStatus; \
  } while (false)
