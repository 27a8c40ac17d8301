#include "tests/unit/jobs/azurite.hpp"

#include <fmt/format.h>

#include "tests/catch.hpp"

namespace penstock::test {

azurite::azurite(const std::filesystem::path& program)
    : blob_port_{free_port()}, queue_port_{free_port()},
      process_{{program.string(), "--silent", "--location", folder_.path("store").string(), "--blobHost", "127.0.0.1",
                "--queueHost", "127.0.0.1", "--tableHost", "127.0.0.1", "--blobPort", std::to_string(blob_port_),
                "--queuePort", std::to_string(queue_port_), "--tablePort", std::to_string(free_port()),
                "--disableTelemetry", "--skipApiVersionCheck"},
               folder_.path("log")} {
  REQUIRE(wait_until([&] { return answers(blob_port_) && answers(queue_port_); }, std::chrono::seconds{60}));
}

azurite& azurite::shared(const std::filesystem::path& program) {
  static azurite one{program};
  return one;
}

std::string azurite::fresh_url(int blob, int queue) {
  return fmt::format("AccountName=devstoreaccount1;AccountKey={};BlobEndpoint=http://127.0.0.1:{}/devstoreaccount1;"
                     "QueueEndpoint=http://127.0.0.1:{}/devstoreaccount1;Name=test{}",
                     emulator_key, blob != 0 ? blob : blob_port_, queue != 0 ? queue : queue_port_, ++names_);
}

std::optional<std::filesystem::path> find_azurite() {
  const std::filesystem::path own = ".deps/azurite/node_modules/.bin/azurite";
  if (std::filesystem::exists(own)) return std::filesystem::absolute(own);
  return find_program("azurite");
}

} // namespace penstock::test
