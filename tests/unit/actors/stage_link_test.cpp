#include "actors/stage_link.hpp"

#include <algorithm>
#include <array>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/send.hpp>
#include <cmath>
#include <condition_variable>
#include <map>
#include <mutex>
#include <numeric>
#include <set>

#include "actors/link_events.hpp"
#include "actors/stage_directory.hpp"
#include "actors/stage_gate.hpp"
#include "actors/stage_items.hpp"
#include "kernels/convert.hpp"
#include "tests/catch.hpp"
#include "tests/unit/transport/link.hpp"

using namespace penstock;
using namespace penstock::actors;
using namespace std::chrono_literals;

namespace {

core::result_id id(std::uint32_t n) { return {{{0}, 0, 0}, n}; }
transport::peer_id node(std::uint64_t n) { return {n}; }

stage_item empty_item(std::uint32_t n) {
  return {id(n), std::make_shared<const transport::message>(transport::heartbeat{})};
}

core::frame_ptr grey(std::uint8_t value, int width_px = 32, int height_px = 16) {
  const auto pixels =
      std::make_shared<std::vector<std::uint8_t>>(static_cast<std::size_t>(width_px * height_px), value);
  auto frame = std::make_shared<core::frame>();
  frame->owner = pixels;
  frame->view.width_px = width_px;
  frame->view.height_px = height_px;
  frame->view.format = core::pixel_format::gray8;
  frame->view.range = core::color_range::full;
  frame->view.planes[0] = pixels->data();
  frame->view.strides_bytes[0] = width_px;
  return frame;
}

frame_task task_of(std::uint32_t n, std::uint8_t value = 100) {
  frame_task task;
  task.id = id(n);
  task.frame = grey(value);
  task.times.decode = 5us;
  return task;
}

transport::outcomes answer(const core::result_id& to) {
  core::frame_outcome outcome;
  outcome.id = to;
  return {{outcome}};
}

/// What arrived at an inbox, waited for.
struct answers {
  std::mutex mutex;
  std::condition_variable changed;
  std::multiset<std::uint32_t> ordinals;

  bool are(std::multiset<std::uint32_t> expected) {
    std::unique_lock lock{mutex};
    return changed.wait_for(lock, 20s, [&] { return ordinals == expected; });
  }
};

outcome_inbox::behavior_type inbox(outcome_inbox::pointer, std::shared_ptr<answers> to) {
  return {[to](const frame_outcomes& message) {
    const std::lock_guard lock{to->mutex};
    for (const auto& outcome : message.outcomes) to->ordinals.insert(outcome.id.ordinal);
    to->changed.notify_all();
  }};
}

/// A machine of the next role that does what the test says.
struct machine {
  test::mailbox heard;
  std::unique_ptr<transport::hub> hub = test::hub_of();
  std::string address = *hub->listen("tcp://127.0.0.1:0", heard.events(), false);

  [[nodiscard]] bool wait_for(std::size_t letters) { return heard.letters_are(letters); }
  transport::peer_id sender() {
    return heard.look([](auto& m) { return m.letters.back().from; });
  }
  void say(const transport::message& m) { REQUIRE(hub->send(sender(), m) == transport::send_result::queued); }

  /// Ordinals of the items that came, in order.
  std::vector<std::uint32_t> items() {
    return heard.look([](auto& m) {
      std::vector<std::uint32_t> out;
      for (const auto& letter : m.letters)
        if (const auto* item = std::get_if<transport::frame_item>(&letter.message)) out.push_back(item->id.ordinal);
      return out;
    });
  }
};

struct link_world {
  caf::actor_system_config config;
  caf::actor_system system{config};
  std::shared_ptr<transport::hub> hub{test::hub_of()};
  std::shared_ptr<answers> heard = std::make_shared<answers>();
  outcome_inbox worker = system.spawn(inbox, heard);
  stage_link_actor link;

