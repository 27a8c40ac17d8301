#include "transport/keys.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <sys/stat.h>

#include "tests/unit/transport/link.hpp"
#include "tests/unit/transport/messages.hpp"
#include "tests/unit/transport/tcp.hpp"

using namespace penstock;
using test::mailbox;
using transport::read_key_ring;
using transport::send_result;
using transport::write_key_pair;

namespace {

/// A folder of its own, removed at the end.
struct folder {
  folder()
      : path{std::filesystem::temp_directory_path() / ("penstock-keys-" + std::to_string(std::random_device{}()))} {}
  ~folder() { std::filesystem::remove_all(path); }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;

  [[nodiscard]] transport::hub_options of(const std::string& name) const {
    auto ring = read_key_ring(path, name);
    if (!ring) FAIL(ring.error().message);
    transport::hub_options options;
    options.keys = std::move(*ring);
    return options;
  }

  std::filesystem::path path;
};

void write(const std::filesystem::path& file, const std::string& text) { std::ofstream{file} << text; }

std::string plain(const test::relay& between) { return between.seen(); }

} // namespace

TEST_CASE("a key pair is written once, its secret for the owner alone") {
  const folder keys;
  const auto pair = write_key_pair(keys.path, "head");
  REQUIRE(pair);
  CHECK(pair->public_key.size() == 40);
  CHECK(pair->secret_key.size() == 40);
  struct stat info {};
  REQUIRE(::stat((keys.path / "head.key_secret").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777U) == 0600);
  const auto again = write_key_pair(keys.path, "head");
  REQUIRE_FALSE(again);
  CHECK(again.error().code == core::errc::io);
  CHECK(again.error().message == (keys.path / "head.key").string() + ": there is a key of this name already");
  const auto ring = read_key_ring(keys.path, "head");
  REQUIRE(ring);
  CHECK(ring->own.secret_key == pair->secret_key);
  // A public key alone is a name that is taken, too, and no secret is left behind without it.
  std::filesystem::remove(keys.path / "head.key_secret");
  CHECK_FALSE(write_key_pair(keys.path, "head"));
  CHECK_FALSE(std::filesystem::exists(keys.path / "head.key_secret"));
  for (const auto* name : {"", ".", "..", "a/b", ".hidden"})
    CHECK(write_key_pair(keys.path, name).error().code == core::errc::bad_config);
}

TEST_CASE("a node reads its own pair, the head's key and all that may join") {
  const folder keys;
  const auto head = write_key_pair(keys.path, "head").value();
  const auto one = write_key_pair(keys.path, "one").value();
  const auto ring = read_key_ring(keys.path, "one").value();
  CHECK(ring.own.public_key == one.public_key);
  CHECK(ring.own.secret_key == one.secret_key);
  CHECK(ring.server_key == head.public_key);
  CHECK(ring.allowed_keys.size() == 2);
}

TEST_CASE("key files that are wrong are named") {
  const folder keys;
  REQUIRE(write_key_pair(keys.path, "head"));
  REQUIRE(write_key_pair(keys.path, "one"));
  const auto error_of = [&](const std::string& name) {
    const auto ring = read_key_ring(keys.path, name);
    REQUIRE_FALSE(ring);
    return ring.error();
  };
  CHECK(error_of("two").code == core::errc::not_found);
  CHECK(error_of("two").message.find("two.key_secret") != std::string::npos);
  const auto secret = keys.path / "one.key_secret";
  ::chmod(secret.c_str(), 0640);
  CHECK(error_of("one").code == core::errc::bad_config);
  CHECK(error_of("one").message == secret.string() + ": others can read this secret (chmod 600)");
  ::chmod(secret.c_str(), 0600);
  write(keys.path / "odd.key", "not a key\n");
  CHECK(error_of("one").code == core::errc::corrupt);
  CHECK(error_of("one").message.find("odd.key") != std::string::npos);
  write(keys.path / "odd.key", "# empty\n");
  CHECK(error_of("one").message == (keys.path / "odd.key").string() + ": 0 keys where there must be 1");
  std::filesystem::remove(keys.path / "odd.key");
  CHECK(read_key_ring(keys.path, "one"));
  std::filesystem::remove(keys.path / "head.key");
  CHECK(error_of("one").code == core::errc::not_found);
}

