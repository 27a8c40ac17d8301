#include "inference/module_session.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>
#include <utility>

#include "inference/digest.hpp"
#include "inference/input_plan.hpp"
#include "kernels/convert.hpp"
#include "kernels/device.hpp"

namespace penstock::inference {
namespace {

core::errc meaning(std::int32_t code) {
  switch (code) {
  case PENSTOCK_NOT_FOUND: return core::errc::not_found;
  case PENSTOCK_IO: return core::errc::io;
  case PENSTOCK_CORRUPT: return core::errc::corrupt;
  case PENSTOCK_UNSUPPORTED: return core::errc::unsupported;
  case PENSTOCK_INVALID: return core::errc::bad_config;
  default: return core::errc::engine;
  }
}

/// What a module wrote; it may have forgotten to end it.
std::string text_of(const penstock_error& error) {
  const std::string text{error.message, strnlen(error.message, sizeof error.message)};
  return text.empty() ? "it gives no reason" : text;
}

core::expected<tensor_info> tensor_of(const penstock_tensor_info& t) {
  if (t.name == nullptr || t.type < PENSTOCK_F32 || t.type > PENSTOCK_I64 || t.rank < 0 ||
      (t.rank > 0 && t.shape == nullptr)) {
    return core::fail(core::errc::engine, "the engine describes one of its tensors wrongly");
  }
  return tensor_info{t.name, static_cast<core::element_type>(t.type), {t.shape, t.shape + t.rank}};
}

class module_session final : public session, public std::enable_shared_from_this<module_session> {
 public:
  module_session(const penstock_engine& table, penstock_session* loaded) : table_{table}, loaded_{loaded} {}
  ~module_session() override { table_.unload(loaded_); }

  /// Reads what the module says about the model into the info.
  core::expected<void> describe(model_info info) {
    const auto* model = table_.model(loaded_);
    const auto read = [](const penstock_tensor_info* from, std::int32_t n,
                         std::vector<tensor_info>& to) -> core::expected<void> {
      for (std::int32_t i = 0; i < n; ++i) {
        auto tensor = tensor_of(from[i]);
        if (!tensor) return tl::unexpected{std::move(tensor).error()};
        to.push_back(*std::move(tensor));
      }
      return {};
    };
    if (auto ok = read(model->inputs, model->input_count, info.inputs); !ok) return ok;
    if (auto ok = read(model->outputs, model->output_count, info.outputs); !ok) return ok;
    if (info.outputs.empty()) return core::fail(core::errc::corrupt, "the model has no outputs");
    info.memory = model->memory == PENSTOCK_DEVICE ? core::memory_kind::device : core::memory_kind::host;
    if (model->detail != nullptr && *model->detail != '\0') {
      info.detail += fmt::format("{}{}", info.detail.empty() ? "" : "; ", model->detail);
    }
    if (info.memory == core::memory_kind::host) {
      for (auto& output : info.outputs) {
        if (output.type == core::element_type::f16) output.type = core::element_type::f32;
      }
    }
    auto plan = plan_inputs(info);
    if (!plan) return tl::unexpected{std::move(plan).error()};
    plan_ = *plan;
    info.max_batch = declared_max_batch(info.inputs[plan_.images.index]);
    info_ = std::move(info);
    return {};
  }

  const model_info& info() const noexcept override { return info_; }

