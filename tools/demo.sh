#!/usr/bin/env bash
# Runs configs/demo.yaml, with its console: tools/demo.sh      the clip once
#                                           tools/demo.sh live over and over, as a camera would send it, until Ctrl-C
# The console is at PENSTOCK_DEMO_HTTP=HOST:PORT; unless that is set, at the first free port from 8080 on.
set -euo pipefail
cd "$(dirname "$0")/.."

penstock=build/release/penstock
clip=${PENSTOCK_DEMO_CLIP:-/usr/share/doc/opencv-doc/examples/data/vtest.avi}

is_taken() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

if [ -z "${PENSTOCK_DEMO_HTTP:-}" ]; then
  port=8080
  while is_taken "$port"; do port=$((port + 1)); done
  export PENSTOCK_DEMO_HTTP=127.0.0.1:$port
fi
printf 'The console, while this runs: http://%s/\n' "$PENSTOCK_DEMO_HTTP"

case ${1:-once} in
  once) exec "$penstock" run configs/demo.yaml ;;
  live)
    camera=udp://127.0.0.1:$((20000 + RANDOM % 10000))
    ffmpeg -nostdin -v error -re -stream_loop -1 -i "$clip" -an -c:v libx264 -preset ultrafast -tune zerolatency -g 10 \
      -f mpegts "$camera?pkt_size=1316" &
    trap 'kill "$!" 2> /dev/null || true' EXIT
    "$penstock" run configs/demo.yaml --set "streams.0.uri=$camera" --set 'sinks=[]'
    ;;
  *) printf 'demo: no %s; there are once and live\n' "$1" >&2; exit 64 ;;
esac
