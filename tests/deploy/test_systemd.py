"""The units are valid, hardened, keep secrets away from others and give a drain its time."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import yaml
from reading import DEPLOY, ROOT

PROGRAM = os.environ.get("PENSTOCK", str(ROOT / "build/release/penstock"))
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
LOOSE = ("NoNewPrivileges=yes\nCapabilityBoundingSet=\n", "")
EXPOSURE = 20  # tenths; systemd calls up to 2.0 "OK", and a unit without any hardening has 9.6


def settings(path):
    """{key: [values]} of all sections; a value may go on behind a backslash."""
    found = {}
    for line in re.sub(r"\\\n\s*", "", path.read_text()).splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def seconds(text):
    """Of a time as topologies and units write it."""
    number, unit = re.fullmatch(r"(\d+)\s*(s|min|m|)", text).groups()
    return int(number) * (60 if unit.startswith("m") else 1)


def grace(topology):
    return seconds(yaml.safe_load(topology.read_text())["shutdown"]["grace"])


class Units(unittest.TestCase):
    def setUp(self):
        self.assertEqual([u.stem for u in UNITS], ["penstock-head", "penstock-scale", "penstock-worker"])

    def analyze(self, *arguments, change=("", "")):
        """systemd-analyze on copies of the units, in which the program is one that is here."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="penstock-"))
        self.addCleanup(shutil.rmtree, folder)
        for unit in UNITS:
            text = unit.read_text().replace("ExecStart=penstock ", f"ExecStart={shutil.which('true')} ")
            (folder / unit.name).write_text(text.replace(*change) if change[0] else text)
        results = {}
        for unit in UNITS:
            command = ["systemd-analyze", *arguments, str(folder / unit.name)]
            done = subprocess.run(command, capture_output=True, text=True)
            results[unit.name] = (done.returncode, done.stdout + done.stderr)
        return results

    def test_systemd_finds_nothing_wrong(self):
        for name, (code, said) in self.analyze("verify", "--man=no").items():
            self.assertEqual((code, said), (0, ""), name)

    def test_what_is_misspelt_would_be_found(self):
        for name, (_, said) in self.analyze("verify", "--man=no", change=("KillMode=mixed", "KilMode=mixed")).items():
            self.assertIn("KilMode", said, name)

    def test_units_are_hardened(self):
        for name, (code, said) in self.analyze("security", "--offline=yes", f"--threshold={EXPOSURE}").items():
            self.assertEqual(code, 0, f"{name}: {said[-200:]}")
        loose = self.analyze("security", "--offline=yes", f"--threshold={EXPOSURE}", change=LOOSE)
        self.assertTrue(all(code != 0 for code, _ in loose.values()), "with all capabilities they would pass as well")

    def test_secrets_are_credentials(self):
        for unit in UNITS[0], UNITS[2]:
            given = settings(unit)
            credentials = {value.split(":")[0] for value in given["LoadCredential"]}
            (copies,) = given["ExecStartPre"]
            self.assertEqual(set(re.findall(r"%d/(\S+)", copies)), credentials)
            self.assertIn("-m 0600", copies)
            folder = re.search(r"-t %t/(\S+)", copies)[1]
            self.assertIn(folder, given["RuntimeDirectory"][0].split())
            self.assertIn(f"%t/{folder}", given["ExecStart"][0])
            self.assertEqual(given["RuntimeDirectoryMode"], ["0700"])
        for unit in UNITS:
            self.assertNotRegex(unit.read_text(), r"(?im)^Environment=.*(token|secret|password|key)")

    def test_a_drain_has_more_time_than_it_takes(self):
        """`shutdown.grace`, two seconds for sinks that hang, and as much as a lease lives without a sign of life."""
        longest = max(grace(DEPLOY / "azure/topology.yaml"), grace(DEPLOY / "kubernetes/topology.yaml"))
        for unit in UNITS[0], UNITS[2]:
            given = settings(unit)
            (stop,) = map(seconds, given["TimeoutStopSec"])
            self.assertGreaterEqual(stop, longest + 2 + 3 + 10, unit.name)
            self.assertLess(stop, 300, "a scale set's notice of five minutes is over before")
            self.assertEqual((given["KillSignal"], given["KillMode"]), (["SIGTERM"], ["mixed"]))

    def test_a_drained_worker_stays_away_and_a_crashed_one_comes_again(self):
        head, _, worker = map(settings, UNITS)
        self.assertEqual((worker["Restart"], head["Restart"]), (["on-failure"], ["always"]))
        self.assertNotIn("78", worker["RestartPreventExitStatus"][0], "a head of another version refuses with 78")
        self.assertIn("78", head["RestartPreventExitStatus"][0])

    def test_no_watchdog_is_pretended(self):
        for unit in UNITS:
            self.assertNotIn("WatchdogSec", settings(unit))
            self.assertNotIn(settings(unit)["Type"], (["notify"], ["forking"]))

    @unittest.skipUnless(pathlib.Path(PROGRAM).exists(), "the program is not built")
    def test_the_program_has_the_commands_and_options_that_units_give(self):
        help_of = lambda *words: subprocess.run([PROGRAM, *words, "--help"], capture_output=True, text=True).stdout
        for unit in UNITS:
            program, command, *words = settings(unit)["ExecStart"][0].split()
            self.assertEqual((program, f"penstock-{command}"), ("penstock", unit.stem))
            self.assertRegex(help_of(), rf"(?m)^ +{command}\b", f"there is no penstock {command}")
            for option in filter(lambda word: word.startswith("--"), words):
                self.assertIn(f"{option} ", help_of(command).replace("\n", " "), unit.name)


if __name__ == "__main__":
    unittest.main()
