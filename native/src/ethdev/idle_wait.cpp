#include "ethdev/idle_wait.hpp"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <ctime>

#include "ethdev/slot_table.hpp"
#include "sys/eventfd.hpp"

namespace pollwire::idle {

namespace {

constexpr std::size_t kMaxWatched = 256;

// One wake-up eventfd per lcore, made when it first sleeps or is first woken, kept for the life of the
// process.
std::atomic<int> wakeFds[kMaxLcores];

int wakeFdOf(std::uint32_t lcore) noexcept {
  if (lcore >= kMaxLcores) return -1;
  int known = wakeFds[lcore].load();
  if (known > 0) return known;
  auto fresh = createEventFd();
  if (!fresh) return -1;
  // 0 means "not made yet"; descriptor 0 is never an eventfd of ours.
  if (wakeFds[lcore].compare_exchange_strong(known, fresh->get())) return fresh->release();
  return known;
}

}  // namespace

void wake(std::uint32_t lcore) noexcept {
  const int fd = wakeFdOf(lcore);
  if (fd >= 0) (void)signalEventFd(fd);
}

bool wait(std::uint32_t lcore, std::span<const std::uint32_t> slotIds, std::uint32_t microseconds) noexcept {
  pollfd fds[kMaxWatched + 1];
  BurstSlot* sources[kMaxWatched + 1];
  nfds_t count = 0;
  const int wakeFd = wakeFdOf(lcore);
  if (wakeFd >= 0) fds[count++] = pollfd{wakeFd, POLLIN, 0};
  const nfds_t firstSlot = count;
  bool pending = false;
  const auto watched = slotIds.first(std::min(slotIds.size(), kMaxWatched));
  for (const std::uint32_t id : watched) {
    BurstSlot* slot = slots::byId(id);
    if (slot == nullptr) continue;
    const BurstSlot::Wait armed = slot->arm(true);
    pending = pending || armed.pending;
    if (armed.fd < 0) continue;
    sources[count] = slot;
    fds[count++] = pollfd{armed.fd, POLLIN, 0};
  }
  bool kicked = pending;
  if (!pending) {
    const timespec deadline{microseconds / 1000000, static_cast<long>(microseconds % 1000000) * 1000};
    if (::ppoll(fds, count, &deadline, nullptr) > 0) {
      for (nfds_t i = 0; i < count; i++) {
        if (fds[i].revents == 0) continue;
        if (i < firstSlot) {
          (void)drainEventFd(fds[i].fd);
        } else {
          sources[i]->drain(fds[i].fd);
          kicked = true;
        }
      }
    }
  }
  for (const std::uint32_t id : watched) {
    BurstSlot* slot = slots::byId(id);
    if (slot != nullptr) kicked = slot->arm(false).pending || kicked;
  }
  return kicked;
}

}  // namespace pollwire::idle
