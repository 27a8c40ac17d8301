#include "actors/sinks/durable.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace penstock::actors::sinks {

namespace {

core::expected<void> sync(const std::filesystem::path& path, int flags) {
  const auto failed = [&path](int why) {
    return core::fail(core::errc::io, path.string() + ": " + std::generic_category().message(why));
  };
  const int fd = ::open(path.c_str(), flags | O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed(errno);
  const int why = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (why != 0 && why != EINVAL && why != ENOTSUP) return failed(why); // some file systems cannot
  return {};
}

} // namespace

core::expected<void> make_durable(const std::filesystem::path& path) {
  std::error_code none;
  if (!std::filesystem::is_regular_file(path, none)) return {};
  if (auto synced = sync(path, 0); !synced) return synced;
  const auto folder = path.parent_path();
  return sync(folder.empty() ? std::filesystem::path{"."} : folder, O_DIRECTORY);
}

} // namespace penstock::actors::sinks
