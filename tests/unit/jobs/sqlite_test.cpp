#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "jobs/sqlite/stores.hpp"
#include "tests/simulation/random.hpp"
#include "tests/unit/jobs/backends.hpp"
#include "tests/unit/jobs/scratch.hpp"

using namespace penstock;
using test::take;

TEST_CASE("what the file was told is in it after its process was killed in the middle of writing") {
  test::scratch folder;
  test::random draws{9};
  const auto file = folder.path("jobs.db");
  int before = 0;
  for (int round = 0; round < 5; ++round) {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    const auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      // Tells each number once its write has returned.
      const auto on = jobs::sqlite::open(file, jobs::system_clock());
      for (int n = before + 1;; ++n) {
        if (!on || !on->ledger->create("job/" + std::to_string(n), std::to_string(n)) || !on->hints->push("x"))
          ::_exit(1);
        if (::write(pipe[1], &n, sizeof n) != sizeof n) ::_exit(1);
      }
    }
    ::close(pipe[1]);
    int told = before;
    const auto wanted = before + static_cast<int>(draws.between(3, 25));
    while (told < wanted && ::read(pipe[0], &told, sizeof told) == sizeof told) {
    }
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    for (int n = 0; ::read(pipe[0], &n, sizeof n) == sizeof n;) told = n;
    ::close(pipe[0]);
    const auto on = take(jobs::sqlite::open(file, jobs::system_clock()));
    for (int n = 1; n <= told; ++n)
      CHECK(take(on.ledger->read("job/" + std::to_string(n)))->value == std::to_string(n));
    CHECK_FALSE(take(on.ledger->read("job/" + std::to_string(told + 2)))); // at most one that was not told yet
    // A kill between the two writes of a number leaves it without its hint.
    CHECK(take(on.hints->depth()) + static_cast<std::uint64_t>(round) >= static_cast<std::uint64_t>(told));
    before = take(on.ledger->read("job/" + std::to_string(told + 1))) ? told + 1 : told;
    CHECK(before >= wanted);
  }
}

TEST_CASE("a file that is no database of ours is refused and left as it is") {
  test::scratch folder;
  const auto text = folder.path("notes.txt");
  std::ofstream{text} << std::string(5'000, 'x');
  const auto refused = jobs::sqlite::open(text, jobs::system_clock());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == core::errc::corrupt);
  CHECK(refused.error().message.starts_with(text.string()));
  CHECK(std::filesystem::file_size(text) == 5'000);

  const auto other = folder.path("other.db");
  sqlite3* handle = nullptr;
  REQUIRE(sqlite3_open(other.c_str(), &handle) == SQLITE_OK);
  REQUIRE(sqlite3_exec(handle, "CREATE TABLE ledger(a)", nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(handle);
  const auto foreign = jobs::sqlite::open(other, jobs::system_clock());
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().code == core::errc::corrupt);
  CHECK(foreign.error().message == other.string() + ": is the database of another program");

  CHECK(jobs::sqlite::open(folder.path("absent/jobs.db"), jobs::system_clock()).error().code == core::errc::io);
}

TEST_CASE("every write of the file is on the disk when it returns") {
  test::scratch folder;
  const auto file = folder.path("jobs.db");
  const auto on = take(jobs::sqlite::open(file, jobs::system_clock()));
  take(on.ledger->create("job/a", "1"));
  // The mode is kept in the file; who opens it next, with whatever program, gets it too.
  sqlite3* handle = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &handle) == SQLITE_OK);
  std::string mode;
  const auto note = [](void* to, int, char** values, char**) {
    *static_cast<std::string*>(to) = values[0];
    return 0;
  };
  CHECK(sqlite3_exec(handle, "PRAGMA journal_mode", note, &mode, nullptr) == SQLITE_OK);
  sqlite3_close(handle);
  CHECK(mode == "wal");
}
