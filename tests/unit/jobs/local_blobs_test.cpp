#include "jobs/local/blobs.hpp"

#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/jobs/backends.hpp"
#include "tests/unit/jobs/scratch.hpp"

using namespace penstock;
using test::bytes_of;
using test::take;

TEST_CASE("files of writers that died are removed when they are old, and those of living ones stay") {
  test::scratch folder;
  const auto store = take(jobs::local::open(folder.path("blobs")));
  const auto now = jobs::system_clock()();
  std::ofstream{folder.path("blobs/.new/dead")} << "half";
  struct timespec old[2]{{1'600'000'000, 0}, {1'600'000'000, 0}};
  REQUIRE(::utimensat(AT_FDCWD, folder.path("blobs/.new/dead").c_str(), old, 0) == 0);
  auto alive = take(store->create("a/input"));
  take(alive->write(bytes_of("whole")));
  CHECK(take(store->list("", "", 10)).blobs.empty());
  CHECK(take(store->sweep_unpublished(now - std::chrono::hours{1})) == 1);
  CHECK_FALSE(std::filesystem::exists(folder.path("blobs/.new/dead")));
  CHECK(take(alive->publish()) == jobs::publication::created);
  CHECK(take(get_blob(*store, "a/input", 100)) == "whole");
}

TEST_CASE("a writer whose file was taken for a dead one's says so, and publishes nothing") {
  test::scratch folder;
  const auto store = take(jobs::local::open(folder.path("blobs")));
  auto writer = take(store->create("a/input"));
  take(writer->write(bytes_of("x")));
  CHECK(take(store->sweep_unpublished(jobs::wall_time::max())) == 1);
  CHECK(writer->publish().error().code == core::errc::not_found);
  CHECK_FALSE(take(store->stat("a/input")));
}

TEST_CASE("folders of removed blobs go with them, and a blob can be put there again") {
  test::scratch folder;
  const auto store = take(jobs::local::open(folder.path("deep/er/blobs")));
  auto writer = take(store->create("a/parts/2"));
  take(put_blob(*store, "a/parts/1", bytes_of("1")));
  CHECK(take(store->remove("a/parts/1")));
  CHECK_FALSE(std::filesystem::exists(folder.path("deep/er/blobs/a")));
  CHECK(take(writer->publish()) == jobs::publication::created);
  CHECK(take(store->stat("a/parts/2")));
}

TEST_CASE("a folder of blobs that cannot be made is an error that names it") {
  test::scratch folder;
  std::ofstream{folder.path("file")} << "x";
  const auto refused = jobs::local::open(folder.path("file/blobs"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == core::errc::io);
  CHECK(refused.error().message.find(folder.path("file").string()) == 0);
}
