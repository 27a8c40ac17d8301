#include "jobs/azure/hints.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <utility>

#include "jobs/azure/xml.hpp"

namespace penstock::jobs::azure {
namespace {

const std::pair<std::string, std::string> xml_type{"Content-Type", "application/xml"};

/// Azure hides messages for at most seven days.
std::int64_t seconds(milliseconds time) {
  constexpr std::int64_t longest = 7LL * 24 * 3600;
  return std::clamp<std::int64_t>((time.count() + 999) / 1000, 0, longest);
}

class azure_hints final : public jobs::hints {
 public:
  azure_hints(std::shared_ptr<service> queue, std::string name) : queue_{std::move(queue)}, name_{std::move(name)} {}

  core::expected<void> push(std::string_view job) override {
    // Without a time to live messages end after seven days.
    const auto answer =
        queue_->call("POST", fmt::format("/{}/messages?messagettl=-1", name_), {xml_type}, body_of(job));
    if (!answer) return tl::unexpected{answer.error()};
    if (answer->status != 201) return refused(name_, *answer);
    return {};
  }

  core::expected<std::optional<hint>> pop(milliseconds invisible_for) override {
    const auto time = std::max<std::int64_t>(1, seconds(invisible_for));
    const auto answer =
        queue_->call("GET", fmt::format("/{}/messages?numofmessages=1&visibilitytimeout={}", name_, time));
    if (!answer) return tl::unexpected{answer.error()};
    if (answer->status != 200) return refused(name_, *answer);
    const auto found = elements(answer->body, "QueueMessage");
    if (found.empty()) return std::nullopt;
    const auto id = text_of(found.front(), "MessageId");
    const auto receipt = text_of(found.front(), "PopReceipt");
    const auto text = text_of(found.front(), "MessageText");
    if (!id || !receipt || !text) return core::fail(core::errc::corrupt, name_ + ": a message that is none");
    return hint{*text, *id + "\n" + *receipt};
  }

  core::expected<void> extend(hint& held, milliseconds invisible_for) override {
    auto receipt = show_in(held, std::max(milliseconds{1}, invisible_for));
    if (!receipt) return tl::unexpected{receipt.error()};
    held.receipt = std::move(*receipt);
    return {};
  }

  core::expected<void> release(const hint& held, milliseconds delay) override {
    return show_in(held, delay).map([](const std::string&) {});
  }

  core::expected<void> acknowledge(const hint& held) override {
    const auto answer = queue_->call("DELETE", path_of(held));
    if (!answer) return tl::unexpected{answer.error()};
    if (answer->status != 204) return gone_or_refused(held, *answer);
    return {};
  }

  core::expected<std::uint64_t> depth() override {
    const auto answer = queue_->call("GET", fmt::format("/{}?comp=metadata", name_));
    if (!answer) return tl::unexpected{answer.error()};
    if (answer->status != 200) return refused(name_, *answer);
    const auto text = answer->header("x-ms-approximate-messages-count");
    std::uint64_t out = 0;
    std::from_chars(text.data(), text.data() + text.size(), out);
    return out;
  }

 private:
  static std::string body_of(std::string_view job) {
    return fmt::format("<QueueMessage><MessageText>{}</MessageText></QueueMessage>", xml_escaped(job));
  }

  [[nodiscard]] std::string path_of(const hint& held) const {
    const auto line = held.receipt.find('\n');
    const auto id = std::string_view{held.receipt}.substr(0, line);
    const auto receipt =
        line == std::string::npos ? std::string_view{} : std::string_view{held.receipt}.substr(line + 1);
    return fmt::format("/{}/messages/{}?popreceipt={}", name_, percent_encoded(id), percent_encoded(receipt));
  }

  tl::unexpected<core::error> gone_or_refused(const hint& held, const http_response& answer) const {
    if (answer.status == 400 || answer.status == 404) {
      return core::fail(core::errc::not_found, held.job + ": its hint went to somebody else");
    }
    return refused(name_, answer);
  }

  core::expected<std::string> show_in(const hint& held, milliseconds wait) {
    const auto path = fmt::format("{}&visibilitytimeout={}", path_of(held), seconds(wait));
    const auto answer = queue_->call("PUT", path, {xml_type}, body_of(held.job));
    if (!answer) return tl::unexpected{answer.error()};
    if (answer->status != 204) return gone_or_refused(held, *answer);
    const auto line = held.receipt.find('\n');
    return held.receipt.substr(0, line) + "\n" + answer->header("x-ms-popreceipt");
  }

  std::shared_ptr<service> queue_;
  std::string name_;
};

} // namespace

std::shared_ptr<jobs::hints> make_hints(std::shared_ptr<service> queue, std::string name) {
  return std::make_shared<azure_hints>(std::move(queue), std::move(name));
}

} // namespace penstock::jobs::azure
