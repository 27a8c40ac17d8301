#!/bin/sh
# Runs the GPU tests under compute-sanitizer: memcheck (with leaks) and racecheck. Usage: sanitize.sh [BUILD] [TEST…]
set -eu
build=${1:-build/release}
[ $# -gt 0 ] && shift
program=$build/tests/test_gpu
[ -x "$program" ] || { echo "$program is not built (ninja -C $build test_gpu)" >&2; exit 1; }
if ! command -v compute-sanitizer >/dev/null; then
  for toolkit in /usr/local/cuda /usr/local/cuda-*; do
    if [ -x "$toolkit/bin/compute-sanitizer" ]; then PATH=$toolkit/bin:$PATH; fi
  done
fi
command -v compute-sanitizer >/dev/null || { echo "compute-sanitizer was not found: install the CUDA toolkit's" >&2; exit 1; }
for tool in "memcheck --leak-check full" "racecheck --racecheck-report all"; do
  echo "== $tool"
  # shellcheck disable=SC2086 # the tool with its options
  compute-sanitizer --tool $tool --error-exitcode 9 "$program" "$@"
done
