#include "actors/stage_items.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "kernels/convert.hpp"
#include "media/encoder.hpp"

namespace penstock::actors {

namespace {

template <class Item>
stage_item item_of(const core::result_id& id, Item&& item) {
  return {id, std::make_shared<const transport::message>(std::forward<Item>(item))};
}

/// A frame's memory, and the leave to have it.
struct held_frame {
  credit leave;
  core::frame_ptr frame;
};

struct held_bytes {
  credit leave;
  std::vector<std::byte> bytes;
};

/// A slot outside the engine: first the memory goes back, then the credit for it.
struct held_slot {
  tensor_batch_ptr batch;
  std::shared_ptr<tensor_ring> ring;
  credit leave;

  held_slot(tensor_batch_ptr slot, std::shared_ptr<tensor_ring> home, credit taken)
      : batch{std::move(slot)}, ring{std::move(home)}, leave{std::move(taken)} {}
  ~held_slot() { ring->release(std::move(batch)); }
  held_slot(const held_slot&) = delete;
  held_slot& operator=(const held_slot&) = delete;
};

std::array<std::int32_t, 8> to_numbers(const kernels::geometry& g) {
  return {g.source_width_px,  g.source_height_px,  g.tensor_width_px, g.tensor_height_px,
          g.resized_width_px, g.resized_height_px, g.left_px,         g.top_px};
}

bool convertible(core::element_type from, core::element_type to) {
  using core::element_type;
  return from == to || (from == element_type::f16 && to == element_type::f32) ||
         (from == element_type::f32 && to == element_type::f16);
}

/// Elements of one type to another. What arrives may lie at any address, so it goes through a block that does not.
template <class From, class To, class Convert>
void convert(std::span<const std::byte> from, To* to, Convert&& by) {
  std::array<From, 4096> block;
  const auto elements = from.size() / sizeof(From);
  for (std::size_t done = 0; done < elements; done += block.size()) {
    const auto n = std::min(block.size(), elements - done);
    std::memcpy(block.data(), from.data() + done * sizeof(From), n * sizeof(From));
    by(std::span<const From>{block.data(), n}, std::span<To>{to + done, n});
  }
}

} // namespace

stage_item raw_item(const frame_task& task) {
  auto frame = std::make_shared<core::frame>(*task.frame);
  frame->owner = std::make_shared<const held_frame>(held_frame{task.credit, task.frame});
  return item_of(task.id, transport::frame_item{task.id, task.live, task.times, std::move(frame)});
}

core::expected<stage_item> jpeg_item(const frame_task& task, int quality) {
  auto encoded = media::encode_jpeg(task.frame->view, quality);
  if (!encoded) return tl::unexpected{encoded.error()};
  const auto held = std::make_shared<const held_bytes>(held_bytes{task.credit, std::move(*encoded)});
  return item_of(task.id, transport::jpeg_item{task.id, task.live, task.times, held, held->bytes});
}

stage_item tensor_item(const filled_slot& slot, std::shared_ptr<tensor_ring> ring) {
  const auto view = slot.slot.batch->slot(slot.slot.index);
  transport::tensor_item item;
  item.id = slot.id;
  item.live = slot.live;
  item.times = slot.times;
  item.geometry = to_numbers(slot.geometry);
  item.type = view.type;
  item.shape.assign(view.shape.begin(), view.shape.end());
  item.owner = std::make_shared<const held_slot>(slot.slot.batch, std::move(ring), slot.credit);
  item.bytes = {static_cast<const std::byte*>(view.data), view.size_bytes()};
  return item_of(slot.id, std::move(item));
}

core::expected<frame_task> item_reader::frame(const stage_task& task) {
  if (const auto* raw = std::get_if<transport::frame_item>(task.message.get()))
    return frame_task{task.id, raw->frame, raw->times, raw->live, task.credit};
  if (const auto* jpeg = std::get_if<transport::jpeg_item>(task.message.get())) {
    auto frame = decode(*jpeg);
    if (!frame) return tl::unexpected{frame.error()};
    return frame_task{task.id, std::move(*frame), jpeg->times, jpeg->live, task.credit};
  }
  return core::fail(core::errc::unsupported,
                    fmt::format("a {} where frames are taken", transport::name_of(*task.message)));
}

core::expected<core::frame_ptr> item_reader::decode(const transport::jpeg_item& item) {
  if (!decoder_) {
    core::codec_description codec;
    codec.codec = "mjpeg";
    auto opened = media::decoder::open(codec, options_);
    if (!opened) return tl::unexpected{opened.error()};
    decoder_ = std::move(*opened);
  }
  const auto padded = std::make_shared<std::vector<std::byte>>(item.jpeg.size() + core::packet_padding_bytes);
  std::ranges::copy(item.jpeg, padded->begin());
  core::packet packet;
  packet.owner = padded;
  packet.bytes = {padded->data(), item.jpeg.size()};
  packet.access = core::random_access::closed;
  auto sent = decoder_->send(packet, 0);
  if (sent) sent = decoder_->flush();
  if (!sent) {
    decoder_.reset(); // it cannot go on
    return tl::unexpected{sent.error()};
  }
  auto out = decoder_->receive();
  if (!out) return core::fail(core::errc::corrupt, "a JPEG without a picture");
  return std::move(out->frame);
}

core::expected<const transport::tensor_item*>
item_reader::tensor(const stage_task& task, std::span<const std::int64_t> shape, core::element_type type) {
  const auto* item = std::get_if<transport::tensor_item>(task.message.get());
  if (!item)
    return core::fail(core::errc::unsupported,
                      fmt::format("a {} where tensors are taken", transport::name_of(*task.message)));
  if (!std::ranges::equal(item->shape, shape))
    return core::fail(core::errc::unsupported, fmt::format("a tensor of {} for a model that takes {}",
                                                           fmt::join(item->shape, "x"), fmt::join(shape, "x")));
  if (!convertible(item->type, type))
    return core::fail(core::errc::unsupported, fmt::format("a tensor of {} for a model that takes {}",
                                                           core::to_string(item->type), core::to_string(type)));
  const auto g = geometry_of(*item);
  if (std::min({g.source_width_px, g.source_height_px, g.resized_width_px, g.resized_height_px}) < 1)
    return core::fail(core::errc::corrupt, "a tensor of an empty picture");
  return item;
}

void copy_image(const transport::tensor_item& item, const core::tensor_view& to) {
  if (item.type == to.type)
    std::memcpy(to.data, item.bytes.data(), item.bytes.size());
  else if (to.type == core::element_type::f32)
    convert<std::uint16_t>(item.bytes, static_cast<float*>(to.data), kernels::to_f32);
  else
    convert<float>(item.bytes, static_cast<std::uint16_t*>(to.data), kernels::to_f16);
}

kernels::geometry geometry_of(const transport::tensor_item& item) noexcept {
  const auto& n = item.geometry;
  return {n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]};
}

} // namespace penstock::actors
