#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/error.hpp"

/// Watching a stream: its frames with boxes as JPEG, decoded, drawn and encoded only while somebody looks.
namespace penstock::actors {

using jpeg_ptr = std::shared_ptr<const std::string>;

class preview_viewer;

/// Where the pictures of one stream appear. Thread-safe.
class preview_screen {
 public:
  /// Whether a picture would be taken now.
  [[nodiscard]] bool wanted() const;
  /// Nobody looks.
  [[nodiscard]] bool dark() const;
  void show(std::string jpeg);
  /// Nothing more comes.
  void close();

 private:
  friend class preview_viewer;

  struct waiter {
    preview_viewer* viewer = nullptr;
    std::function<void(core::expected<jpeg_ptr>)> done;
  };

  mutable std::mutex mutex_;
  jpeg_ptr latest_;
  std::uint64_t number_ = 0; ///< of the latest
  std::size_t viewers_ = 0;
  std::vector<waiter> waiting_;
  bool closed_ = false;
};

/// Somebody who looks, as long as it lives.
class preview_viewer {
 public:
  explicit preview_viewer(std::shared_ptr<preview_screen> screen);
  ~preview_viewer();
  preview_viewer(const preview_viewer&) = delete;
  preview_viewer& operator=(const preview_viewer&) = delete;

  /// A picture newer than the last one that was given; called once, on any thread. `unavailable`: the stream has ended.
  /// One call at a time; forgotten with the viewer.
  void next(std::function<void(core::expected<jpeg_ptr>)> done);

 private:
  friend class preview_screen;

  std::shared_ptr<preview_screen> screen_;
  std::uint64_t seen_ = 0; ///< guarded by the screen's mutex
};

} // namespace penstock::actors
