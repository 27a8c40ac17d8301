#include "transport/hub/loop.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace penstock::transport {

namespace {

using std::chrono::milliseconds;

/// How long the end may take in all.
constexpr milliseconds longest_end{1000};

constexpr milliseconds retry_interval{1};
constexpr milliseconds blocked_interval{20};
constexpr milliseconds idle_interval{500};

} // namespace

context_of_many::context_of_many() {
  constexpr int most_sockets = 65'000;
  set(zmq::ctxopt::max_sockets, most_sockets);
}

hub_loop::hub_loop(const hub_options& options, hub_board& board)
    : options_{options}, board_{board}, gate_{context_, options_.keys} {}

void hub_loop::run() {
  std::optional<clock::time_point> last;
  while (true) {
    board_.take(work_);
    for (const auto& request : std::exchange(work_.requests, {})) request();
    const auto now = clock::now();
    if (stopping_ && !last) last = now + longest_end;
    tend_diallers(now);
    flush_waiting(now);
    question(now);
    if (last && (is_all_sent() || now >= *last)) break;
    poll(patience(now));
  }
  // What the sockets still hold goes out meanwhile.
  const auto linger = std::chrono::ceil<milliseconds>(std::max(*last - clock::now(), clock::duration::zero()));
  for (auto& [id, p] : peers_) end(*p);
  for (auto& l : listeners_) l->router.set(zmq::sockopt::linger, static_cast<int>(linger.count()));
  listeners_.clear();
  for (auto& [id, d] : diallers_) hang_up(*d, d->connected ? linger : milliseconds{0});
  diallers_.clear();
  for (auto& g : guests_) g->close(linger);
}

bool hub_loop::is_all_sent() const {
  return std::ranges::all_of(
      peers_, [](const auto& p) { return !p.second->next && (!p.second->out || p.second->out->empty()); });
}

milliseconds hub_loop::patience(clock::time_point now) const {
  if (!unfinished_.empty()) return milliseconds{0};
  if (stopping_) return retry_interval;
  auto wait = guests_.empty() ? idle_interval : std::min(idle_interval, guests_patience_);
  for (const auto id : suspects_) {
    const auto p = peers_.find(id.value);
    if (p != peers_.end()) wait = std::min(wait, p->second->ended->wait(now));
  }
  for (const auto id : blocked_) {
    const auto p = peers_.find(id.value);
    wait = std::min(wait, p != peers_.end() && p->second->next ? retry_interval : blocked_interval);
  }
  for (const auto& [id, d] : diallers_) {
    if (d->dealer && d->connected) continue;
    const auto next = d->dealer ? d->give_up : d->next_attempt;
    wait = std::clamp(std::chrono::ceil<milliseconds>(next - now), milliseconds{0}, wait);
  }
  return wait;
}

void hub_loop::poll(milliseconds wait) {
  if (wait > milliseconds{0} && board_.may_sleep()) {
    items_.clear();
    items_.push_back({nullptr, board_.wake_fd(), ZMQ_POLLIN, 0});
    items_.push_back({gate_.socket().handle(), 0, ZMQ_POLLIN, 0});
    for (auto& l : listeners_) {
      items_.push_back({l->router.handle(), 0, ZMQ_POLLIN, 0});
      items_.push_back({l->monitor->socket().handle(), 0, ZMQ_POLLIN, 0});
    }
    for (auto& [id, d] : diallers_) {
      if (!d->dealer) continue;
      items_.push_back({d->dealer.handle(), 0, ZMQ_POLLIN, 0});
      items_.push_back({d->monitor->socket().handle(), 0, ZMQ_POLLIN, 0});
    }
    for (auto& g : guests_) g->add_to(items_);
    if (zmq_poll(items_.data(), static_cast<int>(items_.size()), static_cast<long>(wait.count())) < 0 && errno != EINTR)
      throw zmq::error_t{};
    board_.awoke((items_.front().revents & ZMQ_POLLIN) != 0);
  }
  board_.counters.refused_keys += gate_.answer();
  const auto now = clock::now();
  for (std::size_t i = 0; i < listeners_.size(); ++i) { // what is received may lead to more of them
    watch(*listeners_[i], now);
    serve(*listeners_[i]);
  }
  for (auto& [id, d] : diallers_) static_cast<void>(serve(*d));
  guests_patience_ = idle_interval;
  for (std::size_t i = 0; i < guests_.size(); ++i)
    guests_patience_ = std::min(guests_patience_, guests_[i]->serve(now));
}

