#!/usr/bin/env bash
# The tables of docs/benchmarks.md, measured on this machine: bench/run.sh [--repeats N] [--json FILE] [--build FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 bench/run.py "$@"
