"""Runs the real program and holds every run to the same laws: see `check`."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

import barcode

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("PENSTOCK", str(ROOT / "build/release/penstock"))
SHARED = pathlib.Path(os.environ.get("PENSTOCK_SHARED", ROOT.parent / "shared")).resolve()
PATIENCE = 120  # seconds that a busy machine may take for what usually takes a few

H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "0"]


def penstock(*args, timeout=PATIENCE, env=None):
    """Runs a command that ends by itself."""
    env = {**os.environ, **env} if env else None
    return subprocess.run([PROGRAM, *map(str, args)], capture_output=True, text=True, timeout=timeout, env=env)


def until(condition, what, seconds=PATIENCE):
    """Polls until the condition holds, and returns what it returned."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)
    return result


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def complete_lines(path):
    """The results in a file that may still grow; what follows the last newline is left out."""
    data = path.read_bytes() if path.exists() else b""
    return [json.loads(line) for line in data[: data.rfind(b"\n") + 1].splitlines()]


class Program:
    """`penstock run` as a process."""

    def __init__(self, test, topology, args, **process):
        self.test = test
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=test.dir, prefix="run-"))
        self.folder.chmod(0o777)  # for programs of another user
        self.results = topology.parent / "results"
        self.ledger_file = self.folder / "ledger.json"
        self.began = time.monotonic()
        with open(self.folder / "out", "wb") as out, open(self.folder / "err", "wb") as err:
            self.process = subprocess.Popen(
                [PROGRAM, "run", str(topology), "--ledger", str(self.ledger_file), "--json", "-", "--quiet",
                 "--log-format", "json", *map(str, args)], stdout=out, stderr=err, **process)  # fmt: skip
        test.addCleanup(self.kill)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def errors(self):
        return (self.folder / "err").read_text()

    def log(self):
        """Log messages so far; what is no log line stands as a message too."""
        messages = []
        for line in self.errors().splitlines():
            try:
                messages.append(json.loads(line)["message"])
            except ValueError:
                messages.append(line)
        return messages

    def lines(self, stream):
        return complete_lines(self.results / f"{stream}.jsonl")

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def resident_mb(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        raise AssertionError("the program has ended")

    def metrics_port(self):
        def port():
            self.test.assertIsNone(self.process.poll(), self.errors())
            return [m.split()[-1] for m in self.log() if m.startswith("metrics on port ")]

        return int(until(port, "the metrics port in the log")[0])

    def get(self, path):
        """(status, body) of the metrics server."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port()}{path}", timeout=PATIENCE) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def metrics(self):
        """{(name, ((label, value), …)): number}."""
        series = {}
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith("#"):
                continue
            name, number = line.rsplit(" ", 1)
            name, _, labels = name.partition("{")
            pairs = [p.split("=", 1) for p in labels.rstrip("}").split(",") if p]
            series[name, tuple((k, v.strip('"')) for k, v in pairs)] = float(number)
        return series

    def counts(self, stream):
        """The stream's ledger as the metrics say."""
        series = self.metrics()
        of = lambda name: int(series.get((f"penstock_stream_{name}", (("stream", stream),)), 0))
        dropped = {}
        for (name, labels), number in series.items():
            labels = dict(labels)
            if name == "penstock_stream_dropped_frames_total" and labels["stream"] == stream and number > 0:
                dropped[labels["reason"]] = int(number)
        return {
            "received": of("received_frames_total"),
            "delivered": of("delivered_frames_total"),
            "dropped": dropped,
            "in_flight": of("in_flight_frames"),
        }

    def finish(self, code=0, seconds=PATIENCE, files=True):
        """Waits for the end, checks exit code and laws, and returns the ledger of the streams. `code` None: 1 where
        frames were dropped, otherwise 0."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            self.test.fail(f"did not end within {seconds} s; its log:\n{self.errors()}")
        self.seconds = time.monotonic() - self.began
        ledger = json.loads(self.ledger_file.read_text())["streams"] if self.ledger_file.exists() else {}
        if code is None:
            code = int(any(counts["dropped"] for counts in ledger.values()))
        self.test.assertEqual(self.process.returncode, code, f"{ledger}\n{self.errors()}")
        self.figures = json.loads((self.folder / "out").read_text())
        self.test.assertEqual(ledger, self.figures["streams"], "--ledger and --json disagree")
        for stream, counts in ledger.items():
            with self.test.subTest(stream=stream):
                self.check(stream, counts, files)
        return ledger

    def check(self, stream, counts, files=True):
        """The laws: the ledger balances, nothing is in flight; each delivered frame has one complete line, in order."""
        test = self.test
        test.assertEqual(counts["in_flight"], 0, counts)
        test.assertEqual(counts["received"], counts["delivered"] + sum(counts["dropped"].values()), counts)
        if not files or stream.startswith("("):  # an account of what no topology names has no file
            return
        path = self.results / f"{stream}.jsonl"
        data = path.read_bytes() if path.exists() else b""
        test.assertTrue(not data or data.endswith(b"\n"), f"the last line is not complete: {data[-100:]}")
        results = [json.loads(line) for line in data.splitlines()]
        test.assertEqual(len(results), counts["delivered"], counts)
        numbers = [r["seq"] for r in results]
        test.assertEqual(numbers, sorted(set(numbers)), "seq does not increase, or comes twice")
        for r in results:
            test.assertEqual(r["stream"], stream)
        if numbers:
            test.assertLess(numbers[-1], counts["received"])


class SystemTest(unittest.TestCase):
    """A test with a folder of its own, the model that reads bar codes, and ways to run the program."""

    maxDiff = 2000

    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="penstock-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def topology(self, streams, name="topology.yaml", model=None, **more):
        """Writes a topology. `streams`: {id: uri} or a list of maps; `more`: sections, which replace the default ones
        (those of `stages` one by one)."""
        if isinstance(streams, dict):
            streams = [{"id": i, "uri": str(uri)} for i, uri in streams.items()]
        inference = {"model": str(model or self.model())}
        stages = {"inference": inference, **barcode.STAGES, **more.pop("stages", {})}
        stages["inference"] = {**inference, **stages["inference"]}
        sinks = [{"kind": "jsonl", "path": "results/{stream}.jsonl"}]
        document = {"pipeline": "test", "streams": streams, "stages": stages, "sinks": sinks, **more}
        path = self.dir / name
        path.write_text(json.dumps(document, indent=1))
        return path

    def model(self, name="barcode.onnx", **options):
        path = self.dir / name
        return path if path.exists() else barcode.write_model(path, **options)

    def clip(self, name, frames, *encoding, **options):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return barcode.write_clip(path, frames, *(encoding or H264), **options)

    def start(self, topology, *args, **process):
        """Starts `penstock run`; `process`: further arguments of Popen."""
        return Program(self, topology, args, **process)

    def run_to_end(self, topology, *args, code=0, seconds=PATIENCE):
        program = self.start(topology, *args)
        program.ledger = program.finish(code, seconds)
        return program

    def fifo(self, stream):
        """Makes the stream's file of results a pipe, and opens it for reading."""
        path = self.dir / "results" / f"{stream}.jsonl"
        path.parent.mkdir(exist_ok=True)
        os.mkfifo(path)
        return Fifo(self, path)

    def assert_counts(self, program, stream, received, delivered, **dropped):
        expected = {"received": received, "delivered": delivered, "dropped": dropped, "in_flight": 0}
        self.assertEqual(program.ledger[stream], expected, program.errors())

    def assert_delivered(self, program, stream, frames):
        """Nothing was lost."""
        self.assert_counts(program, stream, frames, frames)

    def assert_identity(self, lines, number=0, first=0):
        """Each result belongs to the frame whose seq it has."""
        read = [(line["seq"], barcode.read_objects(line)) for line in lines]
        wrong = [(seq, code) for seq, code in read if code != (number, first + seq)]
        self.assertFalse(wrong, f"{len(wrong)} of {len(read)} results show another frame: (seq, (stream, frame)), …")


class Fifo:
    """The reading end of a pipe, which is read only when asked."""

    def __init__(self, test, path):
        self.data = b""
        self.file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.closed = False
        self.thread = None
        test.addCleanup(self.close)

    def read_to_end(self, process):
        """Reads in a thread until the program has ended."""

        def read():
            while True:
                ended = process.poll() is not None
                try:
                    chunk = os.read(self.file, 1 << 16)
                except BlockingIOError:
                    chunk = b""
                self.data += chunk
                if not chunk and (ended or self.closed):
                    return
                if not chunk:
                    time.sleep(0.01)

        self.thread = threading.Thread(target=read)
        self.thread.start()

    def lines(self):
        if self.thread:
            self.thread.join(PATIENCE)
        return [json.loads(line) for line in self.data.splitlines()]

    def close(self):
        if self.closed:
            return
        self.closed = True
        if self.thread:
            self.thread.join(PATIENCE)
        os.close(self.file)
