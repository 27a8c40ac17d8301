#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "jobs/blobs.hpp"

namespace penstock::front {

/// Room on this machine for inputs that are worked on, where their store has no files here. A file has no name: it goes
/// when its owner lets go, also when the process is killed. Thread-safe.
class spool {
 public:
  /// The folder is made when it is needed. `most_bytes`: of all files together.
  spool(std::filesystem::path folder, std::uint64_t most_bytes);

  /// A file in the spool; must not outlive it.
  class file {
   public:
    file(file&& other) noexcept;
    file& operator=(file&&) = delete;
    ~file();

    /// Where this process, and no other, can open it.
    [[nodiscard]] std::string path() const;

   private:
    friend class spool;
    file(spool& in, int descriptor, std::uint64_t bytes) : in_{&in}, descriptor_{descriptor}, bytes_{bytes} {}

    spool* in_;
    int descriptor_;
    std::uint64_t bytes_;
  };

  /// An empty file that may grow to `bytes`; nullopt while others need the room. Errors: `too_large` where there is
  /// never room for so many; `io`.
  [[nodiscard]] core::expected<std::optional<file>> open(std::uint64_t bytes);

  /// Fills a file with a blob of the size that it was opened for. `go_on` is asked between pieces; where it says no the
  /// answer is `cancelled`. Errors: those of the store; `io`.
  [[nodiscard]] core::expected<void> fill(const file& to, jobs::blob_reader& from, const std::function<bool()>& go_on);

 private:
  void give_back(std::uint64_t bytes);

  const std::filesystem::path folder_;
  const std::uint64_t most_bytes_;
  std::mutex mutex_;
  std::uint64_t used_ = 0;
};

} // namespace penstock::front
