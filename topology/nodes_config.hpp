#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "topology/streams_config.hpp"

namespace penstock::topology {

enum class stage : std::uint8_t { source, decode, preprocess, inference, postprocess, collector };

/// How many machines of a role there may be.
struct scale_config {
  int min = 1;
  int max = 1;

  bool operator==(const scale_config&) const = default;
};

/// How frames leave a role: as they are, or as JPEG.
enum class link_frames : std::uint8_t { raw, jpeg };

/// How tensors leave a role: as the model takes them, or with half as many bits.
enum class link_tensors : std::uint8_t { fp32, fp16 };

/// What a role sends to the one behind it, where the work is cut between the two.
struct link_config {
  link_frames frames = link_frames::raw;
  int quality = 90; ///< of JPEG
  link_tensors tensors = link_tensors::fp32;

  bool operator==(const link_config&) const = default;
};

/// Which streams producers may push.
enum class ingest_accept : std::uint8_t {
  declared, ///< those of `streams` with a uri push://NAME
  any,      ///< any name; the stream appears with its producer
};

/// Where programs push video, see docs/protocol.md.
struct ingest_config {
  std::string listen{}; ///< tcp://ADDRESS:PORT; empty: none
  ingest_accept accept = ingest_accept::declared;
  int streams = 10'000; ///< most that may appear by `any` in one run

  bool operator==(const ingest_config&) const = default;
};

/// One role of `nodes`: the stages that its machines run and how they find each other.
struct node_config {
  std::string role{}; ///< the entry's key
  std::vector<stage> stages{};
  std::string listen{}; ///< tcp://ADDRESS:PORT for workers; empty: none
  std::string dial{};   ///< tcp://HOST:PORT of the head; empty: none
  std::string http{};   ///< ADDRESS:PORT of the gateway; empty: none
  ingest_config ingest{};
  scale_config scale{};
  bool scheduled_events = false; ///< its machines drain when Azure announces that it takes them away
  link_config link{};

  bool operator==(const node_config&) const = default;
};

struct metrics_config {
  std::string listen{}; ///< ADDRESS:PORT of /metrics, /healthz and /readyz; empty: off
  int streams = 1000;   ///< most that have series of their own

  bool operator==(const metrics_config&) const = default;
};

/// CURVE keys of the links between machines.
struct security_config {
  std::filesystem::path keys = "keys"; ///< folder
  bool insecure = false;               ///< allow links beyond loopback without keys, and a door without tokens

  bool operator==(const security_config&) const = default;
};

enum class queue_kind : std::uint8_t { sqlite, nats, azure };
enum class blobs_kind : std::uint8_t { local, azure };

struct job_queue_config {
  queue_kind kind = queue_kind::sqlite;
  std::filesystem::path path = "jobs.db"; ///< sqlite
  std::string url{};                      ///< nats, azure

  bool operator==(const job_queue_config&) const = default;
};

struct job_blobs_config {
  blobs_kind kind = blobs_kind::local;
  std::filesystem::path path = "blobs"; ///< local: a folder
  std::string url{};                    ///< azure

  bool operator==(const job_blobs_config&) const = default;
};

struct jobs_config {
  job_queue_config queue{};
  job_blobs_config blobs{};
  int concurrent = 2;                     ///< at the same time, on one head
  int max_attempts = 5;                   ///< then a job is dead
  std::filesystem::path spool = "spool";  ///< folder
  std::int64_t spool_bytes = 64LL << 30U; ///< of inputs in it

  bool operator==(const jobs_config&) const = default;
};

} // namespace penstock::topology
