"""The Azure templates hold together: grammar, names, versions, shapes and parameters."""

import json
import re
import unittest

import bicep
from azure import AZURE, TEMPLATES, declared, find, literals, objects, variable
from bicep import Call, Loop, Name, Text

FUNCTIONS = set(
    "base64 cidrSubnet empty environment guid json length loadFileAsBase64 loadTextContent range replace resourceGroup "
    "resourceId string subscription subscriptionResourceId take union uniqueString".split()
)
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
    "singlePlacementGroup skuProfile spotRestorePolicy upgradePolicy virtualMachineProfile "
    "zonalPlatformFaultDomainAlignMode zoneBalance",
    "Microsoft.Insights/autoscaleSettings@2022-10-01": "enabled name notifications predictiveAutoscalePolicy "
    "profiles targetResourceLocation targetResourceUri",
    "Microsoft.KeyVault/vaults@2023-07-01": "accessPolicies enabledForDeployment enablePurgeProtection "
    "enableRbacAuthorization enableSoftDelete networkAcls publicNetworkAccess sku softDeleteRetentionInDays tenantId",
    "Microsoft.KeyVault/vaults/secrets@2023-07-01": "attributes contentType value",
    "Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31": "",
    "Microsoft.Network/applicationGateways@2023-11-01": "autoscaleConfiguration backendAddressPools "
    "backendHttpSettingsCollection enableHttp2 frontendIPConfigurations frontendPorts gatewayIPConfigurations "
    "httpListeners probes redirectConfigurations requestRoutingRules rewriteRuleSets sku sslCertificates sslPolicy",
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
    "Microsoft.Storage/storageAccounts@2023-05-01": "accessTier allowBlobPublicAccess allowSharedKeyAccess "
    "minimumTlsVersion networkAcls publicNetworkAccess supportsHttpsTrafficOnly",
    "Microsoft.Storage/storageAccounts/blobServices@2023-05-01": "deleteRetentionPolicy isVersioningEnabled",
    "Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01": "metadata publicAccess",
}
BESIDE = set("name location properties tags sku kind identity zones parent scope dependsOn".split())
# Objects further inside, by the keys that lead there.
INSIDE = {
    "properties.virtualMachineProfile": "billingProfile capacityReservation diagnosticsProfile evictionPolicy "
    "extensionProfile networkProfile osProfile priority scheduledEventsProfile securityProfile "
    "serviceArtifactReference storageProfile userData",
    "terminateNotificationProfile": "enable notBeforeTimeout",
    "automaticRepairsPolicy": "enabled gracePeriod repairAction",
    "osProfile": "computerName computerNamePrefix adminUsername adminPassword customData linuxConfiguration secrets",
    "linuxConfiguration": "disablePasswordAuthentication ssh provisionVMAgent patchSettings",
    "extensionProfile": "extensions extensionsTimeBudget",
    "osDisk": "caching createOption deleteOption diffDiskSettings diskSizeGB managedDisk name",
    "networkInterfaceConfigurations.properties": "deleteOption enableAcceleratedNetworking ipConfigurations "
    "networkSecurityGroup primary",
    "loadBalancingRules.properties": "backendAddressPool backendPort disableOutboundSnat enableFloatingIP "
    "enableTcpReset frontendIPConfiguration frontendPort idleTimeoutInMinutes loadDistribution probe protocol",
    "securityRules.properties": "access description destinationAddressPrefix destinationPortRange direction "
    "priority protocol sourceAddressPrefix sourcePortRange",
    "backendHttpSettingsCollection.properties": "connectionDraining cookieBasedAffinity "
    "pickHostNameFromBackendAddress port probe protocol requestTimeout",
    "metricTrigger": "dimensions dividePerInstance metricName metricNamespace metricResourceUri operator statistic "
    "threshold timeAggregation timeGrain timeWindow",
    "scaleAction": "cooldown direction type value",
    "capacity": "default maximum minimum",
}


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
        slips = [
            ("[\n", "\n"),
            ("sku: {", "sku: "),
            ("'${name}-head'", "'${name}-head"),
            ("param name", "parm name"),
            ("base64(headData)", "base64(headData"),
            ("Uniform'", "Uniform' overprovision: true"),
        ]
        for was, becomes in slips:
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


if __name__ == "__main__":
    unittest.main()
