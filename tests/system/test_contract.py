"""What scripts rely on: exit codes, places of problems, documents on standard output."""

import json
import os
import pathlib
import pty
import re
import subprocess
import unittest

import jsonschema
import yaml

from harness import PROGRAM, ROOT, SystemTest, penstock

DEMO_CLIP = "/usr/share/doc/opencv-doc/examples/data/vtest.avi"


def problems_in(text):
    """(file, line, column, path, message) of each line."""
    found = [re.fullmatch(r"(.*?):(\d+):(\d+): ([\w.\-]*): (.*)", line) for line in text.splitlines()]
    return [(m[1], int(m[2]), int(m[3]), m[4], m[5]) for m in found if m]


class ExitCodes(SystemTest):
    def test_a_run_that_delivers_everything_ends_with_0(self):
        program = self.run_to_end(self.topology({"clip": self.clip("clip.mp4", 25)}), code=0)
        self.assert_delivered(program, "clip", 25)

    def test_a_run_that_loses_frames_of_a_lossless_stream_ends_with_1(self):
        (self.dir / "clip.mp4").write_text("this is not a video\n" * 100)
        self.run_to_end(self.topology({"clip": self.dir / "clip.mp4"}), code=1)

    def test_wrong_arguments_end_with_64(self):
        topology = self.topology({"clip": self.clip("clip.mp4", 1)})
        for args in ([], ["runn"], ["run"], ["run", topology, "--no-such-option"], ["validate", topology, "another"],
                     ["run", topology, "--log-level", "loud"], ["graph", topology, "--format", "png"],
                     ["run", topology, "--metrics", "nowhere"]):  # fmt: skip
            with self.subTest(args=args):
                done = penstock(*args)
                self.assertEqual(done.returncode, 64, done)
                self.assertTrue(done.stderr.strip(), "says nothing about it")

    def test_help_ends_with_0(self):
        for args in (["--help"], ["run", "--help"]):
            self.assertEqual(penstock(*args).returncode, 0)

    def test_a_wrong_topology_ends_with_78_before_anything_is_written(self):
        topology = self.topology({"clip": self.clip("clip.mp4", 1)}, trackin={"kind": "iou"})
        for command in ("run", "validate", "graph"):
            done = penstock(command, topology)
            self.assertEqual(done.returncode, 78, done)
            self.assertEqual(done.stdout, "")
        self.assertFalse((self.dir / "results").exists())

    def test_a_topology_that_is_not_there_ends_with_78(self):
        done = penstock("run", self.dir / "nowhere.yaml")
        self.assertEqual(done.returncode, 78, done)
        self.assertIn("nowhere.yaml", done.stderr)

    def test_figures_that_cannot_be_written_end_with_1(self):
        topology = self.topology({"clip": self.clip("clip.mp4", 5)})
        for option in ("--ledger", "--json"):
            done = penstock("run", topology, option, self.dir / "nowhere" / "file.json")
            self.assertEqual(done.returncode, 1, done)
            self.assertIn("nowhere/file.json", done.stderr)


