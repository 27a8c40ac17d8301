#include "topology/checks.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "topology/check_http.hpp"
#include "topology/check_nodes.hpp"
#include "topology/check_scaling.hpp"
#include "topology/expand.hpp"
#include "topology/findings.hpp"
#include "topology/source_uri.hpp"
#include "topology/spelling.hpp"

namespace penstock::topology {
namespace {

namespace fs = std::filesystem;

void check_file(const findings& find, const std::string& path, const fs::path& file) {
  std::error_code error;
  const auto status = fs::status(file, error);
  if (!fs::exists(status)) {
    find.error(path, fmt::format("'{}' does not exist", file.string()));
  } else if (fs::is_directory(status)) {
    find.error(path, fmt::format("'{}' is a folder; allowed: a file", file.string()));
  }
}

/// Whether clients of the HTTP door get results.
bool has_door(const config& c) {
  return std::any_of(c.nodes.begin(), c.nodes.end(), [](const auto& n) { return !n.http.empty(); });
}

bool accepts_any(const config& c) {
  return std::any_of(c.nodes.begin(), c.nodes.end(),
                     [](const auto& n) { return !n.ingest.listen.empty() && n.ingest.accept == ingest_accept::any; });
}

/// A stream that a program pushes: its name, and whether anybody listens.
void check_pushed(const config& c, std::size_t i, const findings& find) {
  const auto path = fmt::format("streams.{}.uri", i);
  const auto& uri = c.streams[i].uri;
  const auto name = pushed_name(uri);
  const auto fine = !name.empty() && name.front() != '.' && std::all_of(name.begin(), name.end(), [](unsigned char l) {
    return std::isalnum(l) != 0 || l == '.' || l == '_' || l == '-';
  });
  if (!fine) find.error(path, fmt::format("found '{}'; allowed: push://NAME of letters, digits, '.', '_', '-'", uri));
  for (std::size_t other = 0; other < i; ++other) {
    if (c.streams[other].uri == uri)
      find.error(path, fmt::format("found '{}', which streams.{} is already", uri, other));
  }
  const auto heard =
      std::any_of(c.nodes.begin(), c.nodes.end(), [](const auto& n) { return !n.ingest.listen.empty(); });
  if (!heard) find.error(path, "no role has ingest, so nobody can push it");
}

/// Returns the streams that there will be, as far as files tell; a glob that is not looked at stands for two.
std::vector<stream_source> check_streams(const config& c, bool check_files, const findings& find) {
  std::map<std::string, std::size_t> first;
  std::vector<stream_source> all;
  for (std::size_t i = 0; i < c.streams.size(); ++i) {
    const auto& s = c.streams[i];
    const auto path = fmt::format("streams.{}", i);
    const auto [known, fresh] = first.emplace(s.id, i);
    if (!fresh && !s.id.empty()) {
      find.error(path + ".id", fmt::format("found '{}', which streams.{}.id is already", s.id, known->second));
    }
    if (classify(s.uri) == source_kind::pushed) check_pushed(c, i, find);
    if (s.reconnect.min > s.reconnect.max) find.error(path + ".reconnect", "min is larger than max");
    if (s.uri.empty()) continue;
    if (!check_files) {
      const auto several = classify(s.uri) == source_kind::video && s.uri.find_first_of("*?[") != std::string::npos;
      all.insert(all.end(), several ? 2 : 1, {.id = s.id, .uri = s.uri});
    } else if (const auto sources = expand_stream(s, c.stages)) {
      all.insert(all.end(), sources->begin(), sources->end());
    } else {
      find.error(path + ".uri", sources.error().message);
    }
  }
  if (c.streams.empty() && !accepts_any(c) && !has_door(c))
    find.error("streams", "has no stream; allowed: at least one, or a role with http, or with ingest that accepts any");
  return all;
}

void check_devices(const stages_config& stages, const vocabulary& words, const findings& find) {
  const auto runs_cuda = std::find(words.devices.begin(), words.devices.end(), "cuda") != words.devices.end();
  const auto refuse = [&](const std::string& path, const std::string& reason) {
    find.error(path, fmt::format("found 'cuda', which cannot be used: {}; allowed here: auto, cpu", reason));
  };
  if (stages.decode.device == device::cuda && !words.no_cuda.empty()) refuse("stages.decode.device", words.no_cuda);
  if (stages.inference.device == device::cuda && !runs_cuda) {
    refuse("stages.inference.device",
           words.no_cuda.empty() ? "penstock devices tells which engine lacks what" : words.no_cuda);
  }
}

void check_providers(const inference_config& c, const findings& find) {
  constexpr std::string_view path = "stages.inference.providers";
  for (auto at = c.providers.begin(); at != c.providers.end(); ++at) {
    if (std::find(c.providers.begin(), at, *at) == at) continue;
    find.error(fmt::format("{}.{}", path, at - c.providers.begin()), "stands twice");
  }
  if (!c.providers.empty() && c.engine != "auto" && c.engine != "onnxruntime") {
    find.note(std::string{path}, fmt::format("the engine '{}' has no use for them", c.engine));
  }
  if (c.cache.empty() && std::find(c.providers.begin(), c.providers.end(), provider::tensorrt) != c.providers.end()) {
    find.note(std::string{path}, "without stages.inference.cache TensorRT compiles the model at each start");
  }
}

void check_sinks(const config& c, const std::vector<stream_source>& streams, const findings& find) {
  constexpr std::string_view placeholder = "{stream}";
  std::map<std::string, std::size_t> first;
  for (std::size_t i = 0; i < c.sinks.size(); ++i) {
    const auto& s = c.sinks[i];
    const auto text = s.path.string();
    const auto path = fmt::format("sinks.{}.path", i);
    const auto publishes = s.kind == "zmq";
    if (publishes && s.listen.empty())
      find.error(fmt::format("sinks.{}.listen", i), "is missing; allowed: tcp://HOST:PORT");
    if (publishes && !text.empty()) find.error(path, "the kind 'zmq' has no use for it");
    if (!publishes && text.empty() && !s.kind.empty()) find.error(path, "is missing; allowed: a path");
    if (!publishes && !s.listen.empty()) {
      find.error(fmt::format("sinks.{}.listen", i), fmt::format("the kind '{}' has no use for it", s.kind));
    }
    if (text.empty()) continue;
    const auto [known, fresh] = first.emplace(text, i);
    if (!fresh) find.error(path, fmt::format("found '{}', which sinks.{}.path is already", text, known->second));
    std::error_code error;
    if (fs::is_directory(s.path, error)) find.error(path, fmt::format("'{}' is a folder; allowed: a file", text));
    auto rest = text;
    for (auto at = rest.find(placeholder); at != std::string::npos; at = rest.find(placeholder)) {
      rest.erase(at, placeholder.size());
    }
    if (const auto open = rest.find('{'); open != std::string::npos && rest.find('}', open) != std::string::npos) {
      const auto word = rest.substr(open, rest.find('}', open) - open + 1);
      find.error(path, fmt::format("found '{}'; allowed: {}", word, placeholder));
    } else if ((streams.size() > 1 || accepts_any(c)) && rest.size() == text.size()) {
      find.error(path, fmt::format("found '{}' for {} streams; allowed: a path with {}", text,
                                   streams.size() <= 2 ? "several" : std::to_string(streams.size()), placeholder));
    }
    for (const auto& source : streams) {
      const auto target = sink_path(s, source.id);
      if (target == source.uri) find.error(path, fmt::format("found '{}', which a stream reads", target.string()));
    }
    if (s.fps && s.kind == "jsonl") find.note(fmt::format("sinks.{}.fps", i), "the kind 'jsonl' has no use for it");
  }
  const auto answers_only = c.streams.empty() && has_door(c);
  if (c.sinks.empty() && !answers_only) find.note("sinks", "there are none: results are counted, not written");
}

void check_jobs(const config& c, const findings& find) {
  if (!c.jobs) return;
  if (c.jobs->queue.kind != queue_kind::sqlite && c.jobs->queue.url.empty()) {
    find.error("jobs.queue.url", "is missing; allowed: the address of the queue");
  }
  if (c.jobs->blobs.kind != blobs_kind::local && c.jobs->blobs.url.empty()) {
    find.error("jobs.blobs.url", "is missing; allowed: the address of the store");
  }
}

} // namespace

void check(const config& c, bool check_files, read_context& context) {
  const findings find{context};
  const auto streams = check_streams(c, check_files, find);
  check_devices(c.stages, context.words, find);
  check_providers(c.stages.inference, find);
  if (check_files) {
    check_file(find, "stages.inference.model", c.stages.inference.model);
    if (!c.stages.postprocess.labels.empty()) {
      check_file(find, "stages.postprocess.labels", c.stages.postprocess.labels);
    }
  }
  check_sinks(c, streams, find);
  check_nodes(c, find);
  check_http(c, check_files, find);
  check_jobs(c, find);
  check_scaling(c, check_files, find);
}

} // namespace penstock::topology
