#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/frame.hpp"
#include "core/result.hpp"
#include "transport/publisher.hpp"

namespace penstock::actors {

/// What a sink is made for: one stream, one output.
struct sink_context {
  std::string stream;
  std::filesystem::path path;
  std::shared_ptr<const std::vector<std::string>> labels;
  std::shared_ptr<transport::publisher> publisher{}; ///< for kinds that have no path
  double frames_per_s = 25;                          ///< of the results, nominal
  /// An earlier life of the head wrote to this output, at least all frames before this one (by seq): go on behind it.
  std::optional<std::uint64_t> resume_seq{};
  std::shared_ptr<std::unique_ptr<class result_sink>> given{}; ///< for the kind of which a guest brings its own
};

/// Writes the results of one stream somewhere. One thread at a time.
class result_sink {
 public:
  result_sink() = default;
  result_sink(const result_sink&) = delete;
  result_sink& operator=(const result_sink&) = delete;
  virtual ~result_sink() = default;

  /// Appends a result; `frame` is its picture where the sink's kind needs frames, otherwise null. An error means that
  /// this result is not in the output; the sink may be tried again with the next.
  [[nodiscard]] virtual core::expected<void> write(const core::frame_result& result, const core::frame* frame) = 0;

  /// Makes what was written durable enough for a reader; called after a group of results. An error makes the whole
  /// group count as not written.
  [[nodiscard]] virtual core::expected<void> flush() = 0;

  /// Where the output goes on, if it can tell: frames before this one (by seq) are in it, and are not written again.
  [[nodiscard]] virtual std::optional<std::uint64_t> next_seq() const noexcept { return std::nullopt; }

  /// What is really written, where that is not the context's path.
  [[nodiscard]] virtual std::filesystem::path output() const { return {}; }

  /// Finishes the output.
  [[nodiscard]] virtual core::expected<void> close() = 0;
};

/// A line in the table of sinks.
struct sink_kind {
  std::string_view name;
  std::string_view description;
  bool needs_frames = false;
  core::expected<std::unique_ptr<result_sink>> (*open)(const sink_context&);
  bool never_blocks = false; ///< needs no thread of its own
};

/// Every kind of sink that this program knows.
[[nodiscard]] std::span<const sink_kind> sink_kinds() noexcept;

/// The kind of that name, or null.
[[nodiscard]] const sink_kind* find_sink_kind(std::string_view name) noexcept;

} // namespace penstock::actors
