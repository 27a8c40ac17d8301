#include "inference/modules.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <dlfcn.h>
#include <fmt/format.h>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "inference/module_session.hpp"

namespace penstock::inference {
namespace {

constexpr std::string_view prefix = "libpenstock-engine-";
constexpr std::string_view suffix = ".so";

/// Engines that come with the program, in the order in which `auto` tries them, and how to get one that is not there.
struct known_engine {
  std::string_view name;
  std::string_view remedy;
};

constexpr std::array<known_engine, 3> known{{
    {"onnxruntime", "build with ONNX Runtime: run `make setup`, or configure with -DONNXRUNTIME_ROOT=<its folder>"},
    {"opencv", "build with OpenCV's dnn module (libopencv-dev)"},
    {"torch", "build with libtorch (libtorch-dev, or configure with -DTORCH_ROOT=<its folder>)"},
}};

class module_engine final : public engine {
 public:
  module_engine(std::string name, std::filesystem::path file, std::string absent)
      : name_{std::move(name)}, file_{std::move(file)}, absent_{std::move(absent)} {}

  std::string_view name() const noexcept override { return name_; }

  engine_info info() const override {
    const auto& table = module();
    if (!table) return {name_, "", {}, table.error().message};
    engine_info info{name_, (*table)->version, {}, ""};
    info.module = file_;
    const penstock_engine_device* devices = nullptr;
    const auto count = (*table)->devices(&devices);
    for (const auto& d : std::span{devices, static_cast<std::size_t>(std::max(count, 0))}) {
      if (d.absent == nullptr)
        info.devices.emplace_back(d.name);
      else
        info.unusable.push_back({d.name, d.absent});
    }
    if (info.devices.empty()) {
      info.absent = "nothing here that it runs on";
      for (const auto& d : info.unusable) info.absent += fmt::format("; {}: {}", d.name, d.reason);
    }
    return info;
  }

  core::expected<session_ptr> load(const std::filesystem::path& model, const load_options& options) const override {
    const auto& table = module();
    if (!table) return tl::unexpected{table.error()};
    return load_on_a_device(**table, info(), model, options);
  }

 private:
  const core::expected<const penstock_engine*>& module() const {
    std::call_once(once_, [this] {
      if (file_.empty())
        opened_ = core::fail(core::errc::unsupported, absent_);
      else
        opened_ = open_module(file_, name_);
    });
    return opened_;
  }

  std::string name_;
  std::filesystem::path file_;
  std::string absent_;
  mutable std::once_flag once_;
  mutable core::expected<const penstock_engine*> opened_;
};

/// The name of the engine that a file should be; nothing where it is another file.
std::optional<std::string> name_of(const std::filesystem::path& file) {
  const auto name = file.filename().string();
  if (name.size() <= prefix.size() + suffix.size() || !name.starts_with(prefix) || !name.ends_with(suffix)) return {};
  return name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
}

core::expected<const penstock_engine*> check(const penstock_engine* table, std::string_view name) {
  const auto broken = [](std::string what) { return core::fail(core::errc::unsupported, std::move(what)); };
  if (table == nullptr) return broken("gives no table of functions");
  if (table->abi != PENSTOCK_ENGINE_ABI) {
    return broken(fmt::format("speaks version {} of the engine interface, and this program version {}; build both from "
                              "the same release",
                              table->abi, PENSTOCK_ENGINE_ABI));
  }
  if (table->size_bytes < sizeof(penstock_engine)) return broken("its table of functions is too short");
  const auto complete = table->name != nullptr && table->version != nullptr && table->devices != nullptr &&
                        table->load != nullptr && table->unload != nullptr && table->model != nullptr &&
                        table->run != nullptr && table->tensors != nullptr && table->release != nullptr;
  if (!complete) return broken("its table of functions has gaps");
  if (table->name != name)
    return broken(fmt::format("calls itself \"{}\", which its file name should say", table->name));
  return table;
}

} // namespace

std::vector<std::filesystem::path> module_folders() {
  std::vector<std::filesystem::path> folders;
  if (const auto* path = std::getenv("PENSTOCK_ENGINE_PATH"); path != nullptr) {
    for (std::string_view rest{path}; !rest.empty();) {
      const auto end = std::min(rest.find(':'), rest.size());
      if (end > 0) folders.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    folders.push_back(program.parent_path());
    folders.push_back(program.parent_path().parent_path() / "lib" / "penstock");
  }
  return folders;
}

core::expected<const penstock_engine*> open_module(const std::filesystem::path& file, std::string_view name) {
  // A path without a slash would be searched for elsewhere.
  auto* library = dlopen(std::filesystem::absolute(file).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const auto* cause = dlerror();
    return core::fail(core::errc::unsupported,
                      fmt::format("{}: cannot be loaded: {}", file.string(), cause == nullptr ? "no cause" : cause));
  }
  const auto symbol = reinterpret_cast<decltype(&penstock_engine_module)>(dlsym(library, PENSTOCK_ENGINE_SYMBOL));
  auto table = symbol == nullptr ? core::fail(core::errc::unsupported,
                                              fmt::format("is no engine: it exports no {}", PENSTOCK_ENGINE_SYMBOL))
                                 : check(symbol(PENSTOCK_ENGINE_ABI), name);
  if (table) return table;
  auto refused = core::fail(file.string(), std::move(table).error());
  dlclose(library);
  return refused;
}

std::vector<std::unique_ptr<const engine>> find_engines(std::span<const std::filesystem::path> folders) {
  std::map<std::string, std::filesystem::path> files;
  std::string searched;
  for (const auto& folder : folders) {
    searched += (searched.empty() ? "" : ", ") + folder.string();
    std::error_code none; // a folder that is not there has no modules
    for (const auto& entry : std::filesystem::directory_iterator{folder, none}) {
      if (auto name = name_of(entry.path())) files.try_emplace(*std::move(name), entry.path());
    }
  }
  std::vector<std::unique_ptr<const engine>> found;
  for (const auto& [name, remedy] : known) {
    auto file = files.extract(std::string{name});
    const auto absent = fmt::format("{}{}{} is not in {}; {}", prefix, name, suffix, searched, remedy);
    found.push_back(std::make_unique<module_engine>(std::string{name}, file ? file.mapped() : "", absent));
  }
  for (auto& [name, file] : files) found.push_back(std::make_unique<module_engine>(name, std::move(file), ""));
  return found;
}

} // namespace penstock::inference
