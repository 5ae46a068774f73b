#include "guest/fault_guard.hpp"

#include <signal.h>
#include <sys/mman.h>

#include <cerrno>
#include <mutex>
#include <string>

namespace pollwire {

namespace {

// Read by the signal handler of any thread, so: no lock, and `base` is written last and cleared first.
struct Range {
  std::atomic<std::uintptr_t> base{0};
  std::atomic<std::size_t> length{0};
  std::atomic<std::atomic<bool>*> mark{nullptr};
};

static_assert(std::atomic<std::uintptr_t>::is_always_lock_free &&
              std::atomic<std::atomic<bool>*>::is_always_lock_free);

Range ranges[FaultGuard::kMaxRanges];
// Ranges in use lie below it.
std::atomic<std::uint32_t> highest{0};
std::mutex tableLock;
struct sigaction previous;

// Only what may be done in a signal handler: loads, stores, one system call.
bool replace(std::uintptr_t address) noexcept {
  const std::uint32_t count = highest.load();
  for (std::uint32_t i = 0; i < count; i++) {
    const std::uintptr_t base = ranges[i].base.load();
    const std::size_t length = ranges[i].length.load();
    if (base == 0 || address - base >= length) continue;
    // All of it at once: one page each would cost a mapping per page.
    void* zeros = ::mmap(reinterpret_cast<void*>(base), length, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    if (zeros == MAP_FAILED) return false;
    ranges[i].mark.load()->store(true);
    FaultGuard::countFault();
    return true;
  }
  return false;
}

void onFault(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  const bool handled = replace(reinterpret_cast<std::uintptr_t>(info->si_addr));
  errno = saved;
  if (handled) return;
  if ((previous.sa_flags & SA_SIGINFO) != 0 && previous.sa_sigaction != nullptr) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  } else {
    // The access is repeated on return and ends the process as it would have without us.
    ::signal(SIGBUS, SIG_DFL);
  }
}

Status installOnce() {
  static const int error = [] {
    struct sigaction action {};
    action.sa_sigaction = onFault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    ::sigemptyset(&action.sa_mask);
    return ::sigaction(SIGBUS, &action, &previous) == 0 ? 0 : errno;
  }();
  return error == 0 ? Status() : Status::system(error, "install the SIGBUS handler");
}

}  // namespace

std::atomic<std::uint32_t> FaultGuard::count_{0};

Status FaultGuard::guard(void* base, std::size_t length, std::atomic<bool>* mark) {
  release();
  PW_RETURN_IF_ERROR(installOnce());
  const std::lock_guard<std::mutex> hold(tableLock);
  std::uint32_t free = 0;
  while (free < kMaxRanges && ranges[free].base.load() != 0) free++;
  if (free == kMaxRanges) {
    return Status(StatusCode::kNoMemory,
                  "all " + std::to_string(kMaxRanges) + " guarded memory regions are in use");
  }
  ranges[free].length.store(length);
  ranges[free].mark.store(mark);
  ranges[free].base.store(reinterpret_cast<std::uintptr_t>(base));
  if (free >= highest.load()) highest.store(free + 1);
  range_ = free;
  return {};
}

void FaultGuard::release() noexcept {
  if (range_ == ~0u) return;
  const std::lock_guard<std::mutex> hold(tableLock);
  ranges[range_].base.store(0);
  range_ = ~0u;
}

}  // namespace pollwire
