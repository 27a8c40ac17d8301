#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace penstock::core {

using sha256_digest = std::array<std::byte, 32>;

/// SHA-256 (FIPS 180-4) of bytes that come in pieces.
class sha256_hasher {
 public:
  static constexpr std::size_t block_bytes = 64;

  void update(std::span<const std::byte> bytes) noexcept;

  /// The digest of all bytes so far. The hasher is spent.
  [[nodiscard]] sha256_digest finish() noexcept;

 private:
  void compress() noexcept;

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, block_bytes> block_{};
  std::size_t filled_ = 0;
  std::uint64_t total_bytes_ = 0;
};

[[nodiscard]] sha256_digest sha256(std::span<const std::byte> bytes) noexcept;

/// Bytes as lower-case hexadecimal digits.
[[nodiscard]] std::string to_hex(std::span<const std::byte> bytes);

} // namespace penstock::core
