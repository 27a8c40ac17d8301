#include "inference/digest.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <vector>

#include "core/sha256.hpp"

namespace penstock::inference {

std::string sha256(std::span<const std::byte> bytes) { return core::to_hex(core::sha256(bytes)); }

core::expected<std::string> sha256_of_file(const std::filesystem::path& file) {
  std::error_code status_error;
  const auto status = std::filesystem::status(file, status_error);
  if (!std::filesystem::exists(status)) {
    return core::fail(core::errc::not_found, fmt::format("{}: no such file", file.string()));
  }
  if (!std::filesystem::is_regular_file(status)) {
    return core::fail(core::errc::io, fmt::format("{}: not a regular file", file.string()));
  }
  std::ifstream in{file, std::ios::binary};
  if (!in) return core::fail(core::errc::io, fmt::format("{}: {}", file.string(), std::strerror(errno)));
  core::sha256_hasher hasher;
  std::vector<char> buffer(std::size_t{1} << 16);
  while (in) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    hasher.update(std::as_bytes(std::span{buffer}.first(static_cast<std::size_t>(in.gcount()))));
  }
  if (in.bad()) return core::fail(core::errc::io, fmt::format("{}: cannot be read to its end", file.string()));
  return core::to_hex(hasher.finish());
}

} // namespace penstock::inference
