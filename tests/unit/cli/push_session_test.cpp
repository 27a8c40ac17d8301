#include "cli/push_session.hpp"

#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/catch.hpp"
#include "tests/unit/transport/link.hpp"
#include "transport/raw_door.hpp"

using namespace penstock;
using namespace std::chrono_literals;

namespace {

namespace push = transport::push;

core::packet_ptr packet_of(std::int64_t pts_us) {
  static const std::array<std::byte, 4> jpeg{std::byte{0xff}, std::byte{0xd8}, std::byte{0xff}, std::byte{0xd9}};
  auto made = std::make_shared<core::packet>();
  made->pts = made->dts = core::media_time{pts_us};
  made->bytes = jpeg;
  made->access = core::random_access::closed;
  return made;
}

/// A head that takes a few packets, none of which it then knows, sends its producer away, and gives whoever comes back
/// credit for one packet at a time. All on its hub's thread.
class forgetful_head {
 public:
  explicit forgetful_head(std::uint64_t first_packets) : first_packets_{first_packets} {
    transport::raw_events events;
    events.received = [this](transport::peer_id peer, std::vector<transport::shared_bytes>&& parts) {
      const auto read = push::decode(parts.front().bytes, std::span{parts}.subspan(1));
      if (read) answer(peer, *read);
    };
    events.lost = [](transport::peer_id, const core::error&) {};
    auto opened = transport::raw_door::open(*hub_, "tcp://127.0.0.1:*", std::move(events), false);
    if (!opened) FAIL(opened.error().message);
    door_ = std::move(*opened);
  }

  [[nodiscard]] const std::string& address() const { return door_->address(); }
  /// Of the packets on the second connection; look when the session has ended.
  std::vector<std::int64_t> times_us;

 private:
  void answer(transport::peer_id peer, const push::message& m) {
    if (std::holds_alternative<push::open>(m)) {
      ++connections_;
      return credit(peer, connections_ == 1 ? first_packets_ : 1);
    }
    if (const auto* packet = std::get_if<push::packet>(&m)) {
      if (connections_ == 1) {
        if (++seen_ == first_packets_) say(peer, push::error{"", "another connection pushes this stream"});
        return;
      }
      times_us.push_back(packet->pts_us);
      return credit(peer, 1);
    }
    if (std::holds_alternative<push::end>(m)) say(peer, push::done{"a", times_us.size(), times_us.size(), {}});
  }
  void credit(transport::peer_id peer, std::uint64_t packets) {
    push::credit m;
    m.stream = "a";
    m.packets = static_cast<decltype(m.packets)>(packets);
    m.received = times_us.size();
    m.policy = push::policy::lossless;
    say(peer, m);
  }
  void say(transport::peer_id peer, const push::message& m) { door_->send(peer, push::encode(m)); }

  std::uint64_t first_packets_;
  std::uint64_t seen_ = 0;
  int connections_ = 0;
  std::unique_ptr<transport::hub> hub_ = test::hub_of();
  std::unique_ptr<transport::raw_door> door_;
};

} // namespace

TEST_CASE("a lossless push loses no packet when a head acknowledges while it is sent again") {
  forgetful_head head{6};
  cli::push_session_config config;
  config.address = head.address();
  config.stream = "a";
  config.policy = push::policy::lossless;
  cli::push_session session{config, {}};
  auto codec = std::make_shared<core::codec_description>();
  codec->codec = "mjpeg";
  REQUIRE(session.begin(codec));
  std::vector<std::int64_t> expected;
  for (std::int64_t i = 0; i < 10; ++i) {
    expected.push_back(i * 40'000);
    REQUIRE(session.push(codec, packet_of(expected.back())));
  }
  REQUIRE(session.end());
  CHECK(head.times_us == expected);
}
