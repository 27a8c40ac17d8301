#include "jobs/nats/streams.hpp"

#include <fmt/format.h>

namespace penstock::jobs::nats {

core::expected<void> make_stream(connection& over, const std::string& name, const nlohmann::json& settings) {
  auto answer = over.api("$JS.API.STREAM.CREATE." + name, settings.dump());
  if (!answer) return tl::unexpected{answer.error()};
  constexpr int name_in_use = 10058;
  if (answer->error == name_in_use) {
    return core::fail(core::errc::bad_config,
                      fmt::format("the stream {} is there with other settings (replicas?); change them with NATS's own "
                                  "tools, or use another name",
                                  name));
  }
  constexpr int no_jetstream = 10039;
  constexpr int no_jetstream_at_all = 10076;
  if (answer->error == no_jetstream || answer->error == no_jetstream_at_all) {
    return core::fail(core::errc::bad_config, "the server has no JetStream: " + answer->description);
  }
  if (answer->error != 0) return refused(name, *answer);
  return {};
}

} // namespace penstock::jobs::nats
