#!/usr/bin/env python3
"""Measures `penstock run` beside a loop written by hand, GStreamer and the ceiling; prints the tables of
docs/benchmarks.md and writes all figures as JSON. Programs take turns, so that what else the machine does falls on all
of them; figures are medians. Called by bench/run.sh as `machine`."""
import argparse
import dataclasses
import json
import os
import pathlib
import platform
import statistics

import agreement
import clips
from clips import FRAMES, SHARED
from programs import Programs, Run


def processor() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def steal_s() -> float:
    """Seconds that the host withheld from this machine's cores so far."""
    return int(pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[8]) / os.sysconf("SC_CLK_TCK")


def cases(programs: Programs, footage) -> dict:
    one = footage["road"]
    four = list(footage.values())
    explicit = "qtdemux ! h264parse ! avdec_h264 max-threads=1"
    return {
        "ceiling": lambda: programs.ceiling(one),
        "penstock": lambda: programs.penstock([one], FRAMES),
        "loop": lambda: programs.loop(one),
        "front": lambda: programs.front(one),
        "gstreamer": lambda: programs.gstreamer(one, "decodebin"),
        "gstreamer_explicit": lambda: programs.gstreamer(one, explicit),
        "penstock_fast": lambda: programs.penstock([one], FRAMES, effort="fast"),
        "penstock_four": lambda: programs.penstock(four, 4 * FRAMES),
        "all_penstock": lambda: programs.penstock([one], FRAMES, all_cores=True),
        "all_penstock_four": lambda: programs.penstock(four, 4 * FRAMES, all_cores=True),
        "all_loop": lambda: programs.loop(one, all_cores=True),
        "all_gstreamer": lambda: programs.gstreamer(one, "decodebin", all_cores=True),
    }


TITLES = {
    "ceiling": "ceiling: decode alone, then the engine alone",
    "penstock": "`penstock run`, one file",
    "loop": "loop by hand",
    "front": "Penstock's decode + preprocess",
    "gstreamer": "GStreamer: decodebin ! videoscale ! videoconvert",
    "gstreamer_explicit": "GStreamer: the same with avdec_h264 max-threads=1",
    "penstock_fast": "`penstock run`, one file, `effort: fast`",
    "penstock_four": "`penstock run`, four files",
    "all_penstock": "`penstock run`, one file",
    "all_penstock_four": "`penstock run`, four files",
    "all_loop": "loop by hand, as many threads as cores",
    "all_gstreamer": "GStreamer: decodebin ! videoscale ! videoconvert",
}


def median_run(runs: list[Run]) -> Run:
    def middle(of):
        return statistics.median(map(of, runs))

    return Run(middle(lambda r: r.frames_per_s), middle(lambda r: r.cpu_ms_per_frame), middle(lambda r: r.whole_s),
               max(r.peak_mb for r in runs), runs[0].report)


def targets(rate: dict[str, float], memory_mb: float) -> list[dict]:
    rows = [
        ("one core: `penstock run` / loop", rate["penstock"] / rate["loop"], 1.25),
        ("one core: decode + preprocess / GStreamer with decodebin", rate["front"] / rate["gstreamer"], 1.45),
        ("one core: `penstock run` / ceiling", rate["penstock"] / rate["ceiling"], 0.93),
        ("all cores: four files / the same on one core", rate["all_penstock_four"] / rate["penstock_four"], 1.9),
        ("all cores: one file / the same on one core", rate["all_penstock"] / rate["penstock"], 1.9),
    ]
    out = [{"what": w, "measured": m, "target": t, "met": m >= t, "text": f"at least {t}"} for w, m, t in rows]
    out.append({"what": "all cores: peak memory with four 1080p files, MB", "measured": memory_mb, "target": 400,
                "met": memory_mb <= 400, "text": "at most 400"})
    return out


