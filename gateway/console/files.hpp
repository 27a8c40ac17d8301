#pragma once

#include <string_view>

/// The console's files, put into the program when it is built (embed.cmake).
namespace penstock::gateway::console {

extern const std::string_view index_html;
extern const std::string_view console_css;
extern const std::string_view console_js;

} // namespace penstock::gateway::console
