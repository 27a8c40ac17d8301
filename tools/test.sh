#!/usr/bin/env bash
# Runs every check, or the steps that are named: tools/test.sh [release] [lint] [asan] [tsan] [fuzz]
#   release  builds everything and runs all tests (unit, simulation, system, rooms)
#   lint     clang-format, and a small set of clang-tidy checks on the rooms without heavy headers
#   asan     AddressSanitizer and UBSan: unit tests, simulation, and the system tests of bad input
#   tsan     ThreadSanitizer: the pure core, the links and the deterministic tests (libcaf is not instrumented)
#   fuzz     libFuzzer with clang, on bytes from outside: 60 s in all
set -euo pipefail
cd "$(dirname "$0")/.."

jobs=$(nproc)
step() { printf '\n==== %s (%s s since the start)\n' "$1" "$SECONDS"; }

configure_and_build() {
  local preset=$1
  shift
  cmake --preset "$preset" > "build/$preset.configure.log" 2>&1 || { cat "build/$preset.configure.log"; exit 1; }
  cmake --build --preset "$preset" -j "$jobs" "$@"
}

run_release() {
  step "release: build"
  configure_and_build release
  step "release: tests"
  ctest --test-dir build/release --output-on-failure -j 1
}

run_lint() {
  step "lint: format"
  git ls-files '*.cpp' '*.hpp' '*.cu' '*.cuh' | xargs clang-format --dry-run --Werror
  step "lint: clang-tidy"
  [ -e build/release/compile_commands.json ] || configure_and_build release --target penstock_core
  git ls-files 'core/*.cpp' 'dispatch/*.cpp' 'tracking/*.cpp' 'topology/*.cpp' |
    xargs -P "$jobs" -n 4 clang-tidy --quiet -p build/release 2> /dev/null
}

run_asan() {
  step "asan: build"
  configure_and_build asan
  step "asan: tests"
  ctest --test-dir build/asan --output-on-failure -j "$jobs" -L 'unit|simulation|hostile'
}

run_tsan() {
  step "tsan: build"
  configure_and_build tsan --target test_dispatch test_tracking test_simulation test_transport test_actors test_gateway
  step "tsan: tests"
  ctest --test-dir build/tsan --output-on-failure -R '^(dispatch|tracking|simulation|transport|actors|gateway)$'
}

run_fuzz() {
  step "fuzz: build"
  cmake -S tests/fuzz -B build/fuzz -G Ninja -DCMAKE_CXX_COMPILER=clang++ > build/fuzz.configure.log 2>&1 ||
    { cat build/fuzz.configure.log; exit 1; }
  cmake --build build/fuzz -j "$jobs"
  step "fuzz: 60 s"
  local corpus=build/fuzz/corpus
  build/fuzz/fuzz_seeds "$corpus"
  local target
  for target in bundle:40 keys:8 http:12; do
    (cd build/fuzz && ./fuzz_"${target%:*}" -max_total_time="${target#*:}" -max_len=65536 -verbosity=0 \
      -print_final_stats=1 "corpus/${target%:*}")
  done
}

mkdir -p build
[ $# -gt 0 ] || set -- lint release asan tsan fuzz
for name in "$@"; do
  case $name in
    release | lint | asan | tsan | fuzz) "run_$name" ;;
    *) printf 'test: no step %s; there are release, lint, asan, tsan, fuzz\n' "$name" >&2; exit 64 ;;
  esac
done
step "all steps passed: $*"
