#include "front/events.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "actors/result_json.hpp"
#include "actors/run_report.hpp"
#include "front/views.hpp"

namespace penstock::front {

namespace {

std::string line_of(const nlohmann::ordered_json& document) {
  return document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

gateway::event result_event(const std::string& stream, const std::vector<std::string>& labels,
                            const core::frame_result& result) {
  gateway::event e{"result", stream, {}, {}};
  for (const auto& object : result.objects) {
    auto label = actors::label_of(labels, object.class_index);
    if (std::ranges::find(e.labels, label) == e.labels.end()) e.labels.push_back(std::move(label));
  }
  actors::append_json(e.json, stream, labels, result);
  e.json.pop_back(); // the end of the line
  return e;
}

} // namespace

actors::head_observer observer_for(gateway::event_hub& hub) {
  actors::head_observer observer;
  observer.wanted = [&hub] { return hub.wanted(); };
  observer.result = [&hub](const std::string& stream, const std::vector<std::string>& labels,
                           const core::frame_result& result) { hub.publish(result_event(stream, labels, result)); };
  observer.stream = [&hub](const actors::stream_report& report) {
    if (report.job || !hub.wanted()) return;
    nlohmann::ordered_json document{{"stream", report.id},
                                    {"state", state_word(report)},
                                    {"received", report.ledger.received},
                                    {"delivered", report.ledger.delivered},
                                    {"dropped", drops_of(report.ledger)}};
    if (report.error) document["error"] = report.error->message;
    hub.publish({"stream", report.id, {}, line_of(document)});
  };
  observer.worker = [&hub](const std::string& worker, std::string_view what) {
    if (hub.wanted()) hub.publish({"worker", "", {}, line_of({{"worker", worker}, {"state", what}})});
  };
  return observer;
}

void publish(gateway::event_hub& hub, const std::string& job, job_news what) {
  if (hub.wanted()) hub.publish({"job", "", {}, line_of({{"job", job}, {"news", to_string(what)}})});
}

} // namespace penstock::front
