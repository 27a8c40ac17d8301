"""Workers whose pictures take a set time, so that what a fleet can do does not depend on the machine it stands on."""

import os
import shutil
import subprocess

from harness import PROGRAM, ROOT

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def install_engine(test):
    """Builds the engine `timed`, and has the programs that the test starts find it."""
    folder = test.dir / "engines"
    folder.mkdir()
    module, source = folder / "libpenstock-engine-timed.so", ROOT / "tests/system/timed_engine.c"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O2", "-I", ROOT / "inference", "-o", module, source], check=True)
    before = os.environ.get("PENSTOCK_ENGINE_PATH")
    os.environ["PENSTOCK_ENGINE_PATH"] = f"{folder}:{before}" if before else str(folder)
    restore = os.environ.pop if before is None else os.environ.__setitem__
    test.addCleanup(restore, "PENSTOCK_ENGINE_PATH", before)


def model(test, milliseconds):
    """A picture takes so long."""
    path = test.dir / f"timed-{milliseconds}.txt"
    path.write_text(f"timed {round(milliseconds * 1000)}\n")
    return path


def worker_command(topology, boot_s=0):
    """For a fleet of processes: one core, and so one instance, each; `boot_s`: what a machine would need to start."""
    core = min(os.sched_getaffinity(0))
    worker = f"exec taskset -c {core} {PROGRAM} worker {topology} --role worker --metrics 127.0.0.1:0 --log-format json"
    return ["sh", "-c", f"sleep {boot_s}; {worker} --name $0", "{name}"]