void hub_loop::attach(std::shared_ptr<hub_guest> guest) {
  guest->open(context_, options_);
  guests_.push_back(std::move(guest));
}

// -- end points -------------------------------------------------------------------------------------------------------

std::string hub_loop::listen(const std::string& address, link_events events) {
  auto made = std::make_unique<listener>();
  made->router = zmq::socket_t{context_, zmq::socket_type::router};
  configure(made->router, options_);
  secure(made->router, options_, true);
  made->router.set(zmq::sockopt::router_mandatory, true);
  made->monitor = std::make_unique<connection_monitor>(context_, made->router);
  made->events = std::move(events);
  made->router.bind(address);
  listeners_.push_back(std::move(made));
  return listeners_.back()->router.get(zmq::sockopt::last_endpoint);
}

peer_id hub_loop::dial(const std::string& address, link_events events, const std::string& server_key) {
  auto made = std::make_unique<dialler>();
  made->address = address;
  made->server_key = server_key;
  made->events = std::move(events);
  connect(*made, clock::now());
  auto& p = add_peer();
  p.dialled = made.get();
  made->id = p.id;
  diallers_.emplace(p.id.value, std::move(made));
  return p.id;
}

void hub_loop::close(peer_id id, bool flush) {
  auto* p = find(id);
  if (p == nullptr) return;
  p->closing = true;
  const bool something_waits = p->next || (p->out && !p->out->empty());
  if (!flush || !something_waits) forget(id, flush);
}

// -- peers ------------------------------------------------------------------------------------------------------------

hub_loop::peer* hub_loop::find(peer_id id) {
  const auto at = peers_.find(id.value);
  return at == peers_.end() ? nullptr : at->second.get();
}

hub_loop::peer& hub_loop::add_peer() {
  auto made = std::make_unique<peer>();
  made->id = {next_peer_++};
  auto& p = *made;
  peers_.emplace(p.id.value, std::move(made));
  return p;
}

/// Its connection is there.
void hub_loop::begin(peer& p) {
  p.out = std::make_shared<outbox>(options_.queue_messages, options_.queue_bytes);
  p.account = std::make_shared<flight>(board_, p.id);
  board_.publish(p.id, p.out);
}

/// Its connection is over, and what was queued for it.
void hub_loop::end(peer& p) {
  board_.retract(p.id);
  if (auto out = std::exchange(p.out, nullptr)) out->close();
  p.next.reset();
}

void hub_loop::lose(peer_id id, const core::error& why) {
  auto* p = find(id);
  if (p == nullptr) return;
  ++board_.counters.connections_lost;
  end(*p);
  const bool tell = !p->closing;
  const auto lost = p->dialled != nullptr ? p->dialled->events.lost : p->accepted->events.lost;
  if (p->dialled != nullptr && p->dialled->dealer) { // the protocol was broken, not the connection
    auto& d = *p->dialled;
    hang_up(d, milliseconds{0});
    d.backoff = options_.reconnect_max;
    d.next_attempt = clock::now() + d.backoff;
  }
  if (p->accepted != nullptr || p->closing) forget(id, false);
  if (tell) lost(id, why);
}

void hub_loop::forget(peer_id id, bool flush) {
  auto* p = find(id);
  if (p == nullptr) return;
  end(*p);
  if (p->accepted != nullptr) {
    p->accepted->ids.erase(p->routing_id);
    const auto fd = p->accepted->fds.find(p->fd);
    if (fd != p->accepted->fds.end() && fd->second == id) p->accepted->fds.erase(fd);
  } else {
    auto& d = *p->dialled;
    hang_up(d, flush && d.connected ? longest_end : milliseconds{0});
    d.over = true; // others may be walking over the table
  }
  peers_.erase(id.value);
}

} // namespace penstock::transport