def compare_efforts(programs: Programs) -> list[dict]:
    """Decodes the shared clips with both efforts and compares the objects."""
    rows = []
    for name in ("car-detection", "one-by-one-person-detection"):
        clip = SHARED / "media" / f"{name}.mp4"
        results = {}
        for effort in ("exact", "fast"):
            frames = int(os.popen(f"ffprobe -v error -select_streams v -count_packets -show_entries "
                                  f"stream=nb_read_packets -of csv=p=0 '{clip}'").read())
            programs.penstock([clip], frames, all_cores=True, effort=effort)
            results[effort] = agreement.load(programs.folder / f"results-{effort}" / f"{name}.jsonl")
        found, wanted = agreement.matched(results["exact"], results["fast"])
        back, there = agreement.matched(results["fast"], results["exact"])
        rows.append({"clip": name, "exact_objects": wanted, "found_by_fast": found, "fast_objects": there,
                     "found_by_exact": back})
    return rows


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def print_report(result: dict) -> None:
    runs = result["medians"]

    def rows(names):
        return [[TITLES[n], f"{runs[n]['frames_per_s']:.1f}", f"{runs[n]['cpu_ms_per_frame']:.2f}",
                 f"{runs[n]['whole_s']:.1f}", f"{runs[n]['peak_mb']:.0f}"] for n in names]

    head = ["", "frames/s", "CPU ms/frame", "whole process, s", "peak memory, MB"]
    machine = result["machine"]
    print(f"\n{machine['processor']}, {machine['cores']} cores; medians of {result['repeats']}; load at the start "
          f"{machine['load_at_start']:.1f}, at the end {machine['load_at_end']:.1f}, "
          f"{machine['steal_s']:.0f} s withheld by the host\n")
    print("One core\n\n" + table(head, rows(n for n in runs if not n.startswith("all_"))))
    print("\nAll cores\n\n" + table(head, rows(n for n in runs if n.startswith("all_"))))
    decode, engine = result["ceiling"]["decode"], result["ceiling"]["engine"]
    print(f"\nThe ceiling's parts: decode alone {decode:.1f} frames/s, the engine alone {engine:.1f} frames/s.\n")
    print(table(["target", "", "measured", ""],
                [[t["what"], t["text"], f"{t['measured']:.0f}" if t["target"] > 10 else f"{t['measured']:.3f}",
                  "met" if t["met"] else "**missed**"] for t in result["targets"]]))
    gain = runs["penstock_fast"]["frames_per_s"] / runs["penstock"]["frames_per_s"] - 1
    print(f"\n`effort: fast` on the 1080p clip: {100 * gain:+.1f} % frames/s. Objects matched (class, IoU ≥ 0.85):\n")
    print(table(["clip", "exact's objects that fast has", "fast's objects that exact has"],
                [[e["clip"], f"{e['found_by_fast']} of {e['exact_objects']}", f"{e['found_by_exact']} of {e['fast_objects']}"]
                 for e in result["efforts"]]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--core", type=int, default=0, help="the one core")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("build/bench-media"))
    parser.add_argument("--json", type=pathlib.Path, help="default: FOLDER/results.json")
    parser.add_argument("--only", default="", help="cases to run, separated by commas; prints no targets")
    options = parser.parse_args()
    footage = clips.make(options.folder)
    programs = Programs(options.build, options.folder, options.core)
    chosen = cases(programs, footage)
    if options.only:
        chosen = {name: chosen[name] for name in options.only.split(",")}
    load, steal = os.getloadavg()[0], steal_s()
    runs = {name: [] for name in chosen}
    for turn in range(options.repeats):
        for name, case in chosen.items():
            runs[name].append(case())
            last = runs[name][-1]
            print(f"{turn + 1}/{options.repeats} {name:<20} {last.frames_per_s:8.1f} frames/s "
                  f"{last.cpu_ms_per_frame:7.2f} CPU ms/frame", flush=True)
    medians = {name: median_run(of) for name, of in runs.items()}
    result = {
        "machine": {"processor": processor(), "cores": os.cpu_count(), "load_at_start": load,
                    "load_at_end": os.getloadavg()[0], "steal_s": steal_s() - steal},
        "repeats": options.repeats,
        "medians": {name: dataclasses.asdict(run) for name, run in medians.items()},
        "runs": {name: [dataclasses.asdict(run) for run in of] for name, of in runs.items()},
    }
    if not options.only:
        rate = {name: run.frames_per_s for name, run in medians.items()}
        result["ceiling"] = {part: statistics.median(r.report[part]["per_s"] for r in runs["ceiling"])
                             for part in ("decode", "engine")}
        result["targets"] = targets(rate, medians["all_penstock_four"].peak_mb)
        result["efforts"] = compare_efforts(programs)
        print_report(result)
    out = options.json or options.folder / "results.json"
    out.write_text(json.dumps(result, indent=1))
    print(f"\nAll figures: {out}")


if __name__ == "__main__":
    main()
