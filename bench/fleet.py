#!/usr/bin/env python3
"""Measures a head with workers over loopback beside `penstock run`: bytes on the link, frames/s, the latency that the
hop adds, and how fast others take over from a worker that is killed. Medians of several runs that take turns; prints the
tables of docs/benchmarks.md. Called by bench/run.sh as `fleet`."""
import argparse
import datetime
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/system"))

import barcode
import clips
import run
from clips import FRAMES
from fleet import Head, Worker
from harness import PROGRAM, Program, free_port, until
from relay import Relay
from workbench import measure, two_cores


def files(paths):
    return [{"id": path.stem, "uri": str(path.resolve())} for path in paths]


def run_fleet(bench, topology, workers, address_of=lambda head: head.address()):
    """A head with workers until its end."""
    head = Head(bench, topology)
    address = address_of(head)
    started = [Worker(bench, f"w{i}", topology, "--head", address) for i in range(workers)]
    for worker in started:
        worker.wait_until_joined()
    if head.process.wait() != 0:
        sys.exit(f"the head ended with {head.process.returncode}: {head.errors()}")


def link_bytes(bench, clip):
    """Bytes that the head sends for each byte of the file, everything above TCP counted."""
    relays = []

    def through_relay(head):
        relays.append(Relay(bench, head.address()))
        return relays[0].address

    run_fleet(bench, bench.topology(files([clip])), 1, through_relay)
    # Workers dial: what comes from the relay's target is what the head sends.
    return relays[0].from_target / clip.stat().st_size


def rate(bench, kind, paths):
    """frames/s of `run`, or of a head with two workers that are there from the start."""
    topology = bench.topology(files(paths))
    frames = FRAMES * len(paths)
    if kind == "run":
        out = subprocess.run(["taskset", "-c", ",".join(two_cores()), PROGRAM, "run", topology, "--json", "-", "--quiet", "--log-level", "warn"],
                             capture_output=True, text=True, check=True).stdout  # fmt: skip
        report = json.loads(out)
        if report["frames_delivered"] != frames:
            sys.exit(f"{report['frames_delivered']} of {frames} frames were delivered")
        return report["frames_per_s"]
    return fleet_rate(bench, topology, frames)


def fleet_rate(bench, topology, frames):
    """The workers wait for the head, as those of a scale set would: what is measured begins when it starts. Each has a
    core of its own, as each has its own on a machine of its own; the head shares them."""
    address = f"tcp://127.0.0.1:{free_port()}"
    workers = [Worker(bench, f"w{core}", topology, "--head", address, where=["taskset", "-c", core])
               for core in two_cores()]  # fmt: skip
    for worker in workers:
        worker.wait_for("trying again")
    head = Head(bench, topology, "--listen", address, where=["taskset", "-c", ",".join(two_cores())])
    for worker in workers:
        worker.wait_until_joined()
    joined = time.monotonic()
    first = sum(len(head.lines(s)) for s in stream_names(topology))
    until(lambda: not head.running(), "the head to finish", 600)
    report = json.loads((head.folder / "out").read_text())
    if report["frames_delivered"] != frames:
        sys.exit(f"{report['frames_delivered']} of {frames} frames were delivered")
    return (frames - first) / (time.monotonic() - joined)


def stream_names(topology):
    return [stream["id"] for stream in json.loads(topology.read_text())["streams"]]


