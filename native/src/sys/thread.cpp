// CPU affinity and thread names through the plain Linux calls.
#include "sys/thread.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>

namespace pollwire {
namespace {

struct CpuSetFree {
  void operator()(cpu_set_t* set) const noexcept { CPU_FREE(set); }
};

// A cpu_set_t for any number of CPUs: the fixed one ends at 1024.
class CpuSet {
 public:
  explicit CpuSet(std::uint32_t cpus) : cpus_(cpus), set_(CPU_ALLOC(cpus)), bytes_(CPU_ALLOC_SIZE(cpus)) {
    CPU_ZERO_S(bytes_, set_.get());
  }
  std::uint32_t cpus() const noexcept { return cpus_; }
  std::size_t bytes() const noexcept { return bytes_; }
  cpu_set_t* get() const noexcept { return set_.get(); }
  void add(std::uint32_t cpu) noexcept { CPU_SET_S(cpu, bytes_, set_.get()); }
  bool has(std::uint32_t cpu) const noexcept { return CPU_ISSET_S(cpu, bytes_, set_.get()); }

 private:
  std::uint32_t cpus_;
  std::unique_ptr<cpu_set_t, CpuSetFree> set_;
  std::size_t bytes_;
};

constexpr std::uint32_t kMostCpus = 1u << 16;

}  // namespace

Result<std::vector<std::uint32_t>> usableCpus() {
  // The kernel refuses (EINVAL) a set smaller than its own: grow until it fits.
  for (std::uint32_t room = 1024; room <= kMostCpus; room *= 4) {
    CpuSet set(room);
    if (::sched_getaffinity(0, set.bytes(), set.get()) != 0) {
      if (errno == EINVAL) continue;
      return Status::system(errno, "read the CPU affinity of this thread");
    }
    std::vector<std::uint32_t> cpus;
    for (std::uint32_t cpu = 0; cpu < set.cpus(); cpu++) {
      if (set.has(cpu)) cpus.push_back(cpu);
    }
    return cpus;
  }
  return Status::system(EINVAL, "read the CPU affinity of this thread");
}

Status pinThisThread(std::uint32_t cpu) {
  auto usable = usableCpus();
  if (!usable.ok()) return usable.status();
  // Not checked against this thread's own set (it may be pinned already), only reported with it.
  Status status = setThisThreadCpus(std::span<const std::uint32_t>(&cpu, 1));
  if (status.code() != StatusCode::kInvalidArgument) return status;
  return Status::withErrno(StatusCode::kInvalidArgument, EINVAL,
                           "pin to CPU " + std::to_string(cpu) + " (usable: " + formatCpuList(*usable) + ")");
}

Status setThisThreadCpus(std::span<const std::uint32_t> cpus) {
  if (cpus.empty()) return Status(StatusCode::kInvalidArgument, "the list of CPUs is empty");
  const std::uint32_t highest = *std::max_element(cpus.begin(), cpus.end());
  if (highest >= kMostCpus) {
    return Status(StatusCode::kInvalidArgument, "CPU " + std::to_string(highest) + " does not exist");
  }
  CpuSet set(std::max(highest + 1, 1024u));
  for (const std::uint32_t cpu : cpus) set.add(cpu);
  if (::sched_setaffinity(0, set.bytes(), set.get()) != 0) {
    return Status::system(errno, "run this thread on CPU " + formatCpuList(cpus));
  }
  return {};
}

std::uint32_t currentCpu() noexcept {
  const int cpu = ::sched_getcpu();
  return cpu < 0 ? 0 : static_cast<std::uint32_t>(cpu);
}

std::uint32_t numaNodeOfCpu(std::uint32_t cpu) {
  std::error_code ignored;
  const std::string directory = "/sys/devices/system/cpu/cpu" + std::to_string(cpu);
  for (std::filesystem::directory_iterator entry(directory, ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    const std::string name = entry->path().filename().string();
    if (name.size() > 4 && name.starts_with("node") && name[4] >= '0' && name[4] <= '9') {
      return static_cast<std::uint32_t>(std::strtoul(name.c_str() + 4, nullptr, 10));
    }
  }
  return 0;
}

std::int32_t threadId() noexcept { return static_cast<std::int32_t>(::syscall(SYS_gettid)); }

Status nameThisThread(std::string_view name) {
  const std::string cut(name.substr(0, 15));
  const int err = ::pthread_setname_np(::pthread_self(), cut.c_str());
  if (err != 0) return Status::system(err, "name this thread \"" + cut + "\"");
  return {};
}

std::string formatCpuList(std::span<const std::uint32_t> cpus) {
  std::string text;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) last++;
    if (!text.empty()) text += ',';
    text += std::to_string(cpus[i]);
    if (last > i) text += '-' + std::to_string(cpus[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace pollwire
