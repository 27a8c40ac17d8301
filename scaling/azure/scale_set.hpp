#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "scaling/azure/arm.hpp"
#include "scaling/fleet.hpp"

namespace penstock::scaling::azure {

struct scale_set_model {
  int capacity = 0;
  std::string etag;         ///< empty where Azure gave none
  bool is_changing = false; ///< an operation on it is going on, whoever began it
};

/// One instance as its list tells.
struct scale_set_instance {
  std::string id;
  std::string worker; ///< its computer name
  instance_state state = instance_state::provisioning;
  bool is_protected = false;
  std::string trouble; ///< what Azure says is wrong with it, or empty
};

/// A list's entry. Error: `corrupt`, where it has no id.
[[nodiscard]] core::expected<scale_set_instance> read_instance(const nlohmann::json& entry);

/// Whether a text can stand for one instance, and for nothing else, in a request.
[[nodiscard]] bool is_instance_id(std::string_view text);
[[nodiscard]] bool is_scale_set_id(std::string_view text);

/// The requests of one scale set. Answers that are no success are given as they are.
class scale_set {
 public:
  scale_set(arm& with, std::string resource_id) : arm_{with}, id_{std::move(resource_id)} {}

  [[nodiscard]] core::expected<scale_set_model> model();
  [[nodiscard]] core::expected<std::vector<scale_set_instance>> instances();
  [[nodiscard]] core::expected<http_response> set_capacity(int to, const std::string& etag);
  [[nodiscard]] core::expected<http_response> remove(const std::vector<std::string>& ids);
  [[nodiscard]] core::expected<http_response> protect(const std::string& id, bool on);

 private:
  [[nodiscard]] std::string path(std::string_view below = {}, std::string_view query = {}) const;

  arm& arm_;
  std::string id_;
  std::string location_; ///< of the set, once it was read
};

} // namespace penstock::scaling::azure
