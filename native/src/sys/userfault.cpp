#include "sys/userfault.hpp"

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "sys/mapping.hpp"

namespace pollwire {

namespace {

// Whether a mapping that nobody has touched has its pages already.
Result<bool> isFaultedInAtOnce() {
  auto probe = Mapping::mapAnonymous(systemPageSize());
  if (!probe) return probe.status();
  unsigned char resident = 0;
  if (::mincore(probe->data(), systemPageSize(), &resident) != 0) return Status::system(errno, "mincore");
  return (resident & 1) != 0;
}

int openFd(int flags) noexcept { return static_cast<int>(::syscall(SYS_userfaultfd, flags)); }

}  // namespace

Result<Userfault> Userfault::open() {
  auto prefaulted = isFaultedInAtOnce();
  if (!prefaulted) return prefaulted.status();
  if (*prefaulted) {
    return Status(
        StatusCode::kNotSupported,
        "postcopy needs memory that comes when it is touched, and this process faults all of its memory "
        "in at once; run it without mlockall");
  }
  constexpr int kFlags = O_CLOEXEC | O_NONBLOCK;
  Fd fd(openFd(kFlags));
#ifdef UFFD_USER_MODE_ONLY
  // Without privileges: faults of this process itself, which are all there are.
  if (!fd.valid() && errno == EPERM) fd.reset(openFd(kFlags | UFFD_USER_MODE_ONLY));
#endif
  if (!fd.valid()) {
    return Status::system(errno,
                          "open a userfaultfd (allow it in the seccomp filter, or set "
                          "vm.unprivileged_userfaultfd=1)");
  }
  uffdio_api api{};
  api.api = UFFD_API;
  if (::ioctl(fd.get(), UFFDIO_API, &api) != 0)
    return Status::system(errno, "agree on the userfaultfd version");
  return Userfault(std::move(fd));
}

Status Userfault::watch(void* base, std::size_t length) {
  uffdio_register request{};
  request.range.start = reinterpret_cast<std::uintptr_t>(base);
  request.range.len = length;
  request.mode = UFFDIO_REGISTER_MODE_MISSING;
  if (::ioctl(fd_.get(), UFFDIO_REGISTER, &request) != 0) {
    return Status::system(errno,
                          "register " + std::to_string(length) + " bytes of guest memory with userfaultfd");
  }
  return {};
}

void Userfault::release(void* base, std::size_t length) noexcept {
  uffdio_range range{reinterpret_cast<std::uintptr_t>(base), length};
  (void)::ioctl(fd_.get(), UFFDIO_UNREGISTER, &range);
}

}  // namespace pollwire
