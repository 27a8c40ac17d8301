"""Workers come and go with the load: a head, a real Prometheus server, `penstock scale` and its processes.

PENSTOCK_SCALE_SEQUENCES: random sequences of coming, leaving and dying (4); PENSTOCK_SCALE_SEED replays them."""

import collections
import http.server
import json
import math
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import threading
import time
import unittest
import urllib.parse
import urllib.request

import barcode
import timed
from door import Client, DoorTest, door_of
from fleet import FleetTest, Head, Node
from harness import H264, PATIENCE, ROOT, complete_lines, free_port, penstock, until
from test_frames import X264

SEQUENCES = int(os.environ.get("PENSTOCK_SCALE_SEQUENCES", 4))
SEED = int(os.environ.get("PENSTOCK_SCALE_SEED", random.randrange(1 << 32)))
LIVE = "synthetic://?width=256&height=192&frames=0&gop=25&bframes=0&live=1&fps="
BRISK = LIVE.replace("gop=25", "gop=5")  # it may move after each second
# A minute stands for what are minutes to hours elsewhere.
RATE = {
    "target_utilisation": 0.6, "drain_time": "5s", "boot_time": "5s", "level_window": "5s", "trend_window": "30s",
    "late_limit": 0.99, "stable_for": "5s", "step_every": "2s", "memory": "40s", "outage_grace": "0s",
}  # fmt: skip


class Server:
    """A real Prometheus server with the configuration and the alerts of deploy/, where seconds stand for minutes."""

    def __init__(self, test, head_url, port, scale_port):
        self.test = test
        self.folder = shutil.copytree(ROOT / "deploy/prometheus", test.dir / "prometheus")
        text = (self.folder / "prometheus.yml").read_text()
        text = text.replace("head:8080", urllib.parse.urlsplit(head_url).netloc)
        text = text.replace("head:9465", f"127.0.0.1:{scale_port}").replace("scrape_timeout: 10s", "scrape_timeout: 1s")
        text = re.sub(r"(scrape_interval|evaluation_interval|refresh_interval): 15s", r"\1: 1s", text)
        text = re.sub(r" +authorization:\n( +)type.*\n\1credentials_file.*\n", "", text)  # this door wants no token
        (self.folder / "prometheus.yml").write_text(text)
        alerts = self.folder / "alerts.yml"
        text = re.sub(r"for: \d+m", "for: 1s", alerts.read_text())
        alerts.write_text(text.replace("[10m]", "[10s]").replace("offset 1h", "offset 30s"))
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}"], stdout=log, stderr=log, cwd=self.folder)  # fmt: skip
        self.test.addCleanup(self.process.wait)
        self.test.addCleanup(self.process.kill)
        until(self.answers, "Prometheus to answer")

    def answers(self):
        self.test.assertIsNone(self.process.poll(), (self.folder / "log").read_text()[-2000:])
        try:
            return self.ask("query?query=penstock_pool_workers")["result"]
        except OSError:
            return None

    def ask(self, path):
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}", timeout=PATIENCE) as reply:
            return json.load(reply)["data"]

    def scrapes(self, job):
        targets = self.ask("targets")["activeTargets"]
        return any(t["labels"]["job"] == job and t["health"] == "up" for t in targets)

    def alerts(self):
        """Names of those that fire."""
        return {a["labels"]["alertname"] for a in self.ask("alerts")["alerts"] if a["state"] == "firing"}

    def kill(self):
        self.process.kill()
        self.process.wait()


class Scale(Node):
    """`penstock scale`, its decisions and its workers."""

    def __init__(self, test, topology, *args, port=0):
        self.events = pathlib.Path(f"{topology.parent}/decisions-{len(list(topology.parent.glob('decisions-*')))}")
        self.workers_folder = folder_of_workers(topology)
        super().__init__(test, ["scale", topology, "--metrics", f"127.0.0.1:{port}", "--json", self.events, *args])
        test.addCleanup(kill_workers_in, self.workers_folder)
        test.addCleanup(self.kill)

    def decisions(self):
        return complete_lines(self.events)

    def processes(self):
        """{name: process id} of the workers that the fleet has."""
        return processes_in(self.workers_folder)

    def alive(self):
        return alive_in(self.workers_folder)

    def of_role(self, name, **labels):
        return self.metrics()[f"penstock_{name}", tuple(sorted({"role": "worker", **labels}.items()))]


