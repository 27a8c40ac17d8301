#include "cli/job_input.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "core/sha256.hpp"

namespace penstock::cli {

namespace {

using namespace std::string_view_literals;

constexpr std::size_t sniffed_bytes = 377; // two packets of a transport stream, and a byte
constexpr std::size_t read_at_once = std::size_t{256} << 10U;

bool has(std::string_view bytes, std::size_t at, std::string_view what) {
  return bytes.size() >= at + what.size() && bytes.substr(at, what.size()) == what;
}

std::int64_t modified_ns(const struct stat& of) {
  return std::int64_t{of.st_mtim.tv_sec} * 1'000'000'000 + of.st_mtim.tv_nsec;
}

} // namespace

std::string_view media_type_of(std::string_view b) noexcept {
  if (has(b, 0, "\xff\xd8\xff"sv)) return "image/jpeg";
  if (has(b, 0, "\x89PNG\r\n\x1a\n"sv)) return "image/png";
  if (has(b, 0, "RIFF"sv) && has(b, 8, "WEBP"sv)) return "image/webp";
  if (has(b, 4, "ftyp"sv)) return "video/mp4";
  if (has(b, 0, "\x1a\x45\xdf\xa3"sv)) return "video/x-matroska";
  if (has(b, 0, "G"sv) && has(b, 188, "G"sv) && has(b, 376, "G"sv)) return "video/mp2t";
  return "application/octet-stream";
}

core::expected<job_input> job_input::open(const std::filesystem::path& path) {
  const auto failed = [&](const char* why) { return core::fail(core::errc::io, path.string() + ": " + why); };
  job_input out;
  out.fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a pipe would have to be waited for
  if (out.fd_ < 0) return failed(std::strerror(errno));
  struct stat is {};
  if (::fstat(out.fd_, &is) != 0) return failed(std::strerror(errno));
  if (!S_ISREG(is.st_mode) || is.st_size == 0)
    return core::fail(core::errc::invalid_argument,
                      path.string() + (is.st_size == 0 && S_ISREG(is.st_mode) ? ": is empty" : ": is no file"));
  out.size_bytes_ = static_cast<std::uint64_t>(is.st_size);
  out.modified_ns_ = modified_ns(is);
  out.name_ = path.filename().string();
  for (auto& c : out.name_)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '_';
  std::array<char, sniffed_bytes> begin{};
  const auto got = ::pread(out.fd_, begin.data(), begin.size(), 0);
  if (got < 0) return failed(std::strerror(errno));
  out.type_ = media_type_of({begin.data(), static_cast<std::size_t>(got)});
  return out;
}

job_input::job_input(job_input&& other) noexcept
    : fd_{std::exchange(other.fd_, -1)}, size_bytes_{other.size_bytes_},
      modified_ns_{other.modified_ns_}, type_{std::move(other.type_)}, name_{std::move(other.name_)} {}

job_input& job_input::operator=(job_input&& other) noexcept {
  std::swap(fd_, other.fd_);
  size_bytes_ = other.size_bytes_;
  modified_ns_ = other.modified_ns_;
  type_ = std::move(other.type_);
  name_ = std::move(other.name_);
  return *this;
}

job_input::~job_input() {
  if (fd_ >= 0) ::close(fd_);
}

core::expected<std::string> job_input::key(std::string_view salt, const std::stop_token& stop,
                                           const read_told& told) const {
  core::sha256_hasher hasher;
  // What comes before the content ends with a zero, which no name has.
  hasher.update(std::as_bytes(std::span{salt}));
  hasher.update(std::as_bytes(std::span{"\0"sv}));
  hasher.update(std::as_bytes(std::span{name_}));
  hasher.update(std::as_bytes(std::span{"\0"sv}));
  std::vector<std::byte> buffer(read_at_once);
  std::uint64_t at = 0;
  while (!stop.stop_requested()) {
    const auto got = ::pread(fd_, buffer.data(), buffer.size(), static_cast<off_t>(at));
    if (got < 0) return core::fail(core::errc::io, name_ + ": " + std::strerror(errno));
    if (got == 0) return core::to_hex(hasher.finish());
    hasher.update(std::span{buffer}.first(static_cast<std::size_t>(got)));
    at += static_cast<std::uint64_t>(got);
    if (told) told(at);
  }
  return core::fail(core::errc::cancelled, "asked to stop");
}

bool job_input::changed() const {
  struct stat is {};
  return ::fstat(fd_, &is) != 0 || static_cast<std::uint64_t>(is.st_size) != size_bytes_ ||
         modified_ns(is) != modified_ns_;
}

} // namespace penstock::cli
