#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <system_error>
#include <utility>

#include "actors/result_json.hpp"
#include "actors/sinks/durable.hpp"
#include "actors/sinks/sinks.hpp"
#include "core/descriptor.hpp"

namespace penstock::actors::sinks {

namespace {

core::error os_error(const std::filesystem::path& path) {
  return {core::errc::io, path.string() + ": " + std::generic_category().message(errno)};
}

/// Where a file goes on.
struct json_lines_end {
  off_t length = 0; ///< of its whole lines
  std::uint64_t next_seq = 0;
};

/// The file's bytes from `from` to `to`. Error: `io`.
core::expected<std::string> read_part(int fd, off_t from, off_t to, const std::filesystem::path& path) {
  std::string text(static_cast<std::size_t>(to - from), '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const auto n = ::pread(fd, text.data() + done, text.size() - done, from + static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected{os_error(path)};
    if (n == 0) return core::fail(core::errc::io, path.string() + ": became shorter while it was read");
    done += static_cast<std::size_t>(n);
  }
  return text;
}

/// The file's last whole line and where it ends; the line is empty where there is none.
core::expected<std::pair<std::string, off_t>> last_line(int fd, off_t size, const std::filesystem::path& path) {
  constexpr off_t step = 64 << 10;
  std::string tail;
  for (off_t from = size; from > 0;) {
    const auto to = from;
    from = std::max<off_t>(0, from - step);
    auto part = read_part(fd, from, to, path);
    if (!part) return tl::unexpected{part.error()};
    tail.insert(0, *part);
    const auto end = tail.rfind('\n');
    if (end == std::string::npos) continue;
    const auto before = end == 0 ? std::string::npos : tail.rfind('\n', end - 1);
    if (before == std::string::npos && from > 0) continue;
    const auto begin = before == std::string::npos ? 0 : before + 1;
    return std::pair{tail.substr(begin, end - begin), from + static_cast<off_t>(end) + 1};
  }
  return std::pair{std::string{}, off_t{0}};
}

/// Cuts a torn last line and finds out where the file goes on.
core::expected<json_lines_end> repair(int fd, off_t size, const sink_context& context) {
  const auto last = last_line(fd, size, context.path);
  if (!last) return tl::unexpected{last.error()};
  const auto& [line, length] = *last;
  json_lines_end end{length, 0};
  if (length > 0) {
    const auto record = nlohmann::json::parse(line, nullptr, false);
    const auto name = nlohmann::json::parse(
        nlohmann::json(context.stream).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    const bool ours = record.is_object() && record.value("stream", nlohmann::json{}) == name &&
                      record.contains("seq") && record["seq"].is_number_unsigned();
    if (!ours)
      return core::fail(core::errc::corrupt, context.path.string() +
                                                 ": its last line is no result of this stream, so it is not continued; "
                                                 "--fresh begins anew");
    end.next_seq = record["seq"].get<std::uint64_t>() + 1;
  }
  if (length < size) {
    if (::ftruncate(fd, length) != 0) return tl::unexpected{os_error(context.path)};
    spdlog::warn("{}: cut {} bytes of a line that was not finished", context.path.string(), size - length);
  }
  if (::lseek(fd, length, SEEK_SET) < 0) return tl::unexpected{os_error(context.path)};
  return end;
}

/// Lines are collected and written by one call; after a failure the file is cut back to its last whole line.
class jsonl_sink : public result_sink {
 public:
  jsonl_sink(const sink_context& context, core::descriptor to, json_lines_end end = {})
      : context_{context}, file_{std::move(to)}, length_{end.length}, next_seq_{end.next_seq} {}

  core::expected<void> write(const core::frame_result& result, const core::frame*) override {
    append_json(pending_, context_.stream, *context_.labels, result);
    return {};
  }

  core::expected<void> flush() override {
    const auto text = std::exchange(pending_, {});
    std::size_t done = 0;
    while (done < text.size()) {
      const auto n = ::write(file_.get(), text.data() + done, text.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        auto error = os_error(context_.path);
        if (::ftruncate(file_.get(), length_) == 0) ::lseek(file_.get(), length_, SEEK_SET);
        return tl::unexpected{std::move(error)};
      }
      done += static_cast<std::size_t>(n);
    }
    length_ += static_cast<off_t>(text.size());
    return {};
  }

  std::optional<std::uint64_t> next_seq() const noexcept override { return next_seq_; }

  core::expected<void> close() override {
    if (::close(file_.release()) != 0) return tl::unexpected{os_error(context_.path)};
    return make_durable(context_.path);
  }

 private:
  sink_context context_;
  core::descriptor file_;
  std::string pending_;
  off_t length_ = 0;
  std::uint64_t next_seq_ = 0;
};

} // namespace

core::expected<std::unique_ptr<result_sink>> open_jsonl(const sink_context& context) {
  std::error_code failed;
  if (context.path.has_parent_path()) std::filesystem::create_directories(context.path.parent_path(), failed);
  if (failed) return core::fail(core::errc::io, context.path.parent_path().string() + ": " + failed.message());
  const auto kind = std::filesystem::status(context.path, failed).type();
  const bool file_or_none =
      kind == std::filesystem::file_type::regular || kind == std::filesystem::file_type::not_found;
  const bool continues = context.resume_seq && file_or_none;
  core::descriptor to{
      ::open(context.path.c_str(), (continues ? O_RDWR : O_WRONLY | O_TRUNC) | O_CREAT | O_CLOEXEC, 0644)};
  struct ::stat found {};
  if (to.get() < 0 || ::fstat(to.get(), &found) != 0) return tl::unexpected{os_error(context.path)};
  json_lines_end end;
  if (continues) {
    const auto repaired = repair(to.get(), found.st_size, context);
    if (!repaired) return tl::unexpected{repaired.error()};
    end = *repaired;
  } else {
    end.next_seq = context.resume_seq.value_or(0); // a pipe or device: what was written is gone
  }
  return std::make_unique<jsonl_sink>(context, std::move(to), end);
}

} // namespace penstock::actors::sinks