def command_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def folder_of_workers(topology):
    folder = json.loads(topology.read_text())["scaling"].get("process", {}).get("folder", "workers")
    return topology.parent / folder


def processes_in(folder):
    """{name: process id} of the workers that a fleet of processes keeps there."""
    found = {}
    for file in folder.glob("*.worker"):
        try:
            found[file.stem] = json.loads(file.read_text())["pid"]
        except (OSError, ValueError, KeyError):
            continue  # it is just being written, or has gone
    return found


def alive_in(folder):
    return {name: pid for name, pid in processes_in(folder).items() if f"\0{name}\0" in command_of(pid)}


def kill_workers_in(folder):
    for pid in alive_in(folder).values():
        os.kill(pid, signal.SIGKILL)


class Withheld:
    """How long the machine let this process wait for a processor: what takes that long is not the program's doing."""

    TICK = 0.02

    def __enter__(self):
        self.seconds = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        before = time.monotonic()
        while not self.over.wait(self.TICK):
            now = time.monotonic()
            self.seconds += max(0, now - before - 2 * self.TICK)
            before = now

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


class Load:
    """Pictures at a rate that the test sets; each must come back, and show itself."""

    def __init__(self, test, url, pictures, clients=6):
        self.test, self.url, self.pictures = test, url, pictures
        self.per_s = 0
        self.over = threading.Event()
        self.statuses = collections.Counter()
        self.wrong = []
        self.lock = threading.Lock()
        self.number = 0
        self.threads = [threading.Thread(target=self.run, args=(i, clients)) for i in range(clients)]
        for thread in self.threads:
            thread.start()
        test.addCleanup(self.end)

    def run(self, index, clients):
        client = Client(self.test, self.url)
        due = time.monotonic() + index / clients
        while not self.over.is_set():
            if self.per_s == 0 or time.monotonic() < due:
                self.over.wait(0.02)
                due = max(due, time.monotonic() - 1)
                continue
            due += clients / self.per_s
            with self.lock:
                number = self.number % len(self.pictures)
                self.number += 1
            reply = client.detect(self.pictures[number], **{"Penstock-Deadline-Ms": "20000"})
            with self.lock:
                self.statuses[reply.status] += 1
                if reply.status == 200 and barcode.read_objects(reply.json()) != (7, number):
                    self.wrong.append((number, reply.body))

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE)