  link_world() {
    stage_link_config with;
    with.hub = hub;
    with.hello.name = "sender";
    with.hello.stages = {"decode"};
    link = system.spawn(stage_link, with, worker);
  }
  ~link_world() {
    caf::anon_send_exit(link, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(worker, caf::exit_reason::user_shutdown);
    link = nullptr;
    worker = nullptr;
    hub.reset();
  }
  void name(std::vector<std::string> addresses) {
    caf::anon_send(link, transport::directory{"gpu", std::move(addresses)});
  }
  void send(std::uint32_t n) { caf::anon_send(link, raw_item(task_of(n))); }
};

} // namespace

TEST_CASE("items go to the machine with the least under way for its size, and never beyond its credit", "[actors]") {
  stage_book book;
  for (std::uint32_t n = 0; n < 10; ++n) book.add(empty_item(n));
  CHECK_FALSE(book.next());
  book.grant(node(1), 2);
  book.grant(node(2), 4);
  std::map<std::uint64_t, int> got;
  while (const auto next = book.next()) ++got[next->to.value];
  CHECK(got == std::map<std::uint64_t, int>{{1, 2}, {2, 4}});
  CHECK(book.waiting() == 4);
  book.grant(node(2), 1);
  CHECK(book.next()->to == node(2));
  CHECK_FALSE(book.next());
}

TEST_CASE(
    "what a lost machine had not answered goes out again before all that came later, and its late answers are void",
    "[actors]") {
  stage_book book;
  for (std::uint32_t n = 0; n < 4; ++n) book.add(empty_item(n));
  book.grant(node(1), 2);
  CHECK(book.next());
  CHECK(book.next());
  CHECK(book.answer(node(1), id(0)));
  CHECK_FALSE(book.answer(node(1), id(0)));
  CHECK(book.lose(node(1)).empty());
  CHECK_FALSE(book.answer(node(1), id(1)));
  book.grant(node(2), 4);
  std::size_t sent = 0;
  while (book.next()) ++sent;
  CHECK(sent == 3);
  for (std::uint32_t n = 1; n < 4; ++n) CHECK(book.answer(node(2), id(n)));
}

TEST_CASE("an item that kills its machines is given up, and what was beside it is not", "[actors]") {
  stage_book book;
  for (std::uint32_t n = 0; n < 3; ++n) book.add(empty_item(n));
  std::vector<core::result_id> answered;
  std::vector<core::result_id> given_up;
  std::uint64_t lost = 0;
  // Each machine takes two, and dies of item 1; all machines do.
  while (lost < 20 && answered.size() + given_up.size() < 3) {
    const auto n = node(lost);
    book.grant(n, 2);
    std::vector<core::result_id> here;
    while (const auto next = book.next()) here.push_back(next->id);
    if (std::ranges::find(here, id(1)) != here.end()) {
      const auto of_it = book.lose(n);
      given_up.insert(given_up.end(), of_it.begin(), of_it.end());
      ++lost;
      continue;
    }
    for (const auto& each : here) {
      CHECK(book.answer(n, each));
      answered.push_back(each);
    }
  }
  CHECK(lost == 3);
  CHECK(given_up == std::vector{id(1)});
  CHECK(answered == std::vector{id(0), id(2)});
}

TEST_CASE("a suspect waits for a machine that has nothing, and is alone there", "[actors]") {
  stage_book book;
  book.add(empty_item(0));
  for (std::uint64_t n = 1; n <= 2; ++n) {
    book.grant(node(n), 1);
    CHECK(book.next());
    CHECK(book.lose(node(n)).empty());
  }
  stage_book::assignment unsent;
  for (std::uint64_t n = 3; n <= 5; ++n) { // whose ends were known before it went out
    book.grant(node(n), 1);
    unsent = book.next().value();
    book.take_back(unsent);
    CHECK(book.lose(node(n)).empty());
  }
  book.add(empty_item(1));
  book.add(empty_item(2));
  book.grant(node(6), 4);
  CHECK(book.next()->id == id(0));
  CHECK_FALSE(book.next());
  book.grant(node(7), 4);
  CHECK(book.next()->to == node(7));
  CHECK(book.next()->to == node(7));
  CHECK(book.answer(node(6), id(0)));
  book.add(empty_item(3));
  CHECK(book.next()->to == node(6));
}

TEST_CASE("a machine that leaves is given nothing more and still answers what it has", "[actors]") {
  stage_book book;
  book.add(empty_item(0));
  book.add(empty_item(1));
  book.grant(node(1), 8);
  CHECK(book.next());
  book.retire(node(1));
  CHECK_FALSE(book.next());
  CHECK(book.under_way(node(1)) == 1);
  CHECK(book.answer(node(1), id(0)));
  book.retire(node(1), false);
  CHECK(book.next());
}

TEST_CASE("a frame comes out of its item as it went in, as JPEG nearly so, and holds its credit meanwhile",
          "[actors]") {
  const auto pool = std::make_shared<credit_pool>(1, metrics::gauge{});
  auto task = task_of(3, 77);
  task.credit = pool->take({}, [](const credit&) {});
  const bool as_jpeg = GENERATE(false, true);
  auto packed = as_jpeg ? jpeg_item(task, 95) : core::expected<stage_item>{raw_item(task)};
  REQUIRE(packed);
  task = {};
  CHECK(pool->available() == 0);
  item_reader reader{{}};
  for (std::uint32_t again = 0; again < 2; ++again) {
    const auto frame = reader.frame({id(9), packed->message, {}});
    REQUIRE(frame);
    CHECK(frame->id == id(9));
    CHECK(frame->times.decode == 5us);
    CHECK(frame->frame->view.width_px == 32);
    CHECK(std::abs(int{frame->frame->view.planes[0][20]} - 77) <= (as_jpeg ? 2 : 0));
  }
  packed->message.reset();
  CHECK(pool->available() == 1);
}

TEST_CASE("a tensor comes out of its item as the model takes it, and its slot and credit are free afterwards",
          "[actors]") {
  constexpr std::array<std::int64_t, 4> shape{1, 3, 40, 60};
  constexpr std::size_t elements = 7200;
  const auto pool = std::make_shared<credit_pool>(1, metrics::gauge{});
  const auto ring = std::make_shared<tensor_ring>(shape, core::element_type::f16, 1, 1);
  for (int round = 0; round < 3; ++round) {
    filled_slot slot;
    slot.credit = pool->take({}, [](const credit&) {});
    REQUIRE(slot.credit);
    slot.slot = ring->acquire();
    slot.geometry = {100, 50, 60, 40, 60, 30, 0, 5};
    std::vector<float> values(elements);
    std::iota(values.begin(), values.end(), 0.0F); // all below 2048 are exact in half precision
    for (auto& v : values) v = std::fmod(v, 2048.0F);
    kernels::to_f16(values, {static_cast<std::uint16_t*>(slot.slot.batch->slot(0).data), elements});
    auto packed = tensor_item(slot, ring);
    slot = {};
    const stage_task task{id(1), packed.message, {}};
    const auto item = item_reader::tensor(task, shape, core::element_type::f32);
    REQUIRE(item);
    CHECK(geometry_of(**item) == kernels::geometry{100, 50, 60, 40, 60, 30, 0, 5});
    std::vector<float> out(elements);
    copy_image(**item, {out.data(), core::element_type::f32, shape});
    CHECK(out == values);
    constexpr std::array<std::int64_t, 4> other{1, 3, 60, 40};
    CHECK(item_reader::tensor(task, other, core::element_type::f32).error().code == core::errc::unsupported);
    CHECK(item_reader::tensor(task, shape, core::element_type::u8).error().code == core::errc::unsupported);
  }
}

TEST_CASE("a machine that dies with items loses none of them, and each outcome arrives once", "[actors][scheduler]") {
  link_world w;
  auto first = std::make_unique<machine>();
  machine second;
  w.name({first->address});
  REQUIRE(first->wait_for(1));
  CHECK(std::get<transport::hello>(first->heard.look([](auto& m) { return m.letters[0].message; })).name == "sender");
  first->say(transport::stage_credit{3});
  for (std::uint32_t n = 0; n < 5; ++n) w.send(n);
  REQUIRE(first->wait_for(4));
  CHECK(first->items() == std::vector<std::uint32_t>{0, 1, 2});
  first->say(answer(id(1)));
  REQUIRE(w.heard->are({1}));

  w.name({first->address, second.address});
  REQUIRE(second.wait_for(1));
  first.reset();
  second.say(transport::stage_credit{8});
  REQUIRE(second.wait_for(5));
  CHECK(second.items().size() == 4);
  for (const auto n : {3U, 0U, 2U, 2U, 4U, 1U}) second.say(answer(id(n)));
  CHECK(w.heard->are({0, 1, 2, 3, 4}));
}

TEST_CASE("an item that every machine is lost with is answered at last, and others go on", "[actors][scheduler]") {
  link_world w;
  w.send(0);
  for (int lost = 0; lost < 3; ++lost) {
    machine dies;
    w.name({dies.address});
    REQUIRE(dies.wait_for(1));
    dies.say(transport::stage_credit{1});
    REQUIRE(dies.wait_for(2));
    CHECK(w.heard->are({}));
  }
  CHECK(w.heard->are({0}));
  machine last;
  w.name({last.address});
  REQUIRE(last.wait_for(1));
  last.say(transport::stage_credit{1});
  w.send(1);
  REQUIRE(last.wait_for(2));
  CHECK(last.items() == std::vector<std::uint32_t>{1});
}

TEST_CASE("a machine that drains gets nothing more, and a bye when it has answered", "[actors][scheduler]") {
  link_world w;
  machine a;
  w.name({a.address});
  REQUIRE(a.wait_for(1));
  a.say(transport::stage_credit{4});
  w.send(0);
  REQUIRE(a.wait_for(2));
  a.say(transport::drain{});
  a.say(answer(id(0)));
  REQUIRE(a.wait_for(3));
  w.send(1);
  CHECK(std::holds_alternative<transport::bye>(a.heard.look([](auto& m) { return m.letters[2].message; })));
  CHECK(a.items() == std::vector<std::uint32_t>{0});
}

namespace {

stage_intake_actor::behavior_type silent_intake(stage_intake_actor::pointer, std::shared_ptr<answers> to) {
  return {[to](const stage_task& task) {
    const std::lock_guard lock{to->mutex};
    to->ordinals.insert(static_cast<std::uint32_t>(task.id.segment.number));
    to->changed.notify_all();
  }};
}

/// A worker of the first role that does what the test says.
struct sender {
  test::mailbox heard;
  std::unique_ptr<transport::hub> hub = test::hub_of();
  transport::peer_id gate;

