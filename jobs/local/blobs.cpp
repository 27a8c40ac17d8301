#include "jobs/local/blobs.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "jobs/ids.hpp"
#include "jobs/local/file.hpp"

namespace penstock::jobs::local {
namespace {

namespace fs = std::filesystem;

constexpr const char* unpublished = ".new";

wall_time time_of(const struct stat& info) {
  return wall_time{std::chrono::duration_cast<milliseconds>(std::chrono::seconds{info.st_mtim.tv_sec} +
                                                            std::chrono::nanoseconds{info.st_mtim.tv_nsec})};
}

core::expected<void> check_name(std::string_view name) {
  if (is_blob_name(name)) return {};
  return core::fail(core::errc::invalid_argument, fmt::format("'{}' is no name of a blob", name));
}

class local_writer final : public blob_writer {
 public:
  local_writer(core::descriptor opened, fs::path temporary, fs::path target)
      : file_{std::move(opened)}, temporary_{std::move(temporary)}, target_{std::move(target)} {}
  ~local_writer() override { ::unlink(temporary_.c_str()); } // a published blob keeps its other name

  core::expected<void> write(std::span<const std::byte> bytes) override { return write_all(file_, bytes, temporary_); }

  core::expected<publication> publish() override {
    if (::fsync(file_.get()) != 0) return core::system_failure(temporary_, errno);
    // `remove` takes empty folders away, maybe the one that was just made.
    constexpr int most_tries = 100;
    for (int i = 0; i < most_tries; ++i) {
      if (auto made = make_folders(target_.parent_path()); !made) {
        if (made.error().code == core::errc::not_found) continue;
        return tl::unexpected{made.error()};
      }
      if (::link(temporary_.c_str(), target_.c_str()) == 0) {
        if (auto synced = sync_folder(target_.parent_path()); !synced) return tl::unexpected{synced.error()};
        return publication::created;
      }
      if (errno == EEXIST) return publication::existed;
      if (errno != ENOENT) return core::system_failure(target_, errno);
      // Not the folder but this file is gone: somebody took it for that of a dead process.
      if (::access(temporary_.c_str(), F_OK) != 0) return core::system_failure(temporary_, errno);
    }
    return core::system_failure(target_, ENOENT);
  }

 private:
  core::descriptor file_;
  fs::path temporary_;
  fs::path target_;
};

class local_reader final : public blob_reader {
 public:
  local_reader(core::descriptor opened, fs::path path, std::uint64_t bytes, std::uint64_t offset, std::uint64_t left)
      : file_{std::move(opened)}, path_{std::move(path)}, bytes_{bytes}, offset_{offset}, left_{left} {}

  std::uint64_t blob_bytes() const noexcept override { return bytes_; }

  core::expected<std::size_t> read(std::span<std::byte> into) override {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), left_));
    if (wanted == 0) return 0;
    auto n = ::pread(file_.get(), into.data(), wanted, static_cast<off_t>(offset_));
    while (n < 0 && errno == EINTR) n = ::pread(file_.get(), into.data(), wanted, static_cast<off_t>(offset_));
    if (n < 0) return core::system_failure(path_, errno);
    offset_ += static_cast<std::uint64_t>(n);
    left_ -= static_cast<std::uint64_t>(n);
    return static_cast<std::size_t>(n);
  }

 private:
  core::descriptor file_;
  fs::path path_;
  std::uint64_t bytes_;
  std::uint64_t offset_;
  std::uint64_t left_;
};

class local_blobs final : public jobs::blobs {
 public:
  explicit local_blobs(fs::path root) : root_{std::move(root)}, random_{system_random()} {}

