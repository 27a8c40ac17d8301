"""Engines are modules: the author's example, built as an author would, runs; what is wrong with one is told."""

import json
import os
import re
import shutil
import subprocess
import unittest

from harness import ROOT, SystemTest, penstock

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


class Engines(SystemTest):
    def setUp(self):
        super().setUp()
        self.modules = self.dir / "modules"
        self.modules.mkdir()
        before = os.environ.get("PENSTOCK_ENGINE_PATH")
        os.environ["PENSTOCK_ENGINE_PATH"] = str(self.modules)  # of the programs that the test starts
        restore = os.environ.pop if before is None else os.environ.__setitem__
        self.addCleanup(restore, "PENSTOCK_ENGINE_PATH", before)

    def engines(self):
        return {e["name"]: e for e in json.loads(penstock("devices", "--json", "-").stdout)["engines"]}

    @unittest.skipUnless(COMPILER, "no C compiler")
    def test_an_engine_that_somebody_else_wrote_detects_from_clip_to_results(self):
        module = self.modules / "libpenstock-engine-brightness.so"
        source = ROOT / "docs/examples/engine/brightness.c"
        include = ROOT / "inference"
        subprocess.run([COMPILER, "-shared", "-fPIC", "-O2", "-I", include, "-o", module, source], check=True)
        self.assertEqual(self.engines()["brightness"]["module"], str(module))
        clip = self.dir / "lamp.mp4"
        box = "color=black:s=64x64:r=5:d=2,format=yuv420p,drawbox=40:16:8:8:white:fill"
        encoding = ["-c:v", "libx264", "-qp", "0", "-preset", "ultrafast", "-bf", "0"]
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", box, *encoding, clip], check=True)
        model = self.dir / "lamp.txt"
        model.write_text("brightness 64 64\n")
        stages = {
            "inference": {"engine": "brightness"},
            "preprocess": {"fit": "stretch", "scale": "1/255"},
            "postprocess": {"head": "ssd", "score": 0.9},
        }
        program = self.run_to_end(self.topology({"lamp": clip}, model=model, stages=stages))
        self.assert_delivered(program, "lamp", 10)
        for line in program.lines("lamp"):
            self.assertEqual([[round(v) for v in o["box"]] for o in line["objects"]], [[40, 16, 8, 8]])

    def test_a_broken_module_is_one_message_in_the_lists_and_where_it_is_asked_for(self):
        module = self.modules / "libpenstock-engine-onnxruntime.so"
        module.write_text("no library")
        absent = self.engines()["onnxruntime"]["absent"]
        self.assertTrue(absent.startswith(f"{module}: cannot be loaded: "), absent)
        self.assertIn(absent, penstock("devices").stdout)
        self.assertIn(absent, penstock("version").stdout)
        stages = {"inference": {"engine": "onnxruntime"}}
        done = penstock("run", self.topology({"clip": self.clip("clip.mp4", 1)}, stages=stages))
        self.assertEqual(done.returncode, 78, done)
        self.assertEqual(done.stderr.count(absent), 1, done.stderr)

    def test_devices_tells_people_what_it_tells_programs(self):
        document, text = json.loads(penstock("devices", "--json", "-").stdout), penstock("devices").stdout
        lines = text.splitlines()
        cpu, cuda = document["cpu"], document["cuda"]
        self.assertEqual(lines[0], f"cpu      {cpu['cores']} cores, {cpu['kernels']} kernels")
        for gpu in cuda["devices"]:
            self.assertGreater(gpu["memory_bytes"], 2**30)
            self.assertRegex(text, rf"(?m)^{gpu['name']} +{re.escape(gpu['model'])}, .* GiB, driver {gpu['driver']}$")
        self.assertEqual(f"cuda     none: {cuda['absent']}" in lines, not cuda["devices"])
        for engine in document["engines"]:
            if engine["absent"]:
                self.assertIn(engine["absent"], text)
            if engine["version"]:
                self.assertIn(f"engine {engine['name']} {engine['version']} ({engine['module']})", lines)
            for device in engine["devices"]:
                said = "usable" if device["usable"] else f"not here: {device['reason']}"
                self.assertIn(f"  {device['name']:<6} {said}", lines)

    def test_devices_tells_the_cpu_and_why_there_is_no_gpu_or_which_there_are(self):
        document = json.loads(penstock("devices", "--json", "-").stdout)
        self.assertGreaterEqual(document["cpu"]["cores"], 1)
        self.assertNotEqual(bool(document["cuda"]["devices"]), bool(document["cuda"]["absent"]))
        for engine in document["engines"]:
            for device in engine["devices"]:
                self.assertNotEqual(device["usable"], bool(device["reason"]), device)


if __name__ == "__main__":
    unittest.main()
