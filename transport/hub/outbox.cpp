#include "transport/hub/outbox.hpp"

#include <utility>

namespace penstock::transport {

namespace {

/// A bundle takes no more messages beyond these.
constexpr std::size_t full_header_bytes = std::size_t{32} << 10U;
constexpr std::size_t full_payload_bytes = std::size_t{256} << 10U;
constexpr std::size_t full_payloads = 256;

std::size_t bytes_of(const parts& p, std::size_t payload_bytes) { return p.header.size() + payload_bytes; }

} // namespace

send_result outbox::put(const message& m, bool& first) {
  const std::lock_guard lock{mutex_};
  first = false;
  if (!open_) return send_result::gone;
  if (messages_ >= most_messages_ || bytes_ >= most_bytes_) return send_result::full;
  first = bundles_.empty();
  const bool fits = !first && bundles_.back().content.header.size() < full_header_bytes &&
                    bundles_.back().payload_bytes < full_payload_bytes &&
                    bundles_.back().content.payloads.size() < full_payloads;
  if (!fits) bundles_.emplace_back();
  auto& last = bundles_.back();
  const auto before = bytes_of(last.content, last.payload_bytes);
  const auto payloads_before = last.content.payloads.size();
  encode(m, last.content);
  for (std::size_t i = payloads_before; i < last.content.payloads.size(); ++i)
    last.payload_bytes += last.content.payloads[i].bytes.size();
  ++last.messages;
  ++messages_;
  bytes_ += bytes_of(last.content, last.payload_bytes) - before;
  return send_result::queued;
}

std::optional<parts> outbox::take() {
  const std::lock_guard lock{mutex_};
  if (bundles_.empty()) return std::nullopt;
  auto next = std::move(bundles_.front());
  bundles_.pop_front();
  messages_ -= next.messages;
  bytes_ -= bytes_of(next.content, next.payload_bytes);
  return std::move(next.content);
}

void outbox::close() {
  const std::lock_guard lock{mutex_};
  open_ = false;
  bundles_.clear();
  messages_ = 0;
  bytes_ = 0;
}

bool outbox::empty() const {
  const std::lock_guard lock{mutex_};
  return bundles_.empty();
}

} // namespace penstock::transport
