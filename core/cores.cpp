#include "core/cores.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <thread>

namespace penstock::core {

namespace {

/// Processors' worth of time that a cgroup's `cpu.max` ("quota period" or "max period") allows; 0 for no limit.
unsigned quota_of(std::istream& cpu_max) {
  double quota = 0;
  double period = 0;
  if (!(cpu_max >> quota >> period) || quota <= 0 || period <= 0) return 0;
  return static_cast<unsigned>(std::max(1.0, std::ceil(quota / period)));
}

} // namespace

unsigned usable_cores() {
  unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  cpu_set_t mine;
  if (::sched_getaffinity(0, sizeof mine, &mine) == 0) cores = static_cast<unsigned>(std::max(1, CPU_COUNT(&mine)));
  std::ifstream cpu_max{"/sys/fs/cgroup/cpu.max"};
  if (const auto quota = quota_of(cpu_max); quota > 0) cores = std::min(cores, quota);
  return cores;
}

} // namespace penstock::core
