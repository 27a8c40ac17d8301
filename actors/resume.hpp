#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "actors/checkpoint_writer.hpp"
#include "core/error.hpp"
#include "topology/config.hpp"
#include "topology/expand.hpp"

namespace penstock::actors {

/// Whether a stream is noted in a checkpoint: where it can be read again from its beginning, and has an end.
[[nodiscard]] bool can_go_on(const topology::stream_source& stream);

/// What a life of a head begins with.
struct resumption {
  std::shared_ptr<checkpoint_writer> writer;
  std::uint32_t epoch = 0;              ///< above those of the lives before
  std::vector<stream_progress> streams; ///< of each stream, as the lives before left it
};

/// Opens the topology's checkpoint and compares it with what there is now; notes the new life in it. `fresh`: forgets
/// what is in it. `now_s`: the first epoch, where there is no checkpoint. Errors, with the path `checkpoint` in front:
/// `bad_config` where a stream's input, or what is done with frames, has changed, or what is there is no checkpoint;
/// `io`, also where another head has it.
[[nodiscard]] core::expected<resumption> resume(const topology::config& topology,
                                                const std::vector<topology::stream_source>& streams, bool fresh,
                                                std::uint32_t now_s);

} // namespace penstock::actors
