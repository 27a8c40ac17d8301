#include "transport/push.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <limits>
#include <msgpack.hpp>
#include <utility>

namespace penstock::transport::push {

namespace {

constexpr int most_px = 1 << 16;
constexpr double most_frames_per_s = 1e6;
constexpr int most_reorder_frames = 16; // of any codec
constexpr std::size_t most_text = 4096;
/// Microseconds since any epoch, with room for every sum.
constexpr std::int64_t latest_us = std::int64_t{1} << 60U;

// -- writing

class map_writer {
 public:
  explicit map_writer(std::string_view type) { key("type").text(type); }

  map_writer& put(std::string_view name, std::string_view value) {
    if (!value.empty()) key(name).text(value);
    return *this;
  }
  map_writer& put(std::string_view name, const char* value) { return put(name, std::string_view{value}); }
  template <class T>
  requires std::is_arithmetic_v<T> map_writer& put(std::string_view name, T value) {
    key(name).packer_.pack(value);
    return *this;
  }
  map_writer& put(std::string_view name, std::span<const std::byte> bytes) {
    if (bytes.empty()) return *this;
    key(name).packer_.pack_bin(static_cast<std::uint32_t>(bytes.size()));
    packer_.pack_bin_body(reinterpret_cast<const char*>(bytes.data()), static_cast<std::uint32_t>(bytes.size()));
    return *this;
  }
  map_writer& put(std::string_view name, const std::map<std::string, std::uint64_t>& counts) {
    key(name).packer_.pack(counts);
    return *this;
  }

  [[nodiscard]] parts finish() {
    msgpack::sbuffer head;
    msgpack::packer{head}.pack_map(entries_);
    parts out;
    out.header.resize(head.size() + body_.size());
    std::memcpy(out.header.data(), head.data(), head.size());
    std::memcpy(out.header.data() + head.size(), body_.data(), body_.size());
    return out;
  }

 private:
  map_writer& key(std::string_view name) {
    ++entries_;
    return text(name);
  }
  map_writer& text(std::string_view value) {
    packer_.pack_str(static_cast<std::uint32_t>(value.size()));
    packer_.pack_str_body(value.data(), static_cast<std::uint32_t>(value.size()));
    return *this;
  }

  msgpack::sbuffer body_;
  msgpack::packer<msgpack::sbuffer> packer_{body_};
  std::uint32_t entries_ = 0;
};

std::string_view to_string(policy p) { return p == policy::live ? "live" : "lossless"; }

parts written(const open& m) {
  map_writer w{"open"};
  w.put("stream", m.stream).put("codec", m.codec.codec).put("width", m.codec.width_px);
  w.put("height", m.codec.height_px).put("fps", m.codec.frames_per_s);
  w.put("extradata", m.codec.extradata).put("pixel_format", m.codec.pixel_format);
  if (m.codec.tag != 0) w.put("tag", m.codec.tag);
  if (m.codec.reorder_frames != 0) w.put("reorder", m.codec.reorder_frames);
  if (m.again) w.put("again", true);
  if (m.policy) w.put("policy", to_string(*m.policy));
  return w.finish();
}

parts written(const packet& m) {
  map_writer w{"packet"};
  w.put("stream", m.stream).put("pts_us", m.pts_us).put("key", m.key).put("name", m.name);
  if (m.dts_us) w.put("dts_us", *m.dts_us);
  if (m.duration_us > 0) w.put("duration_us", m.duration_us);
  if (!m.shown) w.put("shown", false);
  if (m.damaged) w.put("damaged", true);
  auto out = w.finish();
  out.payloads.push_back(m.bytes);
  return out;
}

parts written(const end& m) { return map_writer{"end"}.put("stream", m.stream).finish(); }

parts written(const credit& m) {
  map_writer w{"credit"};
  w.put("stream", m.stream).put("packets", m.packets).put("received", m.received);
  return w.put("policy", to_string(m.policy)).finish();
}

parts written(const done& m) {
  map_writer w{"done"};
  w.put("stream", m.stream).put("received", m.received).put("delivered", m.delivered);
  return w.put("dropped", m.dropped).finish();
}

parts written(const error& m) { return map_writer{"error"}.put("stream", m.stream).put("message", m.message).finish(); }

parts written(const alive&) { return map_writer{"alive"}.finish(); }

// -- reading

/// Thrown and caught in this file.
struct wrong {
  core::error what;
};

[[noreturn]] void refuse(core::errc code, std::string why) { throw wrong{{code, std::move(why)}}; }

class map_reader {
 public:
  explicit map_reader(const msgpack::object& root) {
    if (root.type != msgpack::type::MAP) refuse(core::errc::corrupt, "the message is no map");
    entries_ = {root.via.map.ptr, root.via.map.size};
  }

