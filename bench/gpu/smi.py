"""What nvidia-smi says about a GPU before, during and after a measurement."""
import shutil
import subprocess
import threading

FIELDS = {"sm_mhz": "clocks.sm", "memory_mhz": "clocks.mem", "power_w": "power.draw", "celsius": "temperature.gpu",
          "utilization_percent": "utilization.gpu", "memory_used_mb": "memory.used"}


def query(kind: str, fields: list[str], index: int) -> list[list[str]]:
    """Rows of values; none where nvidia-smi is absent or refuses."""
    if not shutil.which("nvidia-smi"):
        return []
    command = ["nvidia-smi", f"--id={index}", f"--query-{kind}={','.join(fields)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except subprocess.TimeoutExpired:
        return []
    return [line.split(", ") for line in done.stdout.splitlines() if line] if done.returncode == 0 else []


def number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None  # "[N/A]"


class Sampler:
    """Samples clocks, power and temperature while its `with` block runs."""

    def __init__(self, index: int, seconds: float = 0.5):
        self.index, self.seconds = index, seconds
        self.samples: list[dict] = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self) -> None:
        while True:
            for row in query("gpu", list(FIELDS.values()), self.index):
                self.samples.append(dict(zip(FIELDS, map(number, row))))
            if self.over.wait(self.seconds):
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def summary(self) -> dict:
        """Least and most of each figure."""
        out = {"samples": len(self.samples)}
        for name in FIELDS:
            values = [s[name] for s in self.samples if s[name] is not None]
            if values:
                out[name] = [min(values), max(values)]
        return out


def others(index: int) -> list[str]:
    """Processes that compute on the GPU now."""
    return [f"{row[1]} (pid {row[0]}, {row[2]} MiB)" for row in
            query("compute-apps", ["pid", "process_name", "used_memory"], index) if len(row) == 3]


def busy_percent(index: int) -> float | None:
    rows = query("gpu", ["utilization.gpu"], index)
    return number(rows[0][0]) if rows else None
