// A door for tests of its clients: the real gateway, with jobs that are kept in memory and get on whenever somebody
// looks at them. Prints "port N", and ends when standard input does.

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/sha256.hpp"
#include "gateway/api.hpp"
#include "gateway/server.hpp"

namespace {

using namespace penstock;

class node final : public gateway::node_api {
 public:
  std::string metrics() override { return registry.expose(); }
  bool healthy() override { return true; }
  std::vector<gateway::target_view> targets() override { return {{}}; }
  bool ready() override { return true; }
  void drain(gateway::completion<std::monostate> done) override { done(std::monostate{}); }
  void drain_worker(const std::string&, gateway::completion<gateway::change> done) override {
    done(gateway::change::no_such);
  }

  metrics::registry registry;
};

/// As many lines as a job has frames, a piece for each hundred.
class lines_of final : public gateway::byte_source {
 public:
  lines_of(std::string name, std::string sha256, std::uint64_t frames)
      : name_{std::move(name)}, sha256_{std::move(sha256)}, frames_{frames} {}

  void next(gateway::completion<std::string> done) override {
    std::string piece;
    for (std::uint64_t i = 0; i < 100 && seq_ < frames_; ++i, ++seq_)
      piece += fmt::format(R"({{"stream":"{}","seq":{},"sha256":"{}","objects":[]}})"
                           "\n",
                           name_, seq_, sha256_);
    done(std::move(piece));
  }

 private:
  std::string name_;
  std::string sha256_;
  std::uint64_t frames_;
  std::uint64_t seq_ = 0;
};

/// Jobs whose fate their name says: "dies" fails for good, "stays" runs until it is cancelled, all others are done
/// after four looks. Everything is called on the gateway's thread.
class jobs final : public gateway::jobs_api {
 public:
  using view = gateway::job_view;

  void open(gateway::job_request request, std::stop_token,
            gateway::completion<std::variant<std::shared_ptr<gateway::job_upload>, view>> done) override {
    if (unavailable > 0) {
      --unavailable;
      return done(core::fail(core::errc::unavailable, "the store is away"));
    }
    const auto known = keys_.find({request.owner, request.idempotency_key});
    if (!request.idempotency_key.empty() && known != keys_.end()) return done(find(known->second)->seen);
    done(std::static_pointer_cast<gateway::job_upload>(std::make_shared<upload>(*this, std::move(request))));
  }
  void submit(gateway::job_request, std::stop_token, gateway::completion<gateway::job_created> done) override {
    done(core::fail(core::errc::unsupported, "send the file"));
  }
  void get(const std::string& id, std::stop_token, gateway::completion<view> done) override {
    auto* job = find(id);
    if (job == nullptr) return done(core::fail(core::errc::not_found, "there is no such job"));
    get_on(*job);
    done(job->seen);
  }
  void list(gateway::job_filter filter, std::stop_token, gateway::completion<gateway::job_page> done) override {
    gateway::job_page page;
    auto at = jobs_.rbegin();
    if (!filter.after.empty()) {
      while (at != jobs_.rend() && at->seen.id != filter.after) ++at;
      if (at != jobs_.rend()) ++at;
    }
    for (; at != jobs_.rend(); ++at) {
      if (filter.state && at->seen.state != *filter.state) continue;
      if (page.jobs.size() == filter.limit) {
        page.next = page.jobs.back().id;
        break;
      }
      page.jobs.push_back(at->seen);
    }
    done(std::move(page));
  }
  void cancel(const std::string& id, gateway::completion<gateway::change> done) override {
    auto* job = find(id);
    if (job == nullptr) return done(gateway::change::no_such);
    if (job->seen.state != gateway::job_state::queued && job->seen.state != gateway::job_state::running)
      return done(gateway::change::not_now);
    job->seen.state = gateway::job_state::cancelled;
    done(gateway::change::done);
  }
  void requeue(const std::string& id, gateway::completion<gateway::change> done) override {
    auto* job = find(id);
    if (job == nullptr) return done(gateway::change::no_such);
    if (job->seen.state != gateway::job_state::dead && job->seen.state != gateway::job_state::cancelled)
      return done(gateway::change::not_now);
    job->seen.state = gateway::job_state::queued;
    job->seen.error.clear();
    job->looks = 0;
    done(gateway::change::done);
  }
  void results(const std::string& id, std::stop_token,
               gateway::completion<std::shared_ptr<gateway::byte_source>> done) override {
    const auto* job = find(id);
    if (job == nullptr) return done(core::fail(core::errc::not_found, "there is no such job"));
    done(std::make_shared<lines_of>(job->seen.name, job->sha256, job->seen.frames_total.value_or(0)));
  }

