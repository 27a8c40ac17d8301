#include "tests/unit/front/fake_pipeline.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "actors/result_json.hpp"

namespace penstock::test {

namespace {

constexpr std::uint64_t segment_frames = 10;

core::frame_result result_of(const made_up_video& video, std::uint64_t seq) {
  core::frame_result out;
  out.seq = seq;
  out.pts = std::chrono::milliseconds{40 * static_cast<std::int64_t>(seq)};
  out.width_px = 640;
  out.height_px = 480;
  const auto drawn = core::mix(video.seed * 1'000'003 + seq);
  for (std::uint64_t i = 0; i < drawn % 4; ++i) {
    core::detection object;
    object.class_index = static_cast<std::int32_t>((drawn >> (8 * i)) % 80);
    object.score = static_cast<float>((drawn >> i) % 1000) / 1000;
    object.box = {static_cast<float>(drawn % 600), static_cast<float>(seq % 400), 20, 30};
    out.objects.push_back(object);
  }
  return out;
}

bool is_corrupt(const made_up_video& video, std::uint64_t seq) {
  return std::ranges::find(video.corrupt, seq) != video.corrupt.end();
}

std::optional<made_up_video> read_video(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  const std::string text{std::istreambuf_iterator<char>{in}, {}};
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  made_up_video out;
  out.frames = json.at("frames");
  out.seed = json.at("seed");
  out.pace_us = json.at("pace_us");
  out.corrupt = json.at("corrupt").get<std::vector<std::uint64_t>>();
  if (json.contains("waits_at")) out.waits_at = json["waits_at"].get<std::uint64_t>();
  if (json.contains("fails_at")) out.fails_at = json["fails_at"].get<std::uint64_t>();
  out.failure = {static_cast<core::errc>(json.at("code").get<int>()), json.at("text")};
  out.deaf = json.at("deaf");
  return out;
}

} // namespace

std::string made_up_video::file() const {
  nlohmann::json out{{"frames", frames},
                     {"seed", seed},
                     {"pace_us", pace_us},
                     {"corrupt", corrupt},
                     {"code", static_cast<int>(failure.code)},
                     {"text", failure.message},
                     {"deaf", deaf}};
  if (waits_at) out["waits_at"] = *waits_at;
  if (fails_at) out["fails_at"] = *fails_at;
  return out.dump();
}

std::string results_of(const made_up_video& video, const std::string& job) {
  std::string out;
  for (std::uint64_t seq = 0; seq < video.frames; ++seq) {
    if (!is_corrupt(video, seq)) actors::append_json(out, job, {}, result_of(video, seq));
  }
  return out;
}

fake_pipeline::~fake_pipeline() {
  {
    const std::lock_guard lock{mutex_};
    ending_ = true;
    changed_.notify_all();
  }
  for (auto& each : threads_) each.join();
}

void fake_pipeline::start(front::job_run run) {
  const std::lock_guard lock{mutex_};
  const auto next = run.sink->next_seq().value_or(0);
  runs_.push_back({run.input.stream_id, run.input.uri, run.input.picture, run.from, next});
  if (run.from && next < run.from->emitted_before)
    violations_.push_back(run.input.stream_id + ": parts end before what was noted");
  const auto same = std::ranges::count(runs_, run.input.stream_id, &seen::stream_id);
  if (same != 1) violations_.push_back(run.input.stream_id + ": twice");
  threads_.emplace_back([this, moved = std::make_shared<front::job_run>(std::move(run))] { work(std::move(*moved)); });
}

void fake_pipeline::cancel(const std::string& stream_id) {
  const std::lock_guard lock{mutex_};
  cancelled_.insert(stream_id);
  changed_.notify_all();
}

void fake_pipeline::go_on() {
  const std::lock_guard lock{mutex_};
  ++passes_;
  changed_.notify_all();
}

std::vector<fake_pipeline::seen> fake_pipeline::runs() {
  const std::lock_guard lock{mutex_};
  return runs_;
}

std::set<std::string> fake_pipeline::cancelled() {
  const std::lock_guard lock{mutex_};
  return cancelled_;
}

std::vector<std::string> fake_pipeline::violations() {
  const std::lock_guard lock{mutex_};
  return violations_;
}

bool fake_pipeline::wait_for_waiting(std::size_t count) {
  std::unique_lock lock{mutex_};
  return changed_.wait_for(lock, std::chrono::seconds{10}, [&] { return waiting_ >= count; });
}

bool fake_pipeline::pass(const std::string& stream_id, const made_up_video& video, std::uint64_t seq) {
  std::unique_lock lock{mutex_};
  const auto over = [&] { return ending_ || (!video.deaf && cancelled_.contains(stream_id)); };
  if (video.waits_at == seq) {
    const auto before = passes_;
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return over() || passes_ != before; });
    --waiting_;
  }
  if (video.pace_us > 0) changed_.wait_for(lock, std::chrono::microseconds{video.pace_us}, over);
  return !over();
}

void fake_pipeline::work(front::job_run run) {
  auto& sink = *run.sink;
  front::job_end end;
  auto progress = run.from.value_or(actors::stream_progress{});
  progress.begun = true;
  auto has = sink.next_seq().value_or(0);
  const auto video = read_video(run.input.uri);
  if (!video) end.error = core::error{core::errc::corrupt, "this is no video"};
  while (video && !end.error && progress.seq < video->frames) {
    std::vector<std::uint64_t> group;
    const auto segment_end = std::min(video->frames, progress.seq + segment_frames);
    for (auto seq = progress.seq; seq < segment_end && !end.error; ++seq) {
      if (!pass(run.input.stream_id, *video, seq)) end.error = core::error{core::errc::cancelled, "cancelled"};
      if (!end.error && video->fails_at == seq) end.error = video->failure;
      if (end.error) break;
      ++end.ledger.received;
      if (is_corrupt(*video, seq)) {
        end.ledger.drop(core::drop_reason::corrupt);
      } else if (seq < has) {
        ++end.ledger.delivered;
      } else {
        const auto written = sink.write(result_of(*video, seq), nullptr);
        if (written)
          group.push_back(seq);
        else
          end.ledger.drop(core::drop_reason::sink_error);
      }
    }
    if (const auto flushed = sink.flush(); flushed)
      end.ledger.delivered += group.size();
    else
      end.ledger.drop(core::drop_reason::sink_error, group.size());
    if (end.error) break;
    if (!group.empty()) progress.emitted_before = std::max(progress.emitted_before, group.back() + 1);
    progress.emitted_before = std::max(progress.emitted_before, std::min(has, segment_end));
    ++progress.segment;
    progress.seq = segment_end;
    progress.packets = segment_end;
    run.progressed({progress, end.ledger, video->frames});
  }
  if (const auto closed = sink.close(); !closed && !end.error) end.error = closed.error();
  run.sink.reset();
  run.ended(end);
}

} // namespace penstock::test
