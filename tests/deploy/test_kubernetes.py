"""The manifests belong together, have the fields that their kinds have, and give a drain its time."""

import json
import re
import unittest

import yaml
from reading import DEPLOY, ExpressionTest
from test_systemd import grace

FOLDER = DEPLOY / "kubernetes"
VERSIONS = {"Service": "v1", "PersistentVolumeClaim": "v1", "Deployment": "apps/v1", "PodDisruptionBudget": "policy/v1",
            "ScaledObject": "keda.sh/v1alpha1", "HorizontalPodAutoscaler": "autoscaling/v2",
            "Kustomization": "kustomize.config.k8s.io/v1beta1"}  # fmt: skip

# Fields of the kinds, of Kubernetes' API reference (1.25 and later) and KEDA's (2.x): {path: fields}. Lists have no
# step of their own.
FIELDS = {
    "Service.spec": "selector ports type clusterIP publishNotReadyAddresses sessionAffinity",
    "Service.spec.ports": "name port targetPort protocol nodePort",
    "PersistentVolumeClaim.spec": "accessModes resources storageClassName volumeMode",
    "Deployment.spec": "replicas strategy selector template minReadySeconds revisionHistoryLimit "
    "progressDeadlineSeconds",
    "Deployment.spec.strategy": "type rollingUpdate",
    "Deployment.spec.strategy.rollingUpdate": "maxUnavailable maxSurge",
    "Deployment.spec.template": "metadata spec",
    "Deployment.spec.template.spec": "automountServiceAccountToken terminationGracePeriodSeconds securityContext "
    "initContainers containers volumes nodeSelector tolerations affinity serviceAccountName "
    "topologySpreadConstraints",
    "Deployment.spec.template.spec.securityContext": "runAsNonRoot runAsUser runAsGroup fsGroup seccompProfile",
    "container": "name image command args env ports lifecycle startupProbe readinessProbe livenessProbe "
    "securityContext resources volumeMounts imagePullPolicy",
    "container.securityContext": "allowPrivilegeEscalation readOnlyRootFilesystem capabilities",
    "container.ports": "name containerPort protocol",
    "container.lifecycle": "preStop postStart",
    "container.env": "name value valueFrom",
    "container.volumeMounts": "name mountPath readOnly subPath",
    "probe": "httpGet tcpSocket exec initialDelaySeconds periodSeconds timeoutSeconds failureThreshold "
    "successThreshold",
    "Deployment.spec.template.spec.volumes": "name configMap secret emptyDir persistentVolumeClaim",
    "PodDisruptionBudget.spec": "minAvailable maxUnavailable selector unhealthyPodEvictionPolicy",
    "ScaledObject.spec": "scaleTargetRef pollingInterval cooldownPeriod initialCooldownPeriod idleReplicaCount "
    "minReplicaCount maxReplicaCount fallback advanced triggers",
    "ScaledObject.spec.fallback": "failureThreshold replicas behavior",
    "ScaledObject.spec.triggers": "type metadata metricType name useCachedMetrics authenticationRef",
    "ScaledObject.spec.triggers.metadata": "serverAddress query threshold activationThreshold namespace "
    "ignoreNullValues unsafeSsl authModes",
    "HorizontalPodAutoscaler.spec": "scaleTargetRef minReplicas maxReplicas metrics behavior",
    "behavior": "scaleUp scaleDown",
    "behavior.scaleUp": "stabilizationWindowSeconds selectPolicy policies tolerance",
    "behavior.scaleDown": "stabilizationWindowSeconds selectPolicy policies tolerance",
}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def documents():
    """{(kind, name): manifest} of all files but the topology, which is none."""
    found = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()) if path.name != "topology.yaml" else []:
            name = document.get("metadata", {}).get("name", path.stem)
            assert (document["kind"], name) not in found, f"{name} is there twice"
            found[document["kind"], name] = document
    return found


def items(value):
    return value if isinstance(value, list) else [value]


