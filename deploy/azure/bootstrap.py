#!/usr/bin/python3
"""Makes a fresh machine a head or a worker: fetches the program, the site and the keys with the machine's identity.

What to fetch stands in the machine's user data, as JSON (see fleet.bicep). It may run again: after an upgrade, or when
it failed. Nothing is unpacked whose SHA-256 is another than the deployment says. Needs nothing but Python.
"""

import argparse
import base64
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.parse
import urllib.request

PERIOD_S = 30  # of one request


class Failed(Exception):
    pass


def get(url, headers):
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=PERIOD_S)
    except urllib.error.HTTPError as e:
        raise Failed(f"{url.partition('?')[0]}: {e.code} {e.reason}") from None
    except OSError as e:
        raise Failed(f"{url.partition('?')[0]}: {e}") from None


def read(url, headers):
    with get(url, headers) as reply:
        return reply.read()


class Machine:
    """Where things are written, and what may be asked for."""

    def __init__(self, root, metadata):
        self.root = root
        self.metadata = metadata
        query = "/metadata/instance/compute/userData?api-version=2021-01-01&format=text"
        self.config = json.loads(base64.b64decode(read(metadata + query, {"Metadata": "true"})))

    def token(self, resource):
        query = {"api-version": "2018-02-01", "resource": resource, "client_id": self.config["identity"]}
        url = f"{self.metadata}/metadata/identity/oauth2/token?{urllib.parse.urlencode(query)}"
        return json.loads(read(url, {"Metadata": "true"}))["access_token"]

    def fetch(self, name, sha256, to):
        """A blob of the releases, which must be the one that the deployment names."""
        headers = {"Authorization": f"Bearer {self.token('https://storage.azure.com/')}", "x-ms-version": "2021-08-06"}
        digest = hashlib.sha256()
        with get(f"{self.config['releases']}/{urllib.parse.quote(name)}", headers) as reply, open(to, "wb") as file:
            while chunk := reply.read(1 << 20):
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != sha256:
            raise Failed(f"{name}: its SHA-256 is {digest.hexdigest()}, not {sha256}")

    def secret(self, name):
        headers = {"Authorization": f"Bearer {self.token('https://vault.azure.net')}"}
        url = f"{self.config['vault'].rstrip('/')}/secrets/{name}?api-version=7.4"
        return json.loads(read(url, headers))["value"]

    def path(self, name):
        return self.root / name.lstrip("/")

    def write(self, name, text, mode=0o644):
        """Whole or not at all, and never readable by more than `mode` says."""
        to = self.path(name)
        to.parent.mkdir(parents=True, exist_ok=True)
        new = to.with_name(f".{to.name}.new")
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            file.write(text)
        new.replace(to)

    def unpack(self, archive, name):
        """A tar file into a folder, in the place of what was there."""
        to = self.path(name)
        new = to.with_name(f".{to.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        with tarfile.open(archive) as tar:
            for entry in tar:
                place = pathlib.PurePosixPath(entry.name)
                if place.is_absolute() or ".." in place.parts or not (entry.isfile() or entry.isdir()):
                    raise Failed(f"{archive}: {entry.name} does not belong into it")
                tar.extract(entry, new)
        if to.exists():
            shutil.rmtree(to)
        new.replace(to)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: {done.stderr.strip()}")


def install_program(machine, archive):
    if archive.name.endswith(".deb"):
        run("apt-get", "install", "-y", "-q", str(archive))
        return
    machine.unpack(archive, "/opt/penstock")
    found = sorted(machine.path("/opt/penstock").glob("*/bin/penstock"))
    if len(found) != 1:
        raise Failed(f"{archive.name} is no bundle: it holds {len(found)} programs")
    link = machine.path("/usr/local/bin/penstock")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(found[0])


def check_scaling(site):
    """A head sees its own workers only, so one that scales for several would take the machines of others for dead."""
    with tarfile.open(site) as tar:
        found = [entry for entry in tar if pathlib.PurePosixPath(entry.name) == pathlib.PurePosixPath("topology.yaml")]
        text = tar.extractfile(found[0]).read().decode() if found else ""
    said = "\n".join(line.partition("#")[0] for line in text.splitlines())
    if re.search(r"\bscaling\s*:", said) and not re.search(r"\bheads\s*:", said):
        raise Failed("topology.yaml: with several heads scaling needs `source: prometheus` and all of them in `heads`")


def install_site(machine, role):
    site = machine.path("/opt/penstock-site")
    machine.write("/etc/penstock/topology.yaml", (site / "topology.yaml").read_text())
    machine.write("/usr/lib/sysusers.d/penstock.conf", (site / "systemd/penstock.sysusers").read_text())
    unit = f"penstock-{role}.service"
    machine.write(f"/etc/systemd/system/{unit}", (site / "systemd" / unit).read_text())


def install_keys(machine):
    for file, secret in machine.config["keys"].items():
        machine.write(f"/etc/penstock/keys/{file}", machine.secret(secret), 0o600)


def install_environment(machine, role):
    lines = []
    for name, value in sorted(machine.config["environment"].items()):
        if "\n" in value or '"' in value or "\\" in value:
            raise Failed(f"{name}: no line of an environment file")
        lines.append(f'{name}="{value}"\n')
    machine.write(f"/etc/penstock/{role}.env", "".join(lines), 0o600)


def install_monitoring(machine):
    """Debian's Prometheus, which scrapes this head and the workers that it names."""
    folder = machine.path("/opt/penstock-site/prometheus")
    for name in ("recording.yml", "alerts.yml"):
        machine.write(f"/etc/prometheus/{name}", (folder / name).read_text())
    configuration = (folder / "prometheus.yml").read_text()
    for port in (8080, 9465):
        configuration = configuration.replace(f"head:{port}", f"127.0.0.1:{port}")
    machine.write("/etc/prometheus/prometheus.yml", configuration)
    machine.write("/etc/prometheus/targets.token", machine.secret(machine.config["monitoring_token"]), 0o640)
    shutil.chown(machine.path("/etc/prometheus/targets.token"), group=os.environ.get("PROMETHEUS_GROUP", "prometheus"))
    run("systemctl", "restart", "prometheus.service")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--root", type=pathlib.Path, default=pathlib.Path("/"))
    arguments.add_argument("--metadata", default="http://169.254.169.254")
    given = arguments.parse_args()
    machine = Machine(given.root, given.metadata)
    role = machine.config["role"]
    with tempfile.TemporaryDirectory(prefix="penstock-") as folder:
        program = pathlib.Path(folder, pathlib.PurePosixPath(machine.config["release"]).name)
        site = pathlib.Path(folder, "site.tar.gz")
        machine.fetch(machine.config["release"], machine.config["release_sha256"], program)
        machine.fetch(machine.config["site"], machine.config["site_sha256"], site)
        if machine.config.get("heads", 1) > 1:
            check_scaling(site)
        install_keys(machine)  # what may fail comes before what changes the machine
        machine.unpack(site, "/opt/penstock-site")
        install_program(machine, program)
    install_site(machine, role)
    install_environment(machine, role)
    run("systemd-sysusers")
    run("systemctl", "daemon-reload")
    run("systemctl", "enable", f"penstock-{role}.service")
    run("systemctl", "restart", "--no-block", f"penstock-{role}.service")
    if machine.config["monitoring"]:
        install_monitoring(machine)


if __name__ == "__main__":
    try:
        main()
    except Failed as e:
        sys.exit(f"penstock-bootstrap: {e}")
