#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

/// How a bundle lies in the bytes that a fuzzer makes: the number of parts, the size of each in two bytes, the header.
/// Parts are as large as that says and all zeros, which padding has to be.
namespace penstock::test {

struct fuzzed_bundle {
  std::span<const std::byte> header;
  std::vector<std::vector<std::byte>> parts;
};

inline fuzzed_bundle read_bundle(std::span<const std::byte> input) {
  fuzzed_bundle read;
  if (input.empty()) return read;
  constexpr unsigned most_parts = 15;
  const auto n = std::to_integer<unsigned>(input[0]) & most_parts;
  input = input.subspan(1);
  for (unsigned i = 0; i < n && input.size() >= 2; ++i) {
    read.parts.emplace_back(std::to_integer<std::size_t>(input[0]) << 8U | std::to_integer<std::size_t>(input[1]));
    input = input.subspan(2);
  }
  read.header = input;
  return read;
}

inline std::vector<std::byte> write_bundle(std::span<const std::byte> header, std::span<const std::size_t> parts) {
  std::vector<std::byte> input{static_cast<std::byte>(parts.size())};
  for (const auto size : parts) {
    input.push_back(static_cast<std::byte>(size >> 8U));
    input.push_back(static_cast<std::byte>(size));
  }
  input.insert(input.end(), header.begin(), header.end());
  return input;
}

} // namespace penstock::test
