// StoreTrace: a block of memory of which an image is taken before each store into it, as a process that is
// killed there leaves it. Stores are found by page protection and carried out one instruction at a time, so
// that the code under test is the code that ships. x86-64 only.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace pollwire::test {

#if defined(__x86_64__)
inline constexpr bool kCanTraceStores = true;
#else
inline constexpr bool kCanTraceStores = false;
#endif

class StoreTrace {
 public:
  using Image = std::vector<std::byte>;

  explicit StoreTrace(std::size_t bytes) : size_(bytes) {
    void* memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    memory_ = static_cast<std::byte*>(memory);
  }
  ~StoreTrace() { ::munmap(memory_, size_); }
  StoreTrace(const StoreTrace&) = delete;
  StoreTrace& operator=(const StoreTrace&) = delete;

  std::byte* memory() const { return memory_; }
  void load(const Image& image) { std::memcpy(memory_, image.data(), size_); }

  // The memory before each store that `action` does, and after the last one.
  template <typename Action>
  std::vector<Image> run(Action&& action) {
    images_.clear();
    active_ = this;
    struct sigaction onFault = {};
    onFault.sa_sigaction = fault;
    onFault.sa_flags = SA_SIGINFO;
    struct sigaction onStep = onFault;
    onStep.sa_sigaction = stepped;
    struct sigaction oldFault = {};
    struct sigaction oldStep = {};
    ::sigaction(SIGSEGV, &onFault, &oldFault);
    ::sigaction(SIGTRAP, &onStep, &oldStep);
    protect(PROT_READ);
    action();
    protect(PROT_READ | PROT_WRITE);
    ::sigaction(SIGSEGV, &oldFault, nullptr);
    ::sigaction(SIGTRAP, &oldStep, nullptr);
    active_ = nullptr;
    keep();
    return std::move(images_);
  }

 private:
  static constexpr long kTrapFlag = 0x100;

  // Runs in the middle of the code under test, which is at a store into the block: not inside malloc.
  static void fault(int, siginfo_t* info, void* context) {
    const auto* address = static_cast<std::byte*>(info->si_addr);
    if (active_ == nullptr || address < active_->memory_ || address >= active_->memory_ + active_->size_) {
      std::abort();
    }
    active_->keep();
    active_->protect(PROT_READ | PROT_WRITE);
    setTrap(context, true);
  }
  static void stepped(int, siginfo_t*, void* context) {
    active_->protect(PROT_READ);
    setTrap(context, false);
  }
  static void setTrap([[maybe_unused]] void* context, [[maybe_unused]] bool on) {
#if defined(__x86_64__)
    auto& flags = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL];
    flags = on ? flags | kTrapFlag : flags & ~kTrapFlag;
#endif
  }
  void protect(int rights) { ::mprotect(memory_, size_, rights); }
  void keep() { images_.emplace_back(memory_, memory_ + size_); }

  static inline StoreTrace* active_ = nullptr;
  std::size_t size_;
  std::byte* memory_;
  std::vector<Image> images_;
};

}  // namespace pollwire::test
