#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "gateway/event.hpp"

namespace penstock::gateway {

namespace policy {
struct event_filter;
}

/// Brings events from the pipeline to those who read them. Never blocks and never grows: a reader that is too slow
/// loses its oldest events. Thread-safe.
class event_hub {
 public:
  event_hub();
  ~event_hub();
  event_hub(const event_hub&) = delete;
  event_hub& operator=(const event_hub&) = delete;

  /// Whether anybody reads: if not, there is no need to make an event.
  [[nodiscard]] bool wanted() const noexcept;
  void publish(event e);

  /// One reader's side, for this room.
  class reader {
   public:
    virtual ~reader() = default;
    struct batch {
      std::vector<std::shared_ptr<const event>> events;
      std::uint64_t lost = 0; ///< before the first of them
    };
    /// Waits for events; called once with at least one event or loss, on the thread that published or the caller's.
    virtual void next(std::size_t most, std::function<void(batch)> done) = 0;
  };
  [[nodiscard]] std::shared_ptr<reader> subscribe(policy::event_filter filter, std::size_t queue);

  /// Events that readers lost since the start.
  [[nodiscard]] std::uint64_t lost() const noexcept;

 private:
  struct impl;
  std::shared_ptr<impl> impl_;
};

} // namespace penstock::gateway
