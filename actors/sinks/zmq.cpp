#include <string>
#include <utility>
#include <vector>

#include "actors/result_json.hpp"
#include "actors/sinks/sinks.hpp"

namespace penstock::actors::sinks {

namespace {

/// Every stream has a sink of its own; all of them share the publisher.
class zmq_sink : public result_sink {
 public:
  explicit zmq_sink(const sink_context& context) : context_{context} {}

  core::expected<void> write(const core::frame_result& result, const core::frame*) override {
    text_.clear();
    append_json(text_, context_.stream, *context_.labels, result);
    text_.pop_back(); // the newline
    if (context_.publisher->publish(context_.stream, text_)) return {};
    return core::fail(core::errc::io, context_.publisher->address() + ": more results wait to be published than may");
  }

  core::expected<void> flush() override { return {}; }
  core::expected<void> close() override { return {}; }

 private:
  sink_context context_;
  std::string text_;
};

} // namespace

core::expected<std::unique_ptr<result_sink>> open_zmq(const sink_context& context) {
  return std::make_unique<zmq_sink>(context);
}

} // namespace penstock::actors::sinks
