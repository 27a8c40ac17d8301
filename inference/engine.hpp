#pragma once

#include <climits>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/tensor.hpp"

namespace penstock::inference {

/// Extent of a dimension that the model leaves open.
inline constexpr std::int64_t dynamic_extent = -1;

/// `model_info::max_batch` of a model that takes any number of items.
inline constexpr int any_batch = INT_MAX;

/// One input or output of a model.
struct tensor_info {
  std::string name;
  core::element_type type = core::element_type::f32;
  std::vector<std::int64_t> shape; ///< `dynamic_extent` where the model leaves it open

  bool operator==(const tensor_info&) const = default;
};

/// For messages: `images f32[?,3,640,640]`.
[[nodiscard]] std::string to_string(const tensor_info& tensor);

/// What a loaded model looks like.
struct model_info {
  std::string name; ///< file name, for messages
  std::vector<tensor_info> inputs;
  std::vector<tensor_info> outputs; ///< f16 outputs are listed as f32, as they arrive
  int max_batch = 1;                ///< most items of one run; `any_batch` when the model does not say
  std::string digest;               ///< SHA-256 of the file, hexadecimal
  std::string engine;               ///< the engine that loaded it
  std::string device;               ///< where it runs: "cpu"
};

/// What one run gave, in the order of `model_info::outputs`. It owns its memory (or shares the engine's), so it may
/// travel to another thread and outlive the session.
struct outputs {
  std::shared_ptr<const void> owner;            ///< keeps the tensors and their shapes alive
  std::vector<core::const_tensor_view> tensors; ///< dense, in host memory; f16 has been widened to f32
};

/// A loaded model. Immutable: any number of threads may call `run` on one session at once and share its weights, so
/// an "instance" of a model is merely a thread that calls `run`.
class session {
 public:
  session() = default;
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  virtual ~session() = default;

  [[nodiscard]] virtual const model_info& info() const noexcept = 0;

  /// Runs the model on a batch, in the caller's thread. `images` is the image input (see `find_image_input`) with
  /// shape [n, …], 1 ≤ n ≤ `info().max_batch`; it is read in place and must stay unchanged during the call. Where the
  /// model's batch is fixed above n, the batch is padded and the padding's outputs are cut off. A second input of
  /// `i64[n,2]` (`orig_target_sizes` of RT-DETR) gets the images' own width and height, so boxes come out in tensor
  /// pixels. Errors: `invalid_argument` (shape or type do not fit), `engine` (the engine failed).
  [[nodiscard]] virtual core::expected<outputs> run(core::const_tensor_view images) const = 0;
};

using session_ptr = std::shared_ptr<const session>;

struct load_options {
  std::string device = "auto"; ///< "auto" or one of `engine_info::devices`
  int threads = 1; ///< inside one run. More threads gain less than more runs at once (see docs), so the default is 1
};

/// What an engine can do on this machine.
struct engine_info {
  std::string name;
  std::string version;
  std::vector<std::string> devices; ///< usable here, the preferred one first; empty when the engine is absent
  std::string absent;               ///< why it cannot be used, and what to do about it; empty when it can
};

/// A library that runs models. Stateless and thread-safe.
class engine {
 public:
  engine() = default;
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;
  virtual ~engine() = default;

  [[nodiscard]] virtual engine_info info() const = 0;

  /// Loads a model file. Errors: `not_found`, `io`, `corrupt` (not a model, or damaged), `unsupported` (valid, but not
  /// for this engine or device), `bad_config` (unknown device), `engine` (the engine failed).
  [[nodiscard]] virtual core::expected<session_ptr> load(const std::filesystem::path& model,
                                                         const load_options& options) const = 0;
};

/// Every engine that this program knows, in the order in which `auto` tries them; absent ones too.
[[nodiscard]] std::span<const engine* const> engines();

/// Loads a model with the engine of that name. `auto` tries the engines in turn and takes the first that can; if none
/// can, the error says what each one said. Errors: those of `engine::load`, and `bad_config` for an unknown name.
[[nodiscard]] core::expected<session_ptr> load_model(std::string_view engine_name, const std::filesystem::path& model,
                                                     const load_options& options = {});

} // namespace penstock::inference
