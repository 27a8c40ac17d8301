"""Results on real footage agree with a plain loop of OpenCV and ONNX Runtime (bench/loop.cpp), both ways."""

import os
import pathlib
import subprocess
import unittest

from harness import PROGRAM, ROOT, SHARED, SystemTest, complete_lines

LOOP = pathlib.Path(os.environ.get("PENSTOCK_LOOP", pathlib.Path(PROGRAM).parent / "bench/loop"))
MARGIN = 0.05  # objects this close to the threshold may fall on either side
LEAST_IOU = 0.85
MOST_SCORE_DIFFERENCE = 0.05


def iou(a, b):
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return w * h / (a[2] * a[3] + b[2] * b[3] - w * h) if w > 0 and h > 0 else 0


def found(wanted, others, threshold):
    """Of the wanted objects that are clearly there: how many the others have too, and how many there are."""
    number = total = 0
    for objects, candidates in zip(wanted, others):
        free = list(candidates)
        for one in objects:
            if one["score"] < threshold + MARGIN:
                continue
            total += 1
            alike = [
                o for o in free
                if o["class"] == one["class"] and abs(o["score"] - one["score"]) <= MOST_SCORE_DIFFERENCE
                and iou(o["box"], one["box"]) >= LEAST_IOU
            ]  # fmt: skip
            if alike:
                free.remove(max(alike, key=lambda o: iou(o["box"], one["box"])))
                number += 1
    return number, total


@unittest.skipUnless((SHARED / "media").is_dir(), f"{SHARED} has no media; set PENSTOCK_SHARED")
@unittest.skipUnless(LOOP.exists(), f"{LOOP} was not built")
class Agreement(SystemTest):
    def run_topology(self, name):
        os.environ["PENSTOCK_SHARED"] = str(SHARED)
        results = self.dir / "results"
        program = self.start(ROOT / "tests/topologies" / name, "--set", f"sinks.0.path={results}/{{stream}}.jsonl")
        program.results = results
        program.ledger = program.finish(code=0)
        return program

    def run_loop(self, model, head, *files):
        out = self.dir / "loop.jsonl"
        command = [LOOP, "--model", SHARED / "models" / model, "--head", head, "--out", out]
        subprocess.run([*command, "--input", *files], check=True, capture_output=True)
        return complete_lines(out)

    def compare(self, program, stream, loop, threshold, least):
        ours = program.lines(stream)
        self.assert_delivered(program, stream, len(loop))
        self.assertEqual([line["seq"] for line in ours], [line["seq"] for line in loop])
        ours, theirs = [line["objects"] for line in ours], [line["objects"] for line in loop]
        for name, wanted, others in (("theirs in ours", theirs, ours), ("ours in theirs", ours, theirs)):
            number, total = found(wanted, others, threshold)
            self.assertGreater(total, 0)
            print(f"{stream}, {name}: {number} of {total}, {100 * number / total:.2f} %")
            self.assertGreaterEqual(number / total, least, f"{stream}, {name}")

    def test_the_clips_give_98_in_100_objects_of_the_plain_loop(self):
        program = self.run_topology("clips.yaml")
        for stream in program.ledger:
            loop = self.run_loop("coco-fastestdet-352.onnx", "fastestdet", SHARED / "media" / f"{stream}.mp4")
            self.compare(program, stream, loop, 0.5, 0.98)

    def stills(self, topology, model, head, names, threshold):
        program = self.run_topology(topology)
        loop = self.run_loop(model, head, *(SHARED / "media" / name for name in names))
        self.assertEqual([line["file"] for line in program.lines("pictures")], names)
        self.compare(program, "pictures", loop, threshold, 0.9)

    def test_the_stills_give_90_in_100_things_of_the_plain_loop(self):
        self.stills("stills.yaml", "coco-fastestdet-352.onnx", "fastestdet", ["fd1.jpg", "fd3.jpg"], 0.5)

    def test_the_stills_give_90_in_100_faces_of_the_plain_loop(self):
        self.stills("faces.yaml", "face-rfb-320.onnx", "ssd", ["face1.jpg", "face12.jpg"], 0.7)


if __name__ == "__main__":
    unittest.main()
