"""What the units start works: the real program, with the units' own commands, keys, environments and signals."""

import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from reading import DEPLOY, ROOT
from test_systemd import PROGRAM, seconds, settings

PATIENCE = 60


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@unittest.skipUnless(pathlib.Path(PROGRAM).exists(), "the program is not built")
class Units(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="penstock-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.links, self.door, self.metrics = free_port(), free_port(), free_port()
        keys = self.folder / "etc/keys"
        subprocess.run([PROGRAM, "keys", "--folder", str(keys), "head", "worker"], check=True, capture_output=True)
        text = (DEPLOY / "azure/topology.yaml").read_text()
        text = text.replace("0.0.0.0:7400", f"127.0.0.1:{self.links}").replace("0.0.0.0:8080", f"127.0.0.1:{self.door}")
        text = text.replace("/opt/penstock-site/model/model.onnx", str(ROOT / "configs/models/demo-person.onnx"))
        text = text.replace("/opt/penstock-site/model/labels.txt", str(ROOT / "configs/models/demo-person.txt"))
        text = text.replace('{kind: azure, url: "${PENSTOCK_STORAGE}"}', "{}")  # SQLite and a folder, beside the file
        text = text.replace("/var/lib/penstock", str(self.folder))
        (self.folder / "topology.yaml").write_text(text)

    def start(self, role, **environment):
        """Does what systemd does with the unit: credentials, runtime folder, ExecStartPre, ExecStart."""
        unit = settings(DEPLOY / f"systemd/penstock-{role}.service")
        credentials, runtime = self.folder / f"credentials-{role}", self.folder / "run"
        credentials.mkdir()
        for value in unit["LoadCredential"]:
            name, source = value.split(":")
            shutil.copyfile(source.replace("/etc/penstock", str(self.folder / "etc")), credentials / name)
            (credentials / name).chmod(0o440)  # as where an access list lets the user read
        for folder in unit["RuntimeDirectory"][0].split():
            (runtime / folder).mkdir(mode=0o700, parents=True)
        given = dict(pair.split("=", 1) for pair in unit.get("Environment", [])) | environment

        def command(line):
            line = line.replace("%d", str(credentials)).replace("%t", str(runtime)).replace("%H", f"machine-{role}")
            line = line.replace("/etc/penstock/topology.yaml", str(self.folder / "topology.yaml"))
            return shlex.split(re.sub(r"\$\{(\w+)\}", lambda name: given[name[1]], line))

        for line in unit["ExecStartPre"]:
            subprocess.run(command(line), check=True)
        words = command(unit["ExecStart"][0])
        self.assertEqual(words[0], "penstock")
        log = open(self.folder / f"{role}.log", "wb")
        self.addCleanup(log.close)
        env = {**os.environ, **given}
        process = subprocess.Popen([PROGRAM, *words[1:]], stdout=log, stderr=log, cwd=self.folder, env=env)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def get(self, port, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
                return reply.read().decode()
        except (urllib.error.URLError, ConnectionError):
            return ""

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            logs = "\n".join(path.read_text() for path in self.folder.glob("*.log"))
            self.assertLess(time.monotonic(), deadline, f"waited {PATIENCE} s for {what}:\n{logs}")
            time.sleep(0.1)

    def test_a_worker_joins_with_its_keys_and_leaves_on_sigterm(self):
        hashes = {"PENSTOCK_TOKEN_SHA256": "0" * 64, "PENSTOCK_TARGETS_SHA256": "1" * 64, "PENSTOCK_STORAGE": "",
                  "PENSTOCK_IDENTITY": "0-0",
                  "PENSTOCK_SCALE_SET": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/"
                  "virtualMachineScaleSets/w"}  # fmt: skip
        head = self.start("head", **hashes)
        workers = lambda count: f"\npenstock_dispatch_workers {count}\n" in self.get(self.door, "/metrics")
        self.until(lambda: workers(0), "the head")
        address = {"PENSTOCK_HEAD": f"tcp://127.0.0.1:{self.links}", "PENSTOCK_METRICS": f"127.0.0.1:{self.metrics}"}
        worker = self.start("worker", **address)
        self.until(lambda: workers(1), "the worker to join")
        self.until(lambda: self.get(self.metrics, "/readyz"), "the worker to be ready")
        self.assertIn("machine-worker", (self.folder / "worker.log").read_text())
        for process, role in ((worker, "worker"), (head, "head")):
            process.send_signal(getattr(signal, settings(DEPLOY / f"systemd/penstock-{role}.service")["KillSignal"][0]))
            limit = seconds(settings(DEPLOY / f"systemd/penstock-{role}.service")["TimeoutStopSec"][0])
            self.assertEqual(process.wait(limit), 0, (self.folder / f"{role}.log").read_text())
            if role == "worker":
                self.until(lambda: workers(0), "the head to see it leave")

    def test_a_key_that_others_can_read_is_why_it_is_copied(self):
        """Should the program ever take such a key, the copy in the units can go."""
        keys = self.folder / "etc/keys"
        (keys / "worker.key_secret").chmod(0o440)
        done = subprocess.run([PROGRAM, "worker", "--head", f"tcp://127.0.0.1:{self.links}", "--keys", str(keys),
                               "--name", "worker"], capture_output=True, text=True, timeout=PATIENCE)  # fmt: skip
        self.assertEqual(done.returncode, 78)
        self.assertIn("others can read this secret", done.stderr)


if __name__ == "__main__":
    unittest.main()
