#!/usr/bin/env bash
# The tables of docs/benchmarks.md, measured on this machine:
#   bench/run.sh                      all of them
#   bench/run.sh machine [OPTIONS]    one process beside a plain loop, GStreamer and the ceiling
#   bench/run.sh fleet [OPTIONS]      a head with workers over loopback beside one process
#   bench/run.sh link [OPTIONS]       a link beside bare libzmq
#   bench/run.sh idle [OPTIONS]       memory of a head for each idle live stream
#   bench/run.sh scrape [OPTIONS]     `/metrics` of a head with many live streams, and what it costs their frames
#   bench/run.sh detect [OPTIONS]     the HTTP door with 64 clients, and under more than it can do
set -euo pipefail
cd "$(dirname "$0")/.."

part() {
  local name=$1
  shift
  case $name in
    machine) /usr/bin/python3 bench/run.py "$@" ;;
    fleet) /usr/bin/python3 bench/fleet.py "$@" ;;
    link) build/release/bench/link "$@" ;;
    idle) /usr/bin/python3 bench/idle_streams.py "$@" ;;
    scrape) /usr/bin/python3 bench/scrape.py "$@" ;;
    detect) /usr/bin/python3 bench/detect.py "$@" ;;
    *) printf 'bench: no part %s; there are machine, fleet, link, idle, scrape, detect\n' "$name" >&2; exit 64 ;;
  esac
}

if [ $# -gt 0 ]; then
  part "$@"
else
  for name in machine fleet link idle scrape detect; do
    printf '\n==== %s\n' "$name"
    part "$name"
  done
fi
