#include "transport/hub/zap.hpp"

#include <algorithm>
#include <array>
#include <spdlog/spdlog.h>
#include <utility>
#include <vector>

namespace penstock::transport {

gatekeeper::gatekeeper(zmq::context_t& context, const std::optional<key_ring>& ring)
    : questions_{context, zmq::socket_type::rep}, needs_key_{ring.has_value()} {
  questions_.set(zmq::sockopt::linger, 0);
  questions_.bind("inproc://zeromq.zap.01");
  if (!ring) return;
  for (const auto& text : ring->allowed_keys) {
    std::string binary(32, '\0');
    if (zmq_z85_decode(reinterpret_cast<std::uint8_t*>(binary.data()), text.c_str()) != nullptr)
      allowed_.insert(binary);
  }
}

std::size_t gatekeeper::answer() {
  std::size_t refused = 0;
  while (true) {
    // version, request id, domain, address, routing id, mechanism, credentials…
    std::vector<std::string> question;
    zmq::message_t part;
    if (!questions_.recv(part, zmq::recv_flags::dontwait)) return refused;
    question.push_back(part.to_string());
    while (part.more() && questions_.recv(part, zmq::recv_flags::none)) question.push_back(part.to_string());
    question.resize(std::max<std::size_t>(question.size(), 7));
    const bool may = needs_key_ ? question[5] == "CURVE" && allowed_.contains(question[6]) : question[5] == "NULL";
    if (!may) {
      ++refused;
      if (std::exchange(last_refused_, question[3]) != question[3])
        spdlog::warn("a connection from {} was refused: its key is not in the key folder", question[3]);
    }
    const std::array<std::string, 6> reply{
        "1.0", question[1], may ? "200" : "400", may ? "OK" : "this key is not listed", "", ""};
    for (std::size_t i = 0; i < reply.size(); ++i)
      questions_.send(zmq::buffer(reply[i]), i + 1 < reply.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
  }
}

} // namespace penstock::transport
