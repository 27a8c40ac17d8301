#include "actors/resume.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <span>
#include <spdlog/spdlog.h>
#include <utility>

#include "actors/stages_digest.hpp"
#include "inference/digest.hpp"
#include "media/input_identity.hpp"
#include "topology/load.hpp"

namespace penstock::actors {

namespace {

using core::errc;

constexpr std::string_view key = "checkpoint";

/// What becomes of a frame once it is decoded: the same for all lives of a run.
core::expected<std::string> digest_of(const topology::config& topology) {
  auto stages = stages_digest(topology);
  if (!stages) return stages;
  topology::config same;
  same.tracking = topology.tracking;
  same.sinks = topology.sinks;
  for (auto& sink : same.sinks) sink.queue = topology::sink_config{}.queue;
  auto text = *stages + topology::to_yaml(same);
  for (const auto& role : topology.nodes) {
    topology::config link;
    link.nodes.push_back({.role = "any", .link = role.link});
    text += topology::to_yaml(link);
  }
  if (const auto& labels = topology.stages.postprocess.labels; !labels.empty()) {
    auto content = inference::sha256_of_file(labels);
    if (!content) return core::fail("stages.postprocess.labels", content.error());
    text += *content;
  }
  return inference::sha256(std::as_bytes(std::span{text}));
}

/// The streams as they are now; nothing has begun. Those that are not noted stay without a name.
core::expected<std::vector<checkpoint_stream>> describe(const std::vector<topology::stream_source>& streams) {
  std::vector<checkpoint_stream> described;
  for (const auto& stream : streams) {
    auto& to = described.emplace_back();
    if (!can_go_on(stream)) continue;
    to.id = stream.id;
    to.source = topology::display_uri(stream.uri);
    if (stream.sample_fps > 0) to.source += fmt::format(" at {} frames/s", stream.sample_fps);
    auto input = media::input_identity(stream.uri);
    if (!input) return core::fail("stream " + stream.id, input.error());
    to.input = std::move(*input);
  }
  return described;
}

core::expected<void> check_same(const checkpoint_stream& before, const checkpoint_stream& now) {
  constexpr auto message = "stream {}: its source has changed since it was begun: it was {}, and is {}; --fresh begins "
                           "anew";
  if (before.source != now.source)
    return core::fail(errc::bad_config, fmt::format(message, now.id, before.source, now.source));
  if (before.input != now.input)
    return core::fail(errc::bad_config, fmt::format(message, now.id, before.input, now.input));
  return {};
}

} // namespace

bool can_go_on(const topology::stream_source& stream) {
  return stream.finite && stream.policy == topology::stream_policy::lossless &&
         stream.kind != topology::source_kind::pushed;
}

core::expected<resumption> resume(const topology::config& topology, const std::vector<topology::stream_source>& streams,
                                  bool fresh, std::uint32_t now_s) {
  auto folder = checkpoint_folder::open(topology.checkpoint);
  if (!folder) return core::fail(key, folder.error());
  auto before = folder->read();
  if (!before) {
    if (!fresh || before.error().code == errc::io)
      return core::fail(key, core::error{before.error().code == errc::io ? errc::io : errc::bad_config,
                                         before.error().message + "; --fresh begins anew"});
    before = std::optional<checkpoint_document>{};
  }

  checkpoint_document document;
  document.epoch = *before ? (*before)->epoch + 1 : now_s;
  auto digest = digest_of(topology);
  if (!digest) return tl::unexpected{digest.error()};
  document.digest = std::move(*digest);
  auto described = describe(streams);
  if (!described) return core::fail(key, described.error());
  document.streams = std::move(*described);

  if (*before && !fresh && !(*before)->streams.empty()) {
    if ((*before)->digest != document.digest)
      return core::fail(
          key, core::error{errc::bad_config, fmt::format("{} was begun with other stages, tracking or sinks; --fresh "
                                                         "begins anew",
                                                         topology.checkpoint.string())});
    std::map<std::string, checkpoint_stream*> by_id;
    for (auto& stream : document.streams)
      if (!stream.id.empty()) by_id.emplace(stream.id, &stream);
    std::vector<checkpoint_stream> absent;
    for (auto& stream : (*before)->streams) {
      const auto now = by_id.find(stream.id);
      if (now == by_id.end()) {
        if (!stream.progress.finished)
          spdlog::warn("checkpoint: stream {} was begun, but is not in the topology any more", stream.id);
        absent.push_back(std::move(stream));
        continue;
      }
      if (auto same = check_same(stream, *now->second); !same) return core::fail(key, same.error());
      now->second->progress = stream.progress;
    }
    std::ranges::move(absent, std::back_inserter(document.streams));
  }
  if (auto written = folder->write(document); !written) return core::fail(key, written.error());

  resumption out;
  out.epoch = document.epoch;
  for (std::size_t i = 0; i < streams.size(); ++i) out.streams.push_back(document.streams[i].progress);
  out.writer = std::make_shared<checkpoint_writer>(std::move(*folder), std::move(document));
  return out;
}

} // namespace penstock::actors
