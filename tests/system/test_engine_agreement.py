"""The engines of this build agree on real footage, each with the same model in its own format."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from harness import PROGRAM, ROOT, SHARED, SystemTest, penstock
from test_agreement import found

DEMO_CLIP = pathlib.Path(os.environ.get("PENSTOCK_DEMO_CLIP", "/usr/share/doc/opencv-doc/examples/data/vtest.avi"))
CONVERTER = pathlib.Path(__file__).with_name("onnx_to_torchscript.py")
FOLDERS = [*os.environ.get("PENSTOCK_ENGINE_PATH", "").split(":"), pathlib.Path(PROGRAM).parent]
MEDIA = f"{SHARED} has no media; set PENSTOCK_SHARED"

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


class Engines(SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.converted = tempfile.TemporaryDirectory(prefix="penstock-models-")
        cls.addClassCleanup(cls.converted.cleanup)

    def torch_script(self, model):
        target = pathlib.Path(self.converted.name) / f"{model.stem}.pt"
        if not target.exists():
            done = subprocess.run(["/usr/bin/python3", CONVERTER, model, target], capture_output=True, text=True)
            if "ModuleNotFoundError" in done.stderr:
                self.skipTest(f"TorchScript cannot be written here: {done.stderr.splitlines()[-1]}")
            self.assertEqual(done.returncode, 0, done.stderr)
        return target

    def objects(self, engine, model, streams, stages):
        """{stream: [objects of each frame]}."""
        if engine == "torch":
            model = self.torch_script(model)
        topology = self.topology(streams, model=model, stages={**stages, "inference": {"engine": engine}})
        program = self.run_to_end(topology)
        for counts in program.ledger.values():
            self.assertLessEqual(set(counts["dropped"]), {"sampled"})
        return {stream: [line["objects"] for line in program.lines(stream)] for stream in program.ledger}

    def agree(self, model, streams, stages, least, engines=("torch", "opencv")):
        if not built("onnxruntime"):
            self.skipTest("this build has no engine onnxruntime")
        expected = self.objects("onnxruntime", model, streams, stages)
        for engine in engines:
            with self.subTest(engine=engine):
                if not built(engine):
                    self.skipTest(f"this build has no engine {engine}")
                ours = self.objects(engine, model, streams, stages)
                for stream, theirs in expected.items():
                    self.assertEqual(len(ours[stream]), len(theirs))
                    for a, b in ((ours[stream], theirs), (theirs, ours[stream])):
                        number, total = found(a, b, stages["postprocess"]["score"])
                        print(f"{model.name}, {stream}, {engine}: {number} of {total}")
                        self.assertGreater(total, 0)
                        self.assertGreaterEqual(number / total, least)

    def test_modules_of_the_build_work_here(self):
        document = json.loads(penstock("devices", "--json", "-").stdout)
        known = {engine["name"]: engine for engine in document["engines"]}
        for engine in filter(built, ("onnxruntime", "torch", "opencv")):
            with self.subTest(engine=engine):
                self.assertEqual(known[engine]["absent"], "")
                self.assertIn("cpu", [d["name"] for d in known[engine]["devices"] if d["usable"]])

    @unittest.skipUnless(DEMO_CLIP.exists(), f"{DEMO_CLIP} is not here (package opencv-doc)")
    def test_the_demo_model_gives_the_same_people_in_every_engine(self):
        stages = {**DEMO, "decode": {"sample_fps": 1}}
        self.agree(ROOT / "configs/models/demo-person.onnx", {"square": DEMO_CLIP}, stages, 0.995)

    @unittest.skipUnless((SHARED / "media").is_dir(), MEDIA)
    def test_fastestdet_gives_the_same_things_in_every_engine(self):
        streams = {"cars": SHARED / "media/car-detection.mp4", "things": SHARED / "media/fd*.jpg"}
        stages = {**FASTESTDET, "decode": {"sample_fps": 2}}
        self.agree(SHARED / "models/coco-fastestdet-352.onnx", streams, stages, 0.99)

    @unittest.skipUnless((SHARED / "media").is_dir(), MEDIA)
    def test_the_face_model_gives_the_same_faces_in_every_engine(self):
        self.agree(SHARED / "models/face-rfb-320.onnx", {"faces": SHARED / "media/face*.jpg"}, FACES, 0.99)


@unittest.skipUnless(built("torch"), "this build has no engine torch")
class TorchFiles(SystemTest):
    def refusal(self, model, engine="torch"):
        stages = {**DEMO, "inference": {"engine": engine}}
        done = penstock("run", self.topology({"clip": self.clip("clip.mp4", 1)}, model=model, stages=stages))
        self.assertEqual(done.returncode, 78, done)
        lines = [line for line in done.stderr.splitlines() if model.name in line]
        self.assertEqual(len(lines), 1, done.stderr)
        return lines[0]

    def script(self, name, text):
        """Writes a file with Debian's torch."""
        path = self.dir / name
        program = f"import torch\npath = {str(path)!r}\n{text}"
        done = subprocess.run(["/usr/bin/python3", "-c", program], capture_output=True, text=True)
        if "ModuleNotFoundError" in done.stderr:
            self.skipTest(f"TorchScript cannot be written here: {done.stderr.splitlines()[-1]}")
        self.assertEqual(done.returncode, 0, done.stderr)
        return path

    def test_a_file_of_weights_alone_is_refused_with_how_to_export_the_model(self):
        for kind in ("True", "False"):  # an archive, or what torch.save wrote before
            text = f"torch.save(torch.nn.Conv2d(3, 8, 3).state_dict(), path, _use_new_zipfile_serialization={kind})"
            line = self.refusal(self.script(f"weights-{kind}.pt", text))
            self.assertIn("holds weights only", line)
            self.assertIn("export the model as TorchScript", line)

    def test_a_file_that_was_cut_off_is_refused_as_damaged(self):
        path = self.script("cut.pt", "torch.jit.script(torch.nn.Conv2d(3, 8, 3)).save(path)")
        data = path.read_bytes()
        for size in (len(data) // 2, len(data) - 1, 100):
            path.write_bytes(data[:size])
            self.assertIn("damaged or incomplete", self.refusal(path))

    def test_a_program_that_gives_what_the_head_does_not_expect_is_refused_with_both(self):
        path = self.script("conv.pt", "torch.jit.script(torch.nn.Conv2d(3, 8, 3)).save(path)")
        line = self.refusal(path)
        self.assertIn("yolov8", line)
        self.assertIn("output0 f32[?,8,286,382]", line)


if __name__ == "__main__":
    unittest.main()