  [[nodiscard]] std::string text(std::string_view name) const {
    const auto* value = find(name);
    if (value == nullptr) return {};
    if (value->type != msgpack::type::STR) refuse(core::errc::corrupt, fmt::format("{} is no text", name));
    if (value->via.str.size > most_text) refuse(core::errc::too_large, fmt::format("{} is too long", name));
    return {value->via.str.ptr, value->via.str.size};
  }

  [[nodiscard]] std::optional<std::int64_t> whole(std::string_view name, std::int64_t least, std::int64_t most) const {
    const auto* value = find(name);
    if (value == nullptr) return std::nullopt;
    const bool fits = value->type == msgpack::type::NEGATIVE_INTEGER ||
                      (value->type == msgpack::type::POSITIVE_INTEGER &&
                       value->via.u64 <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
    if (!fits || value->via.i64 < least || value->via.i64 > most)
      refuse(core::errc::corrupt, fmt::format("{} is no whole number from {} to {}", name, least, most));
    return value->via.i64;
  }

  [[nodiscard]] std::int64_t needed(std::string_view name, std::int64_t least, std::int64_t most) const {
    const auto value = whole(name, least, most);
    if (!value) refuse(core::errc::corrupt, fmt::format("{} is missing", name));
    return *value;
  }

  [[nodiscard]] double number(std::string_view name, double most) const {
    const auto* value = find(name);
    if (value == nullptr) return 0;
    double read = -1;
    if (value->type == msgpack::type::FLOAT32 || value->type == msgpack::type::FLOAT64) read = value->via.f64;
    if (value->type == msgpack::type::POSITIVE_INTEGER) read = static_cast<double>(value->via.u64);
    if (!(read >= 0 && read <= most))
      refuse(core::errc::corrupt, fmt::format("{} is no number from 0 to {}", name, most));
    return read;
  }

  [[nodiscard]] bool flag(std::string_view name, bool otherwise) const {
    const auto* value = find(name);
    if (value == nullptr) return otherwise;
    if (value->type != msgpack::type::BOOLEAN) refuse(core::errc::corrupt, fmt::format("{} is no boolean", name));
    return value->via.boolean;
  }

  [[nodiscard]] std::vector<std::byte> bytes(std::string_view name, std::size_t most) const {
    const auto* value = find(name);
    if (value == nullptr) return {};
    if (value->type != msgpack::type::BIN) refuse(core::errc::corrupt, fmt::format("{} is no binary", name));
    if (value->via.bin.size > most) refuse(core::errc::too_large, fmt::format("{} is too long", name));
    const auto* first = reinterpret_cast<const std::byte*>(value->via.bin.ptr);
    return {first, first + value->via.bin.size};
  }

  [[nodiscard]] std::map<std::string, std::uint64_t> counts(std::string_view name) const {
    const auto* value = find(name);
    return value == nullptr ? std::map<std::string, std::uint64_t>{}
                            : value->as<std::map<std::string, std::uint64_t>>();
  }

  [[nodiscard]] std::string stream(bool may_be_empty = true) const {
    auto name = text("stream");
    if (name.empty() ? !may_be_empty : !is_stream_name(name))
      refuse(core::errc::corrupt, "stream is no name of letters, digits, '.', '_' and '-'");
    return name;
  }

 private:
  [[nodiscard]] const msgpack::object* find(std::string_view name) const {
    for (const auto& entry : entries_) {
      if (entry.key.type != msgpack::type::STR) continue;
      if (std::string_view{entry.key.via.str.ptr, entry.key.via.str.size} != name) continue;
      return entry.val.type == msgpack::type::NIL ? nullptr : &entry.val;
    }
    return nullptr;
  }

  std::span<const msgpack::object_kv> entries_;
};

std::optional<policy> read_policy(const map_reader& r) {
  const auto word = r.text("policy");
  if (word.empty()) return std::nullopt;
  if (word == "live") return policy::live;
  if (word == "lossless") return policy::lossless;
  refuse(core::errc::corrupt, "policy is neither live nor lossless");
}

open read_open(const map_reader& r, const limits& within) {
  open m;
  m.stream = r.stream(false);
  m.codec.codec = r.text("codec");
  if (m.codec.codec.empty()) refuse(core::errc::corrupt, "codec is missing");
  m.codec.width_px = static_cast<int>(r.whole("width", 0, most_px).value_or(0));
  m.codec.height_px = static_cast<int>(r.whole("height", 0, most_px).value_or(0));
  m.codec.frames_per_s = r.number("fps", most_frames_per_s);
  m.codec.extradata = r.bytes("extradata", within.extradata_bytes);
  m.codec.pixel_format = r.text("pixel_format");
  m.codec.tag = static_cast<std::uint32_t>(r.whole("tag", 0, std::numeric_limits<std::uint32_t>::max()).value_or(0));
  m.codec.reorder_frames = static_cast<int>(r.whole("reorder", 0, most_reorder_frames).value_or(0));
  m.policy = read_policy(r);
  m.again = r.flag("again", false);
  return m;
}

packet read_packet(const map_reader& r, std::span<const shared_bytes> payloads, const limits& within) {
  packet m;
  m.stream = r.stream();
  m.pts_us = r.needed("pts_us", -latest_us, latest_us);
  m.dts_us = r.whole("dts_us", -latest_us, latest_us);
  m.duration_us = r.whole("duration_us", 0, latest_us).value_or(0);
  m.key = r.flag("key", false);
  m.shown = r.flag("shown", true);
  m.damaged = r.flag("damaged", false);
  m.name = r.text("name");
  if (payloads.size() != 1) refuse(core::errc::corrupt, "a packet has one part behind its map");
  m.bytes = payloads.front();
  if (m.bytes.bytes.size() > within.payload_bytes)
    refuse(core::errc::too_large,
           fmt::format("a packet of {} bytes; allowed: {}", m.bytes.bytes.size(), within.payload_bytes));
  return m;
}

message read(const map_reader& r, std::span<const shared_bytes> payloads, const limits& within) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  const auto type = r.text("type");
  if (type == "packet") return read_packet(r, payloads, within);
  if (!payloads.empty()) refuse(core::errc::corrupt, "only packets have a second part");
  if (type == "open") return read_open(r, within);
  if (type == "end") return end{r.stream()};
  if (type == "credit")
    return credit{
        r.stream(false), static_cast<std::uint32_t>(r.needed("packets", 0, std::numeric_limits<std::uint32_t>::max())),
        static_cast<std::uint64_t>(r.whole("received", 0, most).value_or(0)), read_policy(r).value_or(policy::live)};
  if (type == "done")
    return done{r.stream(false), static_cast<std::uint64_t>(r.needed("received", 0, most)),
                static_cast<std::uint64_t>(r.needed("delivered", 0, most)), r.counts("dropped")};
  if (type == "alive") return alive{};
  if (type == "error") return error{r.stream(), r.text("message")};
  refuse(core::errc::corrupt, type.empty() ? "type is missing" : fmt::format("type {:.32} is not known", type));
}

} // namespace

parts encode(const message& m) {
  return std::visit([](const auto& each) { return written(each); }, m);
}

core::expected<message> decode(std::span<const std::byte> header, std::span<const shared_bytes> payloads,
                               const limits& within) {
  if (header.size() > within.header_bytes)
    return core::fail(core::errc::too_large,
                      fmt::format("a map of {} bytes; allowed: {}", header.size(), within.header_bytes));
  constexpr std::size_t most_entries = 64;
  constexpr std::size_t most_depth = 8;
  try {
    std::size_t used = 0;
    const auto handle = msgpack::unpack(
        reinterpret_cast<const char*>(header.data()), header.size(), used, nullptr, nullptr,
        msgpack::unpack_limit{most_entries, most_entries, within.header_bytes, within.header_bytes, 0, most_depth});
    if (used != header.size()) refuse(core::errc::corrupt, "bytes behind the map");
    return read(map_reader{handle.get()}, payloads, within);
  } catch (const wrong& w) {
    return tl::unexpected{w.what};
  } catch (const std::exception& e) { // of msgpack
    return core::fail(core::errc::corrupt, fmt::format("no msgpack map: {}", e.what()));
  }
}

bool is_stream_name(std::string_view name) noexcept {
  constexpr std::size_t longest = 128;
  return !name.empty() && name.size() <= longest && name.front() != '.' && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

} // namespace penstock::transport::push
