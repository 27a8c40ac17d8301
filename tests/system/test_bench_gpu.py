#!/usr/bin/env python3
"""The GPU benchmark where there is no GPU, and the tables that it makes of figures."""
import glob
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench" / "gpu"))
import report  # noqa: E402


def spread(median: float) -> dict:
    return {"median": median, "low": median, "high": median, "repeats": 1}


def figures() -> dict:
    """Round numbers, made up."""
    return {
        "measurement": True, "date": "2000-01-01T00:00:00+00:00", "load_at_start": 0.0, "failed": [],
        "device": {"model": "a GPU", "capability": "sm_00", "driver": "0", "cuda_runtime": "0", "l2_bytes": 2**20,
                   "multiprocessors": 1},
        "copy": {"bytes": 2**30, "driver_bytes_per_s": 1e9, "kernel_bytes_per_s": 2e9, "bytes_per_s": 2e9},
        "preprocess": {"images": 2, "read_bytes": 600, "written_bytes": 1400, "sets": 2, "us": spread(1.2),
                       "host_us_of_the_call": spread(1)},
        "torch": {"images": 1, "missing": {"torchvision": "torchvision is not installed"}, "ways": [
            {"way": "picture", "inside": "float16", "us": 3.0, "mean_difference": 1.0, "most_difference": 2.0},
            {"way": "planes", "inside": "float16", "us": 1.2, "mean_difference": 0.0, "most_difference": 0.1},
            {"way": "compiled planes", "inside": "float16", "us": 0.1, "mean_difference": 0.0, "most_difference": 0.1}]},
        "decode": [{"items": 64, "type": "f32", "candidates": n, "objects_per_item": 1, "read_bytes": 1000,
                    "us": spread(us)} for n, us in ((0, 100), (100, 400), (1000, 600))],
        "pipeline": {"model": "m", "engine": "torch", "runs_on": "cuda:0", "detail": "", "input": "f16", "batch": 32,
                     "lanes": 3, "batches_per_repeat": 120, "objects_per_image": 10, "ring_device_bytes": 2**20,
                     "ring_pinned_bytes": 2**20, "raw_images_per_s": spread(100), "device_images_per_s": spread(99),
                     "host_images_per_s": spread(94), "device_share": spread(0.99), "host_share": spread(0.94)},
    }


class BenchGpu(unittest.TestCase):
    @unittest.skipIf(glob.glob("/dev/nvidia[0-9]*") or glob.glob("/dev/dxg"), "there is a GPU: it would be measured")
    def test_without_a_gpu_it_says_in_one_line_that_nothing_was_measured(self):
        done = subprocess.run([ROOT / "bench" / "gpu" / "run.sh"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 77)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"^bench-gpu: [^\n]*nothing was measured\n$")

    def test_targets_compare_what_was_measured_with_what_was_aimed_at(self):
        rows = {t["what"]: (round(t["measured"], 6), t["met"]) for t in report.targets(figures())}
        # 2,000 bytes at 2 GB/s take 1 us
        self.assertEqual(rows.pop("preprocess: time / that of its minimal bytes at copy bandwidth"), (1.2, True))
        # the fastest that is not compiled: 1.2 us for one picture, where Penstock takes 0.6
        self.assertEqual(rows.pop("preprocess: torch's fastest operators / Penstock"), (2.0, False))
        self.assertEqual(rows.pop("decode + NMS, f32, 100 candidates an image, ms"), (0.4, True))
        self.assertEqual(rows.pop("decode + NMS, f32, 1000 candidates an image, ms"), (0.6, False))
        self.assertEqual(rows.pop("frames on the device: pipeline / raw engine"), (0.99, True))
        self.assertEqual(rows.pop("frames in host memory: pipeline / raw engine"), (0.94, False))
        self.assertEqual(rows, {})

    def test_a_trial_on_the_cpu_claims_nothing(self):
        text = report.markdown({**figures(), "measurement": False})
        self.assertIn("Nothing here is a measurement", text)
        self.assertNotIn("met", text.replace("measurement", ""))

    def test_what_is_missing_or_failed_or_shared_is_told(self):
        text = report.markdown({**figures(), "shared": "50 % busy", "failed": [{"part": "torch", "why": "no torch"}]})
        for told in ("torchvision is not installed", "torch failed: no torch", "Another process used the GPU"):
            self.assertIn(told, text)


if __name__ == "__main__":
    unittest.main()
