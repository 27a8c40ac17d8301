#!/usr/bin/env python3
"""Makes the table of docs/scaling.md: policies under a recorded load and generated ones, in the simulator, beside the
cheapest fleet of one who knows the load beforehand. The same arguments make the same table.
    bench/scaling.py                                   all of it
    bench/scaling.py --loads trace --policies rate     some of it
    bench/scaling.py --write docs/scaling.md           puts the rows into the manual, in place of those that it has
    bench/scaling.py --calibrate                       measures what a picture takes here: the `--worker` of the table"""
import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = os.environ.get("PENSTOCK", str(ROOT / "build/release/penstock"))
SHARED = pathlib.Path(os.environ.get("PENSTOCK_SHARED", ROOT.parent / "shared")).resolve()
DEMO_CLIP = os.environ.get("PENSTOCK_DEMO_CLIP", "/usr/share/doc/opencv-doc/examples/data/vtest.avi")

# One core that does a picture of the demo (JPEG, 768x576, demo-person.onnx) in 10.6 ms of its time, alone or in a batch.
WORKER = "fixed=0ms,item=10.6ms,overhead=5ms"
BOOT = "boot=240s"
TRACE = SHARED / "traces/azure-llm-2023-conv.csv"
# The first seconds of the trace have a quarter of its mean, and what comes before any decision could help says nothing of
# a policy: there the fleet begins as the mean keeps it 80 % busy, elsewhere as the first boot time does.
LOADS = {
    "trace": ["--trace", str(TRACE), "--workers", "20", "--fleet", f"{BOOT},initial=25"],
    "diurnal": ["--load", "diurnal,day=24h,swing=0.6,seed={seed}", "--workers", "5", "--fleet", BOOT],
    "burst": ["--load", "burst,length=2h,peak=1.5,seed={seed}", "--workers", "20", "--fleet", BOOT],
    "flash": ["--load", "flash,length=2h,peak=3,seed={seed}", "--workers", "20", "--fleet", BOOT],
    "cameras": ["--load", "cameras,count=485,rate=5,length=2h,seed={seed}", "--fleet", BOOT],
}
POLICIES = {"rate": "rate", "threshold": "threshold:out=0.75,in=0.25,cooldown=5m"}
OPTIMUM = "clairvoyant"
TITLES = ["load", "policy", "within 1 s", "worker-hours", "/ optimum", "direction changes/h"]
BEGIN, END = "<!-- table of penstock simulate -->", "<!-- end of the table -->"


def simulate(load, policies, seed):
    """The rows of a load."""
    command = [PROGRAM, "simulate", *(each.format(seed=seed) for each in LOADS[load]), "--worker", WORKER,
               "--objective", "1", "--seed", str(seed), "--json", "-", "--policy",
               *(POLICIES[each] for each in policies)]  # fmt: skip
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    rows = {
        (load, name): [f"{100 * run['within_share']:.2f} %", f"{run['instance_h']:.2f}",
                       f"{run['cost_over_optimum']:.3f}", f"{run['direction_changes_per_h']:.1f}"]
        for name, run in zip(policies, report["runs"], strict=True)
    }  # fmt: skip
    rows[load, OPTIMUM] = ["at least 99 %", f"{report['optimum']['bound_instance_h']:.2f}", "1.000", ""]
    return rows


def parse(table):
    """The rows of a table as `text` writes it."""
    cells = [[cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines() if "|" in line][2:]
    return {(row[0], row[1]): (row[2:] + [""])[:4] for row in cells}


def text(rows):
    lines = [TITLES, ["---"] * len(TITLES)]
    lines += [[load, policy, *rows[load, policy]] for load in LOADS for policy in (*POLICIES, OPTIMUM)
              if (load, policy) in rows]  # fmt: skip
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)


def table_of(manual):
    """What the manual has of the table."""
    content = pathlib.Path(manual).read_text()
    return parse(content[content.index(BEGIN) : content.index(END)])


def write(manual, rows):
    manual = pathlib.Path(manual)
    content = manual.read_text()
    merged = {**table_of(manual), **rows}
    before, after = content[: content.index(BEGIN)], content[content.index(END) :]
    manual.write_text(f"{before}{BEGIN}\n{text(merged)}\n{after}")


def cpu_s(topology, batch, core):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["taskset", "-c", str(core), PROGRAM, "run", topology, "--set", f"stages.inference.batch.max={batch}",
                    "--quiet", "--log-level", "error"], check=True, stdout=subprocess.DEVNULL)  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def calibrate():
    """What one core takes for a picture, by the size of batches: the slope over the number of pictures, so that the
    start is left out."""
    core = min(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subprocess.run(["ffmpeg", "-v", "error", "-i", DEMO_CLIP, "-q:v", "3", folder / "%05d.jpg"], check=True)
        pictures = len(list(folder.glob("*.jpg")))
        topologies = []
        for copies in (1, 2):
            topology = {
                "pipeline": "calibration",
                "streams": [{"id": f"s{i}", "uri": f"{folder}/*.jpg"} for i in range(copies)],
                "stages": {
                    "preprocess": {"fit": "letterbox", "color": "rgb", "scale": "1/255"},
                    "inference": {"model": str(ROOT / "configs/models/demo-person.onnx")},
                    "postprocess": {"head": "yolov8", "labels": str(ROOT / "configs/models/demo-person.txt"), "score": 0.5,
                                    "iou": 0.45},
                },
                "sinks": [],
            }  # fmt: skip
            topologies.append(folder / f"{copies}.yaml")
            topologies[-1].write_text(json.dumps(topology))
        for batch in (1, 8):
            once, twice = (cpu_s(topology, batch, core) for topology in topologies)
            print(f"batches of up to {batch}: {1000 * (twice - once) / pictures:.2f} ms of a core for a picture",
                  flush=True)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loads", nargs="+", choices=LOADS, default=list(LOADS))
    parser.add_argument("--policies", nargs="+", choices=POLICIES, default=list(POLICIES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", metavar="MANUAL")
    parser.add_argument("--calibrate", action="store_true")
    options = parser.parse_args()
    if options.calibrate:
        return calibrate()
    if "trace" in options.loads and not TRACE.exists():
        sys.exit(f"scaling: {TRACE} does not exist; set PENSTOCK_SHARED")
    rows = {}
    for load in options.loads:
        rows |= simulate(load, options.policies, options.seed)
        if options.write:
            write(options.write, rows)
    print(text(rows))


if __name__ == "__main__":
    main()