class Manifests(ExpressionTest):
    def setUp(self):
        self.all = documents()
        self.head = self.pod("penstock-head")
        self.worker = self.pod("penstock-worker")
        self.topology = yaml.safe_load((FOLDER / "topology.yaml").read_text())

    def pod(self, name):
        return self.all["Deployment", name]["spec"]["template"]["spec"]

    def containers(self):
        return [c for pod in (self.head, self.worker) for c in pod["initContainers"] + pod["containers"]]

    def test_kinds_have_their_versions(self):
        self.assertEqual({kind for kind, _ in self.all}, set(VERSIONS))
        for (kind, name), document in self.all.items():
            self.assertEqual(document["apiVersion"], VERSIONS[kind], name)

    def check(self, path, value):
        for each in items(value):
            if path in FIELDS and isinstance(each, dict):
                self.assertLessEqual(set(each), set(FIELDS[path].split()), path)
            if not isinstance(each, dict):
                continue
            for key, inner in each.items():
                if key in ("initContainers", "containers"):
                    self.check("container", inner)
                elif key in PROBES:
                    self.check("probe", inner)
                elif key == "behavior":
                    self.check("behavior", inner)
                else:
                    self.check(f"{path}.{key}", inner)

    def test_fields_are_those_of_the_kinds(self):
        for (kind, _), document in self.all.items():
            if kind != "Kustomization":
                self.assertEqual(set(document), {"apiVersion", "kind", "metadata", "spec"})
                self.check(f"{kind}.spec", document["spec"])
        wrong = json.loads(json.dumps(self.all["Deployment", "penstock-head"]))
        wrong["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
        with self.assertRaises(AssertionError):
            self.check("Deployment.spec", wrong["spec"])

    def test_selectors_find_their_pods(self):
        deployments = {name: d for (kind, name), d in self.all.items() if kind == "Deployment"}
        labels = {name: d["spec"]["template"]["metadata"]["labels"] for name, d in deployments.items()}
        for (kind, name), document in self.all.items():
            selector = document.get("spec", {}).get("selector", {}) if kind != "PersistentVolumeClaim" else {}
            selector = selector.get("matchLabels", selector)
            if selector:
                found = [pod for pod, its in labels.items() if selector.items() <= its.items()]
                self.assertEqual(len(found), 1, f"{kind} {name}")

    def test_ports_and_volumes_are_those_that_are_named(self):
        ports = {port["name"]: port["containerPort"] for c in self.containers() for port in c.get("ports", [])}
        for (kind, name), document in self.all.items():
            if kind == "Service":
                for port in document["spec"]["ports"]:
                    self.assertIn(port["targetPort"], ports, name)
        for container in self.containers():
            own = {port["name"] for port in container.get("ports", [])}
            for probe in PROBES:
                if probe in container:
                    self.assertIn(container[probe]["httpGet"]["port"], own)
        for pod in (self.head, self.worker):
            volumes = {volume["name"] for volume in pod["volumes"]}
            mounts = {m["name"] for c in pod["initContainers"] + pod["containers"] for m in c["volumeMounts"]}
            self.assertEqual(volumes, mounts)
        head = self.topology["nodes"]["head"]
        self.assertTrue(head["listen"].endswith(f":{ports['links']}"))
        self.assertTrue(head["http"].endswith(f":{ports['door']}"))
        self.assertEqual(self.topology["nodes"]["worker"]["dial"], f"tcp://penstock-head:{ports['links']}")
        self.assertIn(("Service", "penstock-head"), self.all)

    def test_a_drain_has_more_time_than_it_takes(self):
        longest = grace(FOLDER / "topology.yaml")
        for pod in (self.head, self.worker):
            stop = pod["terminationGracePeriodSeconds"]
            hook = pod["containers"][0].get("lifecycle", {}).get("preStop", {"exec": {"command": ["sleep", "0"]}})
            self.assertGreaterEqual(stop, longest + int(hook["exec"]["command"][1]) + 2 + 3 + 10)

    def test_a_draining_worker_is_not_killed_by_its_probe(self):
        for pod in (self.head, self.worker):
            container = pod["containers"][0]
            self.assertEqual(container["livenessProbe"]["httpGet"]["path"], "/healthz")
            self.assertEqual(container["readinessProbe"]["httpGet"]["path"], "/readyz")

    def test_pods_run_without_rights(self):
        for pod in (self.head, self.worker):
            self.assertIs(pod["securityContext"]["runAsNonRoot"], True)
            self.assertIs(pod["automountServiceAccountToken"], False)
        for container in self.containers():
            given = container["securityContext"]
            self.assertEqual(given["capabilities"], {"drop": ["ALL"]})
            self.assertEqual((given["allowPrivilegeEscalation"], given["readOnlyRootFilesystem"]), (False, True))
            self.assertIn("memory", container["resources"]["limits"])
        user = re.search(r"--uid (\d+)", (FOLDER / "Dockerfile").read_text())[1]
        self.assertEqual(self.head["securityContext"]["runAsUser"], int(user))

    def test_secrets_come_from_secrets(self):
        for container in self.containers():
            for variable in container.get("env", []):
                self.assertIn("valueFrom", variable)
        self.assertEqual(self.topology["security"]["keys"], "/var/run/penstock/keys")
        for pod in (self.head, self.worker):
            self.assertIn("-m 0600", pod["initContainers"][0]["command"][-1])

    def test_one_thing_owns_the_number_of_workers(self):
        self.assertNotIn("replicas", self.all["Deployment", "penstock-worker"]["spec"])
        kustomization = self.all["Kustomization", "kustomization"]
        self.assertEqual(len({"keda.yaml", "hpa.yaml"} & set(kustomization["resources"])), 1)
        for name in kustomization["resources"]:
            self.assertTrue((FOLDER / name).is_file())
        self.assertEqual(self.all["Deployment", "penstock-head"]["spec"]["replicas"], 1)
        self.assertEqual(self.all["Deployment", "penstock-head"]["spec"]["strategy"], {"type": "Recreate"})

    def test_scalers_follow_what_is_wanted_within_the_bounds_of_the_topology(self):
        bounds = self.topology["nodes"]["worker"]["scale"]
        keda = self.all["ScaledObject", "penstock-worker"]["spec"]
        hpa = self.all["HorizontalPodAutoscaler", "penstock-worker"]["spec"]
        self.assertEqual((keda["minReplicaCount"], keda["maxReplicaCount"]), (bounds["min"], bounds["max"]))
        self.assertEqual((hpa["minReplicas"], hpa["maxReplicas"]), (bounds["min"], bounds["max"]))
        (trigger,) = keda["triggers"]
        self.assert_valid([trigger["metadata"]["query"]])
        self.assert_metrics_exist(trigger["metadata"]["query"])
        (metric,) = hpa["metrics"]
        self.assert_metrics_exist(metric["external"]["metric"]["name"])
        for target in keda["scaleTargetRef"], hpa["scaleTargetRef"]:
            self.assertIn(("Deployment", target["name"]), self.all)
        # As many pods as the metric says: its average over pods is to be 1.
        self.assertEqual((trigger["metricType"], trigger["metadata"]["threshold"]), ("AverageValue", "1"))
        self.assertEqual(metric["external"]["target"], {"type": "AverageValue", "averageValue": "1"})
        self.assertEqual(trigger["metadata"]["ignoreNullValues"], "false")
        self.assertGreater(keda["fallback"]["replicas"], 0)
        self.assertEqual(self.topology["scaling"]["fleet"], "advise")


if __name__ == "__main__":
    unittest.main()
