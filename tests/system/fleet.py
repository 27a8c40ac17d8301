"""A head and its workers as processes on this machine, and ways to disturb them."""

import os
import pathlib
import signal
import subprocess
import tempfile
import threading
import time

from harness import PATIENCE, PROGRAM, Program, SystemTest, until

NODES = {
    "head": {"stages": ["source", "collector"], "listen": "tcp://127.0.0.1:0"},
    "worker": {"stages": ["decode", "preprocess", "inference", "postprocess"], "dial": "tcp://127.0.0.1:9"},
}
ALONE = {"inference": {"batch": {"max": 1}}}  # batches of one picture: every machine computes the same bits


class Node(Program):
    """A process of a fleet. `command`: what follows the program's name; `where`: what precedes it, e.g. `ip netns exec
    NAME`."""

    def __init__(self, test, command, where=(), **process):
        self.test = test
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=test.dir, prefix=f"{command[0]}-"))
        self.ledger_file = self.folder / "ledger.json"
        self.began = time.monotonic()
        with open(self.folder / "out", "wb") as out, open(self.folder / "err", "wb") as err:
            self.process = subprocess.Popen([*where, PROGRAM, *map(str, command), "--log-format", "json"], stdout=out,
                                            stderr=err, **process)  # fmt: skip
        test.addCleanup(self.kill)

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
        super().kill()

    def send_signal(self, number):
        self.process.send_signal(number)

    def running(self):
        return self.process.poll() is None

    def says(self, what):
        """Log messages with these words, so far."""
        return [message for message in self.log() if what in message]

    def wait_for(self, what, count=1, seconds=PATIENCE):
        """Waits until the log has that many messages with these words; returns the last one."""

        def found():
            running = self.running()  # before: its last words may come between
            messages = self.says(what)
            if len(messages) < count and not running:
                raise AssertionError(f"ended without {what!r}; its log:\n{self.errors()}")
            return messages[-1] if len(messages) >= count else None

        return until(found, f"{what!r} in the log", seconds)

    def wait_for_exit(self, code, seconds=PATIENCE):
        self.process.wait(seconds)
        self.test.assertEqual(self.process.returncode, code, self.errors())

    def metric(self, name, **labels):
        return self.metrics().get((name, tuple(labels.items())), 0)


class Head(Node):
    def __init__(self, test, topology, *args, where=(), host="127.0.0.1", **process):
        self.results = topology.parent / "results"
        folder = pathlib.Path(tempfile.mkdtemp(dir=test.dir, prefix="ledger-"))
        self.host = host
        super().__init__(test, ["head", topology, "--ledger", folder / "ledger.json", "--json", "-", "--quiet",
                                "--metrics", f"{host}:0", *args], where, **process)  # fmt: skip
        self.ledger_file = folder / "ledger.json"

    def address(self):
        return self.wait_for("workers may dial").split()[-1]

    def leases(self):
        return int(self.metric("penstock_dispatch_leases_total"))

    def workers(self):
        return int(self.metric("penstock_dispatch_workers"))


class Worker(Node):
    def __init__(self, test, name, *args, where=(), **process):
        self.name = name
        super().__init__(test, ["worker", "--name", name, *args], where, **process)

    def wait_until_joined(self, times=1):
        self.wait_for("joined as worker", times)
        return self


class FleetTest(SystemTest):
    """A test with a head and workers; every node runs the same topology file."""

    def fleet_topology(self, streams, folder="fleet", stages=None, **more):
        (self.dir / folder).mkdir(exist_ok=True)
        stages = {**ALONE, **(stages or {})}
        return self.topology(streams, name=f"{folder}/topology.yaml", stages=stages, nodes=NODES, **more)

    def head(self, topology, *args, **process):
        return Head(self, topology, *args, **process)

    def worker(self, name, head, topology=None, *args, **process):
        """A worker that dials the head, a `Head` or an address; without a topology it asks for one."""
        address = head if isinstance(head, str) else head.address()
        file = [topology] if topology else []
        return Worker(self, name, *file, "--head", address, *args, **process)

    def workers(self, count, head, topology=None, first=0, **process):
        started = [self.worker(f"w{i}", head, topology, **process) for i in range(first, first + count)]
        return [worker.wait_until_joined() for worker in started]

    def run_alone(self, streams, **more):
        """The files of results of `penstock run` over the same streams: {stream: bytes}."""
        (self.dir / "alone").mkdir(exist_ok=True)
        stages = {**ALONE, **more.pop("stages", {})}
        topology = self.topology(streams, name="alone/topology.yaml", stages=stages, **more)
        program = self.run_to_end(topology)
        for stream, counts in program.ledger.items():
            self.assertEqual(counts["dropped"], {}, stream)
        return self.results_in(program.results)

    @staticmethod
    def results_in(folder):
        return {path.stem: path.read_bytes() for path in folder.glob("*.jsonl")}

    def assert_same_results(self, folder, expected):
        found = self.results_in(folder)
        self.assertEqual(sorted(found), sorted(expected))
        for stream, data in expected.items():
            if found[stream] != data:
                lines, wanted = found[stream].splitlines(), data.splitlines()
                at = next((i for i, (a, b) in enumerate(zip(lines, wanted)) if a != b), min(len(lines), len(wanted)))
                self.fail(f"{stream}: {len(lines)} lines instead of {len(wanted)}; they differ from line {at} on:\n"
                          f"{lines[at : at + 1]}\n{wanted[at : at + 1]}")  # fmt: skip


class Feed:
    """A clip that comes through a pipe, as far as the test says: the stream ends when the test wants it to. It must have
    been opened by then."""

    def __init__(self, test, path, data):
        self.data, self.fed = data, 0
        self.path = path
        os.mkfifo(path)
        self.end = threading.Event()
        self.more = threading.Condition()
        self.allowed = 0
        self.thread = threading.Thread(target=self.write, daemon=True)
        self.thread.start()
        test.addCleanup(self.finish)

    def write(self):
        pipe = os.open(self.path, os.O_RDWR)  # so that there is a reader, whoever else looks and goes again
        while True:
            with self.more:
                self.more.wait_for(lambda: self.allowed > self.fed or self.end.is_set())
                part = self.data[self.fed : self.allowed]
            if not part:
                return os.close(pipe)
            self.fed += os.write(pipe, part)

    def feed(self, share=1.0):
        """Lets it come up to this share of its bytes."""
        with self.more:
            self.allowed = max(self.allowed, int(len(self.data) * share))
            self.more.notify_all()

    def finish(self):
        self.end.set()
        with self.more:
            self.more.notify_all()
