#include <algorithm>
#include <nlohmann/json.hpp>

#include "gateway/http/text.hpp"
#include "gateway/routes/context.hpp"
#include "gateway/routes/json.hpp"
#include "gateway/routes/upload.hpp"

namespace penstock::gateway::routes {

namespace {

constexpr std::size_t most_jobs_in_page = 1000;
constexpr std::size_t most_key = 255;

/// Text that people gave a thing: of whatever characters, but of one line and not for ever.
bool is_title(std::string_view text) {
  return text.size() <= 255 && std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

class jobs_routes {
 public:
  explicit jobs_routes(const context& with) : with_{with}, jobs_{*with.behind.jobs} {}

  void create(const http::responder_ptr& client) const {
    const auto& asked = client->asked();
    job_request request;
    request.idempotency_key = std::string{asked.get("Idempotency-Key")};
    request.owner = asked.caller;
    request.name = http::percent_decoded(asked.get("Penstock-Name")).value_or("");
    request.size_bytes = asked.content_length;
    if (request.idempotency_key.size() > most_key || !is_title(request.idempotency_key)) {
      return client->reply(http::refusal(400, "invalid_argument", "Idempotency-Key: at most 255 printable characters"));
    }
    if (!is_title(request.name)) {
      return client->reply(http::refusal(400, "invalid_argument", "Penstock-Name: at most 255 characters on one line"));
    }
    const auto type = http::media_type(asked.get("Content-Type"));
    if (http::same_word(type, "multipart/form-data")) {
      return client->reply(
          http::refusal(415, "media_type", "send the file itself as the body: curl --data-binary @FILE, or -T FILE"));
    }
    if (!http::same_word(type, "application/json")) return receive_upload(with_, client, std::move(request));
    if (asked.content_length.value_or(0) == 0 || *asked.content_length > with_.how.limits.json_bytes) {
      with_.counts.refused(barred::body_bytes);
      return client->reply(http::refusal(413, to_string(barred::body_bytes),
                                         "a body of JSON needs a Content-Length within limits.json_bytes"));
    }
    const auto text = std::make_shared<text_sink>();
    client->receive({text, [this, client, text, request] { submit(client, text->text, request); }});
  }

  void list(const http::responder_ptr& client) const {
    const auto& asked = client->asked();
    job_filter filter;
    if (const auto state = asked.query_value("state")) {
      filter.state = job_state_named(*state);
      if (!filter.state) {
        return client->reply(http::refusal(400, "invalid_argument",
                                           "state: allowed are queued, running, done, failed, cancelled, dead"));
      }
    }
    if (const auto limit = asked.query_value("limit")) {
      const auto n = http::parse_number(*limit);
      if (!n || *n == 0 || *n > most_jobs_in_page)
        return client->reply(http::refusal(400, "invalid_argument", "limit: 1 to 1000"));
      filter.limit = *n;
    }
    if (const auto after = asked.query_value("after")) {
      if (!http::is_plain_name(*after))
        return client->reply(http::refusal(400, "invalid_argument", "after: not the id of a job"));
      filter.after = std::string{*after};
    }
    jobs_.list(std::move(filter), client->gone(), [client](const core::expected<job_page>& page) {
      if (!page) return client->reply(page.error());
      client->reply(reply_with(200, to_json(*page), client->asked()));
    });
  }

  void get(const http::responder_ptr& client) const {
    jobs_.get(id_of(client), client->gone(), [client](const core::expected<job_view>& job) {
      if (!job) return client->reply(job.error());
      client->reply(reply_with(200, to_json(*job), client->asked()));
    });
  }

  void results(const http::responder_ptr& client) const {
    jobs_.results(id_of(client), client->gone(), [client](core::expected<std::shared_ptr<byte_source>> lines) {
      if (!lines) return client->reply(lines.error());
      http::streamed s;
      s.head.content_type = "application/jsonl";
      s.pieces = std::move(*lines);
      s.has_end = true;
      client->reply(std::move(s));
    });
  }

  void cancel(const http::responder_ptr& client) const {
    jobs_.cancel(id_of(client), told(client, 204, "the job is over already"));
  }

  void requeue(const http::responder_ptr& client) const {
    jobs_.requeue(id_of(client), told(client, 202, "only jobs that are dead can be queued again"));
  }

 private:
  struct text_sink final : byte_sink {
    std::string text;
    void write(std::string piece, completion<std::monostate> done) override {
      text += piece;
      done(std::monostate{});
    }
  };

  static const std::string& id_of(const http::responder_ptr& client) { return client->asked().parameters.at("id"); }

  static completion<change> told(const http::responder_ptr& client, int status, const char* not_now) {
    return [client, status, not_now](const core::expected<change>& done) {
      if (!done) return client->reply(done.error());
      if (*done == change::no_such) return client->reply(http::refusal(404, "not_found", "there is no such job"));
      if (*done == change::not_now) return client->reply(http::refusal(409, "conflict", not_now));
      client->reply(http::response{status, {}, {}, {}});
    };
  }

  void submit(const http::responder_ptr& client, const std::string& text, job_request request) const {
    const auto body = nlohmann::json::parse(text, nullptr, false);
    if (!body.is_object() || !body.contains("uri") || !body["uri"].is_string() ||
        (body.contains("name") && !body["name"].is_string())) {
      return client->reply(http::refusal(400, "invalid_argument",
                                         R"(the body must be {"uri": "…", "name": "…"}; the name may be left out)"));
    }
    request.uri = body["uri"];
    if (body.contains("name")) request.name = body["name"];
    if (!is_title(request.name) || request.uri.empty() || request.uri.size() > 2048 ||
        std::ranges::any_of(request.uri, [](unsigned char c) { return c <= 0x20 || c == 0x7f; })) {
      return client->reply(
          http::refusal(400, "invalid_argument", "uri or name: too long, or of characters that it cannot have"));
    }
    request.size_bytes.reset();
    jobs_.submit(std::move(request), client->gone(), [client](const core::expected<job_created>& made) {
      if (!made) return client->reply(made.error());
      client->reply(reply_with_job(*made, client->asked()));
    });
  }

  const context with_;
  jobs_api& jobs_;
};

const http::parameter_doc accept_doc{"Accept", "header", R"({"type": "string"})",
                                     "application/msgpack is understood, too"};

} // namespace

void add_jobs(table& to, const context& with) {
  const std::shared_ptr<jobs_routes> routes =
      with.behind.jobs == nullptr ? nullptr : std::make_shared<jobs_routes>(with);
  using handler = void (jobs_routes::*)(const http::responder_ptr&) const;
  const auto add = [&](const char* method, const char* pattern, handler call, const char* operation,
                       const char* summary) -> http::route& {
    http::route r{.method = method, .pattern = pattern, .needs = scope::jobs};
    r.operation = operation;
    r.summary = summary;
    if (routes)
      r.handle = [routes, call](const http::responder_ptr& client) { (*routes.*call)(client); };
    else
      r.lacks = "this node keeps no jobs: its topology has no section `jobs`";
    return to.emplace_back(std::move(r));
  };
  const http::reply_doc no_such{404, "there is no such job", {"application/json"}, "Error"};
  const http::reply_doc not_now{409, "its state does not allow it", {"application/json"}, "Error"};
  const std::vector<std::string> documents{"application/json", "application/msgpack"};

  auto& create = add("POST", "/v1/jobs", &jobs_routes::create, "createJob",
                     "Queues a video or picture, which is the body, or lies in a configured store");
  create.body = http::body_rule::pieces;
  create.body_bytes = with.how.limits.upload_bytes;
  create.body_types = {"video/mp4", "video/mp2t", "video/x-matroska", "image/jpeg",
                       "image/png", "image/webp", "application/json"};
  create.body_schema = "JobByUri";
  create.parameters = {
      {"Idempotency-Key", "header", R"({"type": "string", "maxLength": 255})",
       "a repeated request with the same key gets the job of the first"},
      {"Penstock-Name", "header", R"({"type": "string", "maxLength": 255})", "what people call it, percent-encoded"}};
  create.replies = {{202, "the job is recorded and waits", documents, "Job"},
                    {200, "the job of an earlier request with the same key", documents, "Job"},
                    {413, "the body is too large", {"application/json"}, "Error"},
                    {415, "not a file that can be read", {"application/json"}, "Error"}};

  auto& list = add("GET", "/v1/jobs", &jobs_routes::list, "listJobs", "Jobs, newest first");
  list.parameters = {{"state", "query",
                      R"({"type": "string", "enum": ["queued", "running", "done", "failed", "cancelled", "dead"]})",
                      "only those"},
                     {"limit", "query", R"({"type": "integer", "minimum": 1, "maximum": 1000})", "100 if not given"},
                     {"after", "query", R"({"type": "string"})", "the next page: `next` of the one before"},
                     accept_doc};
  list.replies = {{200, "a page of them", documents, "JobPage"}};

  auto& get = add("GET", "/v1/jobs/{id}", &jobs_routes::get, "getJob", "State and progress of a job");
  get.parameters = {accept_doc};
  get.replies = {{200, "the job", documents, "Job"}, no_such};

  auto& results = add("GET", "/v1/jobs/{id}/results", &jobs_routes::results, "getResults",
                      "Results, a JSON object in each line; while the job runs, lines follow as they are made");
  results.replies = {{200, "the lines", {"application/jsonl"}, ""}, no_such};

  auto& cancel = add("DELETE", "/v1/jobs/{id}", &jobs_routes::cancel, "cancelJob", "Cancels a job");
  cancel.replies = {{204, "it is cancelled", {}, ""}, no_such, not_now};

  auto& requeue =
      add("POST", "/v1/jobs/{id}/requeue", &jobs_routes::requeue, "requeueJob", "Queues a job again that is dead");
  requeue.replies = {{202, "it waits again", {}, ""}, no_such, not_now};
}

} // namespace penstock::gateway::routes
