"""What keeps durable jobs: SQLite and a folder, nats-server (one, or three as a cluster), and the emulator of Azure's
storage. Classes for tests to inherit from: the servers run while the tests of a class do."""

import base64
import email.utils
import hashlib
import hmac
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import urllib.request
import xml.etree.ElementTree

from harness import PATIENCE, ROOT, free_port, until

AZURITE = ROOT / ".deps/azurite/node_modules/.bin/azurite"
ACCOUNT = "devstoreaccount1"  # Azurite's, with the key that everybody knows
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def find(name, how, own=None):
    """A server's program. Where there is none the tests are skipped, but not where CI runs them."""
    path = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
    found = str(own) if own and own.exists() else shutil.which(name, path=path)
    if found:
        return found
    if os.environ.get("CI") == "true":
        raise AssertionError(f"no {name} here; {how}")
    raise unittest.SkipTest(f"no {name} here; {how}")


class Server:
    """A process that ends when the tests of a class have ended, or when their process is killed."""

    def __init__(self, tests, folder, command):
        self.log = folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", *map(str, command)], stdout=log,
                                            stderr=log)  # fmt: skip
        tests.addClassCleanup(self.stop)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def wait_for(self, condition, what):
        def met():
            assert self.process.poll() is None, f"{what}: the server has ended: {self.log.read_text()}"
            return condition()

        return until(met, what)


def folder_for(tests):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="penstock-stores-"))
    tests.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
    return folder


class Nats(Server):
    """`cluster`: its name in the cluster, the port for the other servers, and the addresses of all."""

    def __init__(self, tests, cluster=None):
        folder = folder_for(tests)
        command = [find("nats-server", "install Debian's package nats-server"), "-a", "127.0.0.1", "-p", -1, "-m", -1,
                   "-js", "-sd", folder / "store", "--ports_file_dir", folder]  # fmt: skip
        if cluster:
            name, port, routes = cluster
            command += ["-n", name, "--cluster_name", "test", "--routes", routes]
            command += ["--cluster", f"nats://127.0.0.1:{port}"]
        super().__init__(tests, folder, command)
        self.folder = folder
        ports = self.wait_for(self.ports, "the ports of nats-server")
        self.address, self.monitor = ports["nats"][0], ports["monitoring"][0]

    def ports(self):
        for path in self.folder.glob("*.ports"):
            try:
                return json.loads(path.read_text())
            except ValueError:
                return None  # it is being written

    def leader(self):
        """Of three servers, once they have one."""
        with urllib.request.urlopen(f"{self.monitor}/jsz", timeout=PATIENCE) as reply:
            meta = json.load(reply).get("meta_cluster", {})
        return meta.get("cluster_size") == 3 and meta.get("leader")


class Azurite(Server):
    def __init__(self, tests):
        folder = folder_for(tests)
        command = [find("azurite", "run tools/setup.sh test", AZURITE), "--silent", "--location", folder / "store",
                   "--disableTelemetry", "--skipApiVersionCheck"]  # fmt: skip
        for service in ("blob", "queue", "table"):
            command += [f"--{service}Host", "127.0.0.1", f"--{service}Port", 0]
        super().__init__(tests, folder, command)
        self.blob, self.queue = (self.wait_for(lambda: self.listening(s), f"Azurite's {s}") for s in ("Blob", "Queue"))

    def listening(self, service):
        found = re.search(rf"{service} service is successfully listening at (http://\S+)", self.log.read_text())
        return found and f"{found[1]}/{ACCOUNT}"

    def url(self, name):
        return f"AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={self.blob};QueueEndpoint={self.queue};Name={name}"

    def ask(self, method, path, query=(), body=None, headers=()):
        """A request to the blobs, signed as Azure wants it."""
        headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2021-12-02", **dict(headers)}
        length = str(len(body)) if body else ""
        kind = "application/octet-stream" if body else ""
        named = "".join(f"{k}:{v}\n" for k, v in sorted(headers.items()))
        asked = "".join(f"\n{k}:{v}" for k, v in sorted(dict(query).items()))
        text = f"{method}\n\n\n{length}\n\n{kind}\n\n\n\n\n\n\n{named}/{ACCOUNT}/{ACCOUNT}/{path}{asked}"
        digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
        headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
        if body:
            headers["Content-Type"] = kind
        url = f"{self.blob}/{path}?{urllib.parse.urlencode(dict(query))}"
        request = urllib.request.Request(url, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            return reply.read()

    def blobs(self, container):
        names, marker = set(), ""
        while True:
            query = {"restype": "container", "comp": "list", **({"marker": marker} if marker else {})}
            page = xml.etree.ElementTree.fromstring(self.ask("GET", container, query))
            names |= {name.text for name in page.iter("Name")}
            if not (marker := page.findtext("NextMarker")):
                return names

    def put(self, container, name, body):
        self.ask("PUT", f"{container}/{name}", body=body, headers={"x-ms-blob-type": "BlockBlob"})


class OnSqlite:
    """Stores of a test: `jobs_section()` is for its topology, `blobs()` what lies there."""

    def jobs_section(self):
        return {"queue": {"kind": "sqlite", "path": "jobs.db"}, "blobs": {"kind": "local", "path": "blobs"}}

    def blobs(self):
        top = self.dir / "blobs"
        files = (pathlib.Path(folder) / name for folder, _, names in os.walk(top) for name in names)
        return {str(path.relative_to(top)) for path in files}

    def put_blob(self, name, body):
        (self.dir / "blobs").mkdir(exist_ok=True)
        (self.dir / "blobs" / name).write_bytes(body)

    def age_blobs(self, names):
        """Makes them look two hours old; False where the store does not let us."""
        before = time.time() - 7200
        for name in names:
            os.utime(self.dir / "blobs" / name, (before, before))
        return True


class OnNats(OnSqlite):
    """One server, and a folder."""

    replicas = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.servers = cls.start_servers()

    @classmethod
    def start_servers(cls):
        return [Nats(cls)]

    def jobs_section(self):
        servers = ",".join(server.address for server in self.servers)
        url = f"{servers}?name={re.sub('[^a-z0-9]', '', self.dir.name.lower())}&replicas={self.replicas}"
        return {**super().jobs_section(), "queue": {"kind": "nats", "url": url}}


class OnCluster(OnNats):
    """Three servers that keep everything three times, and a folder."""

    replicas = 3

    @classmethod
    def start_servers(cls):
        ports = [free_port() for _ in range(3)]
        routes = ",".join(f"nats://127.0.0.1:{port}" for port in ports)
        servers = [Nats(cls, (f"n{i}", port, routes)) for i, port in enumerate(ports)]
        for server in servers:
            server.wait_for(server.leader, "a leader of the cluster")
        return servers


class OnAzure:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.azurite = Azurite(cls)

    @property
    def place(self):
        return re.sub("[^a-z0-9]", "", self.dir.name.lower())

    def jobs_section(self):
        url = self.azurite.url(self.place)
        return {"queue": {"kind": "azure", "url": url}, "blobs": {"kind": "azure", "url": url}}

    def blobs(self):
        return self.azurite.blobs(f"{self.place}-blobs")

    def put_blob(self, name, body):
        self.azurite.put(f"{self.place}-blobs", name, body)

    def age_blobs(self, names):
        return False