class Validate(SystemTest):
    TEXT = """\
pipeline: lobby
streams:
  - {id: door, uri: "rtsp://10.0.0.8/main", polcy: live}
  - {id: door, uri: "rtsp://10.0.0.9/main"}
stages:
  decode: {sample_fps: -1}
  inference: {model: nowhere.onnx}
  postprocess: {head: yolov88}
sinks:
  - {kind: jsonl, path: "results/{stream}.jsonl"}
tracking: {kind: sort, max_age: soon}
"""

    def write(self, text):
        path = self.dir / "lobby.yaml"
        path.write_text(text)
        return path

    def test_every_problem_comes_in_one_pass_with_its_place_in_the_order_of_the_file(self):
        path = self.write(self.TEXT)
        done = penstock("validate", path)
        self.assertEqual(done.returncode, 78)
        found = problems_in(done.stderr)
        lines = self.TEXT.splitlines()
        place = lambda line, word: (line, lines[line - 1].index(word) + 1)
        places = {key: (line, column) for _, line, column, key, _ in found}
        self.assertEqual({f for f, *_ in found}, {str(path)})
        self.assertEqual(places.get("streams.0.polcy"), place(3, "polcy"))
        self.assertEqual(places.get("streams.1.id"), place(4, "door"))
        self.assertEqual(places.get("stages.decode.sample_fps"), place(6, "-1"))
        self.assertEqual(places.get("stages.inference.model"), place(7, "nowhere"))
        self.assertEqual(places.get("stages.postprocess.head"), place(8, "yolov88"))
        self.assertEqual(places.get("tracking.max_age"), place(11, "soon"))
        self.assertEqual(len(found), 6, done.stderr)
        self.assertEqual([p[1] for p in found], sorted(p[1] for p in found))
        messages = {key: message for *_, key, message in found}
        self.assertIn("policy", messages["streams.0.polcy"])
        self.assertIn("yolov88", messages["stages.postprocess.head"])
        self.assertIn("yolov8", messages["stages.postprocess.head"].replace("yolov88", ""))
        self.assertIn("-1", messages["stages.decode.sample_fps"])

    def test_problems_come_as_json_as_well(self):
        path = self.write(self.TEXT)
        done = penstock("validate", path, "--json", "-")
        report = json.loads(done.stdout)
        self.assertIs(report["valid"], False)
        of_json = [(p["file"], p["line"], p["column"], p["path"], p["message"]) for p in report["problems"]]
        self.assertEqual(of_json, problems_in(done.stderr))

    def test_what_is_printed_as_resolved_is_valid_and_resolves_to_itself(self):
        topology = self.topology({"clip": self.clip("clip.mp4", 1)})
        first = penstock("validate", topology, "--resolved")
        self.assertEqual(first.returncode, 0, first)
        again = self.dir / "elsewhere" / "resolved.yaml"
        again.parent.mkdir()
        again.write_text(first.stdout)
        second = penstock("validate", again, "--resolved")
        self.assertEqual(second.returncode, 0, second)
        self.assertEqual(second.stdout, first.stdout)
        self.assertEqual(yaml.safe_load(first.stdout)["live"]["queue"], 32)

    def test_a_problem_in_an_override_names_the_override(self):
        topology = self.topology({"clip": self.clip("clip.mp4", 1)})
        done = penstock("validate", topology, "--set", "stages.decode.sample_fps=5", "--set", "tracking.kind=magic")
        self.assertEqual(done.returncode, 78)
        (file, line, _, key, message), = problems_in(done.stderr)
        self.assertEqual((file, line, key), ("--set", 2, "tracking.kind"))
        self.assertIn("magic", message)

    def test_overrides_and_the_environment_change_what_runs(self):
        self.clip("clip.mp4", 20)
        topology = self.topology({"clip": "${PENSTOCK_TEST_CLIP}"})
        self.assertEqual(penstock("validate", topology).returncode, 78)
        os.environ["PENSTOCK_TEST_CLIP"] = "clip.mp4"
        self.addCleanup(os.environ.pop, "PENSTOCK_TEST_CLIP")
        program = self.run_to_end(topology, "--set", "stages.decode.sample_fps=5", "--set", "streams.0.id=front")
        self.assert_counts(program, "front", 20, 4, sampled=16)

    def test_a_model_that_takes_single_pictures_only_is_told(self):
        model = self.model("one.onnx", batch=1)
        stages = {"inference": {"batch": {"max": 8}}}
        topology = self.topology({"clip": self.clip("clip.mp4", 1)}, model=model, stages=stages)
        done = penstock("validate", topology)
        self.assertEqual(done.returncode, 0, done)
        self.assertRegex(done.stderr, r"topology\.yaml:\d+:\d+: stages\.inference\.batch[\w.]*: note: .*one image")


