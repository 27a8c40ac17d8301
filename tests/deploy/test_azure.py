"""The Azure templates hold together: names, versions, shapes, parameters, what machines are told, and who may do what."""

import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import bicep
import yaml
from bicep import Call, Declaration, Loop, Member, Name, Text
from reading import DEPLOY, ROOT

AZURE = DEPLOY / "azure"
TEMPLATES = {path.stem: bicep.parse(path.read_text()) for path in sorted(AZURE.glob("*.bicep"))}
PROGRAM = os.environ.get("PENSTOCK", str(ROOT / "build/release/penstock"))
CUSTOM_DATA_LIMIT = 65_535  # bytes, in base64; user data has the same

FUNCTIONS = {"base64", "cidrSubnet", "description", "empty", "environment", "guid", "json", "length", "loadFileAsBase64",
             "loadTextContent", "range", "replace", "resourceGroup", "resourceId", "string", "subscription",
             "subscriptionResourceId", "take", "union", "uniqueString"}  # fmt: skip
DECORATORS = {"description", "minLength", "maxLength", "minValue", "maxValue", "allowed", "secure"}

# Types and versions of learn.microsoft.com/azure/templates, and what `properties` may hold there (of this or a later
# version; what is rarely used is left out).
KNOWN = {
    "Microsoft.Authorization/roleAssignments@2022-04-01": "roleDefinitionId principalId principalType description",
    "Microsoft.Authorization/roleDefinitions@2022-04-01": "roleName description type assignableScopes permissions",
    "Microsoft.Compute/virtualMachines@2024-07-01": "additionalCapabilities availabilitySet billingProfile "
    "diagnosticsProfile evictionPolicy hardwareProfile networkProfile osProfile priority scheduledEventsProfile "
    "securityProfile storageProfile userData virtualMachineScaleSet",
    "Microsoft.Compute/virtualMachineScaleSets@2024-07-01": "additionalCapabilities automaticRepairsPolicy "
    "constrainedMaximumCapacity doNotRunExtensionsOnOverprovisionedVMs orchestrationMode overprovision "
    "platformFaultDomainCount priorityMixPolicy proximityPlacementGroup resiliencyPolicy scaleInPolicy "
    "singlePlacementGroup skuProfile spotRestorePolicy upgradePolicy virtualMachineProfile zonalPlatformFaultDomainAlignMode "
    "zoneBalance",
    "Microsoft.Insights/autoscaleSettings@2022-10-01": "enabled name notifications predictiveAutoscalePolicy profiles "
    "targetResourceLocation targetResourceUri",
    "Microsoft.KeyVault/vaults@2023-07-01": "accessPolicies enabledForDeployment enablePurgeProtection enableRbacAuthorization "
    "enableSoftDelete networkAcls publicNetworkAccess sku softDeleteRetentionInDays tenantId",
    "Microsoft.KeyVault/vaults/secrets@2023-07-01": "attributes contentType value",
    "Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31": "",
    "Microsoft.Network/applicationGateways@2023-11-01": "autoscaleConfiguration backendAddressPools "
    "backendHttpSettingsCollection enableHttp2 frontendIPConfigurations frontendPorts gatewayIPConfigurations httpListeners "
    "probes redirectConfigurations requestRoutingRules rewriteRuleSets sku sslCertificates sslPolicy",
    "Microsoft.Network/loadBalancers@2023-11-01": "backendAddressPools frontendIPConfigurations inboundNatPools "
    "inboundNatRules loadBalancingRules outboundRules probes",
    "Microsoft.Network/natGateways@2023-11-01": "idleTimeoutInMinutes publicIpAddresses publicIpPrefixes",
    "Microsoft.Network/networkInterfaces@2023-11-01": "dnsSettings enableAcceleratedNetworking enableIPForwarding "
    "ipConfigurations networkSecurityGroup",
    "Microsoft.Network/networkSecurityGroups@2023-11-01": "flushConnection securityRules",
    "Microsoft.Network/publicIPAddresses@2023-11-01": "dnsSettings idleTimeoutInMinutes publicIPAddressVersion "
    "publicIPAllocationMethod",
    "Microsoft.Network/virtualNetworks@2023-11-01": "addressSpace dhcpOptions enableDdosProtection subnets",
    "Microsoft.Network/virtualNetworks/subnets@2023-11-01": "addressPrefix natGateway networkSecurityGroup",
    "Microsoft.Storage/storageAccounts@2023-05-01": "accessTier allowBlobPublicAccess allowSharedKeyAccess minimumTlsVersion "
    "networkAcls publicNetworkAccess supportsHttpsTrafficOnly",
    "Microsoft.Storage/storageAccounts/blobServices@2023-05-01": "deleteRetentionPolicy isVersioningEnabled",
    "Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01": "metadata publicAccess",
}
BESIDE = set("name location properties tags sku kind identity zones parent scope dependsOn".split())
# Objects further inside, by the keys that lead there.
INSIDE = {
    "properties.virtualMachineProfile": "billingProfile capacityReservation diagnosticsProfile evictionPolicy extensionProfile "
    "networkProfile osProfile priority scheduledEventsProfile securityProfile serviceArtifactReference storageProfile userData",
    "terminateNotificationProfile": "enable notBeforeTimeout",
    "automaticRepairsPolicy": "enabled gracePeriod repairAction",
    "osProfile": "computerName computerNamePrefix adminUsername adminPassword customData linuxConfiguration secrets",
    "linuxConfiguration": "disablePasswordAuthentication ssh provisionVMAgent patchSettings",
    "extensionProfile": "extensions extensionsTimeBudget",
    "osDisk": "caching createOption deleteOption diffDiskSettings diskSizeGB managedDisk name",
    "networkInterfaceConfigurations.properties": "deleteOption enableAcceleratedNetworking ipConfigurations "
    "networkSecurityGroup primary",
    "loadBalancingRules.properties": "backendAddressPool backendPort disableOutboundSnat enableFloatingIP enableTcpReset "
    "frontendIPConfiguration frontendPort idleTimeoutInMinutes loadDistribution probe protocol",
    "securityRules.properties": "access description destinationAddressPrefix destinationPortRange direction priority protocol "
    "sourceAddressPrefix sourcePortRange",
    "backendHttpSettingsCollection.properties": "connectionDraining cookieBasedAffinity pickHostNameFromBackendAddress port "
    "probe protocol requestTimeout",
    "metricTrigger": "dimensions dividePerInstance metricName metricNamespace metricResourceUri operator statistic threshold "
    "timeAggregation timeGrain timeWindow",
    "scaleAction": "cooldown direction type value",
    "capacity": "default maximum minimum",
}


