#pragma once

/// Inside this room only: one entry a kind of source. A new kind is one file and one line in the table of source.cpp.

#include <optional>
#include <string>
#include <string_view>

#include "media/source.hpp"

namespace penstock::media {

using source_ptr = std::unique_ptr<packet_source>;

struct source_kind {
  /// Traits of the uri if it is of this kind; an error if it is, but nothing can open it.
  std::optional<core::expected<source_traits>> (*describe)(const std::string& uri);
  core::expected<source_ptr> (*open)(const source_options& options);
};

extern const source_kind synthetic_kind;
extern const source_kind device_kind;
extern const source_kind network_kind;
extern const source_kind files_kind; ///< takes what no other kind takes

/// The uri for logs and errors: without user name and password.
[[nodiscard]] std::string printable(std::string_view uri);

} // namespace penstock::media
