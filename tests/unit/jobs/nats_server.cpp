#include "tests/unit/jobs/nats_server.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/catch.hpp"

namespace penstock::test {

nats_server::nats_server(const std::filesystem::path& program)
    : process_{{program.string(), "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", folder_.path("store").string(),
                "--ports_file_dir", folder_.path().string()},
               folder_.path("log")} {
  const auto found = wait_until(
      [&] {
        for (const auto& file : std::filesystem::directory_iterator{folder_.path()}) {
          if (file.path().extension() != ".ports") continue;
          std::ifstream in{file.path()};
          const auto ports = nlohmann::json::parse(in, nullptr, false);
          if (!ports.is_object()) continue; // being written
          url_ = ports.at("nats").at(0).get<std::string>();
          return answers(std::stoi(url_.substr(url_.rfind(':') + 1)));
        }
        return false;
      },
      std::chrono::seconds{30});
  REQUIRE(found);
}

nats_server& nats_server::shared(const std::filesystem::path& program) {
  static nats_server one{program};
  return one;
}

std::string nats_server::fresh_url() { return url_ + "?name=test" + std::to_string(++names_); }

} // namespace penstock::test
