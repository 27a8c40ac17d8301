#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/detection.hpp"
#include "core/error.hpp"
#include "inference/engine.hpp"
#include "kernels/decode_objects.hpp"
#include "kernels/geometry.hpp"

namespace penstock::inference {

/// How outputs become objects: the topology's `postprocess`.
struct head_options {
  float score = 0.25F;           ///< least score of an object
  float iou = 0.45F;             ///< two boxes of a class that overlap more are one object
  std::size_t max_objects = 300; ///< per frame, best first
  std::size_t top_k = 5;         ///< classes per frame of a classification
  bool class_agnostic = false;   ///< suppress across classes too
};

/// Turns the outputs of one kind of model into objects. Immutable: any number of threads may share one.
class decoder_head {
 public:
  decoder_head() = default;
  decoder_head(const decoder_head&) = delete;
  decoder_head& operator=(const decoder_head&) = delete;
  virtual ~decoder_head() = default;

  /// How many classes the model tells apart, a background class included: labels have as many lines. 0 when its
  /// outputs do not say.
  [[nodiscard]] virtual std::size_t classes() const noexcept = 0;

  /// Replaces `objects` by the objects of one item of a batch, best first; boxes are in source pixels, inside the
  /// frame. `geometry` is the one the item was preprocessed with. Error: `engine` when the outputs do not have the
  /// shapes the head was made for.
  [[nodiscard]] virtual core::expected<void> decode(const outputs& batch, std::size_t item,
                                                    const kernels::geometry& geometry,
                                                    std::vector<core::detection>& objects) const = 0;

  /// What `decode` does, for devices: outputs of a batch become objects where they are. Null where the head can only
  /// decode in host memory. At most one of the two is set; it lives as long as the head.
  [[nodiscard]] virtual const kernels::object_spec* object_layout() const noexcept { return nullptr; }
  [[nodiscard]] virtual const kernels::class_spec* class_layout() const noexcept { return nullptr; }
};

using head_ptr = std::shared_ptr<const decoder_head>;

/// A line in the table of heads.
struct head_entry {
  std::string_view name;
  std::vector<std::string_view> aliases;
  std::string_view description; ///< one line: which models, which outputs
  core::expected<head_ptr> (*make)(const model_info&, const head_options&);
};

/// Every head that this program knows.
[[nodiscard]] std::span<const head_entry> heads();

/// Makes the head of that name (or alias) for a model as `probe` describes it. Errors: `bad_config` for an unknown
/// name, options out of range, and outputs that are not this head's: the message says what was expected and what was
/// found.
[[nodiscard]] core::expected<head_ptr> make_head(std::string_view name, const model_info& model,
                                                 const head_options& options);

} // namespace penstock::inference
