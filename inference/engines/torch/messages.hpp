#pragma once

#include <string>
#include <string_view>

namespace penstock::engine_module::torchscript {

/// What an operator needs of a message of libtorch: the cause, without traces of the interpreter, of Python and of C++.
[[nodiscard]] std::string brief(std::string_view message);

} // namespace penstock::engine_module::torchscript
