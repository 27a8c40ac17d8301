#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "actors/run_report.hpp"
#include "core/error.hpp"
#include "kernels/device.hpp"
#include "metrics/families.hpp"
#include "topology/config.hpp"
#include "transport/keys.hpp"

namespace penstock::actors {

/// What `penstock run` adds to the topology.
struct node_options {
  std::string version = "unknown"; ///< for `penstock_build_info`
  unsigned cores = 0;              ///< threads of the scheduler; 0: those this process may run on
  kernels::device_ptr device{};    ///< batches go through this one, also where the model runs in host memory (tests)
  std::string role{};              ///< of the topology's `nodes`, which this process runs; empty: everything is here
  std::string listen{};            ///< instead of the role's
  std::uint32_t epoch = 0;         ///< of this life of the head, above those before; a checkpoint knows better
  bool fresh = false;              ///< forget the checkpoint
  std::optional<transport::key_ring> keys{}; ///< of links to other machines
};

/// The whole pipeline of a topology in this process. Everything is checked and loaded before the first actor starts.
/// Thread-safe but for construction and destruction.
class node {
 public:
  /// Loads the model and starts the streams. Errors: `bad_config`, and those of the engine and of `expand_streams`.
  [[nodiscard]] static core::expected<std::unique_ptr<node>> start(const topology::config& topology,
                                                                   const node_options& options);
  ~node();
  node(const node&) = delete;
  node& operator=(const node&) = delete;

  /// Where everything stands; at most a tick (100 ms) old, and final once `finished`.
  [[nodiscard]] run_report report() const;

  /// A file descriptor that becomes readable when every stream has finished.
  [[nodiscard]] int finished_fd() const noexcept;
  [[nodiscard]] bool finished() const noexcept;

  /// Stops reading and finishes what was read for at most `grace`; what is left then is dropped (`shutdown`). May be
  /// called again with a shorter time.
  void shut_down(std::chrono::microseconds grace);

  /// Whether it takes work: started, and not shutting down.
  [[nodiscard]] bool ready() const;

  [[nodiscard]] const metrics::registry& metrics() const noexcept;

  /// One line about the model in service, for people; empty where all workers are elsewhere.
  [[nodiscard]] const std::string& model_line() const noexcept;

  /// Where workers on other machines dial; empty where they cannot.
  [[nodiscard]] const std::string& address() const noexcept;

 private:
  struct impl;
  explicit node(std::unique_ptr<impl> state);
  std::unique_ptr<impl> impl_;
};

} // namespace penstock::actors
