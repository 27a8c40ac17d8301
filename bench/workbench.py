"""What the harness of the system tests needs of a test, for benchmarks that use it."""
import json
import os
import pathlib
import shutil
import sys
import tempfile

from fleet import NODES
from programs import MODEL


class Bench:
    """A folder, and somebody who cleans up."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="penstock-bench-"))
        self.cleanups = []

    def addCleanup(self, what, *args):
        self.cleanups.append((what, args))

    def clean_up(self):
        while self.cleanups:
            what, args = self.cleanups.pop()
            what(*args)
        shutil.rmtree(self.dir)

    def assertIsNone(self, value, message):
        if value is not None:
            sys.exit(message)

    def assertEqual(self, a, b, message):
        if a != b:
            sys.exit(f"{a} is not {b}: {message}")

    def topology(self, streams, **more):
        document = {
            "pipeline": "bench",
            "streams": streams,
            "stages": {
                "preprocess": {"fit": "stretch", "color": "bgr", "scale": "1/255"},
                "inference": {"model": str(MODEL.resolve()), "engine": "onnxruntime"},
                "postprocess": {"head": "fastestdet", "score": 0.5, "iou": 0.45},
            },
            "sinks": [{"kind": "jsonl", "path": "results/{stream}.jsonl"}],
            "nodes": NODES,
            **more,
        }
        path = self.dir / "bench.yaml"
        path.write_text(json.dumps(document))
        return path


def measure(case, *args):
    """Runs a case with a bench of its own."""
    bench = Bench()
    try:
        return case(bench, *args)
    finally:
        bench.clean_up()


def two_cores():
    return [str(core) for core in sorted(os.sched_getaffinity(0))[:2]]
