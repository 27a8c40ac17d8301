"""Rules, alerts and the configuration of Prometheus are what promtool takes, and their tests find faults."""

import concurrent.futures
import pathlib
import re
import shutil
import tempfile
import unittest

import yaml
from reading import DEPLOY, ROOT, ExpressionTest, promtool

PROMETHEUS = DEPLOY / "prometheus"
UNIT_TESTS = sorted((ROOT / "tests/deploy/prometheus").glob("*.test.yml"))
FIRING = re.compile(r'alertname="(\w+)"')


def rules(name):
    """All rules of a file, in order."""
    return [rule for group in yaml.safe_load((PROMETHEUS / name).read_text())["groups"] for rule in group["rules"]]


def tests_of(files):
    """{alert: the files whose tests see it fire}."""
    found = {}
    for file in files:
        for alert in FIRING.findall(file.read_text()):
            found.setdefault(alert, set()).add(file)
    return found


class Rules(ExpressionTest):
    def test_promtool_accepts_rules_and_configuration(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = shutil.copytree(PROMETHEUS, pathlib.Path(folder, "prometheus"))
            (copy / "targets.token").write_text("token")  # which the configuration names
            code, said = promtool("check", "config", copy / "prometheus.yml")
        self.assertEqual(code, 0, said)
        for name in ("recording.yml", "alerts.yml"):
            self.assertIn(f"{name}\n  SUCCESS: {len(rules(name))} rules found", said)

    def test_the_heads_name_the_workers(self):
        configuration = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
        jobs = {job["job_name"]: job for job in configuration["scrape_configs"]}
        (discovery,) = jobs["penstock-worker"]["http_sd_configs"]
        self.assertRegex(discovery["url"], r"^http://head:8080/v1/targets$")
        self.assertIn("penstock-head", jobs)  # which an alert asks for by this name

    def test_unit_tests_pass(self):
        for file in UNIT_TESTS:
            with self.subTest(file=file.name):
                code, said = promtool("test", "rules", file)
                self.assertEqual(code, 0, said)

    def test_expressions_read_metrics_that_exist(self):
        for rule in rules("recording.yml") + rules("alerts.yml"):
            with self.subTest(rule=rule.get("alert") or rule["record"]):
                self.assert_metrics_exist(re.sub(r'\bup\{job="penstock-head"\}', "vector(1)", rule["expr"]))

    def test_alerts_say_how_urgent_they_are_and_what_to_do(self):
        manual = (ROOT / "docs/deploy.md").read_text()
        for rule in rules("alerts.yml"):
            with self.subTest(alert=rule["alert"]):
                self.assertIn(rule["labels"]["severity"], {"page", "ticket"})
                self.assertLessEqual({"summary", "description"}, set(rule["annotations"]))
                self.assertIn(f"| `{rule['alert']}` |", manual)
        named = set(re.findall(r"^\| `(Penstock\w+)` \|", manual, re.M))
        self.assertEqual(named, {rule["alert"] for rule in rules("alerts.yml")}, "the manual has others")

    def test_what_is_recorded_is_read_or_shown(self):
        reading = (PROMETHEUS / "alerts.yml").read_text()
        reading += "".join(f.read_text() for f in (DEPLOY / "grafana").glob("*.json"))
        for name in {rule["record"] for rule in rules("recording.yml")}:
            self.assertTrue(name in reading, f"{name} is recorded for nothing")


class Mutants(unittest.TestCase):
    """A rule that is changed is found by the unit tests: they are no decoration."""

    def survivors(self, name, mutants, files):
        """Those of [(what, text of the file, files that may find it)] that no unit test finds."""

        def lives(mutant):
            what, text, finders = mutant
            with tempfile.TemporaryDirectory() as folder:
                changed = pathlib.Path(folder, name)
                changed.write_text(text)
                for file in finders or files:
                    copy = pathlib.Path(folder, file.name)
                    copy.write_text(re.sub(r"rule_files: \[.*\]", f"rule_files: [{name}]", file.read_text()))
                    code, said = promtool("test", "rules", copy)
                    if code != 0:
                        self.assertIn("got:", said, f"{what} is no rule at all")
                        return None
            return what

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return list(filter(None, pool.map(lives, mutants)))

    def test_every_alert_has_tests_that_see_it_fire_and_stay_silent(self):
        firing = tests_of(UNIT_TESTS)
        for rule in rules("alerts.yml"):
            with self.subTest(alert=rule["alert"]):
                self.assertIn(rule["alert"], firing)
        for file in {file for files in firing.values() for file in files}:
            self.assertIn("exp_samples: []", file.read_text())

    def test_alerts_that_never_or_always_fire_or_have_another_threshold_or_time_are_found(self):
        text = (PROMETHEUS / "alerts.yml").read_text()
        document = yaml.safe_load(text)
        files = tests_of(UNIT_TESTS)
        mutants = []
        for group in document["groups"]:
            for rule in group["rules"]:
                original = dict(rule)
                changes = [("never", {"expr": f"({rule['expr']}) and on () (vector(1) > 2)"})]
                changes.append(("at once", {"for": "0s"}) if "for" in rule else ("later", {"for": "20m"}))
                for at in re.finditer(r"(?:[<>]|==) (\d[\d.]*)", rule["expr"]):
                    others = {"== 0": ["!= 0"], "== 1": ["!= 1"], "> 0": [">= 0"]}
                    for other in others.get(at[0], [f"> {float(at[1]) * factor:g}" for factor in (1.5, 0.6)]):
                        changes.append((other, {"expr": rule["expr"][: at.start()] + other + rule["expr"][at.end() :]}))
                for what, change in changes:
                    rule.update(change)
                    alone = yaml.safe_dump({"groups": [group]})
                    mutants.append((f"{rule['alert']}: {what}", alone, files[rule["alert"]]))
                    rule.clear()
                    rule.update(original)
        self.assertGreater(len(mutants), 80)
        self.assertEqual(self.survivors("alerts.yml", mutants, UNIT_TESTS), [])

    def test_recordings_of_another_window_or_metric_are_found(self):
        text = (PROMETHEUS / "recording.yml").read_text()
        files = [file for file in UNIT_TESTS if file.name == "recording.test.yml"]
        windows = [file for file in UNIT_TESTS if file.name == "windows.test.yml"]
        document = yaml.safe_load(text)
        mutants = []
        for group in document["groups"]:
            for rule in group["rules"]:
                original = rule["expr"]
                window = rule["record"].removeprefix("penstock:late:ratio_rate")
                items = (rule.get("labels") or {}).get("objective") == "items"
                if window == rule["record"] or window == "5m":
                    rule["expr"] = f"({original}) * 1.5 + 0.01"
                    mutants.append((f"{rule['record']}: wrong", yaml.safe_dump(document), files))
                elif items:
                    changed = {**rule, "expr": original.replace(f"[{window}]", "[3h]")}
                    alone = {"groups": [{"name": "alone", "rules": [changed]}]}
                    mutants.append((f"{rule['record']}: window", yaml.safe_dump(alone), windows))
                rule["expr"] = original
        for was, becomes in ((r' le=~"1|1[.]0"', ' le=~"1"'), ('{reason="overload"}', ""), (" >= sum", " < sum")):
            self.assertIn(was.strip(), text)
            mutants.append((becomes, re.sub(re.escape(was).replace(r"\ ", r"\s*"), becomes, text), files))
        self.assertGreater(len(mutants), 20)
        self.assertEqual(self.survivors("recording.yml", mutants, files), [])


if __name__ == "__main__":
    unittest.main()
