#include "front/jobs/spool.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

namespace penstock::front {

namespace {

constexpr std::size_t piece_bytes = 256UL << 10U;

tl::unexpected<core::error> os_failure(const std::filesystem::path& path) {
  return core::fail(core::errc::io, path.string() + ": " + std::generic_category().message(errno));
}

} // namespace

spool::spool(std::filesystem::path folder, std::uint64_t most_bytes)
    : folder_{std::move(folder)}, most_bytes_{most_bytes} {}

spool::file::file(file&& other) noexcept
    : in_{other.in_}, descriptor_{std::exchange(other.descriptor_, -1)}, bytes_{other.bytes_} {}

spool::file::~file() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  in_->give_back(bytes_);
}

std::string spool::file::path() const { return fmt::format("/proc/self/fd/{}", descriptor_); }

void spool::give_back(std::uint64_t bytes) {
  const std::lock_guard lock{mutex_};
  used_ -= bytes;
}

core::expected<std::optional<spool::file>> spool::open(std::uint64_t bytes) {
  if (bytes > most_bytes_)
    return core::fail(core::errc::too_large,
                      fmt::format("the input has {} bytes, more than the spool holds ({})", bytes, most_bytes_));
  {
    const std::lock_guard lock{mutex_};
    if (used_ + bytes > most_bytes_) return std::nullopt;
    used_ += bytes;
  }
  std::error_code failed;
  std::filesystem::create_directories(folder_, failed);
  auto name = (folder_ / "input-XXXXXX").string();
  const int descriptor = failed ? -1 : ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0) {
    if (failed) errno = failed.value();
    auto why = os_failure(folder_);
    give_back(bytes);
    return why;
  }
  file made{*this, descriptor, bytes};
  if (::unlink(name.c_str()) != 0) return os_failure(name);
  return std::optional{std::move(made)};
}

core::expected<void> spool::fill(const file& to, jobs::blob_reader& from, const std::function<bool()>& go_on) {
  std::vector<std::byte> piece(piece_bytes);
  std::uint64_t filled = 0;
  while (true) {
    if (!go_on()) return core::fail(core::errc::cancelled, "fetching the input was called off");
    const auto n = from.read(piece);
    if (!n) return tl::unexpected{n.error()};
    if (*n == 0) break;
    for (std::size_t done = 0; done < *n;) {
      const auto written = ::write(to.descriptor_, piece.data() + done, *n - done);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return os_failure(folder_);
      done += static_cast<std::size_t>(written);
    }
    filled += *n;
  }
  if (filled != from.blob_bytes()) return core::fail(core::errc::io, "the input ended early");
  return {};
}

} // namespace penstock::front