  explicit sender(const std::string& address, const std::string& digest = "d") {
    gate = *hub->dial(address, heard.events());
    REQUIRE(heard.wait([](auto& m) { return !m.ups.empty(); }));
    transport::hello hello;
    hello.stages = {"decode"};
    hello.config_digest = digest;
    say(hello);
  }
  void say(const transport::message& m) { REQUIRE(hub->send(gate, m) == transport::send_result::queued); }
  void item(std::uint32_t n) { say(*raw_item(task_of(n)).message); }

  /// Credit so far, once it is at least that.
  [[nodiscard]] bool has_credit(std::uint32_t items) {
    return heard.wait([items](auto& m) {
      std::uint32_t sum = 0;
      for (const auto& letter : m.letters)
        if (const auto* more = std::get_if<transport::stage_credit>(&letter.message)) sum += more->items;
      return sum == items;
    });
  }
  template <class T>
  [[nodiscard]] bool hears() {
    return heard.wait([](auto& m) {
      return std::ranges::any_of(m.letters, [](auto& l) { return std::holds_alternative<T>(l.message); });
    });
  }
};

struct gate_world {
  caf::actor_system_config config;
  caf::actor_system system{config};
  std::shared_ptr<transport::hub> hub{test::hub_of()};
  std::shared_ptr<answers> taken = std::make_shared<answers>();
  std::shared_ptr<answers> drained = std::make_shared<answers>();
  stage_gate_actor gate;
  std::string address;