@unittest.skipUnless(timed.COMPILER, "no C compiler")
class ScaleTest(DoorTest):
    def setUp(self):
        super().setUp()
        timed.install_engine(self)

    def fleet_topology(self, source, **scaling):
        (self.dir / "fleet").mkdir(exist_ok=True)
        link = f"tcp://127.0.0.1:{free_port()}"
        nodes = {
            "head": {"stages": ["source", "collector"], "listen": link, "http": f"127.0.0.1:{free_port()}"},
            "worker": {"stages": ["decode", "preprocess", "inference", "postprocess"], "dial": link,
                       "scale": {"min": 1, "max": 4}},
        }  # fmt: skip
        process = {"command": timed.worker_command(self.dir / "fleet/topology.yaml")}
        scaling = {"fleet": "process", "source": source, "interval": "1s", "window": "5s", "stale_after": "10s",
                   "rate": RATE, "process": process, **scaling}  # fmt: skip
        stages = {"inference": {"engine": "timed", "batch": {"max": 1}}}
        return self.topology([{"id": "base", "uri": LIVE + "5"}], name="fleet/topology.yaml", nodes=nodes,
                             model=timed.model(self, 40), stages=stages, scaling=scaling,
                             http={"admission": {"max_wait": "20s"}})  # fmt: skip

    def ready(self):
        return int(self.head.metrics().get(("penstock_pool_workers", (("role", "worker"), ("state", "ready"))), 0))

    def assert_explained(self, decisions):
        """The line of each decision says what the event says, and where the number comes from."""
        reckoned = [self.assert_follows(made) for made in decisions]
        self.assertTrue(any(reckoned), "no decision says what it was reckoned from")
        for made in decisions:
            self.assertEqual(made["role"], "worker")
            if made["action"] == "frozen":
                self.assertTrue(made["why"].startswith(f"frozen at {made['have']}"), made)
                continue
            text = re.match(r"want (\d+), have (\d+): ", made["why"])
            self.assertTrue(text, made)
            self.assertEqual((int(text[1]), int(text[2])), (made["want"], made["have"]), made)
            seen = made["signals"]["workers"]
            self.assertEqual(made["have"], seen["joining"] + seen["warming"] + seen["ready"], made)
            if made["action"] == "out":
                self.assertEqual(made["target"] is not None, True, made)
            if made["action"] == "in":
                self.assertTrue(made["drain"], made)

    def assert_follows(self, made):
        """Where a decision says all that it was reckoned from, it follows from that; whether it does."""
        text = re.fullmatch(r"want \d+, have \d+: arrivals (\S+)/s, a busy worker does (\S+)/s at (\d+) %; "
                            r"\+0 for boot(; at (most|least) \d)?", made["why"])  # fmt: skip
        if text is None or made["want"] < made["have"]:  # those that leave do so step by step
            return False
        arrivals, service, share = (float(text[i]) for i in (1, 2, 3))
        rounding = 1.01  # of the two rates, which have three digits
        least = arrivals / (service * (share + 0.5) / 100) / rounding
        most = arrivals / (service * (share - 0.5) / 100) * rounding
        bounded = lambda workers: min(max(math.ceil(workers), 1), 4)
        self.assertTrue(bounded(least) <= made["want"] <= bounded(most), made)
        return True

    def assert_counted(self, scale):
        """The metrics count what the events say, which follow a moment later; to be asked while it runs."""

        def agree():
            before = scale.decisions()
            series = {a: scale.of_role("scaling_decisions_total", action=a) for a in ("out", "in", "hold", "frozen")}
            frozen, wanted = scale.of_role("scaling_frozen"), scale.of_role("pool_wanted_workers")
            changes = scale.of_role("scaling_direction_changes_total")
            after = scale.decisions()
            if len(before) != len(after):
                return False  # one came in between
            counted = collections.Counter(d["action"] for d in after)
            last = next(d["want"] for d in reversed(after) if d["action"] != "frozen")
            moves = [d["action"] for d in after if d["action"] in ("out", "in")]
            turns = sum(a != b for a, b in zip(moves, moves[1:]))
            said = dict(counted), after[-1]["action"] == "frozen", last, turns
            return ({a: n for a, n in series.items() if n}, frozen, wanted, changes) == said

        until(agree, "the metrics to count what the events say, between two decisions")


