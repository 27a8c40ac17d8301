"""`penstock simulate`: what it prints and writes, that its figures come again, and how much it can take."""

import json
import os
import subprocess
import sys
import unittest
import xml.dom.minidom

from harness import PROGRAM, ROOT, SHARED, SystemTest, penstock

sys.path.insert(0, str(ROOT / "bench"))

import scaling  # noqa: E402

PLAIN = ["--load", "burst,mean=100,length=20m,peak=3,seed=5", "--fleet", "boot=60s,price=0.9/h,initial=8"]


def streams_at_machines(streams, seconds):
    """Each with a frame a second, ten of them at a machine."""
    machines = streams // 10
    return ["--load", f"cameras,count={streams},rate=1,always=1,length={seconds}s", "--fleet", f"initial={machines}",
            "--min", machines, "--max", machines, "--policy", "rate", "--no-optimum"]  # fmt: skip


class Simulate(SystemTest):
    def simulate(self, *args):
        """The report, and what the run took."""
        report = self.dir / "report.json"
        with open(self.dir / "errors", "w+") as errors:
            process = subprocess.Popen([PROGRAM, "simulate", *map(str, args), "--json", str(report)],
                                       stdout=subprocess.DEVNULL, stderr=errors)  # fmt: skip
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            errors.seek(0)
            self.assertEqual(process.returncode, 0, errors.read())
        return json.loads(report.read_text()), usage

    def test_policies_are_compared_by_a_table_a_picture_and_a_report(self):
        svg, report = self.dir / "runs.svg", self.dir / "report.json"
        ran = penstock("simulate", *PLAIN, "--policy", "rate", "threshold:cooldown=2m", "--svg", svg, "--json", report)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        lines = ran.stdout.splitlines()
        self.assertEqual([line.split()[0] for line in lines],
                         ["POLICY", "rate", "threshold:cooldown=2m", "optimum,", "optimum,"])
        found = json.loads(report.read_text())
        self.assertEqual([run["policy"] for run in found["runs"]], ["rate", "threshold:cooldown=2m"])
        for run, line in zip(found["runs"], lines[1:], strict=False):
            self.assertEqual(run["arrived"], run["finished"] + sum(run["dropped"].values()) + run["waiting"])
            self.assertIn(f"{100 * run['within_share']:.2f} %", line)
            self.assertAlmostEqual(run["cost"], 0.9 * run["instance_h"])
            self.assertGreater(run["core"]["events"], run["arrived"])
        picture = xml.dom.minidom.parse(str(svg)).documentElement
        self.assertEqual(picture.tagName, "svg")
        texts = " ".join(t.firstChild.data for t in picture.getElementsByTagName("text"))
        for panel in ("Demand", "Workers", "Backlog", "Latency", "Cost"):
            self.assertIn(panel, texts)

    def test_the_same_seed_makes_the_same_report_and_another_one_another(self):
        runs = [self.simulate(*PLAIN, "--policy", "rate", "--no-optimum", "--seed", seed)[0] for seed in (3, 3, 4)]
        self.assertEqual(runs[0], runs[1])
        self.assertNotEqual(runs[0]["runs"][0]["arrived"], runs[2]["runs"][0]["arrived"])

    def test_bounds_and_objective_are_those_of_the_topology(self):
        topology = ROOT / "configs/scaling.yaml"
        report, _ = self.simulate(topology, *PLAIN, "--policy", "rate", "--no-optimum")
        self.assertEqual(report["runs"][0]["max_workers"], 8)
        self.assertLessEqual(report["runs"][0]["moments"][-1]["wanted"], 4)

    def test_what_makes_no_sense_is_refused_with_what_would(self):
        for args, message in [
            ([], "one of --trace and --load is needed"),
            (["--load", "noise"], 'load: "noise" is none of steady, diurnal, burst, flash, cameras'),
            (["--load", "steady", "--fleet", "boot=soon"], 'fleet: boot: "soon" is no duration'),
            (["--load", "steady", "--worker", "batch=0"], "worker: batch: 0 is below 1"),
            (["--load", "steady", "--policy", "guess"], "guess"),
            (["--load", "steady", "--policy", "threshold:out"], '"out" is not KEY=VALUE'),
        ]:
            refused = penstock("simulate", *args)
            self.assertEqual(refused.returncode, 64, args)
            self.assertIn(message, refused.stderr)
        self.assertEqual(penstock("simulate", "--trace", self.dir / "none.csv").returncode, 1)

    def test_ten_thousand_streams_on_a_thousand_machines_cost_little_more_than_as_many_segments_of_a_hundred(self):
        """A minute of the hour that docs/scaling.md has: 600,000 of 36 million segments, each of which the dispatcher
        leased, sent, closed and delivered. What one of them takes is compared with what it takes where everything fits
        into the caches, so that the machine's own speed does not count; were anything looked for among all streams or
        machines, it would be a hundred times as much."""

        def cpu_s(streams, seconds):
            report, usage = self.simulate(*streams_at_machines(streams, seconds))
            run = report["runs"][0]
            frames = streams * seconds
            self.assertEqual((run["arrived"], run["finished"], run["core"]["leases"]), (frames, frames, frames))
            self.assertGreaterEqual(run["core"]["events"], 4 * frames)
            self.assertEqual(run["max_workers"], streams // 10)
            self.assertGreater(run["within_share"], 0.999)
            self.assertLess(usage.ru_maxrss, 256 * 1024)
            return usage.ru_utime + usage.ru_stime

        few = [cpu_s(100, 6000) for _ in range(2)]
        many = [cpu_s(10_000, 60) for _ in range(2)]
        self.assertLess(min(many), 8 * min(few))

    @unittest.skipUnless(scaling.TRACE.exists(), f"{SHARED} has no traces; set PENSTOCK_SHARED")
    def test_the_command_makes_the_table_of_the_manual(self):
        manual = scaling.table_of(ROOT / "docs/scaling.md")
        self.assertEqual({load for load, _ in manual}, set(scaling.LOADS))
        command = [sys.executable, ROOT / "bench/scaling.py", "--loads", "trace", "--policies", "rate"]
        made = subprocess.run(command, check=True, capture_output=True, text=True, timeout=900,
                              env={**os.environ, "PENSTOCK": str(PROGRAM)}).stdout  # fmt: skip
        rows = scaling.parse(made)
        self.assertEqual(set(rows), {("trace", "rate"), ("trace", scaling.OPTIMUM)})
        for key, row in rows.items():
            self.assertEqual(row, manual[key], key)


if __name__ == "__main__":
    unittest.main()
