#include "tests/unit/inference/checking_memory.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <sys/mman.h>
#include <utility>

namespace penstock::tests {
namespace {

constexpr std::size_t page_bytes = 4096;
constexpr std::size_t most_regions = 4096;

/// What the signal handler knows: which pages are ours. It opens a page that was touched and takes a note, so that the
/// test goes on and says what happened.
struct mapped_range {
  std::atomic<std::uintptr_t> from = 0;
  std::atomic<std::uintptr_t> to = 0;
};
std::array<mapped_range, most_regions> watched;
std::atomic<std::size_t> watched_count = 0;
std::atomic<std::size_t> trespasses = 0;
struct sigaction before;

void on_fault(int, siginfo_t* info, void*) {
  const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (std::size_t i = 0; i < watched_count; ++i) {
    if (at < watched[i].from || at >= watched[i].to) continue;
    ++trespasses;
    auto* page = reinterpret_cast<void*>(at / page_bytes * page_bytes); // NOLINT: an address from the MMU
    if (mprotect(page, page_bytes, PROT_READ | PROT_WRITE) == 0) return;
  }
  sigaction(SIGSEGV, &before, nullptr); // somebody else's: comes again
}

} // namespace

void vector_clock::advance(std::size_t stream, std::uint64_t to) {
  if (known_.size() <= stream) known_.resize(stream + 1, 0);
  known_[stream] = std::max(known_[stream], to);
}

void vector_clock::join(const vector_clock& other) {
  for (std::size_t s = 0; s < other.known_.size(); ++s) advance(s, other.known_[s]);
}

checking_memory::checking_memory() {
  watched_count = 0;
  trespasses = 0;
  struct sigaction mine {};
  mine.sa_sigaction = on_fault;
  mine.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigaction(SIGSEGV, &mine, &before);
}

checking_memory::~checking_memory() {
  sigaction(SIGSEGV, &before, nullptr);
  for (auto& [base, r] : regions_) munmap(r.base, r.mapped);
}

std::shared_ptr<void> checking_memory::allocate(std::size_t bytes, core::memory_kind kind) {
  const auto mapped = (bytes + page_bytes - 1) / page_bytes * page_bytes;
  auto* base = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const auto slot = watched_count.load();
  if (base == MAP_FAILED || slot == most_regions) std::abort();
  std::memset(base, 0xff, mapped); // not a number, and far too many objects
  const auto address = reinterpret_cast<std::uintptr_t>(base);
  watched[slot].from = address;
  watched[slot].to = address + mapped;
  watched_count = slot + 1;
  region r{static_cast<std::byte*>(base), bytes, mapped, kind, false, {}, {}};
  r.cells[0].initialised = kind == core::memory_kind::host;
  protect(regions_.emplace(address, std::move(r)).first->second);
  return {base, [self = shared_from_this()](void* p) { self->release(static_cast<std::byte*>(p)); }};
}

/// Stays mapped, so that whatever still uses it is found and does no harm. Decoders (on the default stream) see to
/// their own memory.
void checking_memory::release(std::byte* base) {
  auto& r = regions_.at(reinterpret_cast<std::uintptr_t>(base));
  for (const auto& u : r.uses) {
    if (u.stream != 0) complain(fmt::format("memory is freed that {} may still use", u.what));
  }
  r.freed = true;
  protect(r);
}

void checking_memory::fill(const std::byte* to, const void* from, std::size_t bytes) {
  const operation_id outside{0, 0, "the test"};
  auto* r = find({to, bytes}, outside);
  if (r == nullptr) return;
  opened_ = {r};
  mprotect(r->base, r->mapped, PROT_READ | PROT_WRITE);
  const auto at = static_cast<std::size_t>(to - r->base);
  std::memcpy(r->base + at, from, bytes);
  closed();
  split(*r, at);
  split(*r, at + bytes);
  for (auto c = r->cells.find(at); c != r->cells.end() && c->first < at + bytes; ++c) c->second = {true, outside, {}};
}

checking_memory::region* checking_memory::find(const byte_range& range, const operation_id& by) {
  const auto at = reinterpret_cast<std::uintptr_t>(range.from);
  auto after = regions_.upper_bound(at);
  if (after == regions_.begin() || at + range.bytes > std::prev(after)->first + std::prev(after)->second.bytes) {
    complain(fmt::format("{} uses {} bytes that are not the device's, nor pinned", by.what, range.bytes));
    return nullptr;
  }
  return &std::prev(after)->second;
}

void checking_memory::split(region& r, std::size_t at) {
  if (at < r.bytes) r.cells.emplace(at, std::prev(r.cells.upper_bound(at))->second);
}

void checking_memory::expect(const operation_id& by, const std::vector<byte_range>& reads,
                             const std::vector<byte_range>& writes) {
  for (const auto* ranges : {&reads, &writes}) {
    for (const auto& range : *ranges) {
      auto* r = range.bytes == 0 ? nullptr : find(range, by);
      if (r == nullptr) continue;
      if (r->freed) complain(fmt::format("{} uses memory that was freed", by.what));
      const auto from = static_cast<std::size_t>(range.from - r->base);
      r->uses.push_back({by.stream, by.number, ranges == &writes, from, from + range.bytes, by.what});
      protect(*r);
    }
  }
}

void checking_memory::open(const operation_id& by, const vector_clock& known, const std::vector<byte_range>& reads,
                           const std::vector<byte_range>& writes, bool looks) {
  const auto knows = [&](const operation_id& other) { return known.of(other.stream) >= other.number; };
  for (const auto* ranges : {&reads, &writes}) {
    const auto writing = ranges == &writes;
    for (const auto& range : *ranges) {
      auto* r = range.bytes == 0 ? nullptr : find(range, by);
      if (r == nullptr) continue;
      opened_.push_back(r);
      mprotect(r->base, r->mapped, PROT_READ | PROT_WRITE);
      const auto from = static_cast<std::size_t>(range.from - r->base);
      const auto to = from + range.bytes;
      split(*r, from);
      split(*r, to);
      for (auto c = r->cells.find(from); c != r->cells.end() && c->first < to; ++c) {
        auto& state = c->second;
        if (looks && !writing && !state.initialised)
          complain(fmt::format("{} reads memory that nothing has written", by.what));
        if (!knows(state.write)) {
          complain(fmt::format("{} {} what {} writes, and is not ordered after it", by.what,
                               writing ? "overwrites" : "reads", state.write.what));
        }
        for (const auto& read : state.reads) {
          if (writing && !knows(read))
            complain(fmt::format("{} overwrites what {} reads, and is not ordered after it", by.what, read.what));
        }
        if (writing) {
          state = {true, by, {}};
        } else {
          std::erase_if(state.reads, [&](const operation_id& o) { return o.stream == by.stream; });
          state.reads.push_back(by);
        }
      }
    }
  }
}

void checking_memory::closed() {
  for (auto* r : std::exchange(opened_, {})) protect(*r);
}

void checking_memory::settle(const vector_clock& host) {
  for (auto& [base, r] : regions_) {
    const auto over = [&](const use& u) { return host.of(u.stream) >= u.number; };
    if (std::erase_if(r.uses, over) > 0) protect(r);
  }
}

void checking_memory::protect(const region& r) const {
  const auto closed_to_host = r.freed || r.kind == core::memory_kind::device;
  mprotect(r.base, r.mapped, closed_to_host ? PROT_NONE : PROT_READ | PROT_WRITE);
  if (closed_to_host) return;
  for (const auto writes : {false, true}) { // of two on one page, the one that writes counts
    for (const auto& u : r.uses) {
      if (u.writes != writes) continue;
      const auto first = u.from / page_bytes * page_bytes;
      mprotect(r.base + first, u.to - first, writes ? PROT_NONE : PROT_READ);
    }
  }
}

void checking_memory::complain(std::string problem) { problems_.push_back(std::move(problem)); }

std::vector<std::string> checking_memory::problems() const {
  auto all = problems_;
  if (trespasses > 0) {
    all.push_back(
        fmt::format("the CPU touched memory that is the device's, or in use by it, {} times", trespasses.load()));
  }
  return all;
}

} // namespace penstock::tests
