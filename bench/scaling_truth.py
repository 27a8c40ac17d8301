"""Is the simulator true? One load, really and simulated: fleet sizes and latencies are to agree within 15 %.

  [TRUTH_JSON=FILE] PENSTOCK=build/release/penstock python3 bench/scaling_truth.py

A head, `penstock scale` and its processes get the requests of a trace. Starting a worker takes `BOOT_S` longer than it
would, as a machine's boot does, and a picture takes a set time (tests/system/timed_engine.c), so that what is measured
is how the fleet behaves and not this machine. `penstock simulate` gets the same trace, times, policy and bounds. What
nobody sets is measured in the real run: how long the way of a request through door and links takes (`overhead`, on a
fleet without load), and how long workers need to start on top of `BOOT_S`.
"""

import json
import os
import pathlib
import random
import sys
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/system"))

import timed  # noqa: E402
from door import Client, door_of  # noqa: E402
from fleet import Head  # noqa: E402
from harness import penstock, until  # noqa: E402
from test_scale import Scale, ScaleTest  # noqa: E402

BOOT_S = 20
PICTURE_MS = 400
INTERVAL_S, WINDOW_S = 2, 30  # the head's figures are of 30 s
MOST, FIRST = 24, 6
POLICY = {"target_utilisation": 0.7, "drain_time": "10s", "stable_for": "20s", "hysteresis": 0.07}
# Requests per second, for so many seconds: up and down, by steps that the target utilisation leaves room for. In a
# fleet so small that one more or less is a large part of it, chance would decide.
LOAD = [(12, 60), (16, 60), (20, 60), (14, 60), (9, 60)]
SENDERS = 200  # at a time: as many as may wait
LIMIT = 0.15


# What there is before: some requests one after the other, which tell how long one takes, and nothing for a window.
ALONE = [2, 3] * 4
BEFORE = [*ALONE, *[0] * WINDOW_S]


def trace():
    """Requests of each second."""
    return [rate for rate, seconds in LOAD for _ in range(seconds)]


class Sender:
    """Requests at the times of the trace, whatever becomes of those before."""

    def __init__(self, test, url, picture, at):
        self.test, self.url, self.picture, self.at = test, url, picture, at
        self.lock = threading.Lock()
        self.next = 0
        self.latencies, self.other = [], []

    def run(self, began):
        client = Client(self.test, self.url)
        while True:
            with self.lock:
                if self.next == len(self.at):
                    return
                due = began + self.at[self.next]
                self.next += 1
            time.sleep(max(0, due - time.monotonic()))
            reply = client.detect(self.picture, **{"Penstock-Deadline-Ms": "60000"})
            took = time.monotonic() - due
            with self.lock:
                (self.latencies if reply.status == 200 else self.other).append(took)

    def all(self, began):
        threads = [threading.Thread(target=self.run, args=(began,)) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        return threads


def quantile(values, share):
    return sorted(values)[int(share * (len(values) - 1))]


class Truth(ScaleTest):
    def topology_of(self):
        topology = self.fleet_topology("head")
        document = json.loads(topology.read_text())
        document["streams"] = []
        document["stages"]["inference"]["model"] = str(timed.model(self, PICTURE_MS))
        document["nodes"]["worker"]["scale"] = {"min": FIRST, "max": MOST}
        document["http"] = {"admission": {"max_wait": "60s", "max_deadline": "2min"}}
        rate = {**POLICY, "boot_time": f"{BOOT_S}s"}
        document["scaling"] |= {"interval": f"{INTERVAL_S}s", "window": f"{WINDOW_S}s", "rate": rate, "max_step": 1000}
        document["scaling"]["process"]["command"] = timed.worker_command(topology, BOOT_S)
        topology.write_text(json.dumps(document))
        return topology

    def really(self):
        topology = self.topology_of()
        self.head = Head(self, topology)
        url = door_of(self.head)
        scale = Scale(self, topology)
        until(lambda: self.ready() == FIRST, "the first workers")
        picture = self.pictures(1)[0]
        client = Client(self, url)
        alone = []
        for _ in range(sum(ALONE)):
            began = time.monotonic()
            self.assertEqual(client.detect(picture).status, 200)
            alone.append(time.monotonic() - began)
        self.overhead_s = max(0, quantile(alone, 0.5) - PICTURE_MS / 1000)
        time.sleep(WINDOW_S)  # what was measured here leaves the window
        per_second = trace()
        draws = random.Random(1)
        at = sorted(second + draws.random() for second, n in enumerate(per_second) for _ in range(n))  # as simulated
        sender = Sender(self, url, picture, at)
        began = time.monotonic()
        threads = sender.all(began)
        sizes = []
        for second in range(len(per_second)):
            time.sleep(max(0, began + second + 1 - time.monotonic()))
            sizes.append(self.ready())
        for thread in threads:
            thread.join()
        scale.terminate()
        scale.wait_for_exit(0)
        self.head.terminate()
        self.head.finish()
        self.assertEqual(sender.other, [], "requests without an answer")
        decisions = scale.decisions()
        self.boot_s = next(d["signals"]["boot_s"] for d in reversed(decisions) if d["signals"])
        return sizes, sender.latencies, [d["why"] for d in decisions]

    def simulated(self):
        file = self.dir / "trace.csv"
        file.write_text("second,arrivals\n" + "".join(f"{s},{n}\n" for s, n in enumerate(BEFORE + trace())))
        policy = "rate:" + ",".join(f"{k}={v}" for k, v in POLICY.items())
        worker = f"fixed=0ms,item={PICTURE_MS}ms,overhead={self.overhead_s * 1000:.0f}ms"
        fleet = f"boot={self.boot_s:.1f}s,initial={FIRST}"
        done = penstock("simulate", "--trace", file, "--fleet", fleet, "--worker", worker, "--policy", policy, "--min",
                        FIRST, "--max", MOST, "--interval", INTERVAL_S, "--window", WINDOW_S, "--deadline", 60,
                        "--no-optimum", "--json", "-")  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_the_simulator_is_true(self):
        sizes, latencies, why = self.really()
        run = self.simulated()["runs"][0]
        since = [(round(m["at_s"]) - len(BEFORE), m["ready"]) for m in run["moments"]]
        pairs = [(at, sizes[at - 1], ready) for at, ready in since if 0 < at <= len(sizes)]
        gap = sum(abs(real - simulated) for _, real, simulated in pairs) / sum(real for _, real, _ in pairs)
        really, simulated = quantile(latencies, 0.95), run["latency_s"]["p95"]
        off = abs(simulated - really) / really
        print("\n  second  workers  simulated")
        for at, size, other in pairs[9::10]:
            print(f"  {at:6.0f}  {size:7}  {other:9}")
        print(f"  fleet sizes: {100 * gap:.1f} % apart")
        print(f"  p95: {really:.3f} s, simulated {simulated:.3f} s: {100 * off:.1f} % apart")
        if file := os.environ.get("TRUTH_JSON"):
            document = {"workers": pairs, "fleet_gap": gap, "p95_s": really, "simulated_p95_s": simulated,
                        "p95_gap": off, "overhead_s": self.overhead_s, "boot_s": self.boot_s,
                        "requests": len(latencies), "why": why}  # fmt: skip
            pathlib.Path(file).write_text(json.dumps(document, indent=1))
        self.assertLessEqual(gap, LIMIT)
        self.assertLessEqual(off, LIMIT)


if __name__ == "__main__":
    unittest.main()
