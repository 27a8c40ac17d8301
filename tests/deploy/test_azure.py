"""What the Azure templates tell machines, whom they let in, and what they let the controller do."""

import base64
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml
from azure import AZURE, TEMPLATES, declared, find, literals, variable
from bicep import Call, Loop, Name
from reading import DEPLOY, ROOT

PROGRAM = os.environ.get("PENSTOCK", str(ROOT / "build/release/penstock"))
CUSTOM_DATA_LIMIT = 65_535  # bytes, in base64; user data has the same


class Machines(unittest.TestCase):
    """What machines are told at their first start."""

    def rendered(self, packages):
        text = (AZURE / "cloud-init.yaml").read_text()
        bootstrap = base64.b64encode((AZURE / "bootstrap.py").read_bytes()).decode()
        return text.replace("__BOOTSTRAP__", bootstrap).replace("__PACKAGES__", packages)

    def test_every_place_is_filled(self):
        places = set(re.findall(r"__[A-Z]+__", (AZURE / "cloud-init.yaml").read_text()))
        filled = set(re.findall(r"'(__[A-Z]+__)'", (AZURE / "fleet.bicep").read_text()))
        self.assertEqual(places, filled)

    def test_it_fits_and_has_the_shape_that_cloud_init_reads(self):
        lists = re.findall(r"'(\[[^']*\])'", (AZURE / "fleet.bicep").read_text())
        self.assertEqual(len(lists), 2)
        for packages in lists:
            text = self.rendered(packages)
            self.assertTrue(text.startswith("#cloud-config\n"))
            self.assertLess(len(base64.b64encode(text.encode())), CUSTOM_DATA_LIMIT)
            document = yaml.safe_load(text)
            self.assertEqual(set(document), {"package_update", "packages", "write_files", "runcmd"})
            for file in document["write_files"]:
                self.assertLessEqual(set(file), {"path", "permissions", "encoding", "content", "owner", "append"})
                self.assertRegex(file["permissions"], r"^0[0-7]{3}$")
                self.assertIn(file.get("encoding", "text/plain"), ("b64", "text/plain"))
            self.assertTrue(all(isinstance(word, str) for command in document["runcmd"] for word in command))
            self.assertTrue(document["packages"] and all(isinstance(name, str) for name in document["packages"]))

    @unittest.skipUnless(shutil.which("cloud-init"), "cloud-init is not here")
    def test_cloud_init_accepts_it(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(self.rendered('["prometheus"]'))
            file.flush()
            done = subprocess.run(["cloud-init", "schema", "--config-file", file.name], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_unit_in_it_is_valid(self):
        files = yaml.safe_load(self.rendered('["ca-certificates"]'))["write_files"]
        (text,) = [file["content"] for file in files if file["path"].endswith(".service")]
        with tempfile.TemporaryDirectory() as folder:
            unit = pathlib.Path(folder, "penstock-bootstrap.service")
            unit.write_text(text.replace("/usr/local/sbin/penstock-bootstrap", sys.executable))
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_no_secret_is_in_what_everybody_on_the_machine_can_read(self):
        self.assertNotRegex(self.rendered('["ca-certificates"]'), r"(?i)(accountkey|sharedaccess|password|sig=)")
        for name, parameter in declared("fleet", "param").items():
            self.assertNotIn("secure", parameter.decorators, f"{name} would be in the machines' user data")
        self.assertNotIn("adminPassword", (AZURE / "fleet.bicep").read_text())

    def test_each_machine_gets_its_keys_and_no_other(self):
        for role in ("head", "worker"):
            config = variable("fleet", f"{role}Config").arguments[1]
            unit = (DEPLOY / f"systemd/penstock-{role}.service").read_text()
            credentials = set(re.findall(r"^LoadCredential=(\S+?):/etc/penstock/keys/", unit, re.M))
            self.assertEqual(set(config["keys"]), credentials)
            secrets = {text.literal for text in config["keys"].values()}
            if "monitoring_token" in config:
                secrets.add(config["monitoring_token"].literal)
            self.assertEqual(secrets, set(literals(variable("fleet", f"{role}Secrets"))))
        self.assertNotIn("head-key-secret", literals(variable("fleet", "workerSecrets")))

    def test_environments_are_those_that_are_read(self):
        topology = (AZURE / "topology.yaml").read_text()
        read = set(re.findall(r"\$\{(\w+)\}", re.sub(r"#.*", "", topology)))
        given = set(variable("fleet", "headConfig").arguments[1]["environment"])
        self.assertLessEqual(read, given)
        worker = set(variable("fleet", "workerConfig").arguments[1]["environment"])
        unit = (DEPLOY / "systemd/penstock-worker.service").read_text()
        self.assertEqual(worker, set(re.findall(r"\$\{(\w+)\}", unit)))


class Fleet(unittest.TestCase):
    def resource(self, name, template="fleet"):
        return declared(template, "resource")[name].value

    def rules(self, name):
        """{name: properties}, in order."""
        return {r["name"].literal: r["properties"] for r in self.resource(name, "base")["properties"]["securityRules"]}

    def test_workers_drain_are_probed_and_are_never_taken_at_work(self):
        properties = self.resource("workers")["properties"]
        profile = properties["virtualMachineProfile"]
        self.assertEqual(properties["upgradePolicy"]["mode"].literal, "Manual")
        self.assertIs(properties["overprovision"], False)
        self.assertEqual(properties["orchestrationMode"].literal, "Uniform")  # instance ids are what vmss deletes by
        (notice,) = find(profile, "terminateNotificationProfile")
        self.assertEqual(notice["notBeforeTimeout"], Name("terminateNotice"))
        allowed = literals(declared("fleet", "param")["terminateNotice"].decorators["allowed"][0])
        self.assertTrue(all(5 <= int(re.fullmatch(r"PT(\d+)M", text)[1]) <= 15 for text in allowed))
        (extension,) = profile["extensionProfile"]["extensions"]
        self.assertEqual(extension["properties"]["typeHandlerVersion"].literal, "2.0")  # rich states
        settings = extension["properties"]["settings"]
        self.assertEqual((settings["protocol"].literal, settings["requestPath"].literal), ("http", "/healthz/rich"))

    def test_ports_agree(self):
        topology = yaml.safe_load((AZURE / "topology.yaml").read_text())
        links = int(topology["nodes"]["head"]["listen"].rsplit(":", 1)[1])
        door = int(topology["nodes"]["head"]["http"].rsplit(":", 1)[1])
        balancer = self.resource("balancer")["properties"]
        self.assertEqual(sorted(rule["port"] for rule in balancer["loadBalancingRules"].over), sorted((links, door)))
        (probe,) = balancer["probes"]
        self.assertEqual((probe["properties"]["port"], probe["properties"]["requestPath"].literal), (door, "/readyz"))
        rules = self.rules("headRules")
        self.assertEqual(rules["workers"]["destinationPortRange"].literal, str(links))
        for name in ("clients", "gateway", "probes"):
            self.assertEqual(rules[name]["destinationPortRange"].literal, str(door))
        environment = variable("fleet", "workerConfig").arguments[1]["environment"]
        metrics = environment["PENSTOCK_METRICS"].literal.rsplit(":", 1)[1]
        (health,) = find(self.resource("workers"), "settings")
        self.assertEqual(health["port"], int(metrics))
        rules = self.rules("workerRules")
        self.assertEqual(rules["metrics"]["destinationPortRange"].literal, metrics)
        self.assertEqual(rules["metrics"]["sourceAddressPrefix"], Name("headPrefix"))
        self.assertTrue(environment["PENSTOCK_HEAD"].pieces[-1].endswith(f":{links}"))
        (settings,) = self.resource("front", "gateway")["properties"]["backendHttpSettingsCollection"]
        self.assertEqual(settings["properties"]["port"], door)
        (probe,) = self.resource("front", "gateway")["properties"]["probes"]
        self.assertEqual(probe["properties"]["path"].literal, "/readyz")

    def test_everything_that_is_not_allowed_in_is_denied(self):
        for name in ("headRules", "workerRules"):
            rules = list(self.rules(name).values())
            order = [r["priority"] for r in rules]
            self.assertEqual(order, sorted(set(order)))
            self.assertEqual([r["access"].literal for r in rules], ["Allow"] * (len(rules) - 1) + ["Deny"])
            self.assertEqual(rules[-1]["destinationPortRange"].literal, "*")
            self.assertNotIn("*", [getattr(r["sourceAddressPrefix"], "literal", "") for r in rules[:-1]])

    def test_rights_are_no_more_than_what_is_done(self):
        actions = {name: literals(find(self.resource(name), "actions")[0]) for name in ("scaler", "joiner")}
        set_, machines = (f"Microsoft.Compute/virtualMachineScaleSets{part}" for part in ("", "/virtualMachines"))
        self.assertEqual(sorted(actions["scaler"]), sorted(
            [f"{set_}/read", f"{set_}/write", f"{set_}/delete/action", f"{machines}/read", f"{machines}/write",
             f"{machines}/instanceView/read"]))  # fmt: skip
        self.assertFalse([a for given in actions.values() for a in given if "*" in a])
        for template in TEMPLATES:
            for name, resource in declared(template, "resource").items():
                if resource.type.startswith("Microsoft.Authorization/roleAssignments"):
                    body = resource.value.body if isinstance(resource.value, Loop) else resource.value
                    self.assertIn("scope", body, f"{name} is of the whole group")
                    self.assertIsInstance(body["name"], Call)
                    self.assertEqual(body["name"].name, "guid")
        of_workers = [
            resource.value["scope"]
            for name, resource in declared("base", "resource").items()
            if "workerIdentity" in repr(resource.value) and name != "workerIdentity"
        ]
        self.assertEqual(of_workers, [Name("releases")], "workers only fetch releases")

    def test_nobody_gets_in_by_a_key(self):
        storage = self.resource("storage", "base")["properties"]
        self.assertIs(storage["allowSharedKeyAccess"], False)
        self.assertIs(storage["allowBlobPublicAccess"], False)
        self.assertIs(self.resource("vault", "base")["properties"]["enableRbacAuthorization"], True)
        for name in ("heads", "workers"):
            (linux,) = find(self.resource(name), "linuxConfiguration")
            self.assertIs(linux["disablePasswordAuthentication"], True)

    def test_the_advice_is_the_metric_that_is_sent(self):
        wanted = variable("autoscale", "wanted")
        sent = re.findall(r'tell_->add\("(\w+)"', (ROOT / "scaling/fleet/advise.cpp").read_text())
        space = re.search(r'name_space = "(\w+)"', (ROOT / "scaling/azure/custom_metrics.hpp").read_text())[1]
        self.assertIn(wanted["metricName"].literal, sent)
        self.assertEqual(wanted["metricNamespace"].literal, space)
        (profile,) = self.resource("rules", "autoscale")["properties"]["profiles"]
        directions = [rule["scaleAction"]["direction"].literal for rule in profile["rules"]]
        self.assertEqual(directions, ["Increase", "Decrease"])
        operators = [rule["metricTrigger"].arguments[1]["operator"].literal for rule in profile["rules"]]
        self.assertEqual(operators, ["GreaterThan", "LessThan"])


class Files(unittest.TestCase):
    def test_scripts_are_clean(self):
        files = [path for path in DEPLOY.rglob("*") if path.is_file()]
        scripts = [path for path in files if path.read_bytes().startswith(b"#!/usr/bin/env bash")]
        self.assertGreaterEqual(len(scripts), 1)
        done = subprocess.run(["shellcheck", *map(str, scripts)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)

    def pack(self, model, out):
        return subprocess.run([str(AZURE / "pack-site"), str(model), str(out)], capture_output=True, text=True)

    def test_the_site_holds_what_machines_install_and_equal_files_give_equal_bytes(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "model").mkdir()
            refused = self.pack(folder / "model", folder / "a.tar.gz")
            self.assertEqual(refused.returncode, 1)
            self.assertIn("names model/model.onnx, which is not in", refused.stderr)
            for file in ("model.onnx", "labels.txt"):
                (folder / "model" / file).write_text(file)
            first = self.pack(folder / "model", folder / "a.tar.gz")
            again = self.pack(folder / "model", folder / "b.tar.gz")
            self.assertEqual((first.returncode, again.returncode), (0, 0), first.stderr)
            self.assertEqual((folder / "a.tar.gz").read_bytes(), (folder / "b.tar.gz").read_bytes())
            self.assertEqual(first.stdout.split()[0], again.stdout.split()[0])

    def environment(self):
        """What fleet.bicep gives a head."""
        given = variable("fleet", "headConfig").arguments[1]["environment"]
        made = {
            "PENSTOCK_TOKEN_SHA256": "0" * 64,
            "PENSTOCK_TARGETS_SHA256": "1" * 64,
            "PENSTOCK_STORAGE": "AccountName=a;Name=penstock",
            "PENSTOCK_SCALE_SET": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/"
            "virtualMachineScaleSets/w",
            "PENSTOCK_IDENTITY": "0-0",
        }
        self.assertEqual(set(given), set(made))
        return {**os.environ, **made}

    @unittest.skipUnless(pathlib.Path(PROGRAM).exists(), "the program is not built")
    def test_the_topologies_are_valid(self):
        with tempfile.TemporaryDirectory() as name:
            for topology in (AZURE / "topology.yaml", DEPLOY / "kubernetes/topology.yaml"):
                model, labels = pathlib.Path(name, "model.onnx"), pathlib.Path(name, "labels.txt")
                shutil.copy(ROOT / "configs/models/demo-person.onnx", model)
                shutil.copy(ROOT / "configs/models/demo-person.txt", labels)
                text = re.sub(r"/\S*/model/(\w+\.\w+)", rf"{name}/\1", topology.read_text())
                copy = pathlib.Path(name, "topology.yaml")
                copy.write_text(text)
                command = [PROGRAM, "validate", str(copy)]
                done = subprocess.run(command, capture_output=True, text=True, env=self.environment())
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
