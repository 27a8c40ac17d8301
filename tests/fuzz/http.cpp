#include <cstdint>
#include <cstdlib>
#include <string>

#include "gateway/http/message.hpp"
#include "gateway/http/multipart.hpp"
#include "gateway/http/sniff.hpp"
#include "gateway/http/text.hpp"
#include "gateway/http/websocket.hpp"

using namespace penstock::gateway;

namespace {

void check(bool good) {
  if (!good) std::abort();
}

} // namespace

/// Everything of the door that takes a client's bytes apart, but for HTTP itself, which is Beast's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  if (const auto parts = http::parse_multipart(bytes, "b")) {
    for (const auto& p : *parts)
      check(p.body.empty() || (p.body.data() >= bytes.data() && p.body.end() <= bytes.end()));
  }
  const auto kind = http::sniff(bytes);
  if (http::is_picture(kind)) {
    if (const auto s = http::size_of_picture(bytes, kind)) check(s->width_px > 0 && s->height_px > 0);
  }
  http::request r;
  if (http::parse_target(bytes, r)) check(r.path.starts_with('/'));
  static_cast<void>(http::header_parameter(bytes, "name"));
  const auto id = http::request_id(bytes, 1);
  check(http::is_plain_name(id) && id.size() <= 64);
  const auto head = http::head_of({200, std::string{bytes}, {}, {{std::string{bytes}, "x"}}}, bytes, "");
  check(head.find("\r\n\r\n") == head.size() - 4);

  http::websocket::decoder whole;
  whole.feed(bytes);
  http::websocket::decoder pieces;
  for (const char& c : bytes) pieces.feed({&c, 1});
  check(whole.finished() == pieces.finished());
  check(whole.take_answer() == pieces.take_answer());
  return 0;
}
