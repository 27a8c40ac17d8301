"""What the files of deploy/ are held against: the metrics there are, and where things stand."""

import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"

LISTED = re.compile(r'family_info\{\s*"(penstock_\w+)",\s*"(\w+)",\s*"([\w,]*)"')


def families():
    """{name: (type, {labels})} of all metrics."""
    text = (ROOT / "metrics/families.cpp").read_text()
    listed = {name: (kind, labels) for name, kind, labels in LISTED.findall(text)}
    assert len(listed) > 60, "metrics/families.cpp is not written as this reads it"
    return {name: (kind, set(filter(None, labels.split(",")))) for name, (kind, labels) in listed.items()}


def series():
    """{name as it is scraped: {labels}}: histograms have three."""
    found = {}
    for name, (kind, labels) in families().items():
        if kind == "histogram":
            found |= {f"{name}_count": labels, f"{name}_sum": labels, f"{name}_bucket": labels | {"le"}}
        else:
            found[name] = labels
    return found


def recorded():
    """Names that recording rules make."""
    return set(re.findall(r"- record: (\S+)", (DEPLOY / "prometheus/recording.yml").read_text()))


def promtool(*arguments):
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


# A selector: the name, and what stands in braces right behind it.
SELECTOR = re.compile(r"\b(penstock_\w+|(?:\w+:)+\w+)\b\s*(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')


class ExpressionTest(unittest.TestCase):
    """Checks of expressions."""

    def assert_metrics_exist(self, expression):
        """Every metric in it is one that Penstock exports or a rule records; matchers and groupings name its labels."""
        known, records = series(), recorded()
        bare = re.sub(r'"[^"]*"', '""', expression)
        labels = {"instance", "job"}
        for name, _ in SELECTOR.findall(bare):
            self.assertTrue(name in known or name in records, f"no metric {name}: {expression}")
            labels |= known.get(name, {"role", "reason", "stage", "objective"})
        for name, matchers in SELECTOR.findall(expression):
            if name in known:
                unknown = set(MATCHER.findall(matchers)) - known[name] - {"instance", "job"}
                self.assertFalse(unknown, f"{name} has no label {unknown}: {expression}")
        for grouping in re.findall(r"\b(?:by|on|without|group_left|group_right)\s*\(([^)]*)\)", bare):
            unknown = set(filter(None, re.split(r"[\s,]+", grouping))) - labels
            self.assertFalse(unknown, f"nothing has a label {unknown}: {expression}")

    def assert_valid(self, expressions):
        """promtool accepts all of them, as rules."""
        rules = "".join(f"      - record: test:{i}\n        expr: {quoted(e)}\n" for i, e in enumerate(expressions))
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "rules.yml")
            file.write_text(f"groups:\n  - name: all\n    rules:\n{rules}".replace("test:", "test:r"))
            code, said = promtool("check", "rules", file)
        self.assertEqual(code, 0, said)
        self.assertIn(f"{len(expressions)} rules found", said)


def quoted(text):
    """As a YAML scalar in single quotes."""
    return "'" + text.replace("'", "''") + "'"