class Stepping(ScaleTest):
    """The whole way: load, metrics, Prometheus, decisions, processes."""

    def test_workers_follow_the_load_and_nothing_is_lost_whatever_is_killed(self):
        server_port, scale_port = free_port(), free_port()
        topology = self.fleet_topology("prometheus", prometheus={"url": f"http://127.0.0.1:{server_port}"})
        self.head = Head(self, topology)
        url = door_of(self.head)
        server = Server(self, url, server_port, scale_port)
        server.start()

        scale = Scale(self, topology, port=scale_port)
        until(lambda: self.ready() == 1, "the first worker, which is the least there is")
        pictures = self.pictures(200, stream=7)
        load = Load(self, url, pictures)
        until(lambda: any("a busy worker does" in d["why"] for d in scale.decisions()), "the service rate")

        load.per_s = 30
        until(lambda: self.ready() >= 3, "workers to come")
        self.assert_counted(scale)
        until(lambda: len(scale.alive()) == len(scale.processes()), "all of its processes to be workers")

        # Without Prometheus nothing is known, so nothing is changed.
        server.kill()
        until(lambda: scale.of_role("scaling_frozen") == 1, "the freeze")
        before = scale.alive()
        load.per_s = 0  # what would make it shrink
        frozen = len(scale.decisions())
        until(lambda: len(scale.decisions()) > frozen + 8, "decisions without signals")
        self.assertEqual({d["action"] for d in scale.decisions()[frozen:]}, {"frozen"})
        self.assertEqual(scale.alive(), before)
        self.assertGreaterEqual(scale.of_role("pool_wanted_workers"), 3)
        self.assertGreater(scale.of_role("scaling_errors_total", part="source"), 0)
        load.per_s = 30
        server.start()
        until(lambda: scale.of_role("scaling_frozen") == 0, "the thaw")

        # Without the controller the fleet stays as it is, and the next one adopts it.
        until(lambda: all(w["state"] == "working" for w in self.states()), "nobody to be on the way")
        # Only what a server has scraped does it see go; what it remembers from before its own end looks alive.
        until(lambda: server.scrapes("penstock-scale"), "the controller to be scraped again")
        scale.kill()
        before = scale.alive()
        asked = load.number
        until(lambda: load.number > asked + 60, "pictures to be served meanwhile")
        self.assertEqual({n: p for n, p in before.items() if command_of(p)}, before)
        until(lambda: "PenstockScalingSilent" in server.alerts(), "the alert that nothing decides")
        again = Scale(self, topology, port=scale_port)
        until(lambda: len(again.decisions()) > 3, "decisions of the next one")
        self.assertEqual({n: p for n, p in again.alive().items() if n in before}, before)
        self.assertEqual(again.decisions()[0]["have"], len(before))

        load.per_s = 0.5
        until(lambda: self.ready() == 1 and len(again.alive()) == 1, "workers to leave", 3 * PATIENCE)
        self.assert_counted(again)
        load.end()
        again.terminate()
        again.wait_for_exit(0)
        for controller in (scale, again):
            self.assert_explained(controller.decisions())
        self.assertEqual(len(again.alive()), 1)  # it stays, for the next one

        self.assertEqual(set(load.statuses), {200}, load.statuses)
        self.assertEqual(load.wrong, [])
        whole = lambda a: a["received"] >= load.number and a["in_flight"] == 0
        served = until(lambda: whole(a := self.account("(requests)")) and a, "the account of all that was sent")
        self.assertEqual((served["received"], served["delivered"], served["in_flight"]), (load.number, load.number, 0))
        self.assertEqual([m for m in self.head.says("is gone") if not m.endswith(": drained")], [])
        self.head.terminate()
        self.head.finish()

    def states(self):
        return Client(self, door_of(self.head)).get("/v1/state").json()["workers"]

    def account(self, name):
        others = Client(self, door_of(self.head)).get("/v1/state").json()["others"]
        return next(each for each in others if each["id"] == name)


class Commands(ScaleTest):
    def test_a_dry_run_says_what_it_would_do_and_does_nothing(self):
        topology = self.fleet_topology("head")
        self.head = Head(self, topology)
        door_of(self.head)
        done = penstock("scale", topology, "--once", "--dry-run", "--json", "-")
        self.assertEqual(done.returncode, 0, done.stderr)
        decision = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual((decision["action"], decision["want"], decision["have"]), ("out", 1, 0))
        self.assertIn("want 1, have 0", done.stderr)
        self.assertFalse((topology.parent / "workers").exists())

    def test_without_a_head_nothing_can_be_decided(self):
        topology = self.fleet_topology("head")
        done = penstock("scale", topology, "--once", "--dry-run")
        self.assertEqual(done.returncode, 1)
        self.assertIn("frozen at 0: no signals: head: ", done.stderr)

    def test_a_topology_that_says_nothing_of_scaling_is_refused(self):
        topology = self.topology({"clip": "synthetic://?frames=1"})
        done = penstock("scale", topology, "--once")
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stderr, r"topology.yaml:1:1: scaling: is missing")

    def test_what_is_wrong_is_named_with_its_place(self):
        topology = self.fleet_topology("head", fleet="vmss")
        done = penstock("scale", topology, "--once")
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stderr, r"topology.yaml:\d+:\d+: scaling.vmss.resource_id: is missing")

    def test_two_controllers_do_not_share_workers(self):
        topology = self.fleet_topology("head")
        self.head = Head(self, topology)
        door_of(self.head)
        scale = Scale(self, topology)
        until(lambda: scale.decisions(), "a decision")
        done = penstock("scale", topology, "--once")
        self.assertEqual(done.returncode, 1)
        self.assertIn("another process has these workers", done.stderr)

    def test_a_head_scales_by_itself_where_it_is_told_to(self):
        topology = self.fleet_topology("head", enabled=True)
        self.addCleanup(kill_workers_in, folder_of_workers(topology))
        self.head = Head(self, topology)
        until(lambda: self.ready() == 1, "the first worker")
        until(lambda: self.head.says("scaling worker: want 1, have "), "a decision in the log")
        self.assertEqual(self.head.metric("penstock_scaling_frozen", role="worker"), 0)
        until(lambda: len(self.head.lines("base")) > 10, "results")
        self.head.terminate()
        self.head.finish()

    def test_of_two_controllers_with_a_store_one_decides_and_the_other_takes_over(self):
        jobs = {"queue": {"kind": "sqlite", "path": "jobs.db"}, "blobs": {"kind": "local", "path": "blobs"}}
        topology = self.fleet_topology("head", lease="4s")
        document = {**json.loads(topology.read_text()), "jobs": jobs}
        topology.write_text(json.dumps(document))
        other = topology.parent / "other.yaml"
        document["scaling"]["process"] |= {"folder": "other-workers", "prefix": "other-"}
        other.write_text(json.dumps(document))
        self.head = Head(self, topology)
        door_of(self.head)
        first = Scale(self, topology)
        until(lambda: self.ready() == 1, "the first one's worker")
        second = Scale(self, other)
        second.wait_for("decides; standing by")
        self.assertEqual(second.decisions(), [])
        first.kill()
        until(lambda: second.decisions(), "the second one's decisions")
        second.terminate()
        second.wait_for_exit(0)


