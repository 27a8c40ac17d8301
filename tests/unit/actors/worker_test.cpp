#include "actors/worker.hpp"

#include <string>
#include <vector>

#include "tests/catch.hpp"
#include "tests/unit/actors/fixture.hpp"

using namespace penstock;
using namespace penstock::actors;

namespace {

/// What the worker told its head, as words.
using words = std::vector<std::string>;

head_inbox::behavior_type recording_head(head_inbox::pointer, std::shared_ptr<words> to) {
  const auto number = [](const core::segment_id& id) { return std::to_string(id.number); };
  return {
      [to](const worker_hello& m) { to->push_back("hello " + std::to_string(m.bulk_segments)); },
      [to](const worker_credit& m) { to->push_back("credit " + std::to_string(m.segments)); },
      [to](const frame_outcomes& m) { to->push_back("outcomes " + std::to_string(m.outcomes.size())); },
      [to, number](const segment_done& m) { to->push_back("done " + number(m.segment)); },
      [to, number](const segment_failed& m) { to->push_back("failed " + number(m.segment)); },
  };
}

/// A decode actor that does nothing, or breaks at its first packet.
decode_actor::behavior_type idle_decoder(decode_actor::pointer self, bool breaks) {
  return {
      [self, breaks](const segment_packets&) {
        if (breaks) self->quit(caf::sec::runtime_error);
      },
      [](const close_segment&) {},
      [](const frame_credit&) {},
      [](const decode_step&) {},
  };
}

struct world : deterministic {
  std::shared_ptr<words> heard = std::make_shared<words>();
  std::vector<decode_actor> decoders;
  std::vector<std::shared_ptr<const lease_mark>> marks; ///< of the leases
  local_worker handle;

  explicit world(bool decoders_break = false) {
    const auto head = system.spawn(recording_head, heard);
    worker_config config;
    config.bulk_segments = 2;
    handle = system.spawn(
        worker, config,
        [this, decoders_break](const open_segment& lease, const worker_inbox&) {
          marks.push_back(lease.mark);
          return decoders.emplace_back(system.spawn(idle_decoder, decoders_break));
        },
        head_inbox{head});
    run();
    heard->clear();
  }
  ~world() {
    for (const auto& decoder : decoders) caf::anon_send_exit(decoder, caf::exit_reason::kill);
    caf::anon_send_exit(handle, caf::exit_reason::kill);
    decoders.clear();
    run();
  }

  static core::segment_id segment(std::uint64_t number) { return {{0}, 0, number}; }
  static frame_outcomes outcomes(std::uint64_t number, std::uint32_t count) {
    frame_outcomes all;
    for (std::uint32_t i = 0; i < count; ++i) {
      core::frame_outcome outcome;
      outcome.id = {segment(number), i};
      all.outcomes.push_back(outcome);
    }
    return all;
  }
  void open(std::uint64_t number, bool live = false) {
    caf::anon_send(handle, open_segment{segment(number), nullptr, live});
    run();
  }
  template <class Message>
  void tell(Message message) {
    caf::anon_send(handle, std::move(message));
    run();
  }
};

} // namespace

TEST_CASE("a worker introduces itself and grants one credit for each segment it can decode", "[actors]") {
  deterministic sys;
  const auto heard = std::make_shared<words>();
  const auto head = sys.system.spawn(recording_head, heard);
  worker_config config;
  config.bulk_segments = 3;
  const auto handle = sys.system.spawn(
      worker, config, [](const open_segment&, const worker_inbox&) { return decode_actor{}; }, head_inbox{head});
  sys.run();
  CHECK(*heard == words{"hello 3", "credit 3"});
  caf::anon_send_exit(handle, caf::exit_reason::kill);
  sys.run();
}

TEST_CASE("a segment is done when decode has ended and every outcome is in, in whichever order", "[actors]") {
  world w;
  w.open(0);
  w.tell(world::outcomes(0, 2));
  w.tell(decode_finished{world::segment(0), 3});
  CHECK(*w.heard == words{"outcomes 2", "credit 1"});
  w.tell(world::outcomes(0, 1));
  CHECK(*w.heard == words{"outcomes 2", "credit 1", "outcomes 1", "done 0"});

  w.heard->clear();
  w.open(1);
  w.tell(world::outcomes(1, 2));
  w.tell(decode_finished{world::segment(1), 2});
  CHECK(*w.heard == words{"outcomes 2", "credit 1", "done 1"});
}

TEST_CASE("a decode actor that breaks fails its segment and gives its credit back", "[actors]") {
  world w{true};
  w.open(4);
  w.tell(segment_packets{world::segment(4), {{0, true, nullptr}}});
  CHECK(*w.heard == words{"failed 4", "credit 1"});
  w.tell(decode_finished{world::segment(4), 0});
  CHECK(w.heard->size() == 2);
}

TEST_CASE("a revoked segment is forgotten: it is neither done nor failed afterwards", "[actors]") {
  world w;
  w.open(0);
  w.open(1);
  w.tell(revoke_segment{world::segment(0)});
  CHECK(*w.heard == words{"credit 1"});
  w.tell(decode_finished{world::segment(0), 0});
  CHECK(*w.heard == words{"credit 1"});
  w.tell(decode_finished{world::segment(1), 0});
  CHECK(*w.heard == words{"credit 1", "credit 1", "done 1"});
}

TEST_CASE("frames of a revoked segment are called off wherever they are, also when decode has ended", "[actors]") {
  world w;
  w.open(0);
  w.open(1);
  w.tell(decode_finished{world::segment(0), 2});
  CHECK_FALSE(is_called_off(w.marks.at(0)));
  w.tell(revoke_segment{world::segment(0)});
  CHECK(is_called_off(w.marks.at(0)));
  CHECK_FALSE(is_called_off(w.marks.at(1)));
}

TEST_CASE("live segments use no credit", "[actors]") {
  world w;
  w.open(0, true);
  w.tell(decode_finished{world::segment(0), 0});
  CHECK(*w.heard == words{"done 0"});
}