def declared(template, *kinds):
    return {d.name: d for d in TEMPLATES[template] if d.kind in kinds}


def objects(value, path=""):
    """(keys that lead there, object) of every object that is written out."""
    if isinstance(value, dict):
        yield path, value
        for key, inner in value.items():
            yield from objects(inner, f"{path}.{key}" if isinstance(key, str) else path)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner, path)
    elif isinstance(value, Loop):
        yield from objects(value.body, path)


def find(value, key):
    """Everything under this key, anywhere inside."""
    return [found[key] for _, found in objects(value) if key in found]


def literals(value):
    """The strings of a list."""
    return [text.literal for text in value]


def variable(template, name):
    return declared(template, "var")[name].value


class Templates(unittest.TestCase):
    def test_there_are_those_that_the_manual_names(self):
        self.assertEqual(set(TEMPLATES), {"autoscale", "base", "fleet", "gateway"})

    def test_every_name_is_declared_and_every_declaration_used(self):
        for template, declarations in TEMPLATES.items():
            names = [d.name for d in declarations if d.kind not in ("output", "targetScope")]
            self.assertEqual(len(set(names)), len(names), f"{template}: something is declared twice")
            used = set()
            for d in declarations:
                for value, bound in bicep.walk([d.value, d.condition]):
                    if isinstance(value, Name) and value.name not in bound:
                        self.assertIn(value.name, names, f"{template}: {d.name} uses what is not declared")
                        used.add(value.name)
                    if isinstance(value, Call) and value.name != ".":
                        self.assertIn(value.name, FUNCTIONS, f"{template}: {d.name}")
                self.assertLessEqual(set(d.decorators), DECORATORS, f"{template}: {d.name}")
            idle = {d.name for d in declarations if d.kind in ("param", "var")} - used
            self.assertFalse(idle, f"{template}: declared for nothing")
            self.assertEqual(declarations[0].kind, "targetScope")

    def test_resources_have_known_types_versions_and_properties(self):
        for template in TEMPLATES:
            for name, resource in declared(template, "resource").items():
                with self.subTest(template=template, resource=name):
                    self.assertIn(resource.type, KNOWN)
                    body = resource.value.body if isinstance(resource.value, Loop) else resource.value
                    self.assertIn("name", body)
                    self.assertLessEqual(set(body), BESIDE)
                    self.assertLessEqual(set(body.get("properties", {})), set(KNOWN[resource.type].split()))
                    for path, found in objects(body):
                        for end, allowed in INSIDE.items():
                            if path.endswith(f".{end}"):
                                self.assertLessEqual(set(found), set(allowed.split()), path)

    def test_a_slip_is_found(self):
        """The reader and the checks are no decoration."""
        text = (AZURE / "fleet.bicep").read_text()
        for was, becomes in (("[\n", "\n"), ("sku: {", "sku: "), ("'${name}-head'", "'${name}-head"), ("param name", "parm name"),
                             ("base64(headData)", "base64(headData"), ("Uniform'", "Uniform' overprovision: true")):  # fmt: skip
            with self.subTest(becomes=becomes), self.assertRaises(bicep.BicepError):
                self.assertIn(was, text)
                bicep.parse(text.replace(was, becomes, 1))

    def test_children_and_references_name_what_there_is(self):
        for template, text in ((path.stem, path.read_text()) for path in AZURE.glob("*.bicep")):
            for file in re.findall(r"load(?:TextContent|FileAsBase64)\('([^']+)'\)", text):
                self.assertTrue((AZURE / file).is_file(), f"{template}: {file}")
            for name, resource in declared(template, "resource").items():
                body = resource.value.body if isinstance(resource.value, Loop) else resource.value
                self.assertEqual("parent" in body, resource.type.count("/") > 1, f"{template}: {name}")
        # Ids that are put together must end in the names of parts of the same resource.
        for template in ("fleet", "gateway"):
            for name, resource in declared(template, "resource").items():
                for value, _ in bicep.walk(resource.value):
                    if isinstance(value, Call) and value.name == "resourceId":
                        kind = value.arguments[0].literal.split("/")
                        if len(kind) > 2:
                            (parts,) = find(resource.value["properties"], kind[2])
                            named = [p["name"].literal for _, p in objects(parts) if isinstance(p.get("name"), Text)]
                            self.assertIn(value.arguments[2].literal, named, f"{template}: {name}")


