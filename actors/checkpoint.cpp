#include "actors/checkpoint.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

namespace penstock::actors {

namespace {

using core::errc;
namespace fs = std::filesystem;

constexpr int version = 1;
constexpr const char* file_name = "checkpoint.json";
constexpr const char* lock_name = "lock";

tl::unexpected<core::error> os_failure(const fs::path& path) {
  return core::fail(errc::io, path.string() + ": " + std::generic_category().message(errno));
}

std::string dumped(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// Throws nlohmann's errors.
checkpoint_stream read_stream(const nlohmann::json& json) {
  checkpoint_stream stream;
  json.at("id").get_to(stream.id);
  json.at("source").get_to(stream.source);
  json.at("input").get_to(stream.input);
  auto& progress = stream.progress;
  progress.begun = true;
  json.at("finished").get_to(progress.finished);
  json.at("segment").get_to(progress.segment);
  json.at("seq").get_to(progress.seq);
  json.at("packets").get_to(progress.packets);
  json.at("emitted_before").get_to(progress.emitted_before);
  return stream;
}

/// Writes all of the text, and waits until the disk has it.
core::expected<void> write_file(const fs::path& path, std::string_view text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return os_failure(path);
  core::expected<void> done;
  while (done && !text.empty()) {
    const auto n = ::write(fd, text.data(), text.size());
    if (n > 0)
      text.remove_prefix(static_cast<std::size_t>(n));
    else if (n == 0 || errno != EINTR)
      done = os_failure(path);
  }
  if (done && ::fsync(fd) != 0) done = os_failure(path);
  if (::close(fd) != 0 && done) done = os_failure(path);
  return done;
}

core::expected<void> sync_folder(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return os_failure(path);
  const bool done = ::fsync(fd) == 0;
  const auto why = errno;
  ::close(fd);
  errno = why;
  return done ? core::expected<void>{} : core::expected<void>{os_failure(path)};
}

} // namespace

std::string to_text(const checkpoint_document& document) {
  auto text = fmt::format(R"({{"penstock_checkpoint":{},"epoch":{},"digest":{},"streams":[)", version, document.epoch,
                          dumped(document.digest));
  const char* comma = "\n";
  for (const auto& stream : document.streams) {
    const auto& progress = stream.progress;
    if (!progress.begun) continue;
    text += comma;
    text += dumped({{"id", stream.id},
                    {"source", stream.source},
                    {"input", stream.input},
                    {"finished", progress.finished},
                    {"segment", progress.segment},
                    {"seq", progress.seq},
                    {"packets", progress.packets},
                    {"emitted_before", progress.emitted_before}});
    comma = ",\n";
  }
  return text + "\n]}\n";
}

core::expected<checkpoint_document> parse_checkpoint(std::string_view text) try {
  const auto json = nlohmann::json::parse(text);
  const auto found = json.at("penstock_checkpoint").get<int>();
  if (found != version)
    return core::fail(errc::unsupported,
                      fmt::format("is of version {}, this program knows version {}", found, version));
  checkpoint_document document;
  json.at("epoch").get_to(document.epoch);
  json.at("digest").get_to(document.digest);
  for (const auto& stream : json.at("streams")) document.streams.push_back(read_stream(stream));
  return document;
} catch (const nlohmann::json::exception& e) {
  return core::fail(errc::corrupt, fmt::format("is not a whole checkpoint: {}", e.what()));
}

core::expected<checkpoint_folder> checkpoint_folder::open(const fs::path& path) {
  std::error_code failed;
  fs::create_directories(path, failed);
  if (failed) return core::fail(errc::io, path.string() + ": " + failed.message());
  const auto file = path / lock_name;
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return os_failure(file);
  checkpoint_folder folder{path, fd};
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return os_failure(file);
    std::array<char, 32> holder{};
    if (::pread(fd, holder.data(), holder.size() - 1, 0) < 0) return os_failure(file);
    return core::fail(errc::io, fmt::format("{} is in use by another head (process {})", path.string(), holder.data()));
  }
  const auto own = std::to_string(::getpid());
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, own.data(), own.size(), 0) < 0) return os_failure(file);
  return folder;
}

checkpoint_folder::checkpoint_folder(checkpoint_folder&& other) noexcept
    : path_{std::move(other.path_)}, lock_{std::exchange(other.lock_, -1)} {}

checkpoint_folder::~checkpoint_folder() {
  if (lock_ >= 0) ::close(lock_);
}

core::expected<std::optional<checkpoint_document>> checkpoint_folder::read() const {
  const auto path = path_ / file_name;
  std::error_code failed;
  if (!fs::exists(path, failed) && !failed) return std::optional<checkpoint_document>{};
  std::ifstream in{path, std::ios::binary};
  const std::string text{std::istreambuf_iterator<char>{in}, {}};
  if (!in) return os_failure(path);
  auto document = parse_checkpoint(text);
  if (!document) return core::fail(document.error().code, path.string() + " " + document.error().message);
  return std::optional{std::move(*document)};
}

core::expected<void> checkpoint_folder::write(const checkpoint_document& document) const {
  const auto path = path_ / file_name;
  auto temporary = path;
  temporary += ".new";
  if (auto written = write_file(temporary, to_text(document)); !written) return written;
  if (::rename(temporary.c_str(), path.c_str()) != 0) return os_failure(path);
  return sync_folder(path_);
}

} // namespace penstock::actors
