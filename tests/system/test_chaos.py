"""Workers are killed, stopped and cut off all the time, at random from a seed; the results are those of a calm run.

PENSTOCK_CHAOS_SECONDS: for how long (20); PENSTOCK_CHAOS_SEED replays a run."""

import os
import random
import signal
import threading
import time
import unittest

import hosts
from fleet import FleetTest, Feed
from harness import PATIENCE
from relay import Relay
from test_frames import X264, X265

SECONDS = float(os.environ.get("PENSTOCK_CHAOS_SECONDS", 20))
SEED = int(os.environ.get("PENSTOCK_CHAOS_SEED", random.randrange(1 << 32)))
INTERVAL = 2  # seconds between faults
ABSENCE = 5  # seconds that a worker is stopped or cut off
GROUP = 12  # frames
TROUBLED = {"dispatch": {"lease_timeout": "1s"}, "security": {"insecure": True}}

ENCODINGS = [
    [*X264, "-bf", "3"],
    [*X264, "-bf", "3", "-x264-params", "open-gop=1:scenecut=0"],
    X265,
    ["-c:v", "mpeg2video", "-bf", "2", "-g", "12", "-q:v", "3"],
]


class Place:
    """Where a worker is: behind a relay of its own, or on a host of its own. Who dies there is followed by another."""

    def __init__(self, test, number, head, network):
        self.test, self.number, self.head = test, number, head
        self.lives = 0
        self.timers = []
        self.host = self.relay = None
        if network and number % 2:
            self.host = network.add()
            self.network = network
            self.address = head.address().replace("0.0.0.0", network.address)
        else:
            self.relay = Relay(test, head.address().replace("0.0.0.0", "127.0.0.1"))
            self.address = self.relay.address
        # Of its process, or of its link.
        self.faults = [[self.kill], [self.stop]]
        self.faults.append([self.relay.reset, self.stall, self.delay, self.halve] if self.relay else [self.cut])
        self.start()

    def start(self):
        where = self.network.prefix(self.host) if self.host is not None else ()
        self.worker = self.test.worker(f"w{self.number}-{self.lives}", self.address, where=where)
        self.lives += 1

    def later(self, seconds, what):
        timer = threading.Timer(seconds, what)
        self.timers.append(timer)
        self.test.addCleanup(timer.cancel)
        timer.start()

    def kill(self):
        self.worker.kill()
        self.start()

    def stop(self):
        stopped = self.worker
        stopped.send_signal(signal.SIGSTOP)
        self.later(ABSENCE, lambda: stopped.running() and stopped.send_signal(signal.SIGCONT))

    def cut(self):
        self.network.set_link(self.host, False)
        self.later(ABSENCE, lambda: self.network.set_link(self.host, True))

    def stall(self):
        self.relay.stall(ABSENCE)

    def delay(self):
        self.relay.latency = 0.05
        self.later(ABSENCE, lambda: setattr(self.relay, "latency", 0))

    def halve(self):
        self.relay.halve_rate(ABSENCE)

    def calm_down(self):
        for timer in self.timers:
            timer.join()


class Chaos(FleetTest):
    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        print(f"PENSTOCK_CHAOS_SEED={SEED}", flush=True)

    def clips(self, frames):
        return {f"c{i}": self.clip(f"c{i}.ts", frames, *ENCODINGS[i % len(ENCODINGS)], "-f", "mpegts", stream=i)
                for i in range(8)}  # fmt: skip

    def disturb(self, places):
        place = self.random.choice(places)
        fault = self.random.choice(self.random.choice(place.faults))
        print(f"  {fault.__name__} worker {place.number}", flush=True)
        fault()

    def listen(self):
        return "tcp://127.0.0.1:0" if hosts.WHY_NOT else "tcp://0.0.0.0:0"

    def places(self, head):
        network = None if hosts.WHY_NOT else hosts.Hosts(self)
        return [Place(self, number, head, network) for number in range(4)]

    def check_calm(self, head, places, expected):
        self.assertFalse(head.says("given up:"), head.errors())
        self.assert_same_results(head.results, expected)
        for place in places:
            place.calm_down()
            self.assertTrue(place.worker.running(), place.worker.errors())

    def test_results_are_those_of_a_calm_run_though_a_worker_fails_every_two_seconds(self):
        frames = max(GROUP * 10, int(SECONDS * 25))
        clips = self.clips(frames)
        expected = self.run_alone(clips)
        feeds = {name: Feed(self, self.dir / f"{name}.pipe.ts", path.read_bytes()) for name, path in clips.items()}
        topology = self.fleet_topology({name: feed.path for name, feed in feeds.items()}, **TROUBLED,
                                       model=self.model("slow.onnx", slow=64))  # fmt: skip
        head = self.head(topology, "--listen", self.listen())
        places = self.places(head)
        began = time.monotonic()
        faults = 0
        while (elapsed := time.monotonic() - began) < SECONDS:
            for feed in feeds.values():
                feed.feed(elapsed / SECONDS)
            if elapsed >= (faults + 1) * INTERVAL:
                self.disturb(places)
                faults += 1
            self.assertTrue(head.running(), head.errors())
            time.sleep(0.05)
        for feed in feeds.values():
            feed.feed()
            feed.finish()
        for name, counts in head.finish().items():
            self.assertEqual(counts, {"received": frames, "delivered": frames, "dropped": {}, "in_flight": 0}, name)
        self.check_calm(head, places, expected)

    def test_the_same_holds_where_the_head_is_killed_and_started_again_twice(self):
        frames = max(GROUP * 10, int(SECONDS * 6))
        clips = self.clips(frames)
        expected = self.run_alone(clips)
        topology = self.fleet_topology(clips, **TROUBLED, checkpoint="kept", model=self.model("slow.onnx", slow=1024))
        head = self.head(topology, "--listen", self.listen())
        address = head.address()
        places = self.places(head)
        kills = [len(clips) * frames * third // 3 for third in (1, 2)]
        began = time.monotonic()
        faults = 0
        while head.running():
            elapsed = time.monotonic() - began
            self.assertLess(elapsed, 10 * SECONDS + PATIENCE, head.errors())
            if elapsed >= (faults + 1) * INTERVAL:
                self.disturb(places)
                faults += 1
            delivered = sum(path.read_bytes().count(b"\n") for path in head.results.glob("*.jsonl"))
            if kills and delivered >= kills[0]:
                print(f"  kill the head after {delivered} results", flush=True)
                kills.pop(0)
                head.kill()
                head = self.head(topology, "--listen", address)
            time.sleep(0.05)
        self.assertEqual(kills, [], "the head was not killed twice")
        for name, counts in head.finish(files=False).items():  # of its last life
            self.assertEqual((counts["delivered"], counts["dropped"]), (counts["received"], {}), name)
        self.check_calm(head, places, expected)


if __name__ == "__main__":
    unittest.main()
