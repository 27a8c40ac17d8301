#include "media/input_identity.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <functional>
#include <system_error>

#include "core/ids.hpp"
#include "media/file_list.hpp"
#include "media/source.hpp"

namespace penstock::media {

namespace {

core::expected<struct ::stat> look_at(const std::string& path) {
  struct ::stat file {};
  if (::stat(path.c_str(), &file) == 0) return file;
  const auto code = errno == ENOENT ? core::errc::not_found : core::errc::io;
  return core::fail(code, path + ": " + std::generic_category().message(errno));
}

std::string time_of(const struct ::stat& file) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:09}Z", fmt::gmtime(file.st_mtim.tv_sec), file.st_mtim.tv_nsec);
}

} // namespace

core::expected<std::string> input_identity(const std::string& uri) {
  const auto traits = describe_source(uri);
  if (!traits) return tl::unexpected{traits.error()};
  if (traits->kind != "files" && traits->kind != "pictures") return std::string{};
  if (!is_pattern(uri)) {
    const auto file = look_at(uri);
    if (!file) return tl::unexpected{file.error()};
    if (S_ISREG(file->st_mode)) return fmt::format("{} bytes of {}", file->st_size, time_of(*file));
  }
  const auto paths = list_files(uri);
  if (!paths) return tl::unexpected{paths.error()};
  std::uint64_t bytes = 0;
  std::uint64_t digest = 0;
  for (const auto& path : *paths) {
    const auto file = look_at(path);
    if (!file) return tl::unexpected{file.error()};
    bytes += static_cast<std::uint64_t>(file->st_size);
    digest = core::mix(digest ^ core::mix(std::hash<std::string>{}(path + '\n' + time_of(*file)) ^
                                          static_cast<std::uint64_t>(file->st_size)));
  }
  return fmt::format("{} files, {} bytes, digest {:016x}", paths->size(), bytes, digest);
}

} // namespace penstock::media
