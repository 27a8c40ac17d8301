#pragma once

#include <map>

#include "tests/unit/gateway/fake_api.hpp"

namespace penstock::test {

/// Keeps jobs in memory. Can hold each write back until the test releases it.
class fake_jobs final : public gateway::jobs_api {
 public:
  void open(gateway::job_request request, std::stop_token gone,
            gateway::completion<std::variant<std::shared_ptr<gateway::job_upload>, gateway::job_view>> done) override {
    {
      const std::lock_guard lock{mutex};
      gone_ = std::move(gone);
      if (const auto known = keys.find(request.idempotency_key); known != keys.end() && !known->first.empty()) {
        return done(views.at(known->second));
      }
      requests.push_back(request);
    }
    done(std::static_pointer_cast<gateway::job_upload>(std::make_shared<upload>(*this, std::move(request))));
  }
  void submit(gateway::job_request request, std::stop_token, gateway::completion<gateway::job_created> done) override {
    const std::lock_guard lock{mutex};
    requests.push_back(request);
    done(gateway::job_created{make(request), false});
  }
  void get(const std::string& id, std::stop_token, gateway::completion<gateway::job_view> done) override {
    const std::lock_guard lock{mutex};
    if (!views.contains(id)) return done(core::fail(core::errc::not_found, "there is no such job"));
    done(views.at(id));
  }
  void list(gateway::job_filter filter, std::stop_token, gateway::completion<gateway::job_page> done) override {
    const std::lock_guard lock{mutex};
    gateway::job_page page;
    for (const auto& [id, v] : views) {
      if (!filter.state || v.state == *filter.state) page.jobs.push_back(v);
    }
    done(std::move(page));
  }
  void cancel(const std::string& id, gateway::completion<gateway::change> done) override {
    done(change_to(id, gateway::job_state::cancelled));
  }
  void requeue(const std::string& id, gateway::completion<gateway::change> done) override {
    done(change_to(id, gateway::job_state::queued));
  }
  void results(const std::string&, std::stop_token,
               gateway::completion<std::shared_ptr<gateway::byte_source>> done) override {
    done(std::make_shared<fed_source>(lines));
  }

  std::size_t held() {
    const std::lock_guard lock{mutex};
    return held_.size();
  }
  void release() {
    std::vector<std::function<void()>> all;
    {
      const std::lock_guard lock{mutex};
      all.swap(held_);
    }
    for (const auto& done : all) done();
  }
  std::stop_token gone() {
    const std::lock_guard lock{mutex};
    return gone_;
  }

  std::atomic<bool> hold_writes{false};
  std::atomic<bool> fail_writes{false};
  std::atomic<bool> committed{false};
  std::atomic<int> sinks{0};
  std::vector<gateway::job_request> requests;
  std::map<std::string, std::string> stored;
  std::shared_ptr<fed_source::state> lines = std::make_shared<fed_source::state>();

 private:
  class upload final : public gateway::job_upload {
   public:
    upload(fake_jobs& in, gateway::job_request request) : in_{in}, request_{std::move(request)} { ++in_.sinks; }
    ~upload() override { --in_.sinks; }
    void write(std::string piece, gateway::completion<std::monostate> done) override {
      if (in_.fail_writes) return done(core::fail(core::errc::unavailable, "the store is away"));
      bytes_ += piece;
      if (!in_.hold_writes) return done(std::monostate{});
      const std::lock_guard lock{in_.mutex};
      in_.held_.push_back([done] { done(std::monostate{}); });
    }
    void commit(gateway::completion<gateway::job_created> done) override {
      gateway::job_view made;
      {
        const std::lock_guard lock{in_.mutex};
        made = in_.make(request_);
        in_.stored[made.id] = bytes_;
      }
      in_.committed = true;
      done(gateway::job_created{made, false});
    }

   private:
    fake_jobs& in_;
    gateway::job_request request_;
    std::string bytes_;
  };

  gateway::job_view make(const gateway::job_request& request) {
    gateway::job_view v;
    v.id = "job-" + std::to_string(views.size() + 1);
    v.name = request.name;
    v.content_type = request.content_type;
    v.eta = core::seconds{1.5};
    views[v.id] = v;
    keys[request.idempotency_key] = v.id;
    return v;
  }
  gateway::change change_to(const std::string& id, gateway::job_state state) {
    const std::lock_guard lock{mutex};
    if (!views.contains(id)) return gateway::change::no_such;
    if (views[id].state == state) return gateway::change::not_now;
    views[id].state = state;
    return gateway::change::done;
  }

  std::mutex mutex;
  std::map<std::string, gateway::job_view> views;
  std::map<std::string, std::string> keys;
  std::vector<std::function<void()>> held_;
  std::stop_token gone_;
};

inline gateway::stream_view stream_of(const std::string& id) {
  gateway::stream_view v;
  v.id = id;
  v.uri = "rtsp://10.0.0.8/main";
  v.policy = "live";
  v.state = "running";
  v.frames_per_s = 24.999;
  v.received = 10;
  v.delivered = 7;
  v.in_flight = 1;
  v.dropped = {{"shed", 2}};
  return v;
}

/// Has the stream `door`, which cannot be removed, and those that are added.
class fake_streams final : public gateway::streams_api {
 public:
  void list(std::stop_token, gateway::completion<std::vector<gateway::stream_view>> done) override {
    done(std::vector{stream_of("door")});
  }
  void add(gateway::stream_request request, gateway::completion<gateway::stream_added> done) override {
    const bool fresh = added.insert({request.id, request}).second;
    done(gateway::stream_added{stream_of(request.id), !fresh});
  }
  void remove(const std::string& id, gateway::completion<gateway::change> done) override {
    if (id == "door") return done(gateway::change::not_now);
    done(added.erase(id) == 0 ? gateway::change::no_such : gateway::change::done);
  }
  void snapshot(const std::string& id, std::stop_token, gateway::completion<std::string> done) override {
    if (id == "door") return done("a picture");
    done(core::fail(core::errc::unavailable, "it has no frame yet"));
  }
  void preview(const std::string&, std::stop_token,
               gateway::completion<std::shared_ptr<gateway::byte_source>> done) override {
    done(std::make_shared<fed_source>(pictures));
  }

  std::map<std::string, gateway::stream_request> added; ///< on the gateway's thread
  std::shared_ptr<fed_source::state> pictures = std::make_shared<fed_source::state>();
};

class fake_state final : public gateway::state_api {
 public:
  void state(std::stop_token, gateway::completion<gateway::state_view> done) override {
    gateway::state_view v;
    v.pipeline = "lobby";
    v.streams = {stream_of("door")};
    v.workers = {{"w1", "working", {"decode", "inference"}, "cpu", 0.5, 3, 2, core::seconds{0.25}}};
    v.stages = {{"decode", 100.5, 0.75, 4}};
    done(std::move(v));
  }
};

} // namespace penstock::test
