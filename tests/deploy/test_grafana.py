"""Dashboards are what Grafana loads, and every expression in them reads metrics that there are."""

import json
import re
import unittest

import yaml
from reading import DEPLOY, ExpressionTest, families

DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))
KINDS = {"row", "timeseries", "stat", "table", "heatmap", "state-timeline"}
OF_GRAFANA = {"$__rate_interval": "5m", "$__range_s": "3600", "$__range": "1h"}


def load(path):
    return json.loads(path.read_text())


def expression(text):
    """As Prometheus gets it."""
    for name, value in OF_GRAFANA.items():
        text = text.replace(name, value)
    return re.sub(r"\$\w+", ".*", text)


def expressions(dashboard):
    return [expression(target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", [])]


class Dashboards(ExpressionTest):
    def setUp(self):
        self.dashboards = [load(path) for path in DASHBOARDS]
        self.assertEqual([path.name for path in DASHBOARDS], ["operations.json", "scaling.json"])

    def test_ids_are_unique(self):
        names = [dashboard["uid"] for dashboard in self.dashboards]
        self.assertEqual(len(set(names)), len(names))
        for dashboard in self.dashboards:
            ids = [panel["id"] for panel in dashboard["panels"]]
            self.assertEqual(len(set(ids)), len(ids))
            titles = sorted(panel["title"] for panel in dashboard["panels"])
            self.assertEqual(sorted(set(titles)), titles)

    def test_panels_have_kinds_places_and_targets(self):
        for dashboard in self.dashboards:
            taken = set()
            for panel in dashboard["panels"]:
                self.assertIn(panel["type"], KINDS)
                place = panel["gridPos"]
                self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
                cells = {
                    (x, y)
                    for x in range(place["x"], place["x"] + place["w"])
                    for y in range(place["y"], place["y"] + place["h"])
                }
                self.assertFalse(cells & taken, f"{panel['title']} lies over another panel")
                taken |= cells
                letters = [target["refId"] for target in panel.get("targets", [])]
                self.assertEqual(len(set(letters)), len(letters), panel["title"])
                self.assertEqual(not letters, panel["type"] == "row", panel["title"])

    def test_everything_asks_the_source_that_is_chosen(self):
        for dashboard in self.dashboards:
            variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
            self.assertEqual(variables["source"]["type"], "datasource")
            for panel in dashboard["panels"]:
                for part in [panel, *panel.get("targets", [])] if panel["type"] != "row" else []:
                    self.assertEqual(part["datasource"]["uid"], "${source}", panel["title"])
            used = set(re.findall(r"\$(?!__)\{?(\w+)", json.dumps(dashboard)))
            self.assertEqual(used, set(variables), "variables that are used, and that there are")

    def test_expressions_read_metrics_that_exist(self):
        for dashboard in self.dashboards:
            for text in expressions(dashboard):
                self.assert_metrics_exist(text)
            for variable in dashboard["templating"]["list"][1:]:
                name, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()
                self.assertIn(label, families()[name][1])

    def test_legends_name_labels_that_the_expression_keeps(self):
        for dashboard in self.dashboards:
            for panel in dashboard["panels"]:
                for target in panel.get("targets", []):
                    kept = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", target["expr"]))))
                    kept |= {"role", "objective", "stage"} if re.search(r"\w:\w", target["expr"]) else set()
                    named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
                    self.assertLessEqual(named, kept, panel["title"])

    def test_promtool_accepts_every_expression(self):
        for dashboard in self.dashboards:
            found = expressions(dashboard)
            self.assertGreater(len(found), 20)
            self.assert_valid(found)

    def test_every_metric_is_shown_somewhere(self):
        shown = "".join(text for dashboard in self.dashboards for text in expressions(dashboard))
        for name in families():
            self.assertRegex(shown, rf"{name}|{name.removesuffix('_total')}:", f"{name} is on no dashboard")

    def test_provisioning_loads_files(self):
        (provider,) = yaml.safe_load((DEPLOY / "grafana/provisioning.yaml").read_text())["providers"]
        self.assertEqual(provider["type"], "file")


if __name__ == "__main__":
    unittest.main()