  core::expected<std::unique_ptr<blob_writer>> create(std::string_view name) override {
    if (auto good = check_name(name); !good) return tl::unexpected{good.error()};
    auto temporary = root_ / unpublished / make_token(random_);
    core::descriptor opened{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)};
    if (!opened) return core::system_failure(temporary, errno);
    return std::make_unique<local_writer>(std::move(opened), std::move(temporary), root_ / name);
  }

  core::expected<std::unique_ptr<blob_reader>> open(std::string_view name, std::uint64_t offset,
                                                    std::optional<std::uint64_t> length) override {
    if (auto good = check_name(name); !good) return tl::unexpected{good.error()};
    auto path = root_ / name;
    core::descriptor opened{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!opened) return core::system_failure(path, errno == ENOTDIR ? ENOENT : errno);
    struct stat info {};
    if (::fstat(opened.get(), &info) != 0) return core::system_failure(path, errno);
    if (!S_ISREG(info.st_mode)) return core::system_failure(path, ENOENT);
    const auto bytes = static_cast<std::uint64_t>(info.st_size);
    const auto behind = bytes - std::min(bytes, offset);
    return std::make_unique<local_reader>(std::move(opened), std::move(path), bytes, offset,
                                          std::min(behind, length.value_or(behind)));
  }

  core::expected<std::optional<blob_info>> stat(std::string_view name) override {
    if (auto good = check_name(name); !good) return tl::unexpected{good.error()};
    const auto path = root_ / name;
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
      return core::system_failure(path, errno);
    }
    if (!S_ISREG(info.st_mode)) return std::nullopt;
    return blob_info{std::string{name}, static_cast<std::uint64_t>(info.st_size), time_of(info)};
  }

  std::optional<fs::path> local_path(std::string_view name) const override {
    if (!check_name(name)) return std::nullopt;
    return root_ / name;
  }

  core::expected<bool> remove(std::string_view name) override {
    if (auto good = check_name(name); !good) return tl::unexpected{good.error()};
    const auto path = root_ / name;
    if (::unlink(path.c_str()) != 0) {
      if (errno == ENOENT || errno == ENOTDIR || errno == EISDIR) return false;
      return core::system_failure(path, errno);
    }
    // Folders that are empty now go, too; one that is not refuses.
    for (auto folder = path.parent_path(); folder != root_; folder = folder.parent_path()) {
      if (::rmdir(folder.c_str()) != 0) break;
    }
    return true;
  }

  core::expected<blob_page> list(std::string_view prefix, std::string_view after, std::size_t limit) override {
    blob_page out;
    if (auto walked = walk(root_, {}, prefix, after, limit, out); !walked) return tl::unexpected{walked.error()};
    return out;
  }

  core::expected<std::uint64_t> sweep_unpublished(wall_time before) override {
    std::uint64_t count = 0;
    std::error_code failed;
    const auto folder = root_ / unpublished;
    for (fs::directory_iterator at{folder, failed}, end; !failed && at != end; at.increment(failed)) {
      struct stat info {};
      if (::stat(at->path().c_str(), &info) != 0 || time_of(info) > before) continue;
      if (::unlink(at->path().c_str()) == 0) ++count;
    }
    if (failed) return core::system_failure(folder, failed.value());
    return count;
  }

 private:
  /// Visits names in their order, without entering folders that hold nothing of interest.
  core::expected<void> walk(const fs::path& folder, const std::string& name, std::string_view prefix,
                            std::string_view after, std::size_t limit, blob_page& out) const {
    std::vector<std::pair<std::string, bool>> found;
    std::error_code failed;
    for (fs::directory_iterator at{folder, failed}, end; !failed && at != end; at.increment(failed)) {
      auto part = at->path().filename().string();
      if (!is_blob_name(part)) continue;
      std::error_code gone;
      const auto is_folder = at->is_directory(gone);
      if (gone) continue;
      // A folder's names go on with a slash, and that is how they sort.
      if (is_folder) part += '/';
      found.emplace_back(name + part, is_folder);
    }
    // One that `remove` has just taken away is no error.
    if (failed && failed != std::errc::no_such_file_or_directory) return core::system_failure(folder, failed.value());
    std::sort(found.begin(), found.end());
    for (const auto& [full, is_folder] : found) {
      if (!out.last) return {};
      if (is_folder) {
        const auto below = after.substr(0, full.size()) == full;
        if (full < after && !below) continue;
        if (full.substr(0, prefix.size()) != prefix.substr(0, full.size())) continue;
        if (auto walked = walk(root_ / full, full, prefix, after, limit, out); !walked) return walked;
        continue;
      }
      if (full <= after || full.substr(0, prefix.size()) != prefix) continue;
      if (out.blobs.size() == limit) {
        out.last = false;
        return {};
      }
      struct stat info {};
      if (::stat((root_ / full).c_str(), &info) != 0) continue; // just removed
      out.blobs.push_back({full, static_cast<std::uint64_t>(info.st_size), time_of(info)});
    }
    return {};
  }

  fs::path root_;
  random_bits random_;
};

} // namespace

core::expected<std::shared_ptr<jobs::blobs>> open(const std::filesystem::path& folder) {
  auto root = fs::absolute(folder).lexically_normal();
  if (!root.has_filename()) root = root.parent_path();
  if (auto made = make_folders(root / unpublished); !made) return tl::unexpected{made.error()};
  return std::make_shared<local_blobs>(std::move(root));
}

} // namespace penstock::jobs::local
