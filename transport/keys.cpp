#include "transport/keys.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <system_error>

namespace penstock::transport {

namespace {

constexpr std::size_t key_length = 40;

core::error os_error(const std::filesystem::path& path) {
  return {errno == ENOENT ? core::errc::not_found : core::errc::io,
          path.string() + ": " + std::generic_category().message(errno)};
}

core::expected<std::vector<std::string>> read_keys(const std::filesystem::path& file, std::size_t wanted) {
  std::ifstream in{file};
  if (!in) return tl::unexpected{os_error(file)};
  auto keys = parse_keys(in, wanted);
  if (!keys) return core::fail(file.string(), std::move(keys).error());
  return keys;
}

core::error taken(const std::filesystem::path& file) {
  return {core::errc::io, file.string() + ": there is a key of this name already"};
}

core::expected<void> write_new(const std::filesystem::path& file, const std::string& text, mode_t mode) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return tl::unexpected{errno == EEXIST ? taken(file) : os_error(file)};
  const auto written = ::write(fd, text.data(), text.size());
  if (written >= 0 && written < static_cast<ssize_t>(text.size())) errno = ENOSPC;
  std::optional<core::error> failed;
  if (written != static_cast<ssize_t>(text.size())) failed = os_error(file);
  if (::close(fd) != 0 && !failed) failed = os_error(file);
  if (!failed) return {};
  ::unlink(file.c_str()); // it is none
  return tl::unexpected{std::move(*failed)};
}

} // namespace

key_pair make_key_pair() {
  std::array<char, key_length + 1> open{};
  std::array<char, key_length + 1> secret{};
  if (zmq_curve_keypair(open.data(), secret.data()) != 0) return {}; // only without CURVE, which `hub::start` refuses
  return {open.data(), secret.data()};
}

core::expected<std::vector<std::string>> parse_keys(std::istream& text, std::size_t wanted) {
  std::vector<std::string> keys;
  for (std::string line; std::getline(text, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    std::array<std::uint8_t, 32> binary{};
    if (line.size() != key_length || zmq_z85_decode(binary.data(), line.c_str()) == nullptr)
      return core::fail(core::errc::corrupt, fmt::format("a line that is no key of {} characters", key_length));
    keys.push_back(std::move(line));
  }
  if (keys.size() != wanted)
    return core::fail(core::errc::corrupt, fmt::format("{} keys where there must be {}", keys.size(), wanted));
  return keys;
}

core::expected<void> may_write_key_pair(const std::filesystem::path& folder, const std::string& name) {
  if (name.empty() || name.find('/') != std::string::npos || name.front() == '.')
    return core::fail(core::errc::bad_config, fmt::format("\"{}\" is no name for a key", name));
  for (const auto* ending : {".key", ".key_secret"}) {
    const auto file = folder / (name + ending);
    std::error_code failed;
    if (std::filesystem::exists(file, failed)) return tl::unexpected{taken(file)};
    if (failed) return core::fail(core::errc::io, file.string() + ": " + failed.message());
  }
  return {};
}

core::expected<key_pair> write_key_pair(const std::filesystem::path& folder, const std::string& name) {
  if (auto ok = may_write_key_pair(folder, name); !ok) return tl::unexpected{std::move(ok).error()};
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return core::fail(core::errc::io, folder.string() + ": " + failed.message());
  auto pair = make_key_pair();
  if (pair.public_key.empty()) return core::fail(core::errc::unsupported, "this libzmq was built without CURVE");
  const auto secret =
      fmt::format("# public key, then secret key, of {}\n{}\n{}\n", name, pair.public_key, pair.secret_key);
  const auto open = fmt::format("# public key of {}\n{}\n", name, pair.public_key);
  if (auto ok = write_new(folder / (name + ".key_secret"), secret, 0600); !ok) return tl::unexpected{ok.error()};
  if (auto ok = write_new(folder / (name + ".key"), open, 0644); !ok) {
    std::filesystem::remove(folder / (name + ".key_secret"), failed);
    return tl::unexpected{ok.error()};
  }
  return pair;
}

core::expected<key_ring> read_key_ring(const std::filesystem::path& folder, const std::string& name) {
  key_ring ring;
  const auto secret = folder / (name + ".key_secret");
  struct stat info {};
  if (::stat(secret.c_str(), &info) != 0) return tl::unexpected{os_error(secret)};
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return core::fail(core::errc::bad_config,
                      fmt::format("{}: others can read this secret (chmod 600)", secret.string()));
  auto own = read_keys(secret, 2);
  if (!own) return tl::unexpected{own.error()};
  ring.own = {(*own)[0], (*own)[1]};
  auto server = read_keys(folder / "head.key", 1);
  if (!server) return tl::unexpected{server.error()};
  ring.server_key = server->front();
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator{folder, failed}) {
    if (entry.path().extension() != ".key") continue;
    auto key = read_keys(entry.path(), 1);
    if (!key) return tl::unexpected{key.error()};
    ring.allowed_keys.push_back(key->front());
  }
  if (failed) return core::fail(core::errc::io, folder.string() + ": " + failed.message());
  std::ranges::sort(ring.allowed_keys);
  return ring;
}

} // namespace penstock::transport
