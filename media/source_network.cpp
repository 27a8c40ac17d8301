#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "media/av/source.hpp"
#include "media/source_kinds.hpp"

namespace penstock::media {

namespace {

struct scheme {
  std::string_view name;
  bool live;
};

// over HTTP it is a file unless it is a playlist, which is live until it says otherwise
constexpr std::array schemes{scheme{"rtsp", true},  scheme{"rtsps", true}, scheme{"rtmp", true}, scheme{"rtmps", true},
                             scheme{"srt", true},   scheme{"udp", true},   scheme{"rtp", true},  scheme{"tcp", true},
                             scheme{"http", false}, scheme{"https", false}};

std::string_view scheme_of(std::string_view uri) {
  const auto end = uri.find("://");
  return end == uri.npos ? std::string_view{} : uri.substr(0, end);
}

std::optional<core::expected<source_traits>> describe(const std::string& uri) {
  const auto name = scheme_of(uri);
  if (name.empty() || name == "file") return std::nullopt;
  const auto* known = std::find_if(schemes.begin(), schemes.end(), [&](const scheme& s) { return s.name == name; });
  if (known == schemes.end()) {
    std::string all = "file, synthetic, v4l2";
    for (const auto& s : schemes) all += fmt::format(", {}", s.name);
    return core::fail(core::errc::unsupported,
                      fmt::format("{}: nothing opens '{}://'; known are {}", printable(uri), name, all));
  }
  const bool live = known->live || uri.find(".m3u8") != uri.npos;
  return source_traits{.kind = "network", .live = live, .finite = !live};
}

core::expected<source_ptr> open(const source_options& options) {
  const auto name = scheme_of(options.uri);
  av_options tuning;
  if (name.starts_with("rtsp")) tuning.set("rtsp_transport", options.transport == rtsp_transport::tcp ? "tcp" : "udp");
  if (name.starts_with("http")) {
    tuning.set("reconnect", "1"); // resumes a download where it broke off
    tuning.set("reconnect_delay_max", "4");
  }
  return av_source::open(
      options, {.url = options.uri, .name = printable(options.uri), .traits = **describe(options.uri)}, tuning);
}

} // namespace

const source_kind network_kind{describe, open};

} // namespace penstock::media
