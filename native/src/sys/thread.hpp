// Threads and CPUs: where a lcore may run, pinning and naming it. Called by the binding when a lcore starts,
// never in a poll loop.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace pollwire {

// CPUs the calling thread may run on (taskset, cgroup cpusets), ascending. At least one.
Result<std::vector<std::uint32_t>> usableCpus();

// Pins the calling thread. INVALID_ARGUMENT names the usable CPUs when `cpu` is not one of them.
Status pinThisThread(std::uint32_t cpu);

// Restricts the calling thread to `cpus`; how helper threads are kept off the CPUs of lcores.
Status setThisThreadCpus(std::span<const std::uint32_t> cpus);

// CPU the calling thread runs on right now.
std::uint32_t currentCpu() noexcept;

// NUMA node of a CPU; 0 where the system does not say.
std::uint32_t numaNodeOfCpu(std::uint32_t cpu);

// Kernel id of the calling thread, as in /proc/<pid>/task.
std::int32_t threadId() noexcept;

// Names the calling thread (top -H, ps -T). Linux keeps 15 bytes, the rest is cut.
Status nameThisThread(std::string_view name);

// "0-3,8": for messages. `cpus` ascending.
std::string formatCpuList(std::span<const std::uint32_t> cpus);

}  // namespace pollwire
