#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/memory.hpp"

namespace penstock::tests {

struct byte_range {
  const std::byte* from = nullptr;
  std::size_t bytes = 0;
};

/// How far an observer knows each stream to be: numbers of operations, by stream.
class vector_clock {
 public:
  [[nodiscard]] std::uint64_t of(std::size_t stream) const noexcept {
    return stream < known_.size() ? known_[stream] : 0;
  }
  void advance(std::size_t stream, std::uint64_t to);
  void join(const vector_clock& other);

 private:
  std::vector<std::uint64_t> known_;
};

/// One use of memory by something that was enqueued.
struct operation_id {
  std::size_t stream = 0;
  std::uint64_t number = 0; ///< in its stream, from 1
  std::string what;
};

/// Memory of a `checking_device`. It keeps the last write and the reads since of every byte, so that operations which
/// touch the same bytes without being ordered are found whatever order they happened to run in. What the CPU may not
/// touch is taken from it by the MMU: device memory always, pinned memory while an operation that the CPU does not know
/// to be over writes it (reading and writing) or reads it (writing). One at a time; single-threaded.
class checking_memory : public std::enable_shared_from_this<checking_memory> {
 public:
  checking_memory();
  ~checking_memory();
  checking_memory(const checking_memory&) = delete;
  checking_memory& operator=(const checking_memory&) = delete;

  /// Memory that is freed when its last owner goes; device memory holds garbage.
  [[nodiscard]] std::shared_ptr<void> allocate(std::size_t bytes, core::memory_kind kind);

  /// Writes device memory from outside, before anything can use it.
  void fill(const std::byte* to, const void* from, std::size_t bytes);

  /// The operation has been enqueued, and may run at any time.
  void expect(const operation_id& by, const std::vector<byte_range>& reads, const std::vector<byte_range>& writes);

  /// The operation runs, knowing what `known` says. What it uses is open to it until `closed`. One that `looks` must
  /// not read what nothing has written; a copy may.
  void open(const operation_id& by, const vector_clock& known, const std::vector<byte_range>& reads,
            const std::vector<byte_range>& writes, bool looks);
  void closed();

  /// The CPU knows these operations to be over.
  void settle(const vector_clock& host);

  void complain(std::string problem);

  /// What was wrong so far.
  [[nodiscard]] std::vector<std::string> problems() const;

 private:
  struct use {
    std::size_t stream = 0;
    std::uint64_t number = 0;
    bool writes = false;
    std::size_t from = 0;
    std::size_t to = 0;
    std::string what;
  };

  struct cell {
    bool initialised = false;
    operation_id write;              ///< number 0: from outside
    std::vector<operation_id> reads; ///< since then
  };

  struct region {
    std::byte* base = nullptr;
    std::size_t bytes = 0;
    std::size_t mapped = 0;
    core::memory_kind kind = core::memory_kind::host;
    bool freed = false;
    std::vector<use> uses;             ///< not known to be over
    std::map<std::size_t, cell> cells; ///< each up to the next
  };

  [[nodiscard]] region* find(const byte_range& range, const operation_id& by);
  void split(region& r, std::size_t at);
  void protect(const region& r) const;
  void release(std::byte* base);

  std::map<std::uintptr_t, region> regions_; ///< by address
  std::vector<region*> opened_;
  std::vector<std::string> problems_;
};

} // namespace penstock::tests
