"""Debian's Prometheus, with the configuration of deploy/, finds workers by their head, scrapes them, raises alerts."""

import http.server
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from reading import DEPLOY

PATIENCE = 60
TOKEN = "a token"


class Machine(http.server.BaseHTTPRequestHandler):
    """A head at /metrics and /v1/targets, and workers at other ports, which only have /metrics."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        world = self.server.world
        if self.path == "/v1/targets" and self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.send_error(401)
            return
        if self.path not in world:
            self.send_error(404)
            return
        kind, body = world[self.path]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


class Scrape(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="penstock-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def machine(self, metrics):
        """(address, pages) of a new one."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Machine)
        server.world = {"/metrics": ("text/plain; version=0.0.4; charset=utf-8", metrics)}
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"127.0.0.1:{server.server_port}", server.world

    def name(self, world, *targets):
        """Has a head name these: (address, role)."""
        listed = [{"targets": [address], "labels": {"name": f"a {role}", "role": role}} for address, role in targets]
        world["/v1/targets"] = ("application/json", json.dumps(listed))

    def start_prometheus(self, head):
        """With the head where `head:8080` stands, and every second instead of every 15."""
        copy = shutil.copytree(DEPLOY / "prometheus", self.folder / "prometheus")
        (copy / "targets.token").write_text(TOKEN)
        text = (copy / "prometheus.yml").read_text().replace("head:8080", head)
        text = text.replace("scrape_timeout: 10s", "scrape_timeout: 1s")
        text, count = re.subn(r"(scrape_interval|evaluation_interval|refresh_interval): 15s", r"\1: 1s", text)
        self.assertEqual(count, 3)
        (copy / "prometheus.yml").write_text(text)
        rules = (copy / "alerts.yml").read_text().replace("for: 2m", "for: 1s")
        (copy / "alerts.yml").write_text(rules)
        log = self.folder / "log"
        with open(log, "wb") as file:
            process = subprocess.Popen(
                ["prometheus", f"--config.file={copy}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
                 "--web.listen-address=127.0.0.1:0"], stderr=file, stdout=file, cwd=copy)  # fmt: skip
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def address():
            self.assertIsNone(process.poll(), log.read_text())
            found = re.search(r'msg="Listening on" address=(\S+)', log.read_text())
            return found and found[1]

        self.url = f"http://{self.until(address, 'the address of Prometheus')}"

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not (result := condition()):
            self.assertLess(time.monotonic(), deadline, f"waited {PATIENCE} s for {what}")
            time.sleep(0.1)
        return result

    def ask(self, path, **query):
        try:
            url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
            with urllib.request.urlopen(url, timeout=10) as reply:
                return json.load(reply)["data"]
        except urllib.error.HTTPError as e:
            if e.code == 503:  # it is not ready yet
                return {"activeTargets": [], "result": [], "alerts": [], "groups": []}
            raise

    def up(self):
        """{(job, address): health} of what is scraped."""
        targets = self.ask("targets")["activeTargets"]
        return {(t["labels"]["job"], t["labels"]["instance"]): t["health"] for t in targets}

    def test_workers_appear_and_go_as_their_head_says(self):
        head, world = self.machine('penstock_pool_workers{role="worker",state="lost"} 1\n')
        first, _ = self.machine("penstock_stage_items_total 1\n")
        second, _ = self.machine("penstock_stage_items_total 2\n")
        self.name(world, (head, "head"), (first, "worker"))
        self.start_prometheus(head)
        scraped = lambda: {key: health for key, health in self.up().items() if key[0] != "penstock-scale"}
        expected = {("penstock-head", head): "up", ("penstock-worker", first): "up"}
        self.until(lambda: scraped() == expected, "the head and its worker")
        self.name(world, (first, "worker"), (second, "worker"))
        expected["penstock-worker", second] = "up"
        self.until(lambda: scraped() == expected, "the second worker")
        self.name(world, (second, "worker"))
        del expected["penstock-worker", first]
        self.until(lambda: scraped() == expected, "the first worker to go")
        found = self.ask("query", query=f'penstock_stage_items_total{{instance="{second}"}}')["result"]
        self.assertEqual([(r["metric"]["role"], r["value"][1]) for r in found], [("worker", "2")])

    def test_rules_are_evaluated_and_alerts_fire(self):
        head, world = self.machine('penstock_pool_workers{role="worker",state="lost"} 1\n')
        self.name(world)
        self.start_prometheus(head)
        firing = lambda: {a["labels"]["alertname"] for a in self.ask("alerts")["alerts"] if a["state"] == "firing"}
        self.until(lambda: "PenstockWorkersLost" in firing(), "the alert")
        every = lambda: [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]
        self.until(lambda: every() and all(rule["health"] == "ok" for rule in every()), "all rules to be evaluated")


if __name__ == "__main__":
    unittest.main()
