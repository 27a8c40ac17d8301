#!/usr/bin/env python3
"""Measures the HTTP door: pictures a second of POST /v1/detect with 64 clients, beside what decoding and the engine do
alone on the same cores and beside `penstock run` on a folder of the same pictures; then latencies and refusals where
requests come by themselves, at 80 % and at 200 % of what 64 clients got. Cases take turns, figures are medians; prints
the tables of docs/benchmarks.md. Called by bench/run.sh as `detect`."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/system"))

import run
from clips import SHARED
from door import HEAD, door_of
from harness import PROGRAM, ROOT, Program
from programs import MODEL
from workbench import measure, two_cores

CLIENTS = 64
SIZE = "640x360"
CLIPS = ("car-detection.mp4", "one-by-one-person-detection.mp4")
EACH = 8  # pictures of a clip
FRAMES = 2400  # of the folder that `penstock run` reads
LOADS = (80, 200)  # per cent


def make_pictures(folder):
    """JPEGs of 640x360, some seconds apart, made once."""
    folder = folder / "pictures"
    if not folder.exists():
        unfinished = folder.with_suffix(".unfinished")
        unfinished.mkdir(parents=True, exist_ok=True)
        for clip in CLIPS:
            command = ["ffmpeg", "-v", "error", "-y", "-i", SHARED / "media" / clip, "-vf", f"fps=1/3,scale={SIZE}",
                       "-frames:v", str(EACH), "-q:v", "3", unfinished / f"{clip[:3]}-%02d.jpg"]  # fmt: skip
            subprocess.run(command, check=True)
        unfinished.rename(folder)
    return sorted(folder.resolve().iterdir())


def shots(bench, pictures, count):
    """A folder of so many pictures."""
    folder = bench.dir / "shots"
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:05}.jpg").symlink_to(pictures[number % len(pictures)])
    return folder


def ceiling(bench, build, pictures):
    """Decoding by itself and the engine by itself, one process on each core, both at the same time."""
    command = [build / "bench/ceiling", "--model", MODEL, "--input", shots(bench, pictures, FRAMES // 2) / "%05d.jpg",
               "--json", "-"]  # fmt: skip
    processes = [subprocess.Popen(["taskset", "-c", core, *command], stdout=subprocess.PIPE) for core in two_cores()]
    figures = [json.loads(process.communicate()[0]) for process in processes]
    return {
        "per_s": sum(f["frames_per_s"] for f in figures),
        "decode_per_s": sum(f["decode"]["per_s"] for f in figures),
        "engine_per_s": sum(f["engine"]["per_s"] for f in figures),
    }


def folder(bench, pictures):
    """`penstock run` on a folder of the pictures."""
    topology = bench.topology([{"id": "shots", "uri": str(shots(bench, pictures, FRAMES))}], nodes={})
    out = subprocess.run([PROGRAM, "run", topology, "--json", "-", "--quiet", "--log-level", "warn"], check=True,
                         capture_output=True).stdout  # fmt: skip
    report = json.loads(out)
    if report["frames_delivered"] != FRAMES:
        sys.exit(f"{report['frames_delivered']} of {FRAMES} pictures were delivered")
    return {"per_s": report["frames_per_s"]}


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def clients(url, program, pictures, seconds, warm=False):
    """Each of them sends its next picture when it has the answer to the last one."""
    before = cpu_s(program.process.pid)
    command = ["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}", "--timeout", "20", "-s", ROOT / "bench/detect.lua", url]
    wrk = subprocess.Popen([*command, "--", *pictures], stdout=subprocess.PIPE, text=True)
    out = wrk.stdout.read()
    _, status, usage = os.wait4(wrk.pid, 0)
    wrk.returncode = os.waitstatus_to_exitcode(status)
    got = json.loads(out.strip().splitlines()[-1])
    if wrk.returncode != 0 or (got["failed"] > 0 and not warm):
        sys.exit(f"wrk: {out}\n{program.errors()}")
    cores = len(two_cores())
    return {
        "per_s": got["requests"] / got["seconds"],
        "p50_ms": got["p50_ms"],
        "p99_ms": got["p99_ms"],
        "generator_share": (usage.ru_utime + usage.ru_stime) / (cores * got["seconds"]),
        "door_share": (cpu_s(program.process.pid) - before) / (cores * got["seconds"]),
    }


def arrivals(url, build, program, pictures, rate, seconds, seed):
    """Requests that come by themselves."""
    command = [build / "bench/detect", "--port", url.rsplit(":", 1)[1], "--rate", f"{rate:.3f}", "--seconds",
               str(seconds), "--seed", str(seed), "--json", "-"]  # fmt: skip
    got = json.loads(subprocess.run([*command, *pictures], check=True, capture_output=True).stdout)
    wrong = {key: got[key] for key in ("refused_without_retry_after", "other", "failed", "unsent") if got[key] > 0}
    if wrong:
        sys.exit(f"at {rate:.0f} requests/s: {wrong}\n{program.errors()}")
    return {
        "offered_per_s": got["offered"] / got["seconds"],
        "served_per_s": got["served"] / got["seconds"],
        "refused_per_s": got["refused"] / got["seconds"],
        "late_per_s": got["late"] / got["seconds"],
        "p50_ms": got["served_ms"]["p50"],
        "p99_ms": got["served_ms"]["p99"],
        "first_half_p99_ms": got["served_ms_first_half"]["p99"],
        "second_half_p99_ms": got["served_ms_second_half"]["p99"],
        "refused_p50_ms": got["refused_ms"]["p50"],
        "refused_p99_ms": got["refused_ms"]["p99"],
        "most_open": got["most_open"],
        "generator_share": got["cpu_seconds"] / got["seconds"] / len(two_cores()),
        "memory_mb": program.resident_mb(),
    }


def opened(bench, admission):
    """A program, and where its door is."""
    program = Program(bench, bench.topology([], sinks=[], nodes={"head": HEAD}, http={"admission": admission}),
                      ["--log-level", "info"])  # fmt: skip
    return program, door_of(program)


def closed(program):
    program.terminate()
    if program.process.wait() != 0:
        sys.exit(f"the program ended with {program.process.returncode}: {program.errors()}")


def many(bench, pictures, options):
    program, url = opened(bench, {})
    clients(url, program, pictures, 2, warm=True)
    figures = clients(url, program, pictures, options.seconds)
    closed(program)
    return figures


def loads(bench, build, pictures, options, capacity, admission, seed):
    """One program under all loads, one after the other."""
    program, url = opened(bench, admission)
    figures = {f"load_{load}": arrivals(url, build, program, pictures, capacity * load / 100, options.seconds, seed)
               for load in LOADS}  # fmt: skip
    closed(program)
    return figures


def medians(of):
    if isinstance(of[0], dict):
        return {key: medians([each[key] for each in of]) for key in of[0]}
    return statistics.median(of)


def targets(m):
    """What the generator takes of the cores nobody else could have: images/s are divided by what it leaves."""
    calm, flood = m["bounded"]["load_80"], m["bounded"]["load_200"]
    got = m["clients"]["per_s"] / (1 - m["clients"]["generator_share"])
    halves = flood["second_half_p99_ms"] / flood["first_half_p99_ms"]
    rows = [
        (f"images/s: {CLIENTS} clients / ceiling", got / m["ceiling"]["per_s"], "at least", 0.9),
        (f"images/s: {CLIENTS} clients / `penstock run`", got / m["folder"]["per_s"], "at least", 0.9),
        ("200 %: p99 of what is answered / at 80 %", flood["p99_ms"] / calm["p99_ms"], "at most", 2),
        ("200 %: p99 of the 503s, ms", flood["refused_p99_ms"], "at most", 20),
        ("200 %: p99 in the second half / in the first", halves, "at most", 1.5),
    ]
    return [{"what": what, "measured": value, "target": limit, "text": f"{how} {limit}",
             "met": value >= limit if how == "at least" else value <= limit}
            for what, value, how, limit in rows]  # fmt: skip


def print_report(m, goals, max_wait):
    door = m["clients"]
    share = lambda figures: f"{100 * figures['generator_share']:.1f} %"
    ms = lambda figures, name: f"{figures[name]:.1f}" if figures[name] else ""
    print("\n" + run.table(["", "images/s", "p50, ms", "p99, ms", "generator"], [
        ["ceiling: decode alone, then the engine alone", f"{m['ceiling']['per_s']:.1f}", "", "", ""],
        ["`penstock run` on a folder", f"{m['folder']['per_s']:.1f}", "", "", ""],
        [f"door, {CLIENTS} clients", f"{door['per_s']:.1f}", ms(door, "p50_ms"), ms(door, "p99_ms"), share(door)],
    ]))  # fmt: skip
    rows = []
    for wait, case in ((max_wait, "bounded"), ("1s", "default")):
        for load in LOADS:
            at = m[case][f"load_{load}"]
            rows.append([wait, f"{load} %", f"{at['offered_per_s']:.1f}", f"{at['served_per_s']:.1f}", ms(at, "p50_ms"),
                         ms(at, "p99_ms"), f"{at['refused_per_s']:.1f}", ms(at, "refused_p50_ms"),
                         ms(at, "refused_p99_ms"), f"{at['most_open']:.0f}", f"{at['memory_mb']:.0f}",
                         share(at)])  # fmt: skip
    print("\n" + run.table(["`max_wait`", "load", "offered/s", "200/s", "p50, ms", "p99, ms", "503/s", "p50, ms",
                            "p99, ms", "most at once", "memory, MB", "generator"], rows))  # fmt: skip
    print("\n" + run.table(["target", "", "measured", ""],
                           [[g["what"], g["text"], f"{g['measured']:.2f}", "met" if g["met"] else "**missed**"]
                            for g in goals]))  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=8, help="of each load")
    parser.add_argument("--max-wait", default="100ms", help="http.admission.max_wait beside the program's own, 1 s")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/bench-media"))
    parser.add_argument("--json", type=pathlib.Path, help="default: FOLDER/detect.json")
    options = parser.parse_args()
    if not MODEL.exists() or not (SHARED / "media").is_dir():
        print(f"bench: skipped, there are no models and footage at {SHARED} (PENSTOCK_SHARED)")
        return
    os.sched_setaffinity(0, {int(core) for core in two_cores()})
    pictures = make_pictures(options.folder)
    load, steal = os.getloadavg()[0], run.steal_s()
    bounded = {"max_wait": options.max_wait}
    cases = {
        "ceiling": lambda turn, _: measure(ceiling, options.build, pictures),
        "folder": lambda turn, _: measure(folder, pictures),
        "clients": lambda turn, _: measure(many, pictures, options),
        "bounded": lambda turn, per_s: measure(loads, options.build, pictures, options, per_s, bounded, turn),
        "default": lambda turn, per_s: measure(loads, options.build, pictures, options, per_s, {}, turn),
    }
    results = {name: [] for name in cases}
    for turn in range(1, options.repeats + 1):
        for name, case in cases.items():
            results[name].append(case(turn, results["clients"][-1]["per_s"] if results["clients"] else 0))
            print(f"{turn}/{options.repeats} {name:<8} {json.dumps(results[name][-1])}", flush=True)
    middle = {name: medians(of) for name, of in results.items()}
    goals = targets(middle)
    size = statistics.mean(picture.stat().st_size for picture in pictures)
    print(f"\nload at the start {load:.1f}, at the end {os.getloadavg()[0]:.1f}, {run.steal_s() - steal:.0f} s "
          f"withheld by the host; pictures of {size / 1000:.0f} KB")  # fmt: skip
    print_report(middle, goals, options.max_wait)
    out = options.json or options.folder / "detect.json"
    out.write_text(json.dumps({"load": load, "cores": len(two_cores()), "max_wait": options.max_wait,
                               "medians": middle, "runs": results, "targets": goals}, indent=1))  # fmt: skip
    print(f"\nAll figures: {out}")


if __name__ == "__main__":
    main()
