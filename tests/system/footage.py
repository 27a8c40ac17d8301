"""Real footage, models for it, and the objects that an engine finds there."""

import os
import pathlib
import subprocess
import tempfile

from harness import PROGRAM, ROOT, SHARED, SystemTest
from test_agreement import found

DEMO_CLIP = pathlib.Path(os.environ.get("PENSTOCK_DEMO_CLIP", "/usr/share/doc/opencv-doc/examples/data/vtest.avi"))
DEMO_MODEL = ROOT / "configs/models/demo-person.onnx"
TORCH_PYTHON = os.environ.get("PENSTOCK_TORCH_PYTHON", "/usr/bin/python3")  # one that has torch
CONVERTER = pathlib.Path(__file__).with_name("onnx_to_torchscript.py")
FOLDERS = [*os.environ.get("PENSTOCK_ENGINE_PATH", "").split(":"), pathlib.Path(PROGRAM).parent]
NO_DEMO = f"{DEMO_CLIP} is not here (package opencv-doc)"
NO_MEDIA = f"{SHARED} has no media; set PENSTOCK_SHARED"

DEMO = {
    "preprocess": {"fit": "letterbox", "color": "rgb", "scale": "1/255", "size": [384, 288]},
    "postprocess": {"head": "yolov8", "labels": str(ROOT / "configs/models/demo-person.txt"), "score": 0.5, "iou": 0.45},
}
FASTESTDET = {
    "preprocess": {"fit": "stretch", "color": "bgr", "scale": "1/255", "size": [352, 352]},
    "postprocess": {"head": "fastestdet", "score": 0.5, "iou": 0.45},
}
FACES = {
    "preprocess": {"fit": "stretch", "color": "rgb", "mean": 127, "scale": "1/128", "size": [320, 240]},
    "postprocess": {"head": "ssd", "score": 0.7, "iou": 0.3},
}


def built(engine):
    """Whether the build made the module: then it must work here, and agree."""
    return any((pathlib.Path(folder) / f"libpenstock-engine-{engine}.so").exists() for folder in FOLDERS if str(folder))


class FootageTest(SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.converted = tempfile.TemporaryDirectory(prefix="penstock-models-")
        cls.addClassCleanup(cls.converted.cleanup)

    def torch_script(self, model):
        target = pathlib.Path(self.converted.name) / f"{model.stem}.pt"
        if not target.exists():
            done = subprocess.run([TORCH_PYTHON, CONVERTER, model, target], capture_output=True, text=True)
            if "ModuleNotFoundError" in done.stderr:
                self.skipTest(f"TorchScript cannot be written here: {done.stderr.splitlines()[-1]}")
            self.assertEqual(done.returncode, 0, done.stderr)
        return target

    def objects(self, engine, model, streams, stages, device="cpu"):
        """{stream: [objects of each frame]}."""
        if engine == "torch":
            model = self.torch_script(model)
        inference = {"engine": engine, "device": device}
        topology = self.topology(streams, model=model, stages={**stages, "inference": inference})
        program = self.run_to_end(topology)
        for counts in program.ledger.values():
            self.assertLessEqual(set(counts["dropped"]), {"sampled"})
        return {stream: [line["objects"] for line in program.lines(stream)] for stream in program.ledger}

    def assert_alike(self, ours, theirs, stages, least, what):
        """Of the objects of each stream at least that share is in both."""
        self.assertEqual(set(ours), set(theirs))
        for stream in theirs:
            self.assertEqual(len(ours[stream]), len(theirs[stream]))
            for a, b in ((ours[stream], theirs[stream]), (theirs[stream], ours[stream])):
                number, total = found(a, b, stages["postprocess"]["score"])
                print(f"{stream}, {what}: {number} of {total}")
                self.assertGreater(total, 0)
                self.assertGreaterEqual(number / total, least)
