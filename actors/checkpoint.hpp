#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace penstock::actors {

/// How far a lossless finite stream is.
struct stream_progress {
  bool begun = false;        ///< its sinks have something of it
  bool finished = false;     ///< nothing is left to do
  std::uint64_t segment = 0; ///< as in `dispatch::checkpoint`, likewise the next two
  std::uint64_t seq = 0;
  std::uint64_t packets = 0;
  std::uint64_t emitted_before = 0; ///< one past the last frame before `seq` that the sinks were given

  bool operator==(const stream_progress&) const = default;
};

/// One stream of a checkpoint.
struct checkpoint_stream {
  std::string id;
  std::string source; ///< what it is read from and how; another one is another stream
  std::string input;  ///< see `media::input_identity`
  stream_progress progress;

  bool operator==(const checkpoint_stream&) const = default;
};

/// What one life of a head leaves to the next.
struct checkpoint_document {
  std::uint32_t epoch = 0;
  std::string digest; ///< of what is done with frames
  std::vector<checkpoint_stream> streams;

  bool operator==(const checkpoint_document&) const = default;
};

/// As JSON, a line for each stream that has begun.
[[nodiscard]] std::string to_text(const checkpoint_document& document);

/// `corrupt` for what is no whole checkpoint, `unsupported` for one of another version.
[[nodiscard]] core::expected<checkpoint_document> parse_checkpoint(std::string_view text);

/// The folder that holds a head's checkpoint; locked, so that only one head uses it, until the object is gone or the
/// process dies.
class checkpoint_folder {
 public:
  /// Makes the folder where there is none. `io` also when another head has it: the message says which process.
  [[nodiscard]] static core::expected<checkpoint_folder> open(const std::filesystem::path& path);

  checkpoint_folder(checkpoint_folder&& other) noexcept;
  checkpoint_folder& operator=(checkpoint_folder&&) = delete;
  ~checkpoint_folder();

  /// The checkpoint, if there is one. Errors as of `parse_checkpoint`, and `io`.
  [[nodiscard]] core::expected<std::optional<checkpoint_document>> read() const;

  /// Replaces the checkpoint: whatever ends the program or the machine, the old one is there or the new one, whole.
  [[nodiscard]] core::expected<void> write(const checkpoint_document& document) const;

 private:
  checkpoint_folder(std::filesystem::path path, int lock) : path_{std::move(path)}, lock_{lock} {}

  std::filesystem::path path_;
  int lock_;
};

} // namespace penstock::actors
