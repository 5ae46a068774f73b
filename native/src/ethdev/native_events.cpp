#include "ethdev/native_events.hpp"

#include <atomic>
#include <mutex>
#include <utility>

namespace pollwire::events {

namespace {
constexpr std::size_t kMaxPending = 4096;
std::mutex lock;
std::vector<Event> pending;
std::atomic<void (*)() noexcept> wakeUp{nullptr};
}  // namespace

void push(const Event& event) noexcept {
  {
    const std::lock_guard<std::mutex> hold(lock);
    if (pending.size() >= kMaxPending) return;
    pending.push_back(event);
  }
  if (auto* wake = wakeUp.load()) wake();
}

std::vector<Event> drain() {
  const std::lock_guard<std::mutex> hold(lock);
  return std::exchange(pending, {});
}

void setWake(void (*wake)() noexcept) noexcept { wakeUp.store(wake); }

}  // namespace pollwire::events