  core::expected<outputs> run(core::const_tensor_view images, void* stream) const override {
    if (auto ok = check_images(info_, plan_.images, images); !ok) return tl::unexpected{std::move(ok).error()};
    const auto items = images.shape[0];
    const auto batch = info_.max_batch == any_batch ? items : std::int64_t{info_.max_batch};
    std::vector<std::int64_t> shape{images.shape.begin(), images.shape.end()};
    shape[0] = batch;
    std::vector<std::byte> padded;
    if (batch != items) {
      if (info_.memory == core::memory_kind::device) {
        return core::fail(core::errc::invalid_argument,
                          fmt::format("{}: {} images on the device, where it takes {}", info_.name, items, batch));
      }
      padded.resize(images.size_bytes() / static_cast<std::size_t>(items) * static_cast<std::size_t>(batch));
      std::memcpy(padded.data(), images.data, images.size_bytes());
      images.data = padded.data();
    }
    const auto nchw = plan_.images.layout == core::tensor_layout::nchw;
    const std::array<std::int64_t, 2> sizes_shape{batch, 2};
    std::vector<std::int64_t> sizes;
    if (plan_.sizes) {
      for (std::int64_t i = 0; i < batch; ++i) sizes.insert(sizes.end(), {shape[nchw ? 3 : 2], shape[nchw ? 2 : 1]});
    }
    std::array<penstock_tensor, 2> inputs{};
    inputs[plan_.images.index] = {images.data, static_cast<std::int32_t>(images.type),
                                  static_cast<std::int32_t>(info_.memory), static_cast<std::int32_t>(shape.size()),
                                  shape.data()};
    if (plan_.sizes) inputs[*plan_.sizes] = {sizes.data(), PENSTOCK_I64, PENSTOCK_HOST, 2, sizes_shape.data()};

    penstock_outputs* raw = nullptr;
    penstock_error error{};
    const auto count = static_cast<std::int32_t>(info_.inputs.size());
    if (const auto code = table_.run(loaded_, inputs.data(), count, stream, &raw, &error); code != PENSTOCK_OK) {
      return core::fail(core::errc::engine, fmt::format("{}: {}", info_.name, text_of(error)));
    }
    return view(std::make_shared<results>(shared_from_this(), raw), batch, items);
  }

 private:
  /// What a run's outputs live in.
  struct results {
    results(std::shared_ptr<const module_session> from, penstock_outputs* taken) : owner{std::move(from)}, raw{taken} {}
    results(const results&) = delete;
    results& operator=(const results&) = delete;
    ~results() { owner->table_.release(raw); }

    std::shared_ptr<const module_session> owner;
    penstock_outputs* raw;
    std::vector<std::vector<std::int64_t>> shapes;
    std::vector<std::vector<float>> widened;
  };

  core::expected<outputs> view(std::shared_ptr<results> held, std::int64_t batch, std::int64_t items) const {
    outputs out;
    const std::span tensors{table_.tensors(held->raw), info_.outputs.size()};
    held->shapes.reserve(tensors.size());
    for (const auto& t : tensors) {
      const auto type = static_cast<core::element_type>(t.type);
      if (t.rank < 0 || (t.rank > 0 && t.shape == nullptr) || t.type < PENSTOCK_F32 || t.type > PENSTOCK_I64 ||
          t.memory != static_cast<std::int32_t>(info_.memory)) {
        return core::fail(core::errc::engine, info_.name + ": the engine describes one of its outputs wrongly");
      }
      auto& shape = held->shapes.emplace_back(t.shape, t.shape + t.rank);
      if (!shape.empty() && shape[0] == batch) shape[0] = items;
      core::const_tensor_view tensor{t.data, type, shape, info_.memory};
      if (type == core::element_type::f16 && info_.memory == core::memory_kind::host) {
        auto& wide = held->widened.emplace_back(tensor.elements());
        kernels::to_f32({static_cast<const std::uint16_t*>(t.data), wide.size()}, wide);
        tensor.data = wide.data();
        tensor.type = core::element_type::f32;
      }
      out.tensors.push_back(tensor);
    }
    out.owner = std::move(held);
    return out;
  }

