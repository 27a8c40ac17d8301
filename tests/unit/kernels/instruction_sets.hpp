#pragma once

#include "kernels/instruction_set.hpp"
#include "tests/catch.hpp"

/// Calls `body` once with each instruction set that was built and that the machine has.
template <class F>
void for_each_instruction_set(F&& body) {
  for (const auto name : penstock::kernels::instruction_sets()) {
    penstock::kernels::use_instruction_set(name);
    REQUIRE(penstock::kernels::instruction_set() == name);
    INFO("instruction set " << name);
    body();
  }
  penstock::kernels::use_instruction_set({});
}
