#!/usr/bin/env python3
"""What scraping a head of many live streams costs: how long `/metrics` takes, and the latency of the frames of a few busy
streams, from packet to result, while the head is scraped every second and while it is not, in turns."""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import msgpack
import zmq

from idle_streams import ROOT, Pushes, barcode, said

FPS = 5  # of a busy stream
MOST_S = 1.0  # a scrape
MOST_GROWTH = 1.1  # of the 99th percentile of latency


def topology(folder, series):
    stages = {**barcode.STAGES, "inference": {"model": str(barcode.write_model(folder / "model.onnx"))}}
    head = {"stages": ["all"], "ingest": {"listen": "tcp://127.0.0.1:0", "accept": "any", "streams": 1_000_000}}
    path = folder / "scrape.yaml"
    path.write_text(json.dumps({
        "pipeline": "scrape", "streams": [], "stages": stages, "sinks": [{"kind": "zmq", "listen": "tcp://127.0.0.1:0"}],
        "metrics": {"listen": "127.0.0.1:0", "streams": series}, "nodes": {"head": head}}))  # fmt: skip
    return path


class Busy(threading.Thread):
    """Pushes pictures to some streams at a steady rate, and notes when each was due."""

    def __init__(self, address, streams, picture):
        super().__init__(daemon=True)
        self.pushes = Pushes(address, streams, 1, "busy")
        self.picture, self.sent, self.ending = picture, {}, False

    def run(self):
        socket, names = self.pushes.sockets[0]
        while len(self.pushes.credit) < len(names):
            self.pushes.hear(100)
        began, count = time.monotonic(), 0
        while not self.ending:
            due = began + count / (FPS * len(names))
            name, seq = names[count % len(names)], count // len(names)
            wait = max(0, due - time.monotonic())
            if wait > 0.001 or self.pushes.credit[name] == 0:
                self.pushes.hear(max(1, int(wait * 1000)))
                continue
            self.pushes.hear()
            self.pushes.credit[name] -= 1
            self.sent[name, seq] = due  # waiting for credit counts
            header = {"type": "packet", "stream": name, "pts_us": seq * 1_000_000 // FPS, "key": True}
            socket.send_multipart([msgpack.packb(header), self.picture])
            count += 1


class Results(threading.Thread):
    """Notes when the result of each frame came."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.socket = zmq.Context.instance().socket(zmq.SUB)
        self.socket.connect(address)
        self.socket.subscribe(b"busy")
        self.came = {}

    def run(self):
        while True:
            name, line = self.socket.recv_multipart()
            now = time.monotonic()
            self.came[name.decode(), json.loads(line)["seq"]] = now


def scrape(url, took, stop):
    while not stop.wait(1):
        began = time.monotonic()
        with urllib.request.urlopen(url, timeout=60) as answer:
            size = len(answer.read())
        took.append((time.monotonic() - began, size))


def p99(values):
    return sorted(values)[int(len(values) * 0.99)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=str(ROOT / "build/release/penstock"))
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--series", type=int, default=1_000, help="of `metrics.streams`")
    parser.add_argument("--busy", type=int, default=20)
    parser.add_argument("--turns", type=int, default=6, help="pairs of a quiet and a scraped one")
    parser.add_argument("--seconds", type=int, default=15, help="of each turn")
    parser.add_argument("--json", help="write the figures here")
    args = parser.parse_args()
    zmq.Context.instance().max_sockets = 200
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        clip, log = folder / "one.jpg", folder / "log"
        barcode.write_clip(clip, 1, "-c:v", "mjpeg", "-frames:v", "1", size=(64, 48))
        picture = clip.read_bytes()
        with open(log, "wb") as err:
            head = subprocess.Popen([args.program, "run", str(topology(folder, args.series)), "--quiet", "--log-level",
                                     "info"], stdout=subprocess.DEVNULL, stderr=err)  # fmt: skip
        try:
            address = said(log, "producers may push to ")
            metrics = f"http://127.0.0.1:{said(log, 'metrics on port ')}/metrics"
            idle = Pushes(address, args.streams, 100)
            deadline = time.monotonic() + 120
            while len(idle.credit) < args.streams:
                idle.hear(100)
                if time.monotonic() > deadline:
                    sys.exit(f"only {len(idle.credit)} streams were opened")
            results = Results(said(log, "results are published on "))
            results.start()
            busy = Busy(address, args.busy, picture)
            busy.start()
            latencies, took = {False: [], True: []}, []
            time.sleep(3)  # what was opened has been worked on
            for turn in range(2 * args.turns):
                scraped = turn % 2 == 1
                begin, stop = time.monotonic(), threading.Event()
                scraper = threading.Thread(target=scrape, args=(metrics, took, stop))
                if scraped:
                    scraper.start()
                time.sleep(args.seconds)
                if scraped:
                    stop.set()
                    scraper.join()
                end = time.monotonic()
                time.sleep(1)
                sent = {k: at for k, at in list(busy.sent.items()) if begin <= at < end}
                missing = [k for k in sent if k not in results.came]
                if missing:
                    sys.exit(f"{len(missing)} of {len(sent)} frames have no result")
                latencies[scraped].append(p99([results.came[k] - at for k, at in sent.items()]))
            busy.ending = True
            busy.join()
        finally:
            head.kill()
            head.wait()
    quiet, loud = (statistics.median(latencies[k]) * 1000 for k in (False, True))
    figures = {"streams": args.streams, "series": args.series, "scrapes": len(took), "bytes": took[-1][1],
               "scrape_s_median": round(statistics.median(s for s, _ in took), 3),
               "scrape_s_most": round(max(s for s, _ in took), 3), "p99_ms_quiet": round(quiet, 2),
               "p99_ms_scraped": round(loud, 2), "p99_ratio": round(loud / quiet, 3)}  # fmt: skip
    print("  ".join(f"{k}: {v}" for k, v in figures.items()))
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(figures, indent=1) + "\n")
    sys.exit(figures["scrape_s_most"] >= MOST_S or figures["p99_ratio"] > MOST_GROWTH)


if __name__ == "__main__":
    main()
