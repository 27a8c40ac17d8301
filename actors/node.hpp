#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "actors/asks.hpp"
#include "actors/head_observer.hpp"
#include "actors/run_report.hpp"
#include "core/error.hpp"
#include "kernels/device.hpp"
#include "media/decoder.hpp"
#include "metrics/families.hpp"
#include "topology/config.hpp"
#include "transport/keys.hpp"

namespace penstock::actors {

/// For a node through whose door pictures and streams come while it runs.
struct node_door {
  bool stays = false; ///< it goes on when every stream has finished, until it is shut down
  double preview_fps = 10;
  head_observer observer{};
};

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
  std::optional<node_door> door{};           ///< none: the topology's streams are all there is
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

  // What comes through the door. Answers come once, on a thread of the node, which they must not block.

  /// Finds the objects of one picture: a packet that stands by itself. `gone`: nobody waits for it any more. Errors:
  /// see `picture_ask`.
  void detect(core::packet_ptr picture, core::codec_ptr codec, core::time_point deadline, const std::stop_token& gone,
              std::function<void(core::expected<core::frame_result>)> done);
  void add_guest(guest_ask ask);
  void remove_guest(guest_leave leave);
  void watch(preview_ask ask);
  /// So many durable jobs wait: a part of the backlog.
  void tell_jobs_waiting(std::uint64_t jobs);

  [[nodiscard]] const std::vector<std::string>& labels() const noexcept;
  [[nodiscard]] const std::string& engine() const noexcept; ///< of this process; empty where all workers are elsewhere
  [[nodiscard]] const std::string& device() const noexcept; ///< likewise
  [[nodiscard]] const media::decode_options& decoding() const noexcept; ///< as the stages of this process do it

  /// Has a worker on another machine finish what it has and leave; its phase in `report` shows how far it is. False:
  /// there is none of that name.
  [[nodiscard]] bool drain_worker(const std::string& name);

  /// Whether it takes work: started, and not shutting down.
  [[nodiscard]] bool ready() const;

  [[nodiscard]] metrics::registry& metrics() const noexcept;

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
