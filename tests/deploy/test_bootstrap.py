"""A machine's first start, against a server that answers as Azure's metadata service, Blob Storage and Key Vault do."""

import base64
import hashlib
import http.server
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import unittest
import urllib.parse

from reading import DEPLOY

BOOTSTRAP = DEPLOY / "azure/bootstrap.py"
SECRETS = {"head-key": "public head", "head-key-secret": "secret head", "worker-key": "public worker",
           "worker-key-secret": "secret worker", "targets-token": "a token"}  # fmt: skip
RESOURCES = {"/releases/": "https://storage.azure.com/", "/secrets/": "https://vault.azure.net"}
# Stands in for programs of the machine: notes how it was called, and fails where it is told to.
FAKE = """#!/bin/sh
echo "${0##*/} $*" >> "$CALLS"
[ "${0##*/}" != "$FAILING" ] || { echo "it is broken" >&2; exit 1; }
"""


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def archive(kind, **files):
    """A tar file of {name: text}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{kind}") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            entry.mode = 0o755 if "bin" in name else 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


class Azure(http.server.BaseHTTPRequestHandler):
    """Metadata, blobs and secrets at one address."""

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        world = self.server.world
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        world["asked"].append(url.path)
        if url.path in world["refused"]:
            return self.answer(403, {"error": "rights have not arrived"})
        if url.path.startswith("/metadata/"):
            if self.headers["Metadata"] != "true":
                return self.answer(400, {})
            if url.path.endswith("/userData") and query["api-version"] >= "2021-01-01":
                return self.answer(200, base64.b64encode(json.dumps(world["config"]).encode()))
            if url.path.endswith("/token") and query["client_id"] == "client":
                return self.answer(200, {"access_token": f"for {query['resource']}"})
            return self.answer(400, {})
        for start, resource in RESOURCES.items():
            if url.path.startswith(start) and self.headers["Authorization"] != f"Bearer for {resource}":
                return self.answer(401, {})
        name = url.path.rsplit("/", 1)[1]
        if url.path.startswith("/secrets/") and name in SECRETS and "api-version" in query:
            return self.answer(200, {"value": SECRETS[name]})
        if url.path.startswith("/releases/") and name in world["blobs"] and "x-ms-version" in self.headers:
            return self.answer(200, world["blobs"][name])
        return self.answer(404, {})


class Bootstrap(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="penstock-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.root = self.folder / "root"
        self.calls = self.folder / "calls"
        (self.folder / "bin").mkdir()
        for name in ("systemctl", "systemd-sysusers", "apt-get"):
            program = self.folder / "bin" / name
            program.write_text(FAKE)
            program.chmod(0o755)
        self.bundle = archive("xz", **{"penstock-1/bin/penstock": "the program", "penstock-1/lib/x.so": "a library"})
        self.files = {
            "topology.yaml": "pipeline: fleet",
            "model/model.onnx": "a model",
            "systemd/penstock.sysusers": "u penstock",
            "systemd/penstock-head.service": "[Service] head",
            "systemd/penstock-worker.service": "[Service] worker",
            "prometheus/prometheus.yml": "head:8080 head:9465 ahead:80",
            "prometheus/alerts.yml": "alerts head:8080",
            "prometheus/recording.yml": "recording",
        }
        self.site = archive("gz", **self.files)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Azure)
        self.url = f"http://127.0.0.1:{server.server_port}"
        server.world = self.world = {
            "asked": [],
            "refused": set(),
            "blobs": {"penstock.tar.xz": self.bundle, "site.tar.gz": self.site, "penstock.deb": b"a package"},
            "config": self.config("worker"),
        }
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)

    def config(self, role, **changes):
        keys = {"head.key": "head-key", f"{role}.key_secret": f"{role}-key-secret"}
        if role == "head":
            keys["worker.key"] = "worker-key"
        return {
            "role": role,
            "identity": "client",
            "releases": f"{self.url}/releases",
            "release": "penstock.tar.xz",
            "release_sha256": sha256(self.bundle),
            "site": "site.tar.gz",
            "site_sha256": sha256(self.site),
            "vault": f"{self.url}/",
            "keys": keys,
            "environment": {"PENSTOCK_HEAD": "tcp://10.40.0.4:7400", "B": "a b;c=d"},
            "monitoring": role == "head",
            "monitoring_token": "targets-token",
            **changes,
        }

    def boot(self, failing="", code=0):
        group = subprocess.run(["id", "-gn"], capture_output=True, text=True).stdout.strip()
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        ours = {"PATH": path, "CALLS": str(self.calls), "FAILING": failing, "PROMETHEUS_GROUP": group}
        env = {**os.environ, **ours}
        done = subprocess.run([sys.executable, str(BOOTSTRAP), "--root", str(self.root), "--metadata", self.url],
                              capture_output=True, text=True, env=env, timeout=60)  # fmt: skip
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def called(self):
        return self.calls.read_text().splitlines() if self.calls.exists() else []

    def text(self, name):
        return (self.root / name).read_text()

    def mode(self, name):
        return (self.root / name).stat().st_mode & 0o777

    def assert_untouched(self):
        """Nothing was installed or started."""
        self.assertEqual(self.called(), [])
        self.assertFalse((self.root / "opt/penstock").exists())
        self.assertFalse((self.root / "etc/systemd/system/penstock-worker.service").exists())

    def test_a_worker_is_made_of_bundle_site_and_keys(self):
        self.boot()
        self.assertEqual(self.text("usr/local/bin/penstock"), "the program")
        self.assertEqual(self.text("opt/penstock-site/model/model.onnx"), "a model")
        self.assertEqual(self.text("etc/systemd/system/penstock-worker.service"), "[Service] worker")
        self.assertEqual(self.text("etc/penstock/worker.env"), 'B="a b;c=d"\nPENSTOCK_HEAD="tcp://10.40.0.4:7400"\n')
        self.assertEqual(self.called(), ["systemd-sysusers ", "systemctl daemon-reload",
                                         "systemctl enable penstock-worker.service",
                                         "systemctl restart --no-block penstock-worker.service"])  # fmt: skip
        self.assertFalse((self.root / "etc/prometheus").exists())

    def test_keys_are_for_root_alone_and_only_those_of_the_role(self):
        self.boot()
        self.assertEqual(sorted(os.listdir(self.root / "etc/penstock/keys")), ["head.key", "worker.key_secret"])
        self.assertEqual(self.text("etc/penstock/keys/worker.key_secret"), "secret worker")
        for name in ("keys/worker.key_secret", "keys/head.key", "worker.env"):
            self.assertEqual(self.mode(f"etc/penstock/{name}"), 0o600)

    def test_a_head_watches_itself(self):
        self.world["config"] = self.config("head")
        self.boot()
        self.assertEqual(self.text("etc/prometheus/prometheus.yml"), "127.0.0.1:8080 127.0.0.1:9465 ahead:80")
        self.assertEqual(self.text("etc/prometheus/alerts.yml"), "alerts head:8080")
        self.assertEqual(self.text("etc/prometheus/targets.token"), "a token")
        self.assertEqual(self.mode("etc/prometheus/targets.token"), 0o640)
        self.assertEqual(self.called()[-1], "systemctl restart prometheus.service")
        self.assertEqual(self.text("etc/penstock/topology.yaml"), "pipeline: fleet")

    def test_of_several_heads_none_scales_what_it_cannot_see(self):
        scaling = "scaling:\n  enabled: true # several heads: see the manual\n"
        for topology, runs in ((scaling, False), (scaling + "  heads: [\"http://10.40.0.5:8080\"]\n", True)):
            site = archive("gz", **{**self.files, "topology.yaml": topology})
            self.world["blobs"]["site.tar.gz"] = site
            for heads in (1, 2):
                self.world["config"] = self.config("head", heads=heads, site_sha256=sha256(site))
                if heads == 1 or runs:
                    self.boot()
                else:
                    self.assertIn("with several heads scaling needs `source: prometheus`", self.boot(code=1))

    def test_another_release_or_site_than_the_deployment_names_changes_nothing(self):
        for name in ("penstock.tar.xz", "site.tar.gz"):
            with self.subTest(blob=name):
                kept = self.world["blobs"][name]
                self.world["blobs"][name] = kept + b"!"
                self.assertIn(f"{name}: its SHA-256 is {sha256(kept + b'!')}", self.boot(code=1))
                self.assert_untouched()
                self.world["blobs"][name] = kept

    def test_rights_that_have_not_arrived_are_waited_for_by_the_next_try(self):
        for path in ("/secrets/worker-key-secret", "/releases/penstock.tar.xz", "/metadata/identity/oauth2/token"):
            with self.subTest(path=path):
                self.world["refused"] = {path}
                self.assertIn(f"{path}: 403", self.boot(code=1))
                self.assert_untouched()
        self.world["refused"] = set()
        self.boot()
        self.assertEqual(len(self.called()), 4)

    def test_an_upgrade_replaces_program_site_and_unit(self):
        self.boot()
        (self.root / "opt/penstock-site/old").write_text("left over")
        new = archive("xz", **{"penstock-2/bin/penstock": "the next program"})
        self.world["blobs"]["penstock-2.tar.xz"] = new
        self.world["config"] = self.config("worker", release="penstock-2.tar.xz", release_sha256=sha256(new))
        self.boot()
        self.assertEqual(self.text("usr/local/bin/penstock"), "the next program")
        self.assertEqual(os.listdir(self.root / "opt/penstock"), ["penstock-2"])
        self.assertFalse((self.root / "opt/penstock-site/old").exists())
        self.assertEqual(self.called()[-1], "systemctl restart --no-block penstock-worker.service")

    def test_a_package_is_installed_by_apt(self):
        self.world["config"] = self.config("worker", release="penstock.deb", release_sha256=sha256(b"a package"))
        self.boot()
        self.assertRegex(self.called()[0], r"^apt-get install -y -q /\S+/penstock\.deb$")
        self.assertFalse((self.root / "usr/local/bin/penstock").exists())

    def test_archives_that_reach_out_of_their_folder_are_refused(self):
        for name in ("../../evil", "/etc/evil"):
            with self.subTest(name=name):
                site = archive("gz", **{name: "evil"})
                self.world["blobs"]["site.tar.gz"] = site
                self.world["config"] = self.config("worker", site_sha256=sha256(site))
                self.assertIn("does not belong into it", self.boot(code=1))
                self.assertEqual([p for p in self.folder.rglob("evil")], [])

    def test_a_bundle_without_a_program_is_refused(self):
        empty = archive("xz", README="nothing")
        self.world["blobs"]["penstock.tar.xz"] = empty
        self.world["config"] = self.config("worker", release_sha256=sha256(empty))
        self.assertIn("is no bundle", self.boot(code=1))

    def test_what_fails_on_the_machine_is_told(self):
        self.assertIn("systemctl daemon-reload: it is broken", self.boot(failing="systemctl", code=1))

    def test_values_that_would_break_the_environment_file_are_refused(self):
        self.world["config"] = self.config("worker", environment={"A": 'x"\nB=y'})
        self.assertIn("A: no line of an environment file", self.boot(code=1))


if __name__ == "__main__":
    unittest.main()
