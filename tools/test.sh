#!/usr/bin/env bash
# Runs every check, or the steps that are named: tools/test.sh [release] [lint] [asan] [tsan] [fuzz]
#   release  builds everything and runs all tests (unit, simulation, system, rooms)
#   lint     clang-format, and a small set of clang-tidy checks on the rooms without heavy headers
#   asan     AddressSanitizer and UBSan: unit tests, simulation, and the system tests of bad input
#   tsan     ThreadSanitizer: the rooms with threads (libcaf is not instrumented: its deterministic tests only)
#   fuzz     libFuzzer with clang, on bytes from outside: 60 s in all
# System tests wait much of their time; when all steps run, what the other steps need is built meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."

jobs=$(nproc)
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=true # other clones of this repository share what was compiled
step() { printf '\n==== %s (%s s since the start)\n' "$1" "$SECONDS"; }

configure_and_build() {
  local preset=$1
  shift
  cmake --preset "$preset" > "build/$preset.configure.log" 2>&1 || { cat "build/$preset.configure.log"; exit 1; }
  cmake --build --preset "$preset" -j "$jobs" "$@"
}

build_release() { configure_and_build release; }
test_release() { ctest --test-dir build/release --output-on-failure -j "$jobs"; } # system tests run one at a time

build_lint() { # finds what clang-tidy is to look at
  [ -e build/release/compile_commands.json ] || configure_and_build release --target penstock_core
  git ls-files 'core/*.cpp' 'dispatch/*.cpp' 'tracking/*.cpp' 'topology/*.cpp' |
    xargs -P "$jobs" -n 4 clang-tidy --quiet -p build/release 2> /dev/null
}
test_lint() { git ls-files '*.cpp' '*.hpp' '*.cu' '*.cuh' | xargs clang-format --dry-run --Werror; }

build_asan() { configure_and_build asan; }
test_asan() { ctest --test-dir build/asan --output-on-failure -j "$jobs" -L 'unit|simulation|hostile'; }

build_tsan() {
  configure_and_build tsan --target test_metrics test_transport test_actors test_gateway
}
test_tsan() {
  ctest --test-dir build/tsan --output-on-failure -R '^(metrics|transport|actors|gateway)$'
}

build_fuzz() {
  cmake -S tests/fuzz -B build/fuzz -G Ninja -DCMAKE_CXX_COMPILER=clang++ > build/fuzz.configure.log 2>&1 ||
    { cat build/fuzz.configure.log; exit 1; }
  cmake --build build/fuzz -j "$jobs"
}
test_fuzz() {
  local corpus=build/fuzz/corpus target
  build/fuzz/fuzz_seeds "$corpus"
  for target in bundle:35 push:10 keys:5 http:10; do
    (cd build/fuzz && ./fuzz_"${target%:*}" -max_total_time="${target#*:}" -max_len=65536 -verbosity=0 \
      -print_final_stats=1 "corpus/${target%:*}")
  done
}

run() {
  step "$1: build"
  "build_$1"
  step "$1: tests"
  "test_$1"
}

run_all() {
  step "lint: format"
  test_lint
  step "release: build"
  build_release
  step "release: tests; lint, asan, tsan and fuzz are built meanwhile"
  local name
  (
    renice -n 19 -p "$BASHPID" > /dev/null
    for name in lint asan tsan fuzz; do
      step "$name: build"
      "build_$name"
    done
  ) > build/meanwhile.log 2>&1 &
  local meanwhile=$!
  test_release || { kill "$meanwhile"; exit 1; }
  step "the rest of what is built"
  wait "$meanwhile" || { cat build/meanwhile.log; exit 1; }
  grep '^====' build/meanwhile.log
  for name in asan tsan fuzz; do
    step "$name: tests"
    "test_$name"
  done
}

mkdir -p build
if [ $# -eq 0 ]; then
  run_all
else
  for name in "$@"; do
    case $name in
      release | lint | asan | tsan | fuzz) run "$name" ;;
      *) printf 'test: no step %s; there are release, lint, asan, tsan, fuzz\n' "$name" >&2; exit 64 ;;
    esac
  done
fi
step "all steps passed"
