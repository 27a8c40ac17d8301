"""The engines of this build agree on real footage, each with the same model in its own format."""

import json
import subprocess
import unittest

from footage import DEMO, DEMO_CLIP, DEMO_MODEL, FACES, FASTESTDET, NO_DEMO, NO_MEDIA, TORCH_PYTHON, FootageTest, built
from harness import SHARED, SystemTest, penstock


class Engines(FootageTest):
    def agree(self, model, streams, stages, least, engines=("torch", "opencv")):
        if not built("onnxruntime"):
            self.skipTest("this build has no engine onnxruntime")
        expected = self.objects("onnxruntime", model, streams, stages)
        for engine in engines:
            with self.subTest(engine=engine):
                if not built(engine):
                    self.skipTest(f"this build has no engine {engine}")
                ours = self.objects(engine, model, streams, stages)
                self.assert_alike(ours, expected, stages, least, f"{model.name}, {engine}")

    def test_modules_of_the_build_work_here(self):
        document = json.loads(penstock("devices", "--json", "-").stdout)
        known = {engine["name"]: engine for engine in document["engines"]}
        for engine in filter(built, ("onnxruntime", "torch", "opencv")):
            with self.subTest(engine=engine):
                self.assertEqual(known[engine]["absent"], "")
                self.assertIn("cpu", [d["name"] for d in known[engine]["devices"] if d["usable"]])

    @unittest.skipUnless(DEMO_CLIP.exists(), NO_DEMO)
    def test_the_demo_model_gives_the_same_people_in_every_engine(self):
        stages = {**DEMO, "decode": {"sample_fps": 1}}
        self.agree(DEMO_MODEL, {"square": DEMO_CLIP}, stages, 0.995)

    @unittest.skipUnless((SHARED / "media").is_dir(), NO_MEDIA)
    def test_fastestdet_gives_the_same_things_in_every_engine(self):
        streams = {"cars": SHARED / "media/car-detection.mp4", "things": SHARED / "media/fd*.jpg"}
        stages = {**FASTESTDET, "decode": {"sample_fps": 2}}
        self.agree(SHARED / "models/coco-fastestdet-352.onnx", streams, stages, 0.99)

    @unittest.skipUnless((SHARED / "media").is_dir(), NO_MEDIA)
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
        done = subprocess.run([TORCH_PYTHON, "-c", program], capture_output=True, text=True)
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
