#pragma once

namespace penstock::core {

/// Functions as one, for `std::visit`: `overloaded{[](const a&) {…}, [](const auto&) {…}}`.
template <class... Fs>
struct overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
overloaded(Fs...) -> overloaded<Fs...>;

} // namespace penstock::core