TEST_CASE("listed keys join, and nothing that they say can be read on the way") {
  const folder keys;
  REQUIRE(write_key_pair(keys.path, "head"));
  REQUIRE(write_key_pair(keys.path, "one"));
  const std::string secret = "what the camera saw";
  for (const bool with_keys : {true, false}) {
    mailbox at_head;
    mailbox at_worker;
    auto head = test::hub_of(with_keys ? keys.of("head") : transport::hub_options{});
    const auto address = head->listen("tcp://127.0.0.1:*", at_head.events(), false).value();
    test::relay between{test::port_of(address)};
    auto worker = test::hub_of(with_keys ? keys.of("one") : transport::hub_options{});
    const auto to_head = worker->dial(between.address(), at_worker.events()).value();
    REQUIRE(at_worker.wait([](auto& m) { return !m.ups.empty(); }));
    REQUIRE(worker->send(to_head, test::hello_of(secret)) == send_result::queued);
    const transport::segment_packets packets{{}, {{0, true, test::packet_of(std::string(10'000, 'x') + secret)}}};
    REQUIRE(worker->send(to_head, packets) == send_result::queued);
    REQUIRE(at_head.letters_are(2));
    CHECK(std::get<transport::hello>(at_head.letters[0].message).name == secret);
    const auto& got = *std::get<transport::segment_packets>(at_head.letters[1].message).packets[0].packet;
    CHECK(std::ranges::equal(got.bytes, packets.packets[0].packet->bytes));
    CHECK((plain(between).find(secret) == std::string::npos) == with_keys);
    CHECK(plain(between).size() > 10'000);
  }
}

TEST_CASE("with keys, listening beyond loopback needs nothing else") {
  const folder keys;
  REQUIRE(write_key_pair(keys.path, "head"));
  mailbox box;
  auto hub = test::hub_of(keys.of("head"));
  CHECK(hub->listen("tcp://0.0.0.0:*", box.events(), false));
}

TEST_CASE("a key that is not listed is refused and counted") {
  const folder keys;
  REQUIRE(write_key_pair(keys.path, "head"));
  const folder other;
  REQUIRE(write_key_pair(other.path, "stranger"));
  std::filesystem::copy(keys.path / "head.key", other.path / "head.key");
  mailbox at_head;
  mailbox at_worker;
  auto head = test::hub_of(keys.of("head"));
  const auto address = head->listen("tcp://127.0.0.1:*", at_head.events(), false).value();
  auto worker = test::hub_of(other.of("stranger"));
  REQUIRE(worker->dial(address, at_worker.events()));
  REQUIRE(at_worker.wait([](auto& m) { return m.failures.size() >= 2; }));
  CHECK(at_worker.look([](auto& m) { return m.failures[0].why.message; }) ==
        address + ": it does not take this node's key");
  CHECK(test::counts(*head, [](const auto& c) { return c.refused_keys >= 2; }));
  CHECK(at_worker.look([](auto& m) { return m.ups.size(); }) == 0);
}

TEST_CASE("keys at one end only, or another head's key, do not connect, and say so") {
  const folder keys;
  REQUIRE(write_key_pair(keys.path, "head"));
  REQUIRE(write_key_pair(keys.path, "one"));
  auto wrong = keys.of("one");
  wrong.keys->server_key = wrong.keys->own.public_key;
  const auto fails = [](const transport::hub_options& listens, const transport::hub_options& dials) {
    mailbox at_head;
    mailbox at_worker;
    auto head = test::hub_of(listens);
    const auto address = head->listen("tcp://127.0.0.1:*", at_head.events(), false).value();
    auto options = dials;
    options.handshake = std::chrono::milliseconds{500};
    auto worker = test::hub_of(options);
    REQUIRE(worker->dial(address, at_worker.events()));
    REQUIRE(at_worker.wait([](auto& m) { return m.failures.size() >= 2; }));
    CHECK(at_worker.look([](auto& m) { return m.ups.size(); }) == 0);
    CHECK(test::counts(*head, [](const auto& c) { return c.ended_early + c.refused_keys > 0; }));
    return at_worker.look([](auto& m) { return m.failures[0].why.message; }).substr(address.size() + 2);
  };
  const std::string handshake = "the handshake failed: keys at one end only, another server key, or no Penstock";
  CHECK(fails(keys.of("head"), {}) == handshake);
  CHECK(fails({}, keys.of("one")) == handshake);
  CHECK(fails(keys.of("head"), wrong) == handshake);
}
