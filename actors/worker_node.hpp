#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/error.hpp"
#include "core/worker_figures.hpp"
#include "metrics/families.hpp"
#include "topology/config.hpp"
#include "transport/keys.hpp"

namespace penstock::actors {

/// Where a worker is in its life, for whoever looks from another thread.
class worker_standing {
 public:
  [[nodiscard]] core::worker_phase get() const noexcept { return phase_; }
  void put(core::worker_phase phase) noexcept { phase_ = phase; }

 private:
  std::atomic<core::worker_phase> phase_{core::worker_phase::warming};
};

struct worker_node_options {
  std::string version = "unknown";
  unsigned cores = 0;            ///< threads of the scheduler; 0: those this process may run on
  std::string role;              ///< of the topology's `nodes`
  std::string name;              ///< in the fleet
  std::string dial;              ///< the head's address
  std::string listen{};          ///< where workers dial that send here, instead of the role's
  std::string metrics_address{}; ///< HOST:PORT of `metrics` as others reach it; empty: nowhere
  std::shared_ptr<metrics::registry> metrics = std::make_shared<metrics::registry>(); ///< what it does goes there
  std::shared_ptr<worker_standing> standing =
      std::make_shared<worker_standing>();   ///< where it is in its life goes there
  std::optional<transport::key_ring> keys{}; ///< of the link to it
};

/// One worker of a fleet in this process: the stages of its role, and the link to the head. Thread-safe but for
/// construction and destruction.
class worker_node {
 public:
  /// Dials the head, which may come later, says that it is there, and loads the model. Errors: `bad_config`, and the
  /// engine's.
  [[nodiscard]] static core::expected<std::unique_ptr<worker_node>> start(const topology::config& topology,
                                                                          const worker_node_options& options);
  ~worker_node();
  worker_node(const worker_node&) = delete;
  worker_node& operator=(const worker_node&) = delete;

  /// A file descriptor that becomes readable when the worker has left, or may not join.
  [[nodiscard]] int finished_fd() const noexcept;
  [[nodiscard]] bool finished() const noexcept;

  /// Why the head does not want this worker; empty where it left in order. Once `finished`.
  [[nodiscard]] std::string refusal() const;

  /// Takes no new lease, finishes what it has for at most `grace`, says bye.
  void leave(std::chrono::microseconds grace);

  /// One line about the model in service, for people.
  [[nodiscard]] const std::string& model_line() const noexcept;

 private:
  struct impl;
  explicit worker_node(std::unique_ptr<impl> state);
  std::unique_ptr<impl> impl_;
};

} // namespace penstock::actors
