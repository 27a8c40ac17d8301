#include "inference/engines/torch/messages.hpp"

namespace penstock::engine_module::torchscript {

std::string brief(std::string_view message) {
  if (const auto trace = message.find("\nException raised from "); trace != message.npos) {
    message = message.substr(0, trace);
  }
  // The interpreter puts "RuntimeError: cause" after the lines of the program that led there.
  constexpr std::string_view mark = "Error: ";
  if (const auto cause = message.rfind(mark); cause != message.npos) message.remove_prefix(cause + mark.size());
  std::string line;
  for (const auto c : message) {
    if (c != '\n')
      line += c;
    else if (!line.empty() && line.back() != ' ')
      line += ' ';
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

} // namespace penstock::engine_module::torchscript