@unittest.skipUnless(timed.COMPILER, "no C compiler")
class Sequences(FleetTest):
    """Workers come, leave, are drained and die at random; files are as in a calm run, and live streams shed by rule."""

    FRAMES, FILES, CAMERAS, ACTIONS = 200, 6, 4, 8
    NAMED = {"shed", "shutdown"}  # what a live stream may drop for, here
    TIMED = {"engine": "timed", "batch": {"max": 1}}

    def setUp(self):
        super().setUp()
        timed.install_engine(self)
        print(f"PENSTOCK_SCALE_SEED={SEED}", flush=True)

    def test_random_sequences_change_no_result(self):
        clips = {f"c{i}": self.clip(f"c{i}.mp4", self.FRAMES, *X264, "-bf", "2", stream=i) for i in range(self.FILES)}
        expected = self.run_alone(clips, model=timed.model(self, 0), stages={"inference": self.TIMED})
        for sequence in range(SEQUENCES):
            with self.subTest(sequence=sequence):
                self.run_sequence(random.Random(SEED + sequence), clips, expected, f"s{sequence}")

    def run_sequence(self, draws, clips, expected, folder):
        cameras = [{"id": f"live{i}", "uri": BRISK + "5", "policy": "live"} for i in range(self.CAMERAS)]
        files = [{"id": name, "uri": str(path)} for name, path in clips.items()]
        nodes = {
            "head": {"stages": ["source", "collector"], "listen": "tcp://127.0.0.1:0", "http": "127.0.0.1:0"},
            "worker": {"stages": ["decode", "preprocess", "inference", "postprocess"], "dial": "tcp://127.0.0.1:9"},
        }
        (self.dir / folder).mkdir()
        topology = self.topology(files + cameras, name=f"{folder}/topology.yaml", nodes=nodes,
                                 model=timed.model(self, 12), stages={"inference": self.TIMED},
                                 dispatch={"lease_timeout": "1s"}, shutdown={"grace": "20s"})  # fmt: skip
        head = self.head(topology)
        door = Client(self, door_of(head))
        fleet, made = {}, 0

        def come():
            nonlocal made
            name = f"{folder}-w{made}"
            made += 1
            fleet[name] = self.worker(name, head)

        def leave(how):
            name = draws.choice(sorted(fleet))
            worker = fleet.pop(name).wait_until_joined()
            if how == "in":
                until(lambda: door.ask("POST", f"/v1/workers/{name}/drain").status == 202, "the head to know it")
            elif how == "drain":
                self.assertEqual(penstock("drain", "--head", head.address(), name).returncode, 0)
            else:
                worker.terminate()
            worker.wait_for_exit(0)

        def die():
            fleet.pop(draws.choice(sorted(fleet))).kill()

        come(), come()
        done = []
        for _ in range(self.ACTIONS):
            action = draws.choice(["out", "in", "drain", "term", "kill"])
            done.append(action)
            if action == "out" and len(fleet) < 4:
                come()
            elif action == "kill":
                die()
            elif action != "out":
                leave(action)
            if not fleet:
                come()
            time.sleep(draws.uniform(0, 0.8))  # what happens between is drawn, too
        delivered = sum(head.counts(name)["delivered"] for name in clips)
        print(f"  {folder}: {' '.join(done)}; {delivered} of {self.FRAMES * len(clips)} frames by then", flush=True)
        finite = lambda: all(head.counts(name)["delivered"] == self.FRAMES for name in clips)
        until(finite, f"all files after {done}")
        head.terminate()
        ledger = head.finish()
        whole = {"received": self.FRAMES, "delivered": self.FRAMES, "dropped": {}, "in_flight": 0}
        for name in clips:
            self.assertEqual(ledger[name], whole, name)
        found = self.results_in(head.results)
        for name, data in expected.items():
            self.assertEqual(found[name] == data, True, f"{name} differs after {done}")
        for camera in cameras:
            counts = ledger[camera["id"]]
            self.assertGreater(counts["delivered"], 0, counts)
            self.assertLessEqual(set(counts["dropped"]), self.NAMED, counts)
        for worker in fleet.values():
            worker.kill()


