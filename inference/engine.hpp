#pragma once

#include <climits>
#include <cstdint>
#include <filesystem>
#include <functional>
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
  std::string device;               ///< where it runs: "cpu", "cuda:0"
  core::memory_kind memory = core::memory_kind::host; ///< where `run` takes images and leaves outputs
  std::string detail;                                 ///< what else an operator wants to know; empty for nothing
};

/// What one run gave, in the order of `model_info::outputs`. It owns its memory (or shares the engine's), so it may
/// travel to another thread and outlive the session.
struct outputs {
  std::shared_ptr<const void> owner;            ///< keeps the tensors and their shapes alive
  std::vector<core::const_tensor_view> tensors; ///< dense; in host memory f16 has been widened to f32
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
  ///
  /// Where `info().memory` is `device`, images lie there and so will the outputs, f16 or f32 as the model gives them.
  /// `stream` is the device's native one (`kernels::stream::native`): the run begins after its earlier work, outputs
  /// are ready for what is put on it afterwards, and the call may return before. A batch below a fixed one is not
  /// padded then: `images.shape[0]` must be the model's.
  [[nodiscard]] virtual core::expected<outputs> run(core::const_tensor_view images, void* stream) const = 0;

  /// The same for sessions in host memory.
  [[nodiscard]] core::expected<outputs> run(core::const_tensor_view images) const { return run(images, nullptr); }
};

using session_ptr = std::shared_ptr<const session>;

/// Numbers inside the model.
enum class precision : std::uint8_t { model, f32, f16 };

struct load_options {
  std::string device = "auto"; ///< "auto", or one of `engine_info::devices` with an index where it is not 0: "cuda:1"
  int threads = 1; ///< inside one run. More threads gain less than more runs at once (see docs), so the default is 1
  inference::precision precision = inference::precision::model;
  std::vector<std::string> providers{}; ///< of ONNX Runtime, in order of preference; empty: its own choice
  std::filesystem::path cache_folder{}; ///< for compiled engines; empty: none are kept
  int width_px = 0;                     ///< of the images, where the topology says so: for models (TorchScript)
  int height_px = 0;                    ///< that do not tell their input's size
  int max_batch = 1;                    ///< most images of one run that will be asked for
  std::function<void(std::string_view)> progress{}; ///< told what takes long while loading
};

/// A device that an engine knows but cannot use here.
struct unusable_device {
  std::string name;
  std::string reason;
};

/// What an engine can do on this machine.
struct engine_info {
  std::string name;
  std::string version;
  std::vector<std::string> devices; ///< usable here ("cuda", "cpu"), the preferred one first; empty when it is absent
  std::string absent;               ///< why it cannot be used, and what to do about it; empty when it can
  std::vector<unusable_device> unusable{}; ///< devices it knows but cannot use here, and why
  std::filesystem::path module{};          ///< the file it was loaded from; empty when it is absent
};

/// A library that runs models: a module, `libpenstock-engine-NAME.so`, or the reason why there is none. Thread-safe.
class engine {
 public:
  engine() = default;
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;
  virtual ~engine() = default;

  [[nodiscard]] virtual std::string_view name() const noexcept = 0;

  /// Loads the module, so it may take a moment the first time.
  [[nodiscard]] virtual engine_info info() const = 0;

  /// Loads a model file. Errors: `not_found`, `io`, `corrupt` (not a model, or damaged), `unsupported` (valid, but not
  /// for this engine or device), `bad_config` (unknown device), `engine` (the engine failed).
  [[nodiscard]] virtual core::expected<session_ptr> load(const std::filesystem::path& model,
                                                         const load_options& options) const = 0;
};

/// Every engine: those that this program knows by name, in the order in which `auto` tries them, absent ones too, and
/// after them every other module there is. Modules are looked for in the folders of `PENSTOCK_ENGINE_PATH`
/// (colon-separated), then beside the program, then in `../lib/penstock` from there; the first file of a name counts.
/// Each is loaded when it is asked for something first, and stays. docs/engines.md says how to write one.
[[nodiscard]] std::span<const engine* const> engines();

/// Loads a model with the engine of that name. `auto` tries the engines in turn and takes the first that can; if none
/// can, the error says what each one said. Errors: those of `engine::load`, and `bad_config` for an unknown name.
[[nodiscard]] core::expected<session_ptr> load_model(std::string_view engine_name, const std::filesystem::path& model,
                                                     const load_options& options = {});

} // namespace penstock::inference
