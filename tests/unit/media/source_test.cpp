#include <algorithm>
#include <chrono>
#include <future>
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/catch.hpp"
#include "tests/unit/media/clips.hpp"

using namespace penstock;
using namespace penstock::media;
using namespace penstock::media::test;
using core::errc;

namespace {

core::error error_of(const std::string& uri, std::uint64_t max_pixels = 64'000'000) {
  source_options options;
  options.uri = uri;
  options.max_pixels = max_pixels;
  const auto source = open_source(options);
  REQUIRE_FALSE(source);
  return source.error();
}

std::string small_clip() { return clip("small.mp4", "-c:v libx264 -g 12 -bf 2"); }

std::size_t frames_of(const std::vector<decoded>& outcomes) {
  return static_cast<std::size_t>(
      std::count_if(outcomes.begin(), outcomes.end(), [](const decoded& d) { return d.frame.has_value(); }));
}

} // namespace

TEST_CASE("what cannot be opened says why and names the file") {
  write_file(folder() / "empty.mp4", "");
  std::string noise;
  for (unsigned i = 0, x = 1; i < 50'000; ++i) noise += static_cast<char>((x = x * 1664525U + 1013904223U) >> 24);
  write_file(folder() / "noise.mp4", noise);
  write_file(folder() / "letter.txt", "Dear camera,\nwe have not heard from you.\n");
  ffmpeg("-f lavfi -i sine=duration=1 " + (folder() / "song.m4a"));
  ffmpeg("-f lavfi -i sine=duration=1 -f lavfi -i testsrc2=size=64x64 -frames:v 1 -c:v mjpeg -disposition:v "
         "attached_pic " +
         (folder() / "cover.mp3"));
  fs::create_directories(folder() / "nothing");

  struct row {
    std::string path;
    errc code;
  };
  for (const auto& [path, code] :
       {row{folder() / "absent.mp4", errc::not_found}, row{folder() / "empty.mp4", errc::corrupt},
        row{folder() / "noise.mp4", errc::corrupt}, row{folder() / "letter.txt", errc::corrupt},
        row{folder() / "song.m4a", errc::unsupported}, row{folder() / "cover.mp3", errc::unsupported},
        row{folder() / "nothing", errc::not_found}, row{folder() / "*.absent", errc::not_found},
        row{"gopher://example/film", errc::unsupported}, row{"/dev/video-absent", errc::unavailable},
        row{"synthetic://?width=63", errc::invalid_argument}}) {
    const auto error = error_of(path);
    INFO(path << ": " << error.message);
    CHECK(error.code == code);
    CHECK(error.message.find(path.starts_with("synthetic") ? "width=63" : path) != std::string::npos);
  }
}

TEST_CASE("a file without read permission is an input error") {
  if (::geteuid() == 0) {
    WARN("skipped: root may read everything");
    return;
  }
  const auto path = folder() / "secret.mp4";
  fs::copy_file(small_clip(), path, fs::copy_options::overwrite_existing);
  fs::permissions(path, fs::perms::none);
  CHECK(error_of(path).code == errc::io);
}

TEST_CASE("a stream larger than allowed is refused before it is decoded") {
  const auto error = error_of(small_clip(), 192 * 108 - 1);
  CHECK(error.code == errc::too_large);
  CHECK(error.message.find("192x108") != std::string::npos);
}

TEST_CASE("a camera that is not there is unavailable, and its password stays out of messages") {
  const auto error = error_of("rtsp://user:secret@127.0.0.1:1/main");
  CHECK(error.code == errc::unavailable);
  CHECK(error.message.find("secret") == std::string::npos);
  CHECK(error.message.find("127.0.0.1:1/main") != std::string::npos);
}

TEST_CASE("a device that is no camera is refused by Video4Linux, which is there when it is asked for") {
  const auto error = error_of("v4l2:///dev/null");
  CHECK(error.code == errc::unavailable); // `unsupported` would say that FFmpeg has no such demuxer
  CHECK(error_of("v4l2:///dev/video-none").message.find("no such device") != std::string::npos);
}

TEST_CASE("kinds of sources are told from the uri") {
  CHECK(describe_source("rtsp://host/a")->live);
  CHECK_FALSE(describe_source("rtsp://host/a")->finite);
  CHECK_FALSE(describe_source("https://host/a.mp4")->live);
  CHECK(describe_source("https://host/a.m3u8?x=1")->live);
  CHECK(describe_source("/dev/video3")->kind == "device");
  CHECK(describe_source("v4l2:///dev/video0")->live);
  CHECK(describe_source("synthetic://?live=1")->live);
  CHECK_FALSE(describe_source("synthetic://?frames=0")->finite);
  CHECK(describe_source(small_clip())->kind == "files");
  CHECK(describe_source("file://" + small_clip())->finite);
  CHECK(describe_source("/tmp")->kind == "pictures");
}

TEST_CASE("a truncated file gives what it still has, and every packet an outcome") {
  const auto whole = read_file(clip("cut.mp4", "-c:v libx264 -g 12 -bf 2 -movflags +faststart"));
  for (const auto share : {0.9, 0.6, 0.5}) {
    write_file(folder() / "truncated.mp4",
               whole.substr(0, static_cast<std::size_t>(share * static_cast<double>(whole.size()))));
    const auto all = record(folder() / "truncated.mp4");
    CHECK(all.end == errc::end_of_stream);
    const auto outcomes = decode_all(all);
    CHECK(outcomes.size() == all.packets.size());
    CHECK(frames_of(outcomes) > 5);
    CHECK(frames_of(outcomes) < 48);
    CHECK(frames_of(outcomes) + 3 >= all.packets.size());
  }
  write_file(folder() / "headless.mp4", read_file(small_clip()).substr(0, 6000)); // its index is at the end
  CHECK(error_of(folder() / "headless.mp4").code == errc::corrupt);
}

TEST_CASE("a damaged file loses the damaged frames, and every packet has an outcome") {
  for (const auto& name : {"damage.ts", "damage.mkv", "damage.avi"}) {
    INFO(name);
    const bool mpeg4 = std::string{name}.ends_with("avi");
    auto bytes = read_file(clip(name, mpeg4 ? "-c:v mpeg4 -q:v 3 -g 12" : "-c:v libx264 -g 12 -bf 2", "320x180"));
    for (std::size_t i = bytes.size() / 3; i < bytes.size() / 3 + 3000; i += 7) bytes[i] = static_cast<char>(i);
    write_file(folder() / (std::string{"bad-"} + name), bytes);
    const auto all = record(folder() / (std::string{"bad-"} + name));
    CHECK(all.end == errc::end_of_stream);
    const auto outcomes = decode_all(all);
    const auto shown = std::count_if(all.packets.begin(), all.packets.end(), [](const auto& p) { return p->shown; });
    CHECK(outcomes.size() == static_cast<std::size_t>(shown));
    CHECK(frames_of(outcomes) >= 30);
    CHECK(frames_of(outcomes) < outcomes.size());
  }
}

TEST_CASE("a folder of pictures is a stream in natural order, and a bad picture is one bad frame") {
  const auto dir = folder() / "shots";
  fs::create_directories(dir);
  ffmpeg("-f lavfi -i testsrc2=size=64x48 -frames:v 3 -start_number 9 " + dir + "/shot%d.png");
  ffmpeg("-f lavfi -i testsrc2=size=66x50 -frames:v 1 -c:v libwebp " + dir + "/shot20.webp");
  ffmpeg("-f lavfi -i testsrc2=size=66x50 -frames:v 1 " + dir + "/shot21.bmp");
  ffmpeg("-f lavfi -i testsrc2=size=640x480 -frames:v 1 " + dir + "/shot100.jpg");
  write_file(dir + "/shot22.jpg", "");
  write_file(dir + "/shot23.jpg", "this is not a picture");
  ffmpeg("-f lavfi -i testsrc2=size=64x48 -frames:v 1 " + (folder() / "whole.jpg"));
  const auto jpeg = read_file(folder() / "whole.jpg");
  write_file(dir + "/shot24.jpg", jpeg.substr(0, jpeg.size() / 2));
  const auto png = read_file(dir + "/shot9.png");
  write_file(dir + "/shot25.png", png.substr(0, png.size() / 2));
  write_file(dir + "/notes.txt", "not a picture, and not named like one");

  source_options options;
  options.uri = dir;
  options.max_pixels = 640 * 480 - 1;
  auto source = open_source(options);
  REQUIRE(source);
  CHECK((*source)->frames() == 10);
  const auto all = record(**source);
  std::string names;
  for (const auto& packet : all.packets) names.append(packet->name).append(" ");
  CHECK(names == "shot9.png shot10.png shot11.png shot20.webp shot21.bmp shot22.jpg shot23.jpg shot24.jpg shot25.png "
                 "shot100.jpg ");

  decode_options limits;
  limits.max_pixels = options.max_pixels;
  std::string outcome;
  for (std::size_t i = 0; i < all.packets.size(); ++i) {
    CHECK(all.packets[i]->access == core::random_access::closed);
    auto decode = decoder::open(*all.codecs[i], limits);
    REQUIRE(decode);
    REQUIRE(decode->send(*all.packets[i], i));
    decode->flush();
    const auto result = decode->receive();
    REQUIRE(result);
    CHECK_FALSE(decode->receive());
    outcome.append(result->frame ? "ok" : core::to_string(result->frame.error().code)).append(" ");
  }
  CHECK(outcome == "ok ok ok ok ok corrupt corrupt corrupt corrupt too_large ");
}

TEST_CASE("a glob of files is one stream on one timeline, and a bad file in it loses nothing else") {
  const auto dir = folder() / "tapes";
  fs::create_directories(dir);
  fs::copy_file(small_clip(), dir + "/1.mp4", fs::copy_options::overwrite_existing);
  write_file(dir + "/2.mp4", "broken");
  fs::copy_file(clip("vp9-small.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8"), dir + "/3.mp4",
                fs::copy_options::overwrite_existing);
  const auto all = record(dir + "/*.mp4");
  CHECK(all.packets.size() == 96);
  REQUIRE(all.errors.size() == 1);
  CHECK(all.errors[0].message.find("2.mp4") != std::string::npos);
  CHECK(all.codecs.front()->codec == "h264");
  CHECK(all.codecs.back()->codec == "vp9");
  CHECK(all.codecs.front() == all.codecs[47]);
  std::vector<core::media_time> times;
  for (const auto& packet : all.packets) times.push_back(packet->pts);
  std::sort(times.begin(), times.end());
  for (std::size_t i = 1; i < times.size(); ++i)
    CHECK(std::chrono::abs(times[i] - times[i - 1] - core::media_time{41'667}) < std::chrono::milliseconds{45});
  CHECK(std::is_sorted(all.packets.begin(), all.packets.end(),
                       [](const auto& a, const auto& b) { return a->dts < b->dts; }));
}

TEST_CASE("a file of another size in mid-stream decodes, frame by frame") {
  const auto a = clip("part-a.ts", "-c:v libx264 -g 12", "192x108");
  const auto b = clip("part-b.ts", "-c:v libx264 -g 12", "128x96");
  write_file(folder() / "joined.ts", read_file(a) + read_file(b));
  const auto all = record(folder() / "joined.ts");
  const auto outcomes = decode_all(all);
  std::size_t small = 0, large = 0;
  for (const auto& outcome : outcomes) {
    if (!outcome.frame) continue;
    small += (*outcome.frame)->view.width_px == 128;
    large += (*outcome.frame)->view.width_px == 192;
  }
  // The transport counts its packets, and marks the last frame of the first part where the count does not go on with
  // the second part's, which depends on how long the encoder made it.
  const auto damaged = static_cast<std::size_t>(
      std::count_if(all.packets.begin(), all.packets.end(), [](const auto& packet) { return packet->damaged; }));
  CHECK(damaged <= 1);
  CHECK(small == 48);
  CHECK(large == 48 - damaged);
  core::media_time last = -std::chrono::seconds{1};
  for (const auto& packet : all.packets) {
    CHECK(packet->dts >= last);
    last = packet->dts;
  }

  decode_options limits; // the decoder itself refuses what the container did not announce
  limits.max_pixels = 192 * 108 - 1;
  auto all_small = all;
  all_small.codecs.assign(all.packets.size(), std::make_shared<core::codec_description>([&] {
                            auto d = *all.codecs[0];
                            d.width_px = d.height_px = 0;
                            return d;
                          }()));
  std::size_t refused = 0;
  for (const auto& outcome : decode_all(all_small, limits))
    refused += !outcome.frame && outcome.frame.error().code == errc::too_large;
  CHECK(refused == 48);
}

TEST_CASE("a blocking read ends when somebody asks to stop") {
  std::stop_source stop;
  source_options options;
  options.uri = "synthetic://?live=1&fps=0.1&codec=mjpeg&frames=0";
  options.stop = stop.get_token();
  auto source = open_source(options);
  REQUIRE(source);
  REQUIRE((*source)->read());
  auto blocked = std::async(std::launch::async, [&] { return (*source)->read(); });
  stop.request_stop();
  REQUIRE(blocked.wait_for(std::chrono::seconds{5}) == std::future_status::ready);
  CHECK(blocked.get().error().code == errc::cancelled);
}

TEST_CASE("a server that accepts and says nothing is unavailable after the time allowed") {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(listener, 1) == 0);
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  source_options options;
  options.uri = "rtsp://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/main";
  options.open_timeout = std::chrono::milliseconds{200};
  const auto source = open_source(options);
  REQUIRE_FALSE(source);
  CHECK(source.error().code == errc::unavailable);
  CHECK(source.error().message.find("within the time allowed") != std::string::npos);

  std::stop_source stop; // and somebody may stop the wait
  options.open_timeout = std::chrono::minutes{5};
  options.stop = stop.get_token();
  auto blocked = std::async(std::launch::async, [&] { return open_source(options); });
  stop.request_stop();
  REQUIRE(blocked.wait_for(std::chrono::seconds{10}) == std::future_status::ready);
  CHECK(blocked.get().error().code == errc::cancelled);
  ::close(listener);
}

TEST_CASE("raw H.264 and HEVC, whose files have no times, get the order of presentation from the pictures themselves") {
  struct row {
    std::string name;
    std::string encoding;
    std::string copy;
  };
  const auto& [name, encoding, copy] = GENERATE(values<row>(
      {{"ordered.h264", "-c:v libx264 -g 12 -bf 3", "-c copy -bsf:v h264_mp4toannexb"},
       {"open.h264", "-c:v libx264 -g 12 -bf 2 -x264-params open-gop=1", "-c copy -bsf:v h264_mp4toannexb"},
       {"ordered.hevc", "-c:v libx265 -g 12 -bf 3 -x265-params log-level=none", "-c copy -bsf:v hevc_mp4toannexb"}}));
  const auto timed = clip(name + ".mp4", encoding);
  ffmpeg("-i " + timed + " " + copy + " " + (folder() / name));
  const auto ranks_of = [](const std::string& uri) {
    source_options options;
    options.uri = uri;
    auto source = open_source(options);
    REQUIRE(source);
    std::vector<core::media_time> times;
    while (auto packet = (*source)->read()) times.push_back((*packet)->pts);
    std::vector<std::size_t> ranks;
    for (const auto t : times)
      ranks.push_back(
          static_cast<std::size_t>(std::count_if(times.begin(), times.end(), [t](auto o) { return o < t; })));
    return ranks;
  };
  const auto expected = ranks_of(timed);
  REQUIRE(expected.size() == 48);
  CHECK(ranks_of(folder() / name) == expected);
}