class Draining(FleetTest):
    GOP, SLOW = 25, 512

    def serve(self, streams, **more):
        nodes = {
            "head": {"stages": ["source", "collector"], "listen": "tcp://127.0.0.1:0", "http": "127.0.0.1:0"},
            "worker": {"stages": ["decode", "preprocess", "inference", "postprocess"], "dial": "tcp://127.0.0.1:9"},
        }
        (self.dir / "fleet").mkdir(exist_ok=True)
        head = self.head(self.topology(streams, name="fleet/topology.yaml", nodes=nodes, **more))
        return head, Client(self, door_of(head))

    def drain(self, door, worker):
        """Seconds until it has ended, without those in which the machine let nobody run."""
        with Withheld() as withheld:
            began = time.monotonic()
            self.assertEqual(door.ask("POST", f"/v1/workers/{worker.name}/drain").status, 202)
            worker.wait_for_exit(0)
            took = time.monotonic() - began
        return took - withheld.seconds

    def leases(self, door, name):
        """Of the worker; None where the head does not know it."""
        known = {w["name"]: w["leases"] for w in door.get("/v1/state").json()["workers"]}
        return known.get(name)

    def test_an_idle_worker_leaves_within_a_second(self):
        head, door = self.serve([{"id": "live", "uri": LIVE + "1"}])
        self.worker("holder", head)
        until(lambda: self.leases(door, "holder"), "the stream to be where it stays")
        took = []
        for i in range(5):
            worker = self.worker(f"w{i}", head).wait_until_joined()
            until(lambda: self.leases(door, worker.name) is not None, "the head to know it")
            self.assertEqual(self.leases(door, worker.name), 0)
            took.append(self.drain(door, worker))
        print(f"  idle workers left after {', '.join(f'{t:.3f}' for t in took)} s", flush=True)
        self.assertLess(max(took), 1)
        head.terminate()
        head.finish()

    def test_a_busy_worker_leaves_within_its_longest_segment_and_a_second(self):
        clip = self.clip("long.mp4", 40 * self.GOP, *H264)
        stages = {"inference": {"batch": {"max": 1}, "instances": 1}, "decode": {"concurrency": 1}}
        head, door = self.serve({"clip": clip}, model=self.model("slow.onnx", slow=self.SLOW), stages=stages,
                                shutdown={"grace": "0s"})  # fmt: skip
        first = self.worker("first", head).wait_until_joined()
        second = self.worker("second", head).wait_until_joined()
        until(lambda: len(head.lines("clip")) > 3 * self.GOP, "some segments")
        # How long a segment takes one of them by itself, while both work. Those that it holds at the same time share
        # its model, so each takes as many times as long from its lease to its end.
        count, began = len(head.lines("clip")), time.monotonic()
        until(lambda: len(head.lines("clip")) >= count + 4 * self.GOP, "four more")
        segment = (time.monotonic() - began) / (len(head.lines("clip")) - count) * self.GOP * 2
        held = next(w["leases"] for w in door.get("/v1/state").json()["workers"] if w["name"] == "first")
        took = self.drain(door, first)
        print(f"  a worker with {held} segments of {segment:.2f} s left after {took:.2f} s", flush=True)
        self.assertLess(took, max(1, held) * segment + 1)
        self.assertTrue(second.running())
        head.terminate()
        head.finish()


