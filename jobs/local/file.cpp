#include "jobs/local/file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace penstock::jobs::local {

core::expected<void> write_all(const core::descriptor& to, std::span<const std::byte> bytes,
                               const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const auto n = ::write(to.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return core::system_failure(path, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

core::expected<void> sync_folder(const std::filesystem::path& folder) {
  const core::descriptor opened{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!opened || ::fsync(opened.get()) != 0) return core::system_failure(folder, errno);
  return {};
}

core::expected<void> make_folders(const std::filesystem::path& folder) {
  if (folder.empty() || ::mkdir(folder.c_str(), 0777) == 0) {
    return folder.empty() ? core::expected<void>{}
                          : sync_folder(folder.parent_path().empty() ? "." : folder.parent_path());
  }
  if (errno == EEXIST) return {};
  if (errno != ENOENT) return core::system_failure(folder, errno);
  if (auto above = make_folders(folder.parent_path()); !above) return above;
  if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) return core::system_failure(folder, errno);
  return sync_folder(folder.parent_path());
}

} // namespace penstock::jobs::local
