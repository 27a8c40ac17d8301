#include "front/detect_door.hpp"

#include <utility>

#include "actors/result_json.hpp"
#include "media/annotate.hpp"
#include "media/decoder.hpp"
#include "media/encoder.hpp"
#include "media/picture_packet.hpp"

namespace penstock::front {

namespace {

gateway::detect_reply reply_of(const core::frame_result& result, const std::vector<std::string>& labels) {
  gateway::detect_reply reply;
  reply.width_px = result.width_px;
  reply.height_px = result.height_px;
  const auto& t = result.times;
  reply.served = t.decode + t.preprocess + t.inference + t.postprocess;
  reply.objects.reserve(result.objects.size());
  for (const auto& o : result.objects) {
    reply.objects.push_back(
        {actors::label_of(labels, o.class_index), o.class_index, o.score, o.box.x, o.box.y, o.box.w, o.box.h});
  }
  return reply;
}

/// The picture once more, with the boxes.
core::expected<std::string> draw(const media::picture_packet& picture, const core::frame_result& result,
                                 const std::vector<std::string>& labels, const media::decode_options& how) {
  auto decoder = media::decoder::open(*picture.codec, how);
  if (!decoder) return tl::unexpected{decoder.error()};
  if (auto sent = decoder->send(*picture.packet, 0); !sent) return tl::unexpected{sent.error()};
  decoder->flush();
  const auto decoded = decoder->receive();
  if (!decoded) return core::fail(core::errc::internal, "the decoder gave no frame");
  if (!decoded->frame) return tl::unexpected{decoded->frame.error()};
  const auto drawn = media::annotate((*decoded->frame)->view, result.objects, labels);
  if (!drawn) return tl::unexpected{drawn.error()};
  const auto jpeg = media::encode_jpeg((*drawn)->view);
  if (!jpeg) return tl::unexpected{jpeg.error()};
  return std::string{reinterpret_cast<const char*>(jpeg->data()), jpeg->size()};
}

} // namespace

void detect_door::detect(gateway::detect_request request, std::stop_token gone,
                         gateway::completion<gateway::detect_reply> done) {
  auto picture = media::picture_in_memory(std::move(request.picture));
  if (!picture) return done(tl::unexpected{picture.error()});
  const auto& labels = node_.labels();
  auto answer = [done, &labels](const core::expected<core::frame_result>& result) {
    if (!result) return done(tl::unexpected{result.error()});
    done(reply_of(*result, labels));
  };
  if (!request.annotate)
    return node_.detect(picture->packet, picture->codec, request.deadline, gone, std::move(answer));

  node_.detect(picture->packet, picture->codec, request.deadline, gone,
               [this, done, &labels, picture = *picture](core::expected<core::frame_result> result) {
                 if (!result) return done(tl::unexpected{result.error()});
                 const bool taken = helpers_.run([this, done, &labels, picture, result = std::move(*result)] {
                   auto how = node_.decoding();
                   how.cuda_device.reset(); // it is drawn on in host memory
                   auto jpeg = draw(picture, result, labels, how);
                   if (!jpeg) return done(tl::unexpected{jpeg.error()});
                   auto reply = reply_of(result, labels);
                   reply.annotated_jpeg = std::move(*jpeg);
                   done(std::move(reply));
                 });
                 if (!taken) done(core::fail(core::errc::unavailable, "too many pictures wait to be drawn on"));
               });
}

} // namespace penstock::front
