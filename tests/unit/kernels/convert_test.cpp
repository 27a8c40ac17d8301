#include "kernels/convert.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "tests/catch.hpp"
#include "tests/unit/kernels/instruction_sets.hpp"

using namespace penstock;

TEST_CASE("half precision rounds to nearest even on every instruction set") {
  // powers of two below the last bit of a half are ties; 17 numbers leave some behind the last whole vector
  const auto infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> in{0,        1,        -2,      65504,        65519,        65520,          infinity,
                              0.1F,     1.0F / 3, 255,     1 + 0x1p-11F, 1 + 0x3p-11F, 1 + 0x1.1p-11F, 0x1p-14F,
                              0x1p-24F, 0x1p-25F, 0x3p-25F};
  const std::vector<std::uint16_t> expected{0,      0x3c00, 0xc000, 0x7bff, 0x7bff, 0x7c00, 0x7c00, 0x2e66, 0x3555,
                                            0x5bf8, 0x3c00, 0x3c02, 0x3c01, 0x0400, 0x0001, 0x0000, 0x0002};
  for_each_instruction_set([&] {
    std::vector<std::uint16_t> half(in.size());
    kernels::to_f16(in, half);
    CHECK(half == expected);
    // and at every place within a vector
    for (std::size_t shift = 1; shift < in.size(); ++shift) {
      kernels::to_f16(std::span{in}.subspan(shift), half);
      CHECK(half[0] == expected[shift]);
    }
    const float nan = std::nanf("");
    kernels::to_f16({&nan, 1}, half);
    CHECK((half[0] & 0x7fff) > 0x7c00);
  });
}

TEST_CASE("every finite half comes back from single precision unchanged") {
  for_each_instruction_set([] {
    std::vector<std::uint16_t> all;
    for (std::uint32_t i = 0; i < 0x10000; ++i)
      if ((i & 0x7c00) != 0x7c00) all.push_back(static_cast<std::uint16_t>(i));
    std::vector<float> single(all.size());
    std::vector<std::uint16_t> back(all.size());
    kernels::to_f32(all, single);
    kernels::to_f16(single, back);
    CHECK(back == all);
  });
}
