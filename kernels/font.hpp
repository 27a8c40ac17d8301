#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/portable.hpp"

namespace penstock::kernels {

/// A font of 8×16 pixels for ASCII 32 to 126; other characters are '?'.
struct font {
  static constexpr int width = 8;
  static constexpr int height = 16;
  static constexpr int glyphs = 95;

  std::uint8_t rows[glyphs][height] = {}; ///< highest bit on the left

  [[nodiscard]] PENSTOCK_PORTABLE bool has(char c, std::int32_t x, std::int32_t y) const {
    const auto glyph = c >= 32 && c < 127 ? c - 32 : '?' - 32;
    return (rows[glyph][y] >> (width - 1 - x) & 1) != 0;
  }

  /// A straight stroke from one pixel to another.
  constexpr void line(int glyph, int x0, int y0, int x1, int y1) {
    const int dx = x1 > x0 ? x1 - x0 : x0 - x1;
    const int dy = y1 > y0 ? y1 - y0 : y0 - y1;
    const int n = dx > dy ? dx : dy;
    for (int i = 0; i <= n; ++i) {
      // nearest pixel; halves go towards the end
      const int x = n == 0 ? x0 : (2 * (x0 * (n - i) + x1 * i) + n) / (2 * n);
      const int y = n == 0 ? y0 : (2 * (y0 * (n - i) + y1 * i) + n) / (2 * n);
      rows[glyph][y] = static_cast<std::uint8_t>(rows[glyph][y] | 1U << (width - 1 - x));
    }
  }
};

/// Draws the glyphs from strokes: corners are a digit for x (0 to 6) and a letter for y (a to n), strokes are separated
/// by blanks, and a stroke of one corner is a dot. Capitals reach from b to k, small letters from e to k, descenders to
/// n.
constexpr font make_font() {
  constexpr std::string_view strokes[font::glyphs] = {
      "",                                    // space
      "3b3h 3j3k",                           // !
      "2b2d 4b4d",                           // "
      "2c1j 5c4j 1e6e 0h5h",                 // #
      "6c5b1b0c0e1f5f6g6j5k1k0j 3a3l",       // $
      "0b1b1c0c0b 6b0k 5j6j6k5k5j",          // %
      "6k1e1c2b3b4c4d0h0j1k3k6h",            // &
      "3b3d",                                // '
      "4a2c2j4l",                            // (
      "2a4c4j2l",                            // )
      "3d3j 0e6i 6e0i",                      // *
      "3d3j 0g6g",                           // +
      "3j3k2m",                              // ,
      "1g5g",                                // -
      "2j3j3k2k2j",                          // .
      "6a0l",                                // /
      "1b5b6c6j5k1k0j0c1b 5d1i",             // 0
      "1d3b3k 1k5k",                         // 1
      "0c1b5b6c6e0k6k",                      // 2
      "0c1b5b6c6e5f6g6j5k1k0j 2f5f",         // 3
      "5k5b0h6h",                            // 4
      "6b0b0f5f6g6j5k1k0j",                  // 5
      "6c5b1b0c0j1k5k6j6g5f0f",              // 6
      "0b6b2k",                              // 7
      "1b5b6c6e5f1f0e0c1b 1f0g0j1k5k6j6g5f", // 8
      "0j1k5k6j6c5b1b0c0f1g6g",              // 9
      "3e3f 3i3j",                           // :
      "3e3f 3i3j2l",                         // ;
      "5c1g5k",                              // <
      "0f6f 0i6i",                           // =
      "1c5g1k",                              // >
      "0c1b5b6c6e3g3h 3j3k",                 // ?
      "6j5k1k0j0c1b5b6c6h4h3g3e4d6d",        // @
      "0k0e3b6e6k 0h6h",                     // A
      "0b0k5k6j6g5f0f 0b4b5c5e4f",           // B
      "6c5b1b0c0j1k5k6j",                    // C
      "0b0k4k6i6d4b0b",                      // D
      "6b0b0k6k 0f4f",                       // E
      "6b0b0k 0f4f",                         // F
      "6c5b1b0c0j1k5k6j6g3g",                // G
      "0b0k 6b6k 0f6f",                      // H
      "1b5b 3b3k 1k5k",                      // I
      "3b6b 5b5j4k1k0j0h",                   // J
      "0b0k 6b0g 2f6k",                      // K
      "0b0k6k",                              // L
      "0k0b3f6b6k",                          // M
      "0k0b6j 6b6k",                         // N
      "1b5b6c6j5k1k0j0c1b",                  // O
      "0k0b5b6c6f5g0g",                      // P
      "1b5b6c6j5k1k0j0c1b 4i6l",             // Q
      "0k0b5b6c6f5g0g 3g6k",                 // R
      "6c5b1b0c0e1f5f6g6j5k1k0j",            // S
      "0b6b 3b3k",                           // T
      "0b0j1k5k6j6b",                        // U
      "0b0f3k6f6b",                          // V
      "0b1k3g5k6b",                          // W
      "0b6k 6b0k",                           // X
      "0b3f6b 3f3k",                         // Y
      "0b6b0k6k",                            // Z
      "4a2a2l4l",                            // [
      "0a6l",                                // backslash
      "2a4a4l2l",                            // ]
      "1d3b5d",                              // ^
      "0m6m",                                // _
      "2b4d",                                // `
      "1e4e5f5k 5h1h0i0j1k4k5j",             // a
      "0b0k 0f1e4e5f5j4k1k0j",               // b
      "5f4e1e0f0j1k4k5j",                    // c
      "5b5k 5f4e1e0f0j1k4k5j",               // d
      "0h5h5f4e1e0f0j1k4k5j",                // e
      "5c4b3b2c2k 0f4f",                     // f
      "5e5m4n1n0m 5f4e1e0f0j1k4k5j",         // g
      "0b0k 0f1e4e5f5k",                     // h
      "3b3c 1e3e3k 1k5k",                    // i
      "4b4c 2e4e4m3n1n0m",                   // j
      "0b0k 5e0i 2h5k",                      // k
      "1b3b3k 1k5k",                         // l
      "0k0e 0f1e2e3f3k 3f4e5e6f6k",          // m
      "0e0k 0f1e4e5f5k",                     // n
      "1e4e5f5j4k1k0j0f1e",                  // o
      "0e0n 0f1e4e5f5j4k1k0j",               // p
      "5e5n 5f4e1e0f0j1k4k5j",               // q
      "1e1k 1g3e4e5f",                       // r
      "5f4e1e0f0g1h4h5i5j4k1k0j",            // s
      "2b2j3k4k5j 0e4e",                     // t
      "0e0j1k4k5j 5e5k",                     // u
      "0e0g3k6g6e",                          // v
      "0e0h1k3h5k6h6e",                      // w
      "0e5k 5e0k",                           // x
      "0e0j1k4k5j 5e5m4n1n0m",               // y
      "0e5e0k5k",                            // z
      "5a4a3b3e2f3g3k4l5l",                  // {
      "3a3m",                                // |
      "1a2a3b3e4f3g3k2l1l",                  // }
      "0g1f2f4h5h6g",                        // ~
  };
  font made;
  for (int glyph = 0; glyph < font::glyphs; ++glyph) {
    const auto s = strokes[glyph];
    for (std::size_t i = 0; i < s.size(); i += 2) {
      if (s[i] == ' ') ++i;
      const int x = s[i] - '0';
      const int y = s[i + 1] - 'a' + 1;
      const bool goes_on = i + 2 < s.size() && s[i + 2] != ' ';
      made.line(glyph, x, y, goes_on ? s[i + 2] - '0' : x, goes_on ? s[i + 3] - 'a' + 1 : y);
    }
  }
  return made;
}

inline constexpr font built_in_font = make_font();

} // namespace penstock::kernels
