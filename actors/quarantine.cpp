#include "actors/quarantine.hpp"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <system_error>
#include <utility>

#include "media/packet_file.hpp"

namespace penstock::actors {

namespace {

using core::errc;
namespace fs = std::filesystem;

/// A stream's id may have slashes and whatever names of files have.
std::string folder_name(const quarantined_segment& segment) {
  auto name = segment.stream;
  std::ranges::replace_if(
      name, [](unsigned char c) { return std::isalnum(c) == 0 && c != '.' && c != '_' && c != '-'; }, '_');
  return fmt::format("{}-{}-{}", name, segment.id.epoch, segment.id.number);
}

std::uint64_t size_of(const quarantined_segment& segment) {
  std::uint64_t bytes = 0;
  for (const auto& packet : segment.packets) bytes += packet->bytes.size();
  return bytes;
}

core::expected<void> write_file(const fs::path& path, std::string_view text) {
  std::ofstream out{path, std::ios::binary};
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.close();
  return out ? core::expected<void>{} : core::fail(errc::io, path.string() + ": cannot be written");
}

std::string_view text_of(const core::packet& packet) {
  return {reinterpret_cast<const char*>(packet.bytes.data()), packet.bytes.size()};
}

core::expected<void> write_pictures(const fs::path& folder, const quarantined_segment& segment,
                                    std::vector<std::string>& files) {
  for (std::size_t i = 0; i < segment.packets.size(); ++i) {
    const auto& packet = *segment.packets[i];
    auto name = fs::path{packet.name}.filename().string();
    if (segment.packets.size() > 1) name = fmt::format("{:04}-{}", i, name);
    if (auto written = write_file(folder / name, text_of(packet)); !written) return written;
    files.push_back(std::move(name));
  }
  return {};
}

core::expected<void> write_packets(const fs::path& folder, const quarantined_segment& segment,
                                   std::vector<std::string>& files) {
  if (segment.packets.empty()) return {};
  if (!segment.packets.front()->name.empty()) return write_pictures(folder, segment, files);
  const auto playable = folder / "segment.nut";
  files.emplace_back("segment.nut");
  auto written = media::write_packet_file(playable.string(), *segment.codec, segment.packets);
  if (written || written.error().code == errc::io) return written;
  std::error_code gone;
  fs::remove(playable, gone);
  files.back() = "packets.bin";
  std::string all;
  for (const auto& packet : segment.packets) all += text_of(*packet);
  return write_file(folder / files.back(), all);
}

std::string reason_json(const quarantined_segment& segment, const std::vector<std::string>& files) {
  auto packets = nlohmann::ordered_json::array();
  for (const auto& packet : segment.packets) {
    packets.push_back({{"pts_ms", static_cast<double>(packet->pts.count()) / 1000},
                       {"bytes", packet->bytes.size()},
                       {"keyframe", packet->access != core::random_access::none},
                       {"shown", packet->shown}});
  }
  nlohmann::ordered_json json{{"stream", segment.stream},
                              {"source", segment.source},
                              {"epoch", segment.id.epoch},
                              {"segment", segment.id.number},
                              {"reason", segment.reason},
                              {"errors", segment.errors},
                              {"codec",
                               {{"name", segment.codec->codec},
                                {"width", segment.codec->width_px},
                                {"height", segment.codec->height_px},
                                {"frames_per_s", segment.codec->frames_per_s}}},
                              {"files", files},
                              {"packets", packets}};
  return json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

/// All of it or nothing: the folder gets its name when it is complete.
core::expected<void> write_folder(const fs::path& folder, const quarantined_segment& segment) {
  auto temporary = folder;
  temporary += ".part";
  std::error_code failed;
  fs::remove_all(temporary, failed);
  fs::create_directories(temporary, failed);
  if (failed) return core::fail(errc::io, temporary.string() + ": " + failed.message());
  std::vector<std::string> files;
  auto written = write_packets(temporary, segment, files);
  if (written) written = write_file(temporary / "reason.json", reason_json(segment, files));
  if (written) {
    fs::rename(temporary, folder, failed);
    if (failed) written = core::fail(errc::io, folder.string() + ": " + failed.message());
  }
  if (!written) fs::remove_all(temporary, failed);
  return written;
}

/// Number and bytes of the segments in a folder, which need not be there.
std::pair<std::uint64_t, std::uint64_t> count(const fs::path& folder) {
  std::uint64_t segments = 0;
  std::uint64_t bytes = 0;
  std::error_code failed; // what cannot be looked at is not counted
  for (fs::recursive_directory_iterator at{folder, failed}; !failed && at != fs::recursive_directory_iterator{};
       at.increment(failed)) {
    std::error_code gone;
    if (at.depth() == 0 && at->is_directory(gone)) ++segments;
    const auto size = at->is_regular_file(gone) ? at->file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return {segments, bytes};
}

} // namespace

quarantine_writer::quarantine_writer(quarantine_config config)
    : config_{std::move(config)}, thread_{[this] { run(); }} {}

quarantine_writer::~quarantine_writer() {
  {
    const std::lock_guard lock{mutex_};
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void quarantine_writer::put(quarantined_segment segment) {
  {
    const std::lock_guard lock{mutex_};
    if (waiting_.size() < most_waiting) {
      waiting_.push_back(std::move(segment));
      changed_.notify_one();
      return;
    }
  }
  refuse(segment, "too many are waiting for the disk");
}

void quarantine_writer::run() {
  std::unique_lock lock{mutex_};
  while (true) {
    changed_.wait(lock, [this] { return !waiting_.empty() || stop_; });
    if (waiting_.empty()) return;
    const auto segment = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    write(segment);
    lock.lock();
  }
}

void quarantine_writer::write(const quarantined_segment& segment) {
  if (!segments_) std::tie(segments_, bytes_) = count(config_.folder);
  const auto bytes = size_of(segment);
  if (*segments_ >= config_.segments || bytes_ + bytes > config_.bytes) {
    refuse(segment, fmt::format("{} is full ({} segments, {} bytes)", config_.folder.string(), *segments_, bytes_));
    return;
  }
  const auto name = folder_name(segment);
  auto folder = config_.folder / name;
  std::error_code unknown;
  for (int again = 2; fs::exists(folder, unknown); ++again) folder = config_.folder / fmt::format("{}-{}", name, again);
  if (const auto written = write_folder(folder, segment); !written) {
    refuse(segment, written.error().message);
    return;
  }
  ++*segments_;
  bytes_ += bytes;
  spdlog::info("stream {}: segment {} is kept in {}", segment.stream, segment.id.number, folder.string());
}

void quarantine_writer::refuse(const quarantined_segment& segment, const std::string& why) {
  config_.refused.add();
  spdlog::warn("stream {}: segment {} is not kept for inspection: {}", segment.stream, segment.id.number, why);
}

} // namespace penstock::actors