class Parameters(unittest.TestCase):
    def test_files_give_what_templates_want(self):
        kinds = {"string": str, "int": int, "bool": bool, "array": list, "object": dict}
        for template in ("base", "fleet"):
            document = json.loads((AZURE / f"{template}.parameters.json").read_text())
            given = {name: entry["value"] for name, entry in document["parameters"].items()}
            wanted = declared(template, "param")
            self.assertLessEqual(set(given), set(wanted), template)
            needed = {name for name, d in wanted.items() if d.value is None}
            self.assertLessEqual(needed, set(given), template)
            for name, value in given.items():
                with self.subTest(template=template, parameter=name):
                    limits = {key: arguments[0] for key, arguments in wanted[name].decorators.items()}
                    self.assertIs(type(value), kinds[wanted[name].type])
                    if "allowed" in limits:
                        self.assertIn(value, literals(limits["allowed"]))
                    if isinstance(value, str):
                        self.assertGreaterEqual(len(value), limits.get("minLength", 0))
                        self.assertLessEqual(len(value), limits.get("maxLength", 1 << 20))
                    if isinstance(value, int):
                        self.assertGreaterEqual(value, limits.get("minValue", value))

    def test_defaults_are_allowed(self):
        for template in TEMPLATES:
            for name, d in declared(template, "param").items():
                if d.value is not None and "allowed" in d.decorators:
                    self.assertIn(d.value.literal, literals(d.decorators["allowed"][0]), name)

    def test_both_templates_compute_the_same_names(self):
        self.assertEqual(variable("base", "unique"), variable("fleet", "unique"))


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
        for packages in re.findall(r"'(\[[^']*\])'", (AZURE / "fleet.bicep").read_text()):
            text = self.rendered(packages)
            self.assertTrue(text.startswith("#cloud-config\n"))
            self.assertLess(len(base64.b64encode(text.encode())), CUSTOM_DATA_LIMIT)
            document = yaml.safe_load(text)
            self.assertEqual(set(document), {"package_update", "packages", "write_files", "runcmd"})
            for file in document["write_files"]:
                self.assertLessEqual(set(file), {"path", "permissions", "encoding", "content", "owner", "append", "defer"})
                self.assertRegex(file["permissions"], r"^0[0-7]{3}$")
                self.assertIn(file.get("encoding", "text/plain"), ("b64", "text/plain"))
            self.assertTrue(all(isinstance(word, str) for command in document["runcmd"] for word in command))
            self.assertTrue(all(isinstance(name, str) for name in document["packages"]))

    @unittest.skipUnless(shutil.which("cloud-init"), "cloud-init is not here")
    def test_cloud_init_accepts_it(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(self.rendered('["prometheus"]'))
            file.flush()
            done = subprocess.run(["cloud-init", "schema", "--config-file", file.name], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_unit_in_it_is_valid(self):
        (text,) = [f["content"] for f in yaml.safe_load(self.rendered("[]"))["write_files"] if f["path"].endswith(".service")]
        with tempfile.TemporaryDirectory() as folder:
            unit = pathlib.Path(folder, "penstock-bootstrap.service")
            unit.write_text(text.replace("/usr/local/sbin/penstock-bootstrap", sys.executable))
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_no_secret_is_in_what_everybody_on_the_machine_can_read(self):
        self.assertNotRegex(self.rendered("[]"), r"(?i)(accountkey|sharedaccess|password|sig=)")
        for name in ("headConfig", "workerConfig", "common"):
            for value, _ in bicep.walk(variable("fleet", name)):
                if isinstance(value, Name):
                    self.assertNotIn("secure", declared("fleet", "param").get(value.name, Declaration("", "")).decorators)
        self.assertEqual(find(TEMPLATES["fleet"][0].value, "adminPassword"), [])

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
        self.assertEqual((settings["protocol"].literal, settings["requestPath"].literal), ("http", "/healthz"))

    def test_ports_agree(self):
        topology = yaml.safe_load((AZURE / "topology.yaml").read_text())
        links = int(topology["nodes"]["head"]["listen"].rsplit(":", 1)[1])
        door = int(topology["nodes"]["head"]["http"].rsplit(":", 1)[1])
        balancer = self.resource("balancer")["properties"]
        self.assertEqual(sorted(rule["port"] for rule in balancer["loadBalancingRules"].over), sorted((links, door)))
        (probe,) = balancer["probes"]
        self.assertEqual((probe["properties"]["port"], probe["properties"]["requestPath"].literal), (door, "/readyz"))
        rules = {r["name"].literal: r["properties"] for r in self.resource("headRules", "base")["properties"]["securityRules"]}
        self.assertEqual(rules["workers"]["destinationPortRange"].literal, str(links))
        self.assertTrue(all(rules[n]["destinationPortRange"].literal == str(door) for n in ("clients", "gateway", "probes")))
        environment = variable("fleet", "workerConfig").arguments[1]["environment"]
        metrics = environment["PENSTOCK_METRICS"].literal.rsplit(":", 1)[1]
        (health,) = find(self.resource("workers"), "settings")
        self.assertEqual(health["port"], int(metrics))
        rules = {r["name"].literal: r["properties"] for r in self.resource("workerRules", "base")["properties"]["securityRules"]}
        self.assertEqual(rules["metrics"]["destinationPortRange"].literal, metrics)
        self.assertEqual(rules["metrics"]["sourceAddressPrefix"], Name("headPrefix"))
        self.assertTrue(environment["PENSTOCK_HEAD"].pieces[-1].endswith(f":{links}"))
        (settings,) = self.resource("front", "gateway")["properties"]["backendHttpSettingsCollection"]
        self.assertEqual(settings["properties"]["port"], door)
        (probe,) = self.resource("front", "gateway")["properties"]["probes"]
        self.assertEqual(probe["properties"]["path"].literal, "/readyz")

    def test_everything_that_is_not_allowed_in_is_denied(self):
        for name in ("headRules", "workerRules"):
            rules = [r["properties"] for r in self.resource(name, "base")["properties"]["securityRules"]]
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
        used = {d.name for d in TEMPLATES["base"] if d.kind == "var" and isinstance(d.value, Text) and len(d.value.pieces[0]) == 36}
        self.assertEqual(used, {"blobDataReader", "blobDataContributor", "queueDataContributor", "vaultSecretsOfficer"})
        worker = [r for n, r in declared("base", "resource").items() if "workerIdentity" in repr(r.value) and n != "workerIdentity"]
        self.assertEqual([r.value["scope"] for r in worker], [Name("releases")], "workers only fetch releases")

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
        scripts = [p for p in DEPLOY.rglob("*") if p.is_file() and p.read_bytes()[:40].startswith(b"#!/usr/bin/env bash")]
        self.assertGreaterEqual(len(scripts), 1)
        done = subprocess.run(["shellcheck", *map(str, scripts)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)

    def pack(self, model, out, *more):
        return subprocess.run([str(AZURE / "pack-site"), str(model), str(out), *map(str, more)], capture_output=True, text=True)

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

    @unittest.skipUnless(pathlib.Path(PROGRAM).exists(), "the program is not built")
    def test_the_topology_is_valid(self):
        with tempfile.TemporaryDirectory() as name:
            for topology in (AZURE / "topology.yaml", DEPLOY / "kubernetes/topology.yaml"):
                model, labels = pathlib.Path(name, "model.onnx"), pathlib.Path(name, "labels.txt")
                shutil.copy(ROOT / "configs/models/demo-person.onnx", model)
                shutil.copy(ROOT / "configs/models/demo-person.txt", labels)
                text = re.sub(r"/\S*/model/(\w+\.\w+)", rf"{name}/\1", topology.read_text())
                copy = pathlib.Path(name, "topology.yaml")
                copy.write_text(text)
                env = {**os.environ, "PENSTOCK_TOKEN_SHA256": "0" * 64, "PENSTOCK_STORAGE": "AccountName=a;Name=penstock",
                       "PENSTOCK_SCALE_SET": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/"
                       "virtualMachineScaleSets/w", "PENSTOCK_IDENTITY": "0-0"}  # fmt: skip
                done = subprocess.run([PROGRAM, "validate", str(copy)], capture_output=True, text=True, env=env)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
