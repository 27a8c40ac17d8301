#pragma once

/// The test framework, whichever major version the machine has.

#if PENSTOCK_CATCH_MAJOR >= 3
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif
