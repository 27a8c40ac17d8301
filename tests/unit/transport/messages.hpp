#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "transport/message.hpp"

namespace penstock::test {

/// A packet of these bytes, padded as packets are.
inline core::packet_ptr packet_of(std::string_view text) {
  auto memory = std::make_shared<std::vector<std::byte>>(text.size() + core::packet_padding_bytes);
  for (std::size_t i = 0; i < text.size(); ++i) (*memory)[i] = static_cast<std::byte>(text[i]);
  auto packet = std::make_shared<core::packet>();
  packet->bytes = {memory->data(), text.size()};
  packet->owner = std::move(memory);
  packet->pts = core::media_time{80'000};
  packet->dts = core::media_time{40'000};
  packet->duration = core::media_time{40'000};
  packet->access = core::random_access::closed;
  packet->disposable = true;
  return packet;
}

/// A 3×3 frame in I420 with padded rows.
inline core::frame_ptr small_frame() {
  auto memory = std::make_shared<std::vector<std::uint8_t>>(64);
  for (std::size_t i = 0; i < memory->size(); ++i) (*memory)[i] = static_cast<std::uint8_t>(i);
  auto frame = std::make_shared<core::frame>();
  auto& v = frame->view;
  v.width_px = 3;
  v.height_px = 3;
  v.matrix = core::color_matrix::bt709;
  v.planes = {memory->data(), memory->data() + 16, memory->data() + 32};
  v.strides_bytes = {5, 4, 4};
  frame->owner = std::move(memory);
  return frame;
}

struct named_message {
  transport::message message;
  std::string header;                ///< hexadecimal
  std::vector<std::size_t> payloads; ///< bytes of each part
};

/// One of each kind, with the bytes that they have on the wire.
inline std::vector<named_message> one_of_each() {
  using namespace transport;
  const core::segment_id segment{{7}, 3, 70'000};
  auto codec = std::make_shared<core::codec_description>();
  codec->codec = "h264";
  codec->tag = 0x31637661;
  codec->extradata = {std::byte{1}, std::byte{0x64}};
  codec->width_px = 1920;
  codec->height_px = 1080;
  codec->reorder_frames = 2;
  codec->frames_per_s = 25;
  core::frame_outcome outcome;
  outcome.id = {segment, 4};
  outcome.objects = {{2, 0.5F, {1, 2, 3.5F, 4}, core::no_track}};
  outcome.width_px = 1920;
  outcome.height_px = 1080;
  outcome.times = {std::chrono::microseconds{100}, std::chrono::microseconds{200}, std::chrono::microseconds{70'000},
                   std::chrono::microseconds{5}};
  static const std::array<std::byte, 4> bytes{std::byte{0xff}, std::byte{0xd8}, std::byte{0xff}, std::byte{0xd9}};
  tensor_item tensor;
  tensor.id = {segment, 4};
  tensor.geometry = {1920, 1080, 640, 640, 640, 360, 0, 140};
  tensor.type = core::element_type::f16;
  tensor.shape = {1, 2, 1, 1};
  tensor.bytes = bytes;
  return {
      {hello{2,
             "penstock 0.1.0",
             "worker",
             "vm-1",
             {"decode", "inference"},
             2,
             256,
             "",
             "abc",
             {7},
             3,
             "vm-1:9100",
             true},
       "9302009d02ae70656e73746f636b20302e312e30a6776f726b6572a4766d2d3192a66465636f6465a9696e666572656e6365"
       "02cd0100a0a3616263910703a9766d2d313a39313030c3",
       {}},
      {welcome{2, {9}, 3, std::chrono::milliseconds{3000}, "abc", ""}, "9302019602910903cd0bb8a3616263a0", {}},
      {refused{2, true, "why"}, "9302029302c3a3776879", {}},
      {directory{"gpu", {"tcp://10.0.0.7:7401"}}, "93020392a367707591b37463703a2f2f31302e302e302e373a37343031", {}},
      {heartbeat{core::worker_figures{
           core::worker_phase::draining,
           {{core::stage::decode, 300, std::chrono::microseconds{70'000}, core::resource::cpu, 4},
            {core::stage::inference, 7, std::chrono::microseconds{5}, core::resource::device, 3}}}},
       "930204919202929500cd012cce000111700004950207050103",
       {}},
      {drain{"vm-1"}, "93020591a4766d2d31", {}},
      {bye{"drained"}, "93020691a7647261696e6564", {}},
      {open_segment{segment, codec, true},
       "93020793930703ce0001117098a468323634ce31637661c4020164cd0780cd043802a019c3",
       {}},
      {segment_packets{segment, {{0, true, packet_of("first")}, {1, false, packet_of("")}}},
       "93020892930703ce00011170929300c398ce00013880cd9c40cd9c4001c3c2c3c40566697273749301c298ce00013880cd9c"
       "40cd9c4001c3c2c3c400",
       {}},
      {close_segment{segment}, "93020991930703ce00011170", {}},
      {revoke_segment{segment}, "93020a91930703ce00011170", {}},
      {credit{4}, "93020b9104", {}},
      {outcomes{{outcome, core::dropped_outcome({segment, 5}, core::drop_reason::corrupt)}},
       "93020c91929692930703ce0001117004c0919402ca3f000000940102ca4060000004ffcd0780cd04389464ccc8ce00011170"
       "059692930703ce0001117005019000009400000000",
       {}},
      {segment_done{segment}, "93020d91930703ce00011170", {}},
      {segment_failed{segment, {core::errc::engine, "no"}}, "93020e92930703ce00011170920ba26e6f", {}},
      {stage_credit{16}, "93020f9110", {}},
      {frame_item{{segment, 4}, true, outcome.times, small_frame()},
       "9302109492930703ce0001117004c39464ccc8ce000111700599030301010093050404c40d000102030405060708090a0b0c"
       "c406101112131415c406202122232425",
       {}},
      {jpeg_item{{segment, 4}, false, outcome.times, nullptr, bytes},
       "9302119492930703ce0001117004c29464ccc8ce0001117005c404ffd8ffd9",
       {}},
      {std::move(tensor),
       "9302129792930703ce0001117004c2940000000098cd0780cd0438cd0280cd0280cd0280cd016800cc8c01940102010"
       "1c404ffd8ffd9",
       {}},
  };
}

/// Messages that have another form than in `one_of_each`.
inline std::vector<named_message> other_forms() {
  using namespace transport;
  return {
      {heartbeat{}, "93020491c0", {}},
      {heartbeat{core::worker_figures{core::worker_phase::warming, {}}}, "93020491920090", {}},
  };
}

/// Payloads that are too large for the header, each a part of its own.
inline std::vector<named_message> large_ones() {
  using namespace transport;
  const core::segment_id segment{{7}, 3, 70'000};
  auto frame = std::make_shared<core::frame>();
  auto memory = std::make_shared<std::vector<std::uint8_t>>(400 * 100 * 3 / 2, std::uint8_t{7});
  frame->view.width_px = 400;
  frame->view.height_px = 100;
  frame->view.format = core::pixel_format::nv12;
  frame->view.planes = {memory->data(), memory->data() + 40'000, nullptr};
  frame->view.strides_bytes = {400, 400, 0};
  frame->owner = std::move(memory);
  return {
      {segment_packets{segment, {{0, true, packet_of("small")}, {1, true, packet_of(std::string(8193, 'x'))}}},
       "93020892930703ce00011170929300c398ce00013880cd9c40cd9c4001c3c2c3c405736d616c6c9301c398ce00013880cd9c40cd9c40"
       "01c3c2c3cd2041",
       {8257}},
      {frame_item{{segment, 4}, true, {}, std::move(frame)},
       "9302109492930703ce0001117004c3940000000099cd01906402000093cd0190cd019000cd9c40cd4e20c400",
       {40'000, 20'000}},
  };
}

} // namespace penstock::test
