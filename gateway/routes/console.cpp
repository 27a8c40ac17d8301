#include "gateway/console/files.hpp"
#include "gateway/routes/context.hpp"

namespace penstock::gateway::routes {

namespace {

/// Nothing from elsewhere, nothing inline; pictures that the page makes itself are blobs.
constexpr const char* policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
                               "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

void add_file(table& to, const char* path, const char* type, std::string_view content) {
  http::route r{.method = "GET", .pattern = path};
  r.handle = [type, content](const http::responder_ptr& client) {
    client->reply(http::response{200,
                                 type,
                                 std::string{content},
                                 {{"Content-Security-Policy", policy},
                                  {"Referrer-Policy", "no-referrer"},
                                  {"Cross-Origin-Opener-Policy", "same-origin"},
                                  {"X-Frame-Options", "DENY"}}});
  };
  to.push_back(std::move(r));
}

} // namespace

void add_console(table& to, const context&) {
  add_file(to, "/", "text/html; charset=utf-8", console::index_html);
  add_file(to, "/console.css", "text/css; charset=utf-8", console::console_css);
  add_file(to, "/console.js", "text/javascript; charset=utf-8", console::console_js);
}

} // namespace penstock::gateway::routes
