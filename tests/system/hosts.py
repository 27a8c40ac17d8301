"""Machines with addresses of their own: network namespaces on a bridge."""

import os
import random
import shutil
import subprocess
import unittest


def why_not():
    """Why there can be no namespaces here; empty where there can."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    if not shutil.which("ip"):
        return "needs iproute2 for network namespaces"
    name = f"pst{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if tried.returncode != 0:
        return f"no network namespaces here: {tried.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return ""


WHY_NOT = why_not()
needs_hosts = unittest.skipIf(WHY_NOT, WHY_NOT)


def ip(*words):
    subprocess.run(["ip", *map(str, words)], check=True)


class Hosts:
    """A network of hosts; this machine is one of them, `address`."""

    def __init__(self, test):
        self.tag = f"{os.getpid() % 100000:05}{random.randrange(100):02}"
        self.bridge = f"psb{self.tag}"
        self.network = f"10.{100 + os.getpid() % 100}.{random.randrange(250)}"
        self.address = f"{self.network}.1"
        self.names = []
        ip("link", "add", self.bridge, "type", "bridge")
        test.addCleanup(ip, "link", "del", self.bridge)
        ip("addr", "add", f"{self.address}/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        self.test = test

    def add(self):
        """A new host; returns its number."""
        number = len(self.names)
        name, outer = f"psn{self.tag}-{number}", f"psv{self.tag}{number}"
        ip("netns", "add", name)
        self.test.addCleanup(ip, "netns", "del", name)
        ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("link", "set", outer, "master", self.bridge, "up")
        ip("-n", name, "addr", "add", f"{self.network}.{10 + number}/24", "dev", "eth0")
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "link", "set", "eth0", "up")
        self.names.append(name)
        return number

    def address_of(self, number):
        return f"{self.network}.{10 + number}"

    def prefix(self, number):
        """What runs a command on the host."""
        return ["ip", "netns", "exec", self.names[number]]

    def set_link(self, number, up):
        ip("-n", self.names[number], "link", "set", "eth0", "up" if up else "down")
