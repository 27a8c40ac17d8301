#include "media/av/source.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <thread>

extern "C" {
#include <libavutil/pixdesc.h>
}

namespace penstock::media {

using core::errc;

namespace {

/// After this many errors in a row a file is over.
constexpr int most_failures = 16;

/// Of raw video that does not tell its rate.
constexpr core::media_time default_frame_time{40'000};

std::optional<core::media_time> time_of(std::int64_t stamp, AVRational base) {
  if (stamp == AV_NOPTS_VALUE) return std::nullopt;
  return core::media_time{av_rescale_q(stamp, base, microsecond_base)};
}

/// Sees to it that there are zeros behind the packet's bytes. Most memory of FFmpeg is so, but some filters cut packets
/// short, some demuxers return part of a buffer, and devices their own memory.
void pad(AVPacket& packet) {
  const auto size = static_cast<std::size_t>(packet.size);
  const auto whole = size + core::packet_padding_bytes;
  if (packet.buf != nullptr && packet.data + whole <= packet.buf->data + packet.buf->size &&
      std::all_of(packet.data + size, packet.data + whole, [](auto byte) { return byte == 0; }))
    return;
  auto* memory = checked(av_buffer_alloc(whole));
  if (size > 0) std::memcpy(memory->data, packet.data, size);
  std::memset(memory->data + size, 0, core::packet_padding_bytes);
  av_buffer_unref(&packet.buf);
  packet.buf = memory;
  packet.data = memory->data;
}

double frame_rate(const AVStream& stream) {
  for (const auto rate : {stream.avg_frame_rate, stream.r_frame_rate})
    if (rate.num > 0 && rate.den > 0) return av_q2d(rate);
  return 0;
}

} // namespace

core::expected<std::unique_ptr<av_source>> av_source::open(const source_options& options, av_input input,
                                                           av_options& tuning) {
  init_ffmpeg();
  std::unique_ptr<av_source> source{new av_source{options, std::move(input)}};
  auto ready = source->connect(tuning);
  if (ready) ready = source->choose_stream();
  if (ready) ready = source->unpack();
  if (!ready) return core::fail(source->input_.name, std::move(ready.error()));
  return source;
}

core::expected<void> av_source::connect(av_options& tuning) {
  const AVInputFormat* demuxer = nullptr;
  if (input_.format && !(demuxer = av_find_input_format(input_.format)))
    return core::fail(errc::unsupported, fmt::format("FFmpeg here has no '{}'", input_.format));
  set_deadline(options_.open_timeout);
  auto* context = checked(avformat_alloc_context());
  context->flags |= AVFMT_FLAG_GENPTS;
  context->interrupt_callback = {[](void* opaque) {
                                   const auto& self = *static_cast<const av_source*>(opaque);
                                   return int{self.options_.stop.stop_requested() ||
                                              core::clock::now() > self.deadline_};
                                 },
                                 this};
  int code = avformat_open_input(&context, input_.url.c_str(), demuxer, tuning.get()); // frees the context on failure
  if (code < 0) return failed(code);
  format_.reset(context);
  if (std::strcmp(context->iformat->name, "tty") == 0) // it takes any text for a film
    return core::fail(errc::corrupt, "neither a video nor a picture");
  code = avformat_find_stream_info(context, nullptr);
  return code < 0 ? core::expected<void>{failed(code)} : core::expected<void>{};
}

core::expected<void> av_source::choose_stream() {
  for (unsigned i = 0; i < format_->nb_streams; ++i) // cover art of a song is no video
    if (format_->streams[i]->disposition & AV_DISPOSITION_ATTACHED_PIC)
      format_->streams[i]->codecpar->codec_type = AVMEDIA_TYPE_ATTACHMENT;
  const int best = av_find_best_stream(format_.get(), AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  if (best < 0) return core::fail(errc::unsupported, "no video in it");
  for (unsigned i = 0; i < format_->nb_streams; ++i)
    if (i != static_cast<unsigned>(best)) format_->streams[i]->discard = AVDISCARD_ALL;
  stream_ = format_->streams[best];

  const auto& parameters = *stream_->codecpar;
  const auto* codec_name = avcodec_get_name(parameters.codec_id);
  if (!avcodec_find_decoder(parameters.codec_id))
    return core::fail(errc::unsupported, fmt::format("no decoder for codec '{}'", codec_name));
  if (parameters.width <= 0 || parameters.height <= 0)
    return core::fail(remote() ? errc::unavailable : errc::corrupt,
                      fmt::format("looks like {}, but no keyframe came", codec_name));
  if (static_cast<std::uint64_t>(parameters.width) * static_cast<std::uint64_t>(parameters.height) >
      options_.max_pixels)
    return core::fail(errc::too_large, fmt::format("{}x{} is beyond max_pixels {}", parameters.width, parameters.height,
                                                   options_.max_pixels));

  const double rate = frame_rate(*stream_);
  if (rate > 0) frame_time_ = core::media_time{std::llround(1e6 / rate)};
  timeline_.emplace(options_.origin, time_of(stream_->start_time, stream_->time_base));
  const auto length = time_of(stream_->duration, stream_->time_base)
                          .value_or(time_of(format_->duration, microsecond_base).value_or(core::media_time{0}));
  if (input_.traits.live && length.count() > 0 && std::strcmp(format_->iformat->name, "hls") == 0) {
    input_.traits.live = false; // a playlist with an end is a recording
    input_.traits.finite = true;
  }
  if (input_.traits.finite)
    frames_ = stream_->nb_frames > 0 ? static_cast<std::uint64_t>(stream_->nb_frames)
                                     : static_cast<std::uint64_t>(static_cast<double>(length.count()) * 1e-6 * rate);
  return {};
}

core::expected<void> av_source::unpack() {
  const auto& parameters = *stream_->codecpar;
  fields_ = field_pairing::for_stream(parameters);
  picture_order_ = picture_order::for_stream(*format_, parameters);
  if (picture_order_ && frame_time_.count() <= 0) frame_time_ = default_frame_time;
  if (parameters.codec_id == AV_CODEC_ID_MPEG4) {
    AVBSFContext* filter = nullptr;
    const auto* kind = av_bsf_get_by_name("mpeg4_unpack_bframes");
    if (!kind || av_bsf_alloc(kind, &filter) < 0) return core::fail(errc::unsupported, "no mpeg4_unpack_bframes");
    unpacker_.reset(filter);
    filter->time_base_in = stream_->time_base;
    int code = avcodec_parameters_copy(filter->par_in, &parameters);
    if (code >= 0) code = av_bsf_init(filter);
    if (code < 0) return failed(code);
    if (std::strcmp(format_->iformat->name, "avi") == 0) {
      order_.emplace();
      format_->flags &= ~AVFMT_FLAG_GENPTS; // it takes the empty packets behind packed B-frames for frames
    }
  }
  describe(unpacker_ ? *unpacker_->par_out : parameters);
  return {};
}

void av_source::describe(const AVCodecParameters& parameters) {
  core::codec_description d;
  d.codec = avcodec_get_name(parameters.codec_id);
  d.tag = parameters.codec_tag;
  const auto* extradata = reinterpret_cast<const std::byte*>(parameters.extradata);
  d.extradata.assign(extradata, extradata + parameters.extradata_size);
  d.width_px = parameters.width;
  d.height_px = parameters.height;
  d.reorder_frames = parameters.video_delay;
  if (const auto* name = av_get_pix_fmt_name(static_cast<AVPixelFormat>(parameters.format))) d.pixel_format = name;
  d.frames_per_s = frame_rate(*stream_);
  classifier_ = make_classifier(d);
  codec_ = std::make_shared<const core::codec_description>(std::move(d));
}

bool av_source::remote() const { return input_.traits.kind == "network" || input_.traits.kind == "device"; }

void av_source::set_deadline(std::chrono::milliseconds limit) {
  // a file comes as fast as it comes
  deadline_ = remote() ? core::clock::now() + limit : core::time_point::max();
}

tl::unexpected<core::error> av_source::failed(int code) {
  if (options_.stop.stop_requested()) return core::fail(errc::cancelled, "asked to stop");
  if (core::clock::now() > deadline_) return core::fail(errc::unavailable, "nothing came within the time allowed");
  if (code == AVERROR_PROTOCOL_NOT_FOUND || code == AVERROR_DEMUXER_NOT_FOUND)
    return core::fail(errc::unsupported, av_text(code));
  if (!input_.traits.live && code == AVERROR_HTTP_NOT_FOUND) return core::fail(errc::not_found, av_text(code));
  if (remote()) return core::fail(errc::unavailable, av_text(code)); // a camera may come, and publish, later
  if (code == AVERROR(ENOENT)) return core::fail(errc::not_found, av_text(code));
  if (code == AVERROR_INVALIDDATA) return core::fail(errc::corrupt, "neither a video nor a picture that can be read");
  return core::fail(code == AVERROR_EOF ? errc::corrupt : errc::io, av_text(code));
}

core::expected<av_ptr<AVPacket>> av_source::next() {
  av_ptr<AVPacket> packet{checked(av_packet_alloc())};
  set_deadline(options_.read_timeout);
  while (true) {
    if (unpacker_) {
      if (const int code = av_bsf_receive_packet(unpacker_.get(), packet.get()); code >= 0)
        return packet;
      else if (code == AVERROR_EOF)
        return core::fail(errc::end_of_stream, input_.name);
    }
    const int code = av_read_frame(format_.get(), packet.get());
    if (code == AVERROR(EAGAIN)) {
      if (options_.stop.stop_requested() || core::clock::now() > deadline_) return failed(code);
      std::this_thread::sleep_for(std::chrono::milliseconds{2}); // a device without a frame yet
    } else if (code < 0) {
      const int io = format_->pb ? format_->pb->error : 0;
      if (code != AVERROR_EOF) return failed(code);
      if (io < 0 && io != AVERROR_EOF) return failed(io);
      if (input_.traits.live) return core::fail(errc::unavailable, "the other side ended the stream");
      if (!unpacker_) return core::fail(errc::end_of_stream, input_.name);
      (void)av_bsf_send_packet(unpacker_.get(), nullptr); // drains it
    } else if (packet->stream_index != stream_->index || packet->size == 0) {
      av_packet_unref(packet.get());
    } else if (!unpacker_) {
      return packet;
    } else if (const int refused = av_bsf_send_packet(unpacker_.get(), packet.get()); refused < 0) {
      return failed(refused);
    }
  }
}

core::expected<av_ptr<AVPacket>> av_source::next_in_time() {
  if (!order_) return next();
  while (true) {
    if (auto packet = order_->pop()) return packet;
    auto packet = next();
    if (!packet) {
      if (packet.error().code != errc::end_of_stream) return packet;
      order_->finish();
      if (auto last = order_->pop()) return last; // the end comes again, behind what was waiting
      return packet;
    }
    const std::span bytes{reinterpret_cast<const std::byte*>((*packet)->data),
                          static_cast<std::size_t>((*packet)->size)};
    const bool b_vop = classifier_->classify(bytes, {}).disposable;
    order_->push(std::move(*packet), b_vop);
  }
}

core::expected<core::packet_ptr> av_source::read() {
  if (ended_) return core::fail(errc::end_of_stream, input_.name);
  auto packet = next_in_time();
  if (packet) {
    failures_ = 0;
    return wrap(std::move(*packet));
  }
  auto& error = packet.error();
  const bool last =
      error.code == errc::end_of_stream || error.code == errc::unavailable || error.code == errc::cancelled;
  ended_ = last || ++failures_ >= most_failures;
  return core::fail(input_.name, std::move(error));
}

void av_source::take_headers(const AVPacket& packet) {
  std::size_t size = 0;
  const auto* data = av_packet_get_side_data(&packet, AV_PKT_DATA_NEW_EXTRADATA, &size);
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  if (!data || std::equal(bytes, bytes + size, codec_->extradata.begin(), codec_->extradata.end())) return;
  auto changed = *codec_;
  changed.extradata.assign(bytes, bytes + size);
  classifier_ = make_classifier(changed);
  codec_ = std::make_shared<const core::codec_description>(std::move(changed));
}

core::packet_ptr av_source::wrap(av_ptr<AVPacket> source) {
  take_headers(*source);
  pad(*source);
  auto packet = std::make_shared<core::packet>();
  packet->captured = core::clock::now();
  packet->bytes = {reinterpret_cast<const std::byte*>(source->data), static_cast<std::size_t>(source->size)};
  packet->damaged = (source->flags & AV_PKT_FLAG_CORRUPT) != 0;

  const bool key = (source->flags & AV_PKT_FLAG_KEY) != 0;
  const auto kind = classifier_->classify(packet->bytes, {key, (source->flags & AV_PKT_FLAG_DISPOSABLE) != 0});
  packet->access = kind.access;
  packet->disposable = kind.disposable;
  packet->shown = kind.shown && !(source->flags & AV_PKT_FLAG_DISCARD);
  if (fields_) {
    const auto part = fields_->next(*source);
    if (part != field_pairing::part::frame) packet->disposable = false; // its other half may be referred to
    if (part == field_pairing::part::second_field) packet->shown = false;
  }

  const auto base = stream_->time_base;
  packet->duration = time_of(source->duration, base).value_or(core::media_time{0});
  if (packet->duration.count() <= 0) packet->duration = frame_time_;
  const auto raw = picture_order_
                       ? picture_order_->next(*source, kind.access == core::random_access::closed, packet->duration)
                       : raw_times{time_of(source->pts, base), time_of(source->dts, base), packet->duration};
  const auto times = timeline_->fix(raw);
  packet->pts = times.pts;
  packet->dts = times.dts;
  packet->owner = std::shared_ptr<AVPacket>(std::move(source));
  return packet;
}

} // namespace penstock::media
