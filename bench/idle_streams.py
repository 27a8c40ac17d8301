#!/usr/bin/env python3
"""Memory of a head for each idle live stream: pushes many streams, a packet a second each, over some connections, and
divides what the process grew by their number."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import msgpack
import zmq

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/system"))
import barcode  # noqa: E402

LIMIT_KB = 64


def resident_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise RuntimeError("the head has ended")


def topology(folder):
    stages = {**barcode.STAGES, "inference": {"model": str(barcode.write_model(folder / "model.onnx"))}}
    stages["decode"] = {"sample_fps": 0.01}  # idle: hardly a frame is looked at
    head = {"stages": ["source", "decode", "preprocess", "inference", "postprocess", "collector"],
            "ingest": {"listen": "tcp://127.0.0.1:0", "accept": "any", "streams": 1_000_000}}  # fmt: skip
    path = folder / "idle.yaml"
    sinks = [{"kind": "zmq", "listen": "tcp://127.0.0.1:0"}]
    path.write_text(json.dumps({"pipeline": "idle", "streams": [], "stages": stages, "sinks": sinks,
                                "nodes": {"head": head}}))  # fmt: skip
    return path


def said(log, what):
    while True:
        for line in log.read_text().splitlines():
            if what in line:
                return line.split(what)[1].strip()
        time.sleep(0.05)


class Pushes:
    def __init__(self, address, streams, connections, prefix="s"):
        self.poller, self.sockets, self.credit = zmq.Poller(), [], {}
        for c in range(connections):
            socket = zmq.Context.instance().socket(zmq.DEALER)
            socket.connect(address)
            self.poller.register(socket, zmq.POLLIN)
            names = [f"{prefix}{i}" for i in range(c, streams, connections)]
            self.sockets.append((socket, names))
            for name in names:
                socket.send(msgpack.packb({"type": "open", "stream": name, "codec": "mjpeg", "fps": 1}))

    def hear(self, wait_ms=0):
        while ready := self.poller.poll(wait_ms):
            wait_ms = 0
            for socket, _ in ready:
                m = msgpack.unpackb(socket.recv())
                if m["type"] != "credit":
                    raise RuntimeError(m)
                self.credit[m["stream"]] = self.credit.get(m["stream"], 0) + m["packets"]

    def round(self, second, picture):
        sent = 0
        for i, (socket, names) in enumerate(self.sockets):
            for name in names:
                if self.credit.get(name, 0) == 0:
                    continue
                self.credit[name] -= 1
                header = {"type": "packet", "stream": name, "pts_us": second * 1_000_000, "key": True}
                socket.send_multipart([msgpack.packb(header), picture])
                sent += 1
            if i % 100 == 0:
                self.hear()
        return sent


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=str(ROOT / "build/release/penstock"))
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--json", help="write the figures here")
    args = parser.parse_args()
    zmq.Context.instance().max_sockets = args.connections + 100
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        clip = folder / "one.jpg"
        barcode.write_clip(clip, 1, "-c:v", "mjpeg", "-frames:v", "1", size=(64, 48))
        picture, log = clip.read_bytes(), folder / "log"
        with open(log, "wb") as err:
            head = subprocess.Popen([args.program, "run", str(topology(folder)), "--quiet", "--log-level", "info"],
                                    stdout=subprocess.DEVNULL, stderr=err)  # fmt: skip
        try:
            address = said(log, "producers may push to ")
            first = Pushes(address, 1, 1, "first")  # what the first stream costs once
            first.hear(10_000)
            first.round(0, picture)
            time.sleep(2)
            before = resident_kb(head.pid)
            pushes = Pushes(address, args.streams, args.connections)
            deadline = time.monotonic() + 60
            while len(pushes.credit) < args.streams and time.monotonic() < deadline:
                pushes.hear(100)
            opened = len(pushes.credit)
            sent, began = 0, time.monotonic()
            for second in range(args.seconds):
                time.sleep(max(0, began + second - time.monotonic()))
                sent += pushes.round(second, picture)
            took = time.monotonic() - began
            per_stream = (resident_kb(head.pid) - before) / args.streams
            threads = len(list(pathlib.Path(f"/proc/{head.pid}/task").iterdir()))
        finally:
            head.kill()
            head.wait()
    figures = {"streams": opened, "connections": args.connections, "packets": sent, "seconds": round(took, 1),
               "kb_per_stream": round(per_stream, 1), "limit_kb": LIMIT_KB, "threads": threads}  # fmt: skip
    print("  ".join(f"{k}: {v}" for k, v in figures.items()))
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(figures, indent=1) + "\n")
    sys.exit(per_stream > LIMIT_KB or opened < args.streams)


if __name__ == "__main__":
    main()
