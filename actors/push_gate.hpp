#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "actors/push_messages.hpp"
#include "media/bitstream.hpp"
#include "media/timeline.hpp"
#include "transport/push.hpp"

namespace penstock::actors {

/// What a push gate sends to its head.
using push_outlet = caf::typed_actor<caf::reacts_to<push_opening>, caf::reacts_to<source_packets>,
                                     caf::reacts_to<source_trouble>, caf::reacts_to<source_ended>>;

/// Programs that push video (docs/protocol.md), all of them: keeps who sends which stream and what they may send.
/// Messages from outside end their connection unless they are sound and within credit. A stream costs no thread and no
/// actor.
struct push_gate_config {
  std::function<void(transport::peer_id, const transport::push::message&)> send;
  /// Sends last words. What the peer sent before is still heard, and passed over; then that it is gone.
  std::function<void(transport::peer_id, const transport::push::error&)> shut_out;
  transport::push::limits limits;
  std::uint64_t max_pixels = 64'000'000;
  std::uint32_t live_window = 32; ///< packets of a live stream that the head has not taken yet
  std::size_t streams_per_peer = 10'000;
};

class push_gate_state {
 public:
  static inline const char* name = "push_gate";

  void configure(push_gate_actor::pointer self, const push_gate_config& config, push_outlet head);

  void on(const pushed_message& message);
  void on(const pusher_gone& message);
  void on(const push_admitted& message);
  void on(const push_refused& message);
  void on(const push_grant& message);
  void on(const push_taken& message);
  void on(const push_finished& message);
  void tick(core::time_point now);

 private:
  struct stream {
    std::string name;
    std::optional<core::stream_id> id; ///< none until the head admits it
    std::optional<transport::peer_id> peer;
    core::time_point away_since{};
    std::chrono::milliseconds away{0};
    bool lossless = false;
    bool ended = false;
    bool fresh = false;           ///< the next packet begins anew: `codec` goes to the head with it
    std::uint32_t credit = 0;     ///< packets that the producer may send
    std::uint32_t owed = 0;       ///< credit that it was not told of
    std::uint64_t received = 0;   ///< packets
    core::media_time duration{0}; ///< of a frame, nominal
    core::codec_ptr codec;
    std::unique_ptr<media::packet_classifier> classifier;
    std::optional<transport::push::done> account; ///< it is over; its producer may have missed that
    media::timeline times{core::media_time{0}, core::media_time{0}};
  };

  struct pusher {
    std::set<std::string> streams; ///< that it sends
    std::uint32_t refusals = 0;
  };

  void on(transport::peer_id peer, transport::push::open&& message);
  void on(transport::peer_id peer, transport::push::packet&& message);
  void on(transport::peer_id peer, transport::push::end&& message);
  void on(transport::peer_id peer, transport::push::alive&&) { static_cast<void>(peer); }
  template <class Other>
  void on(transport::peer_id peer, Other&&) {
    shut_out(peer, "only a head sends this");
  }

  void shut_out(transport::peer_id peer, std::string why);
  void refuse(transport::peer_id peer, const std::string& what, std::string why);
  void attach(transport::peer_id peer, stream& s, core::codec_ptr codec);
  void leave(transport::peer_id peer, const std::string& why);
  void pay(stream& s);
  void detach(stream& s);
  void forget(stream& s);
  stream* of(transport::peer_id peer, const std::string& called);
  stream* find(core::stream_id id);
  static void set_codec(stream& s, core::codec_ptr codec);
  [[nodiscard]] static core::packet_ptr make_packet(stream& s, const transport::push::packet& from);

  push_gate_actor::pointer self_ = nullptr;
  push_gate_config config_;
  push_outlet head_;
  std::unordered_map<std::string, std::unique_ptr<stream>> streams_; ///< by name
  std::unordered_map<core::stream_id, stream*> admitted_;
  std::unordered_map<std::uint64_t, pusher> peers_;
  std::unordered_set<std::uint64_t> shut_out_; ///< whose messages may still be on the way here
};

push_gate_actor::behavior_type push_gate(push_gate_actor::stateful_pointer<push_gate_state> self,
                                         const push_gate_config& config, const push_outlet& head);

} // namespace penstock::actors
