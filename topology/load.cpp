#include "topology/load.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include <fmt/format.h>

#include "topology/checks.hpp"
#include "topology/document.hpp"
#include "topology/expand.hpp"
#include "topology/schema_table.hpp"

namespace penstock::topology {
namespace {

constexpr std::size_t largest_file_bytes = 16U << 20;

std::optional<std::string> process_environment(std::string_view name) {
  const auto* value = std::getenv(std::string{name}.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>{value};
}

/// Decides what `auto` leaves open in streams.
void decide(config& c) {
  for (auto& s : c.streams) {
    if (!s.policy) s.policy = default_policy(s.uri);
    if (!s.sample_fps) s.sample_fps = c.stages.decode.sample_fps;
  }
}

core::expected<std::string> read_file(const std::filesystem::path& file) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) return core::fail(core::errc::io, "is a folder; allowed: a file");
  errno = 0;
  std::ifstream stream;
  if (file != "-") stream.open(file, std::ios::binary);
  auto& in = file == "-" ? std::cin : stream;
  if (!in) return core::fail(core::errc::io, fmt::format("cannot be read: {}", std::strerror(errno)));
  std::string text;
  std::string block(1U << 16, '\0');
  while (text.size() <= largest_file_bytes && in) {
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    text.append(block, 0, static_cast<std::size_t>(in.gcount()));
  }
  if (in.bad()) return core::fail(core::errc::io, fmt::format("cannot be read: {}", std::strerror(errno)));
  if (text.size() > largest_file_bytes) {
    return core::fail(core::errc::too_large, fmt::format("is larger than {} MiB", largest_file_bytes >> 20));
  }
  return text;
}

} // namespace

tl::expected<loaded, problems> load(const std::filesystem::path& file, const load_options& options) {
  const auto text = read_file(file);
  if (text) return load_text(*text, file, options);
  problem_list list{file.string()};
  list.error({}, "", text.error().message);
  return tl::unexpected{std::move(list).take()};
}

tl::expected<loaded, problems> load_text(std::string_view text, const std::filesystem::path& file,
                                         const load_options& options) {
  problem_list list{file.string()};
  auto document = parse_document(text, {}, list);
  if (list.has_errors()) return tl::unexpected{std::move(list).take()};
  for (std::size_t i = 0; i < options.overrides.size(); ++i) {
    apply_override(document, options.overrides[i], static_cast<int>(i) + 1, list);
  }
  resolve_references(document, options.environment ? options.environment : process_environment, list);

  loaded result;
  read_context context{options.vocabulary, file.parent_path(), list};
  read_value(config_shape(), document, "", result.config, context);
  if (document.type == node::kind::map || document.type == node::kind::null) {
    check(result.config, options.check_files, context);
  }
  if (list.has_errors()) return tl::unexpected{std::move(list).take()};
  decide(result.config);
  result.places = list.places;
  result.notes = std::move(list).take();
  return result;
}

std::string to_yaml(const config& c) { return print_document(config_shape().write(c, path_style::absolute)); }

} // namespace penstock::topology
