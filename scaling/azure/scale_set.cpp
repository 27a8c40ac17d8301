#include "scaling/azure/scale_set.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <optional>

namespace penstock::scaling::azure {
namespace {

using nlohmann::json;

/// The version of Compute's interface that requests are written for: the first whose scale sets have entity tags.
constexpr std::string_view api_version = "2024-07-01";

const json& at(const json& object, const char* name) {
  static const json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(name);
  return found == object.end() ? nothing : *found;
}

std::string text_at(const json& object, const char* name) {
  const auto& found = at(object, name);
  return found.is_string() ? found.get<std::string>() : std::string{};
}

std::string lower(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

bool is_plain(std::string_view text, std::string_view also) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [also](unsigned char c) {
    return std::isalnum(c) != 0 || also.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

/// What follows `prefix` in an instance view's codes ("PowerState/running"), and that status.
struct view_status {
  std::string value;
  std::string message;
};
std::optional<view_status> status_of(const json& properties, std::string_view prefix) {
  for (const auto& each : at(at(properties, "instanceView"), "statuses")) {
    const auto code = lower(text_at(each, "code"));
    if (!code.starts_with(prefix)) continue;
    auto message = text_at(each, "message");
    if (message.empty()) message = text_at(each, "displayStatus");
    return view_status{code.substr(prefix.size()), std::move(message)};
  }
  return std::nullopt;
}

} // namespace

bool is_instance_id(std::string_view text) { return is_plain(text, "-_"); }

bool is_scale_set_id(std::string_view text) {
  constexpr std::array<std::string_view, 8> parts{
      "subscriptions", "", "resourcegroups", "", "providers", "microsoft.compute", "virtualmachinescalesets", ""};
  for (const auto part : parts) {
    if (!text.starts_with('/')) return false;
    text.remove_prefix(1);
    const auto found = text.substr(0, text.find('/'));
    text.remove_prefix(found.size());
    if (part.empty() ? !is_plain(found, "-_.()") : lower(found) != part) return false;
  }
  return text.empty();
}

core::expected<scale_set_instance> read_instance(const json& entry) {
  scale_set_instance out;
  out.id = text_at(entry, "instanceId");
  const auto& properties = at(entry, "properties");
  if (!is_instance_id(out.id)) return core::fail(core::errc::corrupt, "an instance without an id");
  out.worker = text_at(at(properties, "osProfile"), "computerName");
  const auto& is_protected = at(at(properties, "protectionPolicy"), "protectFromScaleIn");
  out.is_protected = is_protected.is_boolean() && is_protected.get<bool>();
  const auto provisioning = lower(text_at(properties, "provisioningState"));
  const auto power = status_of(properties, "powerstate/");
  const auto runs = power && power->value == "running";
  const auto stands = power && power->value != "running" && power->value != "starting" && power->value != "unknown";
  const auto view = status_of(properties, "provisioningstate/failed");
  if (provisioning == "failed" || view) {
    const auto why = view ? view->message : std::string{};
    out.trouble = "provisioning failed" + (why.empty() ? std::string{} : ": " + why);
  } else if (stands && provisioning != "deleting" && provisioning != "creating") {
    out.trouble = "is " + power->value;
  }
  if (provisioning == "deleting") {
    out.state = instance_state::deleting;
  } else if (runs && provisioning != "creating") {
    out.state = instance_state::running; // also where an operation on it failed: its worker may be at work
  } else if (!out.trouble.empty()) {
    out.state = instance_state::failed;
  } else {
    out.state = provisioning == "succeeded" && !power ? instance_state::running : instance_state::provisioning;
  }
  return out;
}

std::string scale_set::path(std::string_view below, std::string_view query) const {
  return fmt::format("{}{}?api-version={}{}", id_, below, api_version, query);
}

core::expected<scale_set_model> scale_set::model() {
  const auto body = arm_.get(path());
  if (!body) return tl::unexpected{body.error()};
  const auto& capacity = at(at(*body, "sku"), "capacity");
  if (!capacity.is_number_integer() || capacity.get<std::int64_t>() < 0 || capacity.get<std::int64_t>() > 1'000'000) {
    return core::fail(core::errc::corrupt, id_ + ": no capacity in the answer");
  }
  location_ = text_at(*body, "location");
  const auto state = lower(text_at(at(*body, "properties"), "provisioningState"));
  return scale_set_model{capacity.get<int>(), text_at(*body, "etag"), state == "updating" || state == "creating"};
}

core::expected<std::vector<scale_set_instance>> scale_set::instances() {
  const auto entries = arm_.list(path("/virtualMachines", "&$expand=instanceView"));
  if (!entries) return tl::unexpected{entries.error()};
  std::vector<scale_set_instance> out;
  for (const auto& each : *entries) {
    auto read = read_instance(each);
    if (!read) return core::fail(id_, read.error());
    out.push_back(std::move(*read));
  }
  return out;
}

core::expected<http_response> scale_set::set_capacity(int to, const std::string& etag) {
  std::vector<std::pair<std::string, std::string>> headers{{"Content-Type", "application/json"}};
  if (!etag.empty()) headers.emplace_back("If-Match", etag);
  return arm_.call("PATCH", path(), std::move(headers), json{{"sku", {{"capacity", to}}}}.dump());
}

core::expected<http_response> scale_set::remove(const std::vector<std::string>& ids) {
  return arm_.call("POST", path("/delete"), {{"Content-Type", "application/json"}}, json{{"instanceIds", ids}}.dump());
}

core::expected<http_response> scale_set::protect(const std::string& id, bool on) {
  if (location_.empty()) {
    if (const auto read = model(); !read) return tl::unexpected{read.error()};
  }
  const json body{{"location", location_}, {"properties", {{"protectionPolicy", {{"protectFromScaleIn", on}}}}}};
  return arm_.call("PUT", path("/virtualMachines/" + id), {{"Content-Type", "application/json"}}, body.dump());
}

} // namespace penstock::scaling::azure