  explicit gate_world(std::uint32_t window) {
    stage_gate_config with;
    with.hub = hub;
    with.stages = {"decode"};
    with.config_digest = "d";
    with.credits = std::make_shared<credit_pool>(window, metrics::gauge{});
    with.window = window;
    with.on_drained = [to = drained] {
      const std::lock_guard lock{to->mutex};
      to->ordinals = {0};
      to->changed.notify_all();
    };
    gate = system.spawn(stage_gate, with);
    caf::anon_send(gate, attach_intakes{{system.spawn(silent_intake, taken)}});
    address = *hub->listen("tcp://127.0.0.1:0", events_to(gate), false);
  }
  ~gate_world() {
    caf::anon_send_exit(gate, caf::exit_reason::user_shutdown);
    gate = nullptr;
    hub.reset();
  }
  void answer(std::uint64_t number) {
    core::frame_outcome outcome;
    outcome.id.segment.number = number;
    caf::anon_send(gate, frame_outcomes{{outcome}});
  }
};

} // namespace

TEST_CASE("senders share the window of a machine, and get their own items' outcomes back", "[actors][scheduler]") {
  gate_world w{8};
  sender a{w.address};
  REQUIRE(a.has_credit(8));
  sender b{w.address};
  REQUIRE(b.has_credit(4));
  a.item(7);
  REQUIRE(w.taken->are({0}));
  b.item(7);
  REQUIRE(w.taken->are({0, 1}));
  w.answer(1);
  REQUIRE(b.hears<transport::outcomes>());
  CHECK(b.has_credit(5)); // one for one
  w.answer(0);
  REQUIRE(a.hears<transport::outcomes>());
  CHECK(a.has_credit(8)); // it has more than its share
  b.say(transport::bye{"done"});
  for (std::uint32_t n = 0; n < 7; ++n) a.item(n);
  CHECK(w.taken->are({0, 1, 2, 3, 4, 5, 6, 7, 8}));
}

TEST_CASE("a sender with another topology, or that sends without credit, is turned away", "[actors][scheduler]") {
  gate_world w{2};
  sender other{w.address, "another"};
  CHECK(other.hears<transport::refused>());
  sender greedy{w.address};
  REQUIRE(greedy.has_credit(2));
  for (std::uint32_t n = 0; n < 3; ++n) greedy.item(n);
  CHECK(greedy.heard.wait([](auto& m) {
    return !m.losts.empty() || std::ranges::any_of(m.letters, [](auto& l) {
      return std::holds_alternative<transport::refused>(l.message);
    });
  }));
}

TEST_CASE("a sender that says hello again owes nothing of before, whose outcomes are void", "[actors][scheduler]") {
  gate_world w{8};
  sender a{w.address};
  REQUIRE(a.has_credit(8));
  a.item(7);
  REQUIRE(w.taken->are({0}));
  transport::hello again;
  again.stages = {"decode"};
  again.config_digest = "d";
  a.say(again);
  REQUIRE(a.has_credit(16));
  w.answer(0);
  a.item(9);
  REQUIRE(w.taken->are({0, 1}));
  w.answer(1);
  REQUIRE(a.has_credit(17));
  const auto answered = a.heard.look([](auto& m) {
    std::vector<std::uint32_t> out;
    for (const auto& letter : m.letters)
      if (const auto* o = std::get_if<transport::outcomes>(&letter.message))
        for (const auto& each : o->outcomes) out.push_back(each.id.ordinal);
    return out;
  });
  CHECK(answered == std::vector<std::uint32_t>{9});
}

TEST_CASE("a machine is drained when its senders have their outcomes and say bye", "[actors][scheduler]") {
  gate_world w{2};
  sender a{w.address};
  REQUIRE(a.has_credit(2));
  a.item(0);
  REQUIRE(w.taken->are({0}));
  caf::anon_send(w.gate, drain_stage{});
  REQUIRE(a.hears<transport::drain>());
  w.answer(0);
  REQUIRE(a.hears<transport::outcomes>());
  CHECK(w.drained->ordinals.empty());
  a.say(transport::bye{"done"});
  CHECK(w.drained->are({0}));
}

TEST_CASE("workers are told who goes on with what they send, until it is gone or leaves", "[actors]") {
  stage_directory all;
  const auto hello = [](const char* name, std::vector<std::string> stages) {
    transport::hello h;
    h.name = h.listen = name;
    h.role = stages.size() == 2 ? "tensors" : "frames";
    h.stages = std::move(stages);
    return h;
  };
  all.add(node(1), hello("a", {"inference", "postprocess"}), {1});
  all.add(node(2), hello("b", {"inference", "postprocess"}), {2});
  all.add(node(3), hello("c", {"preprocess", "inference", "postprocess"}), {3});
  const std::vector<std::string> sends_tensors{"decode", "preprocess"};
  CHECK(all.for_sender(sends_tensors) == std::vector<transport::directory>{{"tensors", {"a", "b"}}});
  CHECK(all.for_sender({"decode"}) == std::vector<transport::directory>{{"frames", {"c"}}});
  all.find(node(1))->leaving = true;
  CHECK(all.for_sender(sends_tensors) == std::vector<transport::directory>{{"tensors", {"b"}}});
  CHECK(all.age(1).empty());
  all.find(node(1))->silent = all.find(node(3))->silent = 0;
  CHECK(all.age(1) == std::vector{node(2)});
  all.remove(node(2));
  CHECK_FALSE(all.serves(sends_tensors));
  CHECK(all.for_sender(sends_tensors) == std::vector<transport::directory>{{"tensors", {}}});
}