  /// A job of which nothing was sent.
  void add_finished(int number) {
    auto& job = make({});
    job.seen.name = fmt::format("old-{}.mp4", number);
    job.seen.state = number % 100 == 0 ? gateway::job_state::dead : gateway::job_state::done;
    if (number % 100 == 0) job.seen.error = "no keyframe \x1b[2J in it";
  }

  int unavailable = 0; ///< uploads that are refused before one is taken

 private:
  struct kept {
    view seen;
    std::string sha256;
    int looks = 0;
  };

  class upload final : public gateway::job_upload {
   public:
    upload(jobs& in, gateway::job_request request) : in_{in}, request_{std::move(request)} {}
    void write(std::string piece, gateway::completion<std::monostate> done) override {
      if (request_.name != "sparse.mp4") hasher_.update(std::as_bytes(std::span{piece})); // that is about memory
      size_ += piece.size();
      done(std::monostate{});
    }
    void commit(gateway::completion<gateway::job_created> done) override {
      auto& job = in_.make(request_);
      job.sha256 = core::to_hex(hasher_.finish());
      job.seen.size_bytes = size_;
      done(gateway::job_created{job.seen, false});
    }

   private:
    jobs& in_;
    gateway::job_request request_;
    core::sha256_hasher hasher_;
    std::uint64_t size_ = 0;
  };

  kept* find(const std::string& id) {
    for (auto& job : jobs_)
      if (job.seen.id == id) return &job;
    return nullptr;
  }
  kept& make(const gateway::job_request& request) {
    auto& made = jobs_.emplace_back();
    made.seen.id = fmt::format("job-{}", jobs_.size());
    made.seen.name = request.name;
    made.seen.content_type = request.content_type;
    made.seen.max_attempts = 3;
    made.seen.frames_total = 2000;
    if (!request.idempotency_key.empty()) keys_[{request.owner, request.idempotency_key}] = made.seen.id;
    return made;
  }
  static void get_on(kept& job) {
    using gateway::job_state;
    auto& v = job.seen;
    if (v.state != job_state::queued && v.state != job_state::running) return;
    const auto named = [&](std::string_view word) { return v.name.find(word) != std::string::npos; };
    v.state = job_state::running;
    v.attempts = 1;
    v.worker = "w1";
    ++job.looks;
    v.frames_done = std::min<std::uint64_t>(500U * static_cast<unsigned>(job.looks), named("stays") ? 500 : 2000);
    v.eta = core::seconds{0.5};
    if (job.looks < 4 || named("stays")) return;
    v.eta.reset();
    v.state = named("dies") ? job_state::dead : job_state::done;
    if (named("dies")) {
      v.attempts = 3;
      v.error = "the packet at 1.2 s cannot be decoded";
    }
  }

  std::vector<kept> jobs_;
  std::map<std::pair<std::string, std::string>, std::string> keys_;
};

class lobby final : public gateway::state_api {
 public:
  void state(std::stop_token, gateway::completion<gateway::state_view> done) override {
    gateway::state_view v;
    v.pipeline = "lobby";
    v.version = "0.1.0";
    v.model = "yolov8n.onnx";
    v.engine = "onnxruntime";
    v.device = "cpu";
    v.uptime = core::seconds{4000};
    v.streams = {stream("door", "running", 24.97, {}),
                 stream("yard", "connecting", 0, {{"shed", 1200}, {"corrupt", 7}}),
                 stream("bad\x1b[2Jname", "running", 5, {})};
    for (int i = 0; i < 40; ++i) v.streams.push_back(stream(fmt::format("camera-{:02}", i), "running", 10, {}));
    v.workers = {{"worker-one",
                  "working",
                  {"decode", "preprocess", "inference", "postprocess"},
                  "cpu",
                  0.5,
                  3,
                  2,
                  core::seconds{0.25}},
                 {"worker-two", "silent", {"decode", "inference"}, "cuda", 0, 1, 0, core::seconds{12}}};
    v.stages = {{"decode", 100.5, 0.75, 4}, {"inference", 98.25, 0.93, 12}};
    done(std::move(v));
  }