class Camera:
    """Sends a transport stream over UDP, each frame at its time, and knows when it sent which."""

    def __init__(self, clip, fps):
        data = clip.read_bytes()
        starts = [at for at in range(0, len(data), 188) if data[at + 1] & 0x40 and self.pid(data, at) == 0x100]
        starts[0] = 0  # with the tables
        self.frames = [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)])]
        self.fps = fps
        self.sent = []

    @staticmethod
    def pid(data, at):
        return (data[at + 1] & 0x1F) << 8 | data[at + 2]

    def play(self, port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            began = time.monotonic()
            for number, frame in enumerate(self.frames):
                time.sleep(max(0.0, began + number / self.fps - time.monotonic()))
                self.sent.append(time.monotonic())
                for at in range(0, len(frame), 7 * 188):
                    out.sendto(frame[at : at + 7 * 188], ("127.0.0.1", port))


class Arrivals:
    """The lines of a file of results, a pipe, with the time at which each came."""

    def __init__(self, bench, path):
        path.parent.mkdir(exist_ok=True)
        os.mkfifo(path)
        self.lines = []  # (time, line)
        self.file = os.open(path, os.O_RDWR)  # never at its end
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        rest = b""
        while True:
            *lines, rest = (rest + os.read(self.file, 1 << 16)).split(b"\n")
            now = time.monotonic()
            self.lines += [(now, json.loads(line)) for line in lines]


def latencies(bench, kind, frames):
    """Milliseconds from when a frame of a live stream of 30 a second was sent to its result."""
    clip = barcode.write_clip(bench.dir / "camera.ts", frames, "-c:v", "libx264", "-preset", "ultrafast", "-tune",
                              "zerolatency", "-g", "30", "-f", "mpegts", size=(640, 480), fps=30)  # fmt: skip
    port = free_port()
    camera = [{"id": "camera", "uri": f"udp://127.0.0.1:{port}?overrun_nonfatal=1", "policy": "live"}]
    model = barcode.write_model(bench.dir / "barcode.onnx")
    topology = bench.topology(camera, stages={"inference": {"model": str(model)}, **barcode.STAGES})
    arrivals = Arrivals(bench, topology.parent / "results" / "camera.jsonl")
    if kind == "run":
        program = Program(bench, topology, [])
    else:
        program = Head(bench, topology)
        Worker(bench, "w", topology, "--head", program.address()).wait_until_joined()
    until(lambda: bound(port), "the camera's port")
    camera = Camera(clip, 30)
    camera.play(port)
    until(lambda: len(arrivals.lines) > frames / 2, "results")
    program.terminate()
    program.process.wait()
    took = []
    for came, line in arrivals.lines:
        code = barcode.read_objects(line)
        if code and code[1] >= 60:  # without the start
            took.append(1000 * (came - camera.sent[code[1]]))
    if len(took) < 0.9 * (frames - 60):
        sys.exit(f"only {len(took)} of {frames} frames have results: {program.errors()}")
    return {"p50": statistics.median(took), "p99": statistics.quantiles(took, n=100)[98]}


def bound(port):
    """Whether somebody listens on the UDP port."""
    lines = pathlib.Path("/proc/net/udp").read_text().splitlines()[1:]
    return any(line.split()[1].endswith(f":{port:04X}") for line in lines)


def takeover(bench, seen):
    """Seconds from SIGKILL of a worker to the first result of what it had. Not `seen`: a relay stalls, so that the head
    learns of it by silence only."""
    clip = barcode.write_clip(bench.dir / "long.ts", 3000, "-c:v", "libx264", "-preset", "ultrafast", "-g", "12", "-f",
                              "mpegts")  # fmt: skip
    model = barcode.write_model(bench.dir / "slow.onnx", slow=128)
    topology = bench.topology(files([clip]), stages={"inference": {"model": str(model)}, **barcode.STAGES},
                              dispatch={"lease_timeout": f"{10 if seen else LEASE_TIMEOUT}s"})  # fmt: skip
    arrivals = Arrivals(bench, topology.parent / "results" / "long.jsonl")
    head = Head(bench, topology)
    relay = Relay(bench, head.address())
    doomed = Worker(bench, "doomed", topology, "--head", relay.address).wait_until_joined()
    until(lambda: len(arrivals.lines) > 24, "the first results")
    Worker(bench, "heir", topology, "--head", head.address()).wait_until_joined()
    until(lambda: len(arrivals.lines) > 72, "more results")
    if not seen:
        relay.stall(60)
    killed = time.monotonic()
    offset = time.time() - killed
    # It stands still until nothing comes any more: then what all wait for is its, since results come in order.
    doomed.send_signal(signal.SIGSTOP)
    quiet = 0.1
    until(lambda: time.monotonic() - max(killed, arrivals.lines[-1][0]) > quiet, "all that the heir could do")
    if seen:
        killed = time.monotonic()
    doomed.process.kill()
    gone = until(lambda: next((line for line in head.errors().splitlines() if GONE.search(line)), None), "its end")
    taken = datetime.datetime.fromisoformat(json.loads(gone)["time"]).timestamp() - offset
    first = until(lambda: next((came for came, _ in arrivals.lines if came > taken), None), "results by the heir")
    return first - killed


GONE = re.compile("is gone|silent for too long")
LEASE_TIMEOUT = 1


def medians(results):
    if isinstance(results[0], dict):
        return {key: statistics.median(r[key] for r in results) for key in results[0]}
    return statistics.median(results)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--frames", type=int, default=600, help="of the live stream")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/bench-media"))
    parser.add_argument("--json", type=pathlib.Path, help="default: FOLDER/fleet.json")
    parser.add_argument("--only", default="", help="cases to run, separated by commas; prints no targets")
    options = parser.parse_args()
    footage = list(clips.make(options.folder).values())
    cases = {
        "link_bytes": lambda: measure(link_bytes, footage[0]),
        "run": lambda: measure(rate, "run", footage),
        "fleet": lambda: measure(rate, "fleet", footage),
        "latency_run": lambda: measure(latencies, "run", options.frames),
        "latency_fleet": lambda: measure(latencies, "fleet", options.frames),
        "takeover_seen": lambda: measure(takeover, True),
        "takeover_silent": lambda: measure(takeover, False),
    }
    if options.only:
        cases = {name: cases[name] for name in options.only.split(",")}
    results = {name: [] for name in cases}
    for turn in range(options.repeats):
        for name, case in cases.items():
            results[name].append(case())
            print(f"{turn + 1}/{options.repeats} {name:<16} {results[name][-1]}", flush=True)
    middle = {name: medians(of) for name, of in results.items()}
    report = {"load": os.getloadavg()[0], "cores": os.cpu_count(), "medians": middle, "runs": results}
    if not options.only:
        report["targets"] = targets(middle)
        print("\n" + run.table(["target", "", "measured", ""],
                               [[t["what"], t["text"], f"{t['measured']:.3f}", "met" if t["met"] else "**missed**"]
                                for t in report["targets"]]))  # fmt: skip
    out = options.json or options.folder / "fleet.json"
    out.write_text(json.dumps(report, indent=1))
    print(f"\nAll figures: {out}")


def targets(m):
    added = {p: m["latency_fleet"][p] - m["latency_run"][p] for p in ("p50", "p99")}
    rows = [
        ("bytes on the link for each byte of the file, head → worker", m["link_bytes"], "at most", 1.05),
        ("frames/s: head + 2 workers / `penstock run`, same cores", m["fleet"] / m["run"], "at least", 0.92),
        ("latency added by the hop, p50, ms", added["p50"], "at most", 1),
        ("latency added by the hop, p99, ms", added["p99"], "at most", 5),
        ("SIGKILL → first result of its segments, end seen, s", m["takeover_seen"], "at most", 0.3),
        ("the same, end not seen, s", m["takeover_silent"], "at most", LEASE_TIMEOUT + 0.5),
    ]
    return [{"what": what, "measured": value, "target": limit, "text": f"{how} {limit}",
             "met": value >= limit if how == "at least" else value <= limit} for what, value, how, limit in rows]


if __name__ == "__main__":
    main()
