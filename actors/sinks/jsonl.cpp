#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "actors/result_json.hpp"
#include "actors/sinks/sinks.hpp"

namespace penstock::actors::sinks {

namespace {

class file {
 public:
  explicit file(int fd) noexcept : fd_{fd} {}
  file(file&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  file& operator=(file&&) = delete;
  ~file() {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

core::error os_error(const std::filesystem::path& path) {
  return {core::errc::io, path.string() + ": " + std::generic_category().message(errno)};
}

/// Lines are collected and written by one call; after a failure the file is cut back to its last whole line.
class jsonl_sink : public result_sink {
 public:
  jsonl_sink(const sink_context& context, file to) : context_{context}, file_{std::move(to)} {}

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

  core::expected<void> close() override {
    if (::close(file_.release()) != 0) return tl::unexpected{os_error(context_.path)};
    return {};
  }

 private:
  sink_context context_;
  file file_;
  std::string pending_;
  off_t length_ = 0;
};

} // namespace

core::expected<std::unique_ptr<result_sink>> open_jsonl(const sink_context& context) {
  std::error_code failed;
  if (context.path.has_parent_path()) std::filesystem::create_directories(context.path.parent_path(), failed);
  if (failed) return core::fail(core::errc::io, context.path.parent_path().string() + ": " + failed.message());
  file to{::open(context.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
  if (to.get() < 0) return tl::unexpected{os_error(context.path)};
  return std::make_unique<jsonl_sink>(context, std::move(to));
}

} // namespace penstock::actors::sinks
