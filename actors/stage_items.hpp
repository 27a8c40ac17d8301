#pragma once

#include <memory>
#include <optional>
#include <span>

#include "actors/messages.hpp"
#include "actors/stage_book.hpp"
#include "media/decoder.hpp"

/// Between what stages pass on in one process and what crosses the link of a cut pipeline.
namespace penstock::actors {

/// The frame as it is, in host memory. Its memory and its credit go with the item.
[[nodiscard]] stage_item raw_item(const frame_task& task);

/// The frame as a JPEG file; its memory is free, its credit goes with the item. Errors: those of `encode_jpeg`.
[[nodiscard]] core::expected<stage_item> jpeg_item(const frame_task& task, int quality);

/// The image of a slot that is a batch of its own, from `ring`; it goes back there, and then its credit, when the item
/// is gone.
[[nodiscard]] stage_item tensor_item(const filled_slot& slot, std::shared_ptr<tensor_ring> ring);

/// An item that arrived, under the name that it has here.
struct stage_task {
  core::result_id id;
  std::shared_ptr<const transport::message> message;
  actors::credit credit;
};

/// Takes items out of their messages. One thread at a time.
class item_reader {
 public:
  explicit item_reader(media::decode_options options) : options_{std::move(options)} {}

  /// The frame of a `frame_item` or `jpeg_item`. Errors: `corrupt`, `too_large` (of a JPEG), `unsupported` (another
  /// message).
  [[nodiscard]] core::expected<frame_task> frame(const stage_task& task);

  /// The `tensor_item`, if it can be copied to an image of this shape and type. Errors: `unsupported` (another message,
  /// shape or type), `corrupt` (a geometry that cannot be).
  [[nodiscard]] static core::expected<const transport::tensor_item*>
  tensor(const stage_task& task, std::span<const std::int64_t> shape, core::element_type type);

 private:
  core::expected<core::frame_ptr> decode(const transport::jpeg_item& item);

  media::decode_options options_;
  std::optional<media::decoder> decoder_;
};

/// Copies an item's image to memory of the model's input; f16 becomes f32 and the other way round. Precondition:
/// `item_reader::tensor` said that it can.
void copy_image(const transport::tensor_item& item, const core::tensor_view& to);

[[nodiscard]] kernels::geometry geometry_of(const transport::tensor_item& item) noexcept;

} // namespace penstock::actors

PENSTOCK_LOCAL_MESSAGE(stage_task)
