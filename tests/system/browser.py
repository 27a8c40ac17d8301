"""A headless Chromium, driven by WebDriver: JSON over HTTP."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

from harness import PATIENCE, until

CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element's id, by the WebDriver standard
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c", "Space": " "}

# Nothing of Chromium's own goes out, nothing is on its way when it is looked at, it ends with its driver (whose pipe
# is closed then), and has no sandbox where root runs it.
ARGUMENTS = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--no-first-run", "--no-default-browser-check",
             "--force-prefers-reduced-motion", "--remote-debugging-pipe"]  # fmt: skip
if os.geteuid() == 0:
    ARGUMENTS.append("--no-sandbox")


class Browser:
    """One window, until the tests of a class have ended. Where there is no Chromium they are skipped, but not where CI
    runs them."""

    def __init__(self, tests):
        if not CHROMIUM or not DRIVER:
            why = "no chromium or no chromedriver here; tools/setup.sh test installs them"
            raise AssertionError(why) if os.environ.get("CI") == "true" else unittest.SkipTest(why)
        self.folder = tempfile.mkdtemp(prefix="penstock-browser-")
        tests.addClassCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        with open(f"{self.folder}/log", "wb") as log:
            self.driver = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", DRIVER, "--port=0"], stdout=log,
                                           stderr=log, start_new_session=True)  # fmt: skip
        tests.addClassCleanup(self.close)
        self.session = None
        self.url = f"http://127.0.0.1:{until(self.port, 'chromedriver to listen')}"
        options = {"binary": CHROMIUM, "args": [*ARGUMENTS, f"--user-data-dir={self.folder}/profile"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"}}
        reply = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"/session/{reply['sessionId']}"

    def port(self):
        if self.driver.poll() is not None:
            raise AssertionError(f"chromedriver ended with {self.driver.returncode}")
        with open(f"{self.folder}/log") as log:
            found = re.search(r"started successfully on port (\d+)", log.read())
        return found and int(found[1])

    def close(self):
        try:
            if self.session:
                self.ask("DELETE", self.session)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.driver.pid, signal.SIGKILL)  # its Chromium as well
            self.driver.wait()

    def ask(self, method, path, body=None):
        data = None if method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
                return json.loads(reply.read())["value"]
        except urllib.error.HTTPError as e:
            raise AssertionError(f"{method} {path}: {json.loads(e.read())['value']['message']}") from None

    def post(self, path, **body):
        return self.ask("POST", self.session + path, body)

    def devtools(self, command, **parameters):
        """A command of Chrome's DevTools protocol."""
        return self.post("/goog/cdp/execute", cmd=command, params=parameters)

    def log(self, kind):
        """What was logged since the last call: `performance` (the network's events) or `browser` (the console)."""
        return self.post("/se/log", type=kind)

    def requests(self):
        """The addresses that the page has asked for since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]

    def open(self, url):
        self.post("/url", url=url)

    def leave(self):
        """To an empty page; what was logged is forgotten."""
        self.open("about:blank")
        self.log("performance")
        self.log("browser")

    def run(self, script, *args):
        """Runs the body of a function in the page and returns what it returns, or what its promise gives."""
        return self.post("/execute/sync", script=script, args=list(args))

    def text(self, selector):
        """The text that is seen of the first such element; None where there is none."""
        return self.run("return document.querySelector(arguments[0])?.innerText ?? null", selector)

    def shows(self, selector):
        """Whether there is such an element and it is not hidden."""
        return self.run("return document.querySelector(arguments[0])?.checkVisibility() ?? false", selector)

    def rows(self, table):
        """{key: {title: text}} of a table's rows, in their order."""
        rows = self.run("""
            return [...document.querySelectorAll(`#${arguments[0]} tr[data-key]`)].map((row) =>
              [row.dataset.key, [...row.children].map((cell) => [cell.dataset.title, cell.innerText.trim()])])
            """, table)  # fmt: skip
        return {key: dict(cells) for key, cells in rows}

    def element(self, selector):
        return self.post("/element", using="css selector", value=selector)[ELEMENT]

    def click(self, selector):
        self.run("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", selector)
        self.post(f"/element/{self.element(selector)}/click")

    def type(self, selector, text):
        """Into a field; the path of a file for one that takes files."""
        self.post(f"/element/{self.element(selector)}/value", text=str(text))

    def press(self, *keys):
        presses = [{"type": kind, "value": KEYS[key]} for key in keys for kind in ("keyDown", "keyUp")]
        self.post("/actions", actions=[{"type": "key", "id": "keyboard", "actions": presses}])

    def resize(self, width, height, mobile=False):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                      mobile=mobile)  # fmt: skip
