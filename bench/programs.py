"""Runs one program once, on one core or on all, and says how fast it was."""
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from clips import FRAMES, SHARED

MODEL = SHARED / "models" / "coco-fastestdet-352.onnx"
SIDE = 352


@dataclasses.dataclass
class Run:
    """`frames_per_s` counts from when models are loaded and pipelines stand; the other figures are of the whole process."""
    frames_per_s: float
    cpu_ms_per_frame: float
    whole_s: float
    peak_mb: float
    report: dict


class Programs:
    def __init__(self, build: pathlib.Path, folder: pathlib.Path, core: int):
        self.build, self.folder, self.core = build, folder, core

    def _run(self, command, all_cores, frames, rate_of) -> Run:
        """Runs a command to its end; `rate_of` reads frames/s and a report from its standard output."""
        command = [str(c) for c in command]
        if not all_cores:
            command = ["taskset", "-c", str(self.core), *command]
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
            start = time.monotonic()
            process = subprocess.Popen(command, stdout=out, stderr=errors)
            _, status, usage = os.wait4(process.pid, 0)
            whole = time.monotonic() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            errors.seek(0)
            if process.returncode != 0:
                sys.exit(f"{' '.join(command)}\nended with {process.returncode}: {errors.read()[-2000:]}")
            rate, report = rate_of(out.read())
        cpu = usage.ru_utime + usage.ru_stime
        return Run(rate, 1000 * cpu / frames, whole, usage.ru_maxrss / 1024, report)

    @staticmethod
    def _json(text):
        report = json.loads(text)
        return report["frames_per_s"], report

    def topology(self, clips, effort="exact") -> pathlib.Path:
        """A topology of FastestDet on clips; results go to FOLDER/results-EFFORT/STREAM.jsonl."""
        name = f"{'-'.join(c.stem for c in clips)}-{effort}.yaml"
        streams = "\n".join(f'  - {{id: {c.stem}, uri: "{c.resolve()}"}}' for c in clips)
        (self.folder / name).write_text(f"""\
pipeline: bench
streams:
{streams}
stages:
  decode: {{effort: {effort}}}
  preprocess: {{fit: stretch, color: bgr, scale: 1/255}}
  inference: {{model: "{MODEL.resolve()}", engine: onnxruntime}}
  postprocess: {{head: fastestdet, score: 0.5, iou: 0.45}}
sinks:
  - {{kind: jsonl, path: "results-{effort}/{{stream}}.jsonl"}}
""")
        return self.folder / name

    def penstock(self, clips, frames, all_cores=False, effort="exact") -> Run:
        command = [self.build / "penstock", "run", self.topology(clips, effort), "--json", "-", "--quiet",
                   "--log-level", "warn"]
        run = self._run(command, all_cores, frames, self._json)
        if run.report["frames_delivered"] != frames:
            sys.exit(f"{run.report['frames_delivered']} of {frames} frames were delivered")
        return run

    def loop(self, clip, all_cores=False) -> Run:
        threads = os.cpu_count() if all_cores else 1
        command = [self.build / "bench" / "loop", "--model", MODEL, "--head", "fastestdet", "--threads", threads,
                   "--json", "-", "--input", clip]
        return self._run(command, all_cores, FRAMES, self._json)

    def front(self, clip, effort="exact") -> Run:
        command = [self.build / "bench" / "front", "--input", clip, "--width", SIDE, "--height", SIDE, "--effort", effort,
                   "--json", "-"]
        return self._run(command, False, FRAMES, self._json)

    def ceiling(self, clip) -> Run:
        command = [self.build / "bench" / "ceiling", "--model", MODEL, "--input", clip, "--json", "-"]
        return self._run(command, False, FRAMES, self._json)

    def gstreamer(self, clip, decoder, all_cores=False) -> Run:
        """From the start of playing, when the first frame is through, to the end of the clip."""
        command = f"gst-launch-1.0 -v filesrc location={clip} ! {decoder} ! videoscale ! videoconvert ! " \
                  f"video/x-raw,format=RGB,width={SIDE},height={SIDE} ! fakesink sync=false"

        def rate(text):
            h, m, s = re.search(r"Execution ended after (\d+):(\d+):([\d.]+)", text).groups()
            if "avdec_h264:" not in text:
                sys.exit("GStreamer did not take avdec_h264; without libavcodec on both sides there is no comparison")
            return FRAMES / (3600 * int(h) + 60 * int(m) + float(s)), {}

        return self._run(command.split(), all_cores, FRAMES, rate)
