#include "jobs/blobs.hpp"

#include <algorithm>

namespace penstock::jobs {
namespace {

constexpr std::size_t longest_name = 200;

bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

} // namespace

bool is_blob_name(std::string_view name) noexcept {
  if (name.size() > longest_name) return false;
  while (true) {
    const auto end = name.find('/');
    const auto part = name.substr(0, end);
    if (part.empty() || part.front() == '.' || !std::all_of(part.begin(), part.end(), is_letter)) return false;
    if (end == std::string_view::npos) return true;
    name.remove_prefix(end + 1);
  }
}

core::expected<publication> put_blob(blobs& store, std::string_view name, std::span<const std::byte> bytes) {
  auto writer = store.create(name);
  if (!writer) return tl::unexpected{writer.error()};
  if (auto written = (*writer)->write(bytes); !written) return tl::unexpected{written.error()};
  return (*writer)->publish();
}

core::expected<std::string> get_blob(blobs& store, std::string_view name, std::size_t limit) {
  auto reader = store.open(name);
  if (!reader) return tl::unexpected{reader.error()};
  if ((*reader)->blob_bytes() > limit) {
    return core::fail(core::errc::too_large,
                      std::string{name} + ": is larger than " + std::to_string(limit) + " bytes");
  }
  std::string out(static_cast<std::size_t>((*reader)->blob_bytes()), '\0');
  std::size_t filled = 0;
  while (filled < out.size()) {
    const auto n = (*reader)->read(std::as_writable_bytes(std::span{out}.subspan(filled)));
    if (!n) return tl::unexpected{n.error()};
    if (*n == 0) return core::fail(core::errc::io, std::string{name} + ": ends early");
    filled += *n;
  }
  return out;
}

} // namespace penstock::jobs
