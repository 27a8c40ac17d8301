"""What docs/deploy.md says to type names files, parameters, units and commands that there are."""

import re
import shlex
import subprocess
import unittest

from azure import AZURE, declared
from reading import ROOT

MANUAL = ROOT / "docs/deploy.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```", MANUAL.read_text(), re.M | re.S)


class Walkthrough(unittest.TestCase):
    def setUp(self):
        self.assertGreaterEqual(len(BLOCKS), 7)
        self.commands = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines() if line.strip()]

    def test_the_shell_understands_it(self):
        for block in BLOCKS:
            done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
        text = "#!/usr/bin/env bash\n# shellcheck disable=SC2088,SC2034\n" + "\n".join(BLOCKS)
        done = subprocess.run(["shellcheck", "-"], input=text, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_files_are_there(self):
        for command in self.commands:
            for word in re.findall(r"(?<![\w/.])(?:deploy|tools)/[\w./*-]+", command):
                self.assertTrue(list(ROOT.glob(word)), f"{word}: {command}")
        for word in re.findall(r"`(deploy/[\w./-]+)`", MANUAL.read_text()):
            self.assertTrue((ROOT / word).exists(), word)

    def test_deployments_give_parameters_that_templates_have(self):
        deployments = [c for c in self.commands if "az deployment group create" in c]
        self.assertEqual(len(deployments), 2)
        for command in deployments:
            template = re.search(r"-f deploy/azure/(\w+)\.bicep", command)[1]
            parameters = declared(template, "param")
            words = shlex.split(re.sub(r"\$\([^()]*\)", "X", command))
            given = {word.split("=")[0] for word in words if "=" in word}
            self.assertTrue(given)
            self.assertLessEqual(given, set(parameters), template)

    def test_all_secrets_are_put_that_machines_read(self):
        put = set(re.findall(r"az keyvault secret set .*? -n (\S+)", "\n".join(self.commands)))
        text = (AZURE / "fleet.bicep").read_text()
        read = set(re.findall(r"^  '([\w-]+)'$", text[text.index("var headSecrets") :], re.M))
        self.assertEqual(put, read)

    def test_outputs_that_are_asked_for_are_there(self):
        for name in re.findall(r"properties\.outputs\.(\w+)\.value", "\n".join(self.commands)):
            self.assertIn(name, declared("base", "output"))


if __name__ == "__main__":
    unittest.main()
