#include <cstdlib>
#include <string>

#if PENSTOCK_CATCH_MAJOR < 3
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
namespace command_line = Catch::clara;
#else
#include <catch2/catch_session.hpp>
namespace command_line = Catch::Clara;
#endif

int main(int argc, char** argv) {
  Catch::Session session;
  std::string seed;
  session.cli(session.cli() |
              command_line::Opt(seed, "seed")["--seed"]("run one world of the simulation, with its trace"));
  if (const int wrong = session.applyCommandLine(argc, argv); wrong != 0) return wrong;
  if (!seed.empty()) ::setenv("PENSTOCK_SIMULATION_SEED", seed.c_str(), 1);
  return session.run();
}
