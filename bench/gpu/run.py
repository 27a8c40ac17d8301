#!/usr/bin/env python3
"""Runs the programs of the GPU benchmark, prints the tables of docs/benchmarks-gpu.md and writes all figures as JSON.
Called by bench/gpu/run.sh, which builds and checks first."""
import argparse
import contextlib
import datetime
import json
import os
import pathlib
import subprocess
import sys

import report
import smi

HERE = pathlib.Path(__file__).resolve().parent


class Failed(Exception):
    pass


def figures_of(command: list, environment: dict | None = None) -> dict:
    """Runs a program whose output is JSON."""
    print("+", " ".join(map(str, command)), file=sys.stderr)
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, **(environment or {})})
    if done.returncode == 77:
        sys.exit(77)
    if done.returncode != 0:
        raise Failed(f"{pathlib.Path(command[0]).name} ended with status {done.returncode}")
    return json.loads(done.stdout)


def detector(folder: pathlib.Path, host: bool) -> tuple[pathlib.Path, list]:
    """The model, made once, and the options with which the benchmark runs it."""
    side, width = (64, 0.125) if host else (640, 1.0)
    model = folder / f"detector-{side}.pt"
    if not model.exists():
        partial = model.with_suffix(".partial")
        done = subprocess.run([sys.executable, HERE / "detector.py", partial, "--side", str(side), "--width", str(width),
                               "--candidates", "10" if host else "100"], stdout=sys.stderr)
        if done.returncode != 0:
            raise Failed("the detector could not be made (it needs torch; PYTHON chooses the interpreter)")
        partial.rename(model)
    sizes = ["--batch", 4, "--batches", 6, "--precision", "f32"] if host else ["--batch", 32, "--batches", 120]
    return model, ["--model", model, "--engine", "torch", "--side", side, *sizes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/gpu"))
    parser.add_argument("--device", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--only", default="copy,preprocess,decode,twins,torch,pipeline")
    parser.add_argument("--json", type=pathlib.Path, help="default: BUILD/bench-gpu.json")
    parser.add_argument("--markdown", type=pathlib.Path, help="also write the tables here")
    parser.add_argument("--host", action="store_true", help="try the logic on the CPU")
    options = parser.parse_args()
    chosen = options.only.split(",")
    folder = options.build / "bench-gpu"
    folder.mkdir(parents=True, exist_ok=True)
    device = "host" if options.host else f"cuda:{options.device}"
    program = [options.build / "bench" / "bench_gpu", "--device", device, "--repeats",
               min(options.repeats, 2) if options.host else options.repeats]
    result = {"measurement": not options.host, "date": datetime.datetime.now().astimezone().isoformat("T", "seconds"),
              "load_at_start": os.getloadavg()[0], "others_at_start": smi.others(options.device), "failed": []}
    busy = smi.busy_percent(options.device)
    if result["others_at_start"] or (busy or 0) > 5:
        result["shared"] = f"{busy:.0f} % busy at the start: {', '.join(result['others_at_start']) or 'processes unseen'}"
        print(f"bench-gpu: another process uses the GPU ({result['shared']})", file=sys.stderr)

    @contextlib.contextmanager
    def part(name: str):
        """A failure of one part is told, and the others still run."""
        try:
            with smi.Sampler(options.device) as sampler:
                yield
        except Failed as e:
            result["failed"].append({"part": name, "why": str(e)})
            print(f"bench-gpu: {name}: {e}", file=sys.stderr)
        result.setdefault("clocks", {})[name] = sampler.summary()

    own = ",".join(n for n in ("copy", "preprocess", "decode", "twins") if n in chosen)
    with part("kernels"):
        result |= figures_of([*program, "--only", own or "none", "--dump", folder])
    if "torch" in chosen:
        with part("torch"):
            if not (folder / "tensor.f16").exists():
                raise Failed("there is no tensor to compare with; --only needs preprocess too")
            sizes = (["--device", "cpu", "--images", 1, "--sets", 1, "--repeats", 1] if options.host else
                     ["--device", f"cuda:{options.device}", "--sets", result["preprocess"]["sets"],
                      "--repeats", min(options.repeats, 30)])
            result["torch"] = figures_of([sys.executable, HERE / "torch_preprocess.py", "--check", folder, *sizes])
    if "pipeline" in chosen:
        with part("pipeline"):
            _, how = detector(folder, options.host)
            result |= {"pipeline": figures_of([*program, "--only", "pipeline", *how],
                                              {"PENSTOCK_ENGINE_PATH": str(options.build.resolve())})["pipeline"]}
    text = report.markdown(result)
    print(text)
    if options.markdown:
        options.markdown.write_text(text + "\n")
    (options.json or options.build / "bench-gpu.json").write_text(json.dumps(result, indent=1) + "\n")
    if result["failed"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
