#include "actors/result_json.hpp"

#include <fmt/format.h>
#include <iterator>
#include <nlohmann/json.hpp>

namespace penstock::actors {

namespace {

/// A JSON string literal; bytes that are not UTF-8 are replaced.
std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace

std::string label_of(std::span<const std::string> labels, std::int32_t class_index) {
  const auto i = static_cast<std::size_t>(class_index);
  if (labels.empty()) return fmt::format("class {}", class_index); // as classes without names are called elsewhere
  return class_index >= 0 && i < labels.size() ? labels[i] : std::to_string(class_index);
}

void append_json(std::string& out, std::string_view stream, std::span<const std::string> labels,
                 const core::frame_result& result) {
  auto to = std::back_inserter(out);
  fmt::format_to(to, R"({{"stream":{},"seq":{},"pts_ms":{:.3f},)", json_string(stream), result.seq,
                 static_cast<double>(result.pts.count()) / 1000);
  if (!result.name.empty()) fmt::format_to(to, R"("file":{},)", json_string(result.name));
  fmt::format_to(to, R"("width":{},"height":{},"objects":[)", result.width_px, result.height_px);
  std::string_view comma;
  for (const auto& object : result.objects) {
    fmt::format_to(to, R"({}{{"label":{},"class":{},"score":{:.4f},"box":[{:.2f},{:.2f},{:.2f},{:.2f}],"track":)",
                   comma, json_string(label_of(labels, object.class_index)), object.class_index, object.score,
                   object.box.x, object.box.y, object.box.w, object.box.h);
    if (object.track == core::no_track)
      out += "null}";
    else
      fmt::format_to(to, "{}}}", object.track);
    comma = ",";
  }
  out += "]}\n";
}

} // namespace penstock::actors