@unittest.skipUnless(timed.COMPILER, "no C compiler")
class ScheduledEvents(FleetTest):
    """Azure's metadata service as documented, as far as a worker asks it."""

    TIMED = {"engine": "timed", "batch": {"max": 1}}

    class Metadata:
        def __init__(self, test):
            self.events, self.approved = [], []
            outer = self

            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    if self.headers.get("Metadata") != "true":
                        return self.answer(400, b"")
                    if self.path.startswith("/metadata/instance/compute/name"):
                        return self.answer(200, b"vm-3")
                    document = {"DocumentIncarnation": len(outer.events), "Events": outer.events}
                    self.answer(200, json.dumps(document).encode())

                def do_POST(self):
                    body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                    outer.approved += [e["EventId"] for e in body["StartRequests"]]
                    self.answer(200, b"")

                def answer(self, status, body):
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

                def log_message(self, *_):
                    pass

            self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            threading.Thread(target=self.server.serve_forever, daemon=True).start()
            test.addCleanup(self.server.server_close)
            test.addCleanup(self.server.shutdown)
            self.url = f"http://127.0.0.1:{self.server.server_port}"

        def announce(self, kind, seconds):
            at = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + seconds))
            self.events = [{"EventId": f"E-{kind}", "EventType": kind, "ResourceType": "VirtualMachine",
                            "Resources": ["vm-3"], "EventStatus": "Scheduled", "NotBefore": at, "Description": "",
                            "EventSource": "Platform", "DurationInSeconds": -1}]  # fmt: skip

    def watched(self, gop):
        """A worker at work on a clip, with its metadata service, its head, and the results that the clip has."""
        metadata = self.Metadata(self)
        clip = self.clip("long.mp4", 20 * 25, *H264, "-g", str(gop))
        timed.install_engine(self)
        expected = self.run_alone({"clip": clip}, model=timed.model(self, 0), stages={"inference": self.TIMED})
        # Longer than workers take to hear of an event, whatever the machine.
        topology = self.fleet_topology({"clip": clip}, model=timed.model(self, 40), stages={"inference": self.TIMED})
        head = self.head(topology)
        hit = self.worker("hit", head, None, "--scheduled-events", "--metadata", metadata.url).wait_until_joined()
        until(lambda: len(head.lines("clip")) > 10, "the first results")
        return metadata, head, hit, expected

    def run_event(self, kind, seconds):
        metadata, head, hit, expected = self.watched(gop=25)
        metadata.announce(kind, seconds)
        hit.wait_for("this machine is to be taken away")
        head.wait_for("is gone" if kind == "Preempt" else "drained")
        self.worker("other", head).wait_until_joined()
        until(lambda: metadata.approved, "the approval")
        self.assertEqual(metadata.approved, [f"E-{kind}"])
        self.assertTrue(hit.running(), "it must not join again while the event is there")
        head.finish()
        self.assert_same_results(head.results, expected)
        metadata.events = []  # it is called off
        hit.wait_for_exit(1)  # to be started again

    def test_a_machine_that_is_to_be_redeployed_finishes_and_approves(self):
        self.run_event("Redeploy", 600)

    def test_a_spot_machine_hands_back_at_once(self):
        self.run_event("Preempt", 30)

    def test_a_worker_is_to_be_started_again_whose_event_is_called_off_before_it_has_left(self):
        metadata, head, hit, expected = self.watched(gop=100)  # it takes seconds to finish what it has
        metadata.announce("Redeploy", 600)
        hit.wait_for("this machine is to be taken away")
        metadata.events = []
        hit.wait_for_exit(1)
        self.assertEqual(metadata.approved, [])
        self.worker("other", head).wait_until_joined()
        head.finish()
        self.assert_same_results(head.results, expected)

    def test_a_machine_that_goes_sooner_than_was_said_hands_back_at_once(self):
        metadata, head, hit, expected = self.watched(gop=100)
        metadata.announce("Redeploy", 600)
        hit.wait_for("this machine is to be taken away")
        metadata.announce("Preempt", 30)
        hit.wait_for("(Preempt, event E-Preempt): leaving, with 0 s to finish")
        head.wait_for("its time to finish was over")
        until(lambda: metadata.approved, "the approval")
        self.worker("other", head).wait_until_joined()
        head.finish()
        self.assert_same_results(head.results, expected)


if __name__ == "__main__":
    unittest.main()