 private:
  static gateway::stream_view stream(std::string id, std::string how, double fps,
                                     std::map<std::string, std::uint64_t> dropped) {
    gateway::stream_view v;
    v.id = std::move(id);
    v.uri = "rtsp://10.0.0.8/main";
    v.policy = "live";
    v.state = std::move(how);
    v.frames_per_s = fps;
    v.latency_p50_s = 0.0423;
    v.latency_p99_s = 0.1311;
    v.delivered = 1'234'567;
    v.in_flight = 3;
    v.received = v.delivered + v.in_flight;
    for (const auto& [reason, n] : dropped) v.received += n;
    v.dropped = std::move(dropped);
    return v;
  }
};

/// A certificate for 127.0.0.1 that signs itself.
void make_certificate(const std::filesystem::path& folder) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* cert = X509_new();
  X509_set_version(cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert), -60);
  X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
  X509_set_pubkey(cert, key);
  const auto* name = reinterpret_cast<const unsigned char*>("test door");
  X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, name, -1, -1, 0);
  X509_set_issuer_name(cert, X509_get_subject_name(cert));
  X509_EXTENSION* address = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1");
  X509_add_ext(cert, address, -1);
  X509_EXTENSION_free(address);
  X509_sign(cert, key, EVP_sha256());
  const auto save = [&](const char* file, auto&& write) {
    std::FILE* to = std::fopen((folder / file).c_str(), "w");
    if (to == nullptr || !write(to) || std::fclose(to) != 0) std::exit(1);
  };
  save("key.pem", [&](std::FILE* to) { return PEM_write_PrivateKey(to, key, nullptr, nullptr, 0, nullptr, nullptr); });
  save("cert.pem", [&](std::FILE* to) { return PEM_write_X509(to, cert); });
  X509_free(cert);
  EVP_PKEY_free(key);
}

} // namespace

int main(int argc, char** argv) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("door"));
  gateway::options how;
  how.address = "127.0.0.1:0";
  node process;
  jobs all;
  lobby shown;
  gateway::api behind;
  behind.node = &process;
  behind.jobs = &all;
  behind.state = &shown;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    const auto value = [&] {
      if (++i >= argc) {
        std::cerr << option << " needs a value\n";
        std::exit(64);
      }
      return std::string{argv[i]};
    };
    if (option == "--token") { // NAME:SHA256:SCOPE
      const auto text = value();
      const auto first = text.find(':');
      const auto second = text.find(':', first + 1);
      const auto of = gateway::scope_named(text.substr(second + 1));
      how.tokens.push_back({text.substr(0, first), text.substr(first + 1, second - first - 1), {of.value()}});
    } else if (option == "--unavailable") {
      all.unavailable = std::stoi(value());
    } else if (option == "--finished") {
      for (int n = 0, count = std::stoi(value()); n < count; ++n) all.add_finished(n);
    } else if (option == "--tls") {
      const std::filesystem::path folder = value();
      make_certificate(folder);
      how.tls.certificate = folder / "cert.pem";
      how.tls.key = folder / "key.pem";
    } else if (option == "--rate") {
      how.rate_per_address.per_s = std::stod(value());
      how.rate_per_address.burst = 1;
    } else if (option == "--no-jobs") {
      behind.jobs = nullptr;
    } else {
      std::cerr << "unknown: " << option << '\n';
      return 64;
    }
  }
  const auto server = gateway::server::listen(how, behind, process.registry);
  if (!server) {
    std::cerr << server.error().message << '\n';
    return 1;
  }
  std::cout << "port " << (*server)->port() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
  }
  return 0;
}
