#include "gateway/http/responder.hpp"

#include <spdlog/spdlog.h>

namespace penstock::gateway::http {

bool exchange::give(order what) {
  {
    const std::lock_guard lock{mutex_};
    if (answered_) return false;
    answered_ = !std::holds_alternative<reception>(what);
    next_ = std::move(what);
  }
  ring_();
  return true;
}

order exchange::take() {
  const std::lock_guard lock{mutex_};
  return std::exchange(next_, {});
}

bool exchange::answered() const {
  const std::lock_guard lock{mutex_};
  return answered_;
}

responder::~responder() {
  if (!with_->answered()) with_->give(refusal(500, "internal", "the request was dropped without an answer"));
}

void responder::reply(const core::error& e) {
  auto r = refusal(e);
  if (r.status == 500) spdlog::error("request {}: {}: {}", asked().id, core::to_string(e.code), e.message);
  reply(std::move(r));
}

} // namespace penstock::gateway::http