  const penstock_engine& table_;
  penstock_session* loaded_;
  model_info info_;
  input_plan plan_;
};

struct device_choice {
  std::string name;
  int index = 0;
};

bool is_usable(const engine_info& engine, std::string_view device) {
  return std::ranges::find(engine.devices, device) != engine.devices.end();
}

/// `NAME` or `NAME:INDEX`.
core::expected<device_choice> parse_device(const engine_info& engine, const std::string& text) {
  const auto colon = text.find(':');
  device_choice choice{text.substr(0, colon), 0};
  if (colon != std::string::npos) {
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + colon + 1, end, choice.index);
    if (parsed.ec != std::errc{} || parsed.ptr != end || choice.index < 0) {
      return core::fail(core::errc::bad_config, fmt::format("device \"{}\" is not NAME or NAME:INDEX", text));
    }
  }
  if (is_usable(engine, choice.name)) return choice;
  for (const auto& d : engine.unusable) {
    if (d.name != choice.name) continue;
    return core::fail(core::errc::bad_config,
                      fmt::format("device \"{}\" cannot be used by engine {}: {}", text, engine.name, d.reason));
  }
  return core::fail(core::errc::bad_config, fmt::format("device \"{}\" is not one of engine {}; it has {} here", text,
                                                        engine.name, fmt::join(engine.devices, ", ")));
}

core::expected<session_ptr> load_on(const penstock_engine& table, const device_choice& device, model_info known,
                                    const std::filesystem::path& model, const load_options& options) {
  const auto cache = options.cache_folder.string();
  const auto providers = fmt::format("{}", fmt::join(options.providers, ","));
  penstock_load_options asked{};
  asked.size_bytes = sizeof asked;
  asked.model = model.c_str();
  asked.device = device.name.c_str();
  asked.device_index = device.index;
  asked.threads = options.threads;
  asked.precision = static_cast<std::int32_t>(options.precision);
  asked.providers = providers.c_str();
  asked.cache_folder = cache.c_str();
  asked.model_digest = known.digest.c_str();
  asked.width_px = options.width_px;
  asked.height_px = options.height_px;
  asked.max_batch = options.max_batch;
  if (options.progress) {
    asked.progress = [](void* context, const char* text) {
      (*static_cast<const std::function<void(std::string_view)>*>(context))(text);
    };
    asked.progress_context = const_cast<std::function<void(std::string_view)>*>(&options.progress);
  }
  penstock_session* raw = nullptr;
  penstock_error error{};
  if (const auto code = table.load(&asked, &raw, &error); code != PENSTOCK_OK) {
    return core::fail(meaning(code), fmt::format("{}: {}", model.string(), text_of(error)));
  }
  auto made = std::make_shared<module_session>(table, raw);
  known.device = device.name == "cpu" ? device.name : fmt::format("{}:{}", device.name, device.index);
  if (auto ok = made->describe(std::move(known)); !ok) return core::fail(model.string(), std::move(ok).error());
  if (made->info().memory == core::memory_kind::device && kernels::cuda().devices.empty()) {
    return core::fail(core::errc::unsupported,
                      fmt::format("{}: engine {} would take images on {}, where this program cannot bring them: {}",
                                  model.string(), made->info().engine, made->info().device, kernels::cuda().absent));
  }
  return made;
}

} // namespace

core::expected<session_ptr> load_on_a_device(const penstock_engine& table, const engine_info& info,
                                             const std::filesystem::path& model, const load_options& options) {
  auto digest = sha256_of_file(model);
  if (!digest) return tl::unexpected{std::move(digest).error()};
  std::error_code size_error;
  if (std::filesystem::file_size(model, size_error) == 0) {
    return core::fail(core::errc::corrupt, fmt::format("{}: the file is empty", model.string()));
  }
  if (info.devices.empty()) return core::fail(core::errc::unsupported, info.absent);
  model_info known;
  known.name = model.filename().string();
  known.digest = *std::move(digest);
  known.engine = info.name;
  if (options.device != "auto") {
    const auto device = parse_device(info, options.device);
    if (!device) return tl::unexpected{device.error()};
    return load_on(table, *device, std::move(known), model, options);
  }
  std::string refused;
  for (const auto& name : info.devices) {
    const auto last = &name == &info.devices.back();
    if (name == "cuda" && !last && kernels::cuda().devices.empty()) continue; // nobody could bring images there
    auto loaded = load_on(table, {name, 0}, known, model, options);
    if (loaded || last || loaded.error().code != core::errc::unsupported) return loaded;
    known.detail = fmt::format("not on {}: {}", name, loaded.error().message);
    if (options.progress) options.progress(known.detail);
  }
  return core::fail(core::errc::unsupported, fmt::format("engine {} has no device here", info.name));
}

} // namespace penstock::inference
