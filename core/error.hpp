#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace penstock::core {

/// What went wrong, one meaning per code.
enum class errc {
  invalid_argument, ///< the caller broke the function's contract with its values
  bad_config,       ///< a configuration value is wrong; the message names it
  not_found,        ///< a file, device, model or name does not exist
  io,               ///< the operating system refused a read or a write
  unsupported,      ///< valid, but nothing in this build or on this machine can do it
  corrupt,          ///< data from outside does not follow its format
  too_large,        ///< data from outside is beyond a configured limit
  timeout,          ///< it took longer than allowed
  cancelled,        ///< somebody asked to stop
  unavailable,      ///< not now; trying again may work (a camera that is away)
  end_of_stream,    ///< regular end, nothing more will come
  engine,           ///< an inference engine failed
  internal,         ///< a defect of this program
};

/// Name of a code for logs, e.g. "not_found".
[[nodiscard]] std::string_view to_string(errc code) noexcept;

/// An error value: a code to act on and a message for people, which names the place (file, key, address).
struct error {
  errc code = errc::internal;
  std::string message;

  bool operator==(const error&) const = default;
};

/// The result of anything that can fail.
template <class T>
using expected = tl::expected<T, error>;

/// Shorthand for returning an error: `return fail(errc::io, "…")`.
[[nodiscard]] inline tl::unexpected<error> fail(errc code, std::string message) {
  return tl::unexpected<error>{error{code, std::move(message)}};
}

/// Passes an error on with the place in front: "place: message".
[[nodiscard]] inline tl::unexpected<error> fail(std::string_view place, error cause) {
  cause.message.insert(0, std::string{place} + ": ");
  return tl::unexpected<error>{std::move(cause)};
}

} // namespace penstock::core