class Output(SystemTest):
    LIVE = "synthetic://?width=256&height=192&gop=25&bframes=0&live=1&frames="

    def test_every_line_of_a_json_log_is_json(self):
        missing = self.dir / "bad.mp4"
        missing.write_text("no video")
        done = penstock("run", self.topology({"bad": missing}), "--quiet", "--log-format", "json")
        records = [json.loads(line) for line in done.stderr.splitlines()]
        self.assertEqual({r["level"] for r in records}, {"info", "error"})
        for record in records:
            self.assertLessEqual({"time", "level", "message"}, set(record))

    def test_the_log_says_no_more_than_its_level(self):
        topology = self.topology({"clip": self.clip("clip.mp4", 5)})
        self.assertEqual(penstock("run", topology, "--quiet", "--log-level", "error").stderr, "")

    def test_progress_is_a_line_every_few_seconds_where_there_is_no_terminal(self):
        done = penstock("run", self.topology({"camera": self.LIVE + "160"}), "--log-level", "error")
        self.assertEqual(done.returncode, 0, done)
        self.assertRegex(done.stderr, r"\A\d+ of 160 frames|\A\d+ frames, \d+/s")
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_progress_is_a_bar_per_finite_stream_on_a_terminal(self):
        master, slave = pty.openpty()
        topology = self.topology({"first": self.LIVE + "40", "second": self.LIVE + "40"})
        command = [PROGRAM, "run", topology, "--log-level", "error"]
        with subprocess.Popen(command, stderr=slave, stdout=subprocess.DEVNULL) as run:
            os.close(slave)
            shown = b""
            try:
                while chunk := os.read(master, 4096):
                    shown += chunk
            except OSError:  # the other end is closed
                pass
            os.close(master)
        self.assertEqual(run.returncode, 0)
        text = shown.decode()
        for stream in ("first", "second"):
            self.assertRegex(text, stream + r" +█*░* +\d+ % \d+/40")


class Documents(SystemTest):
    def test_the_schema_accepts_every_topology_that_is_shipped_and_refuses_misspelt_keys(self):
        done = penstock("schema")
        self.assertEqual(done.returncode, 0)
        schema = json.loads(done.stdout)
        validator = jsonschema.validators.validator_for(schema)
        validator.check_schema(schema)
        checker = validator(schema)
        shipped = sorted([*(ROOT / "configs").glob("*.yaml"), *(ROOT / "tests/topologies").glob("*.yaml")])
        self.assertIn(ROOT / "configs/demo.yaml", shipped)
        for path in shipped:
            with self.subTest(path=path.name):
                checker.validate(yaml.safe_load(path.read_text()))
        demo = (ROOT / "configs/demo.yaml").read_text()
        slips = {"streams:": "stream:", "uri:": "url:", "fit:": "fitt:", "head:": "heads:", "kind: sort": "kind: sord"}
        for right, wrong in slips.items():
            with self.subTest(wrong=wrong):
                self.assertFalse(checker.is_valid(yaml.safe_load(demo.replace(right, wrong, 1))))

    def test_the_schema_accepts_what_is_printed_as_resolved(self):
        checker = jsonschema.Draft7Validator(json.loads(penstock("schema").stdout))
        for topology in (self.topology({"clip": self.clip("clip.mp4", 1)}), ROOT / "configs/images.yaml"):
            done = penstock("validate", topology, "--resolved")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stderr, "")
            checker.validate(yaml.safe_load(done.stdout))

    def test_a_gateway_for_images_is_valid_without_streams_and_prints_every_default_of_its_door(self):
        done = penstock("validate", ROOT / "configs/images.yaml", "--resolved")
        resolved = yaml.safe_load(done.stdout)
        self.assertEqual(resolved["streams"], [])
        self.assertEqual(len(resolved["nodes"]["head"]["stages"]), 6)
        self.assertEqual(resolved["http"]["limits"]["image"], "32MiB")
        self.assertEqual(resolved["http"]["rate"]["per_token"], {"per_s": 0, "burst": 20})
        self.assertEqual(resolved["http"]["tokens"], [])
        reachable = penstock("validate", ROOT / "configs/images.yaml", "--set", "nodes.head.http=0.0.0.0:8080")
        self.assertEqual(reachable.returncode, 0)
        self.assertIn("nodes.head.http: note: 0.0.0.0:8080 can be reached from other machines", reachable.stderr)
        clear = penstock("validate", ROOT / "configs/images.yaml", "--set", "http.tokens=[{name: a, token: hush}]")
        self.assertEqual(clear.returncode, 78)
        self.assertIn("a token stands in no file: write the sha256 of it", clear.stderr)
        self.assertNotIn("hush", clear.stderr)

    def test_the_graph_shows_every_part_in_each_format(self):
        topology = self.topology({"door": self.clip("clip.mp4", 1)}, tracking={"kind": "sort"})
        for form, begin in {"text": "", "dot": "digraph", "mermaid": "flowchart"}.items():
            done = penstock("graph", topology, "--format", form)
            self.assertEqual(done.returncode, 0, done)
            self.assertTrue(done.stdout.startswith(begin), done.stdout)
            for part in ("door", "decode", "preprocess", "inference", "postprocess", "barcode.onnx", "sort", "jsonl"):
                self.assertIn(part, done.stdout, form)

    def test_version_tells_engines_and_devices(self):
        done = penstock("version", "--json", "-")
        document = json.loads(done.stdout)
        self.assertRegex(document["version"], r"^\d+\.\d+\.\d+$")
        self.assertLessEqual({"onnxruntime", "opencv"}, {e["name"] for e in document["engines"]})
        self.assertIn("cpu", document["engines"][0]["devices"])
        self.assertIn(document["version"], penstock("version").stdout)

    def test_the_ledger_stands_on_standard_output_at_the_end_of_a_run(self):
        topology = self.topology({"clip": self.clip("clip.mp4", 25)})
        done = penstock("run", topology)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"(?m)^clip +25 +25 +0 +0\s*$")
        self.assertIn(str(self.dir / "results/clip.jsonl"), done.stdout)
        only = penstock("run", topology, "--ledger", "-")
        self.assertEqual(json.loads(only.stdout)["streams"]["clip"]["delivered"], 25)

    @unittest.skipUnless(pathlib.Path(DEMO_CLIP).exists(), f"{DEMO_CLIP} is not installed (opencv-doc)")
    def test_the_demo_finds_people_in_every_second_of_its_clip(self):
        ledger, lines = self.dir / "ledger.json", self.dir / "square.jsonl"
        sinks = json.dumps([{"kind": "jsonl", "path": str(lines)}])
        done = penstock("run", ROOT / "configs/demo.yaml", "--ledger", ledger, "--set", f"sinks={sinks}")
        self.assertEqual(done.returncode, 0, done.stderr)
        counts = json.loads(ledger.read_text())["streams"]["square"]
        self.assertEqual(counts, {"received": 795, "delivered": 795, "dropped": {}, "in_flight": 0})
        results = [json.loads(line) for line in lines.read_text().splitlines()]
        self.assertEqual([r["seq"] for r in results], list(range(795)))
        self.assertTrue(all(any(r["objects"] for r in results[i : i + 10]) for i in range(0, 790, 10)))
        self.assertEqual({o["label"] for r in results for o in r["objects"]}, {"person"})
        tracks = [[o["track"] for o in r["objects"] if o["track"] is not None] for r in results]
        self.assertTrue(all(len(t) == len(set(t)) for t in tracks), "a track stands twice in a frame")
        self.assertGreater(sum(map(len, tracks)), 1000)
        self.assertLess(len({t for frame in tracks for t in frame}), 200)


if __name__ == "__main__":
    unittest.main()
