"""What README.md and docs/http.md say to type works: their commands are run as they stand, but for the door's address,
the jobs' names, and where the program is."""

import json
import os
import re
import shlex
import subprocess
import unittest
import urllib.parse

import barcode
from door import door_of
from fleet import Head
from harness import H264, PATIENCE, PROGRAM, ROOT, until
from stores import OnSqlite
from test_jobs import BROKEN, JobsTest

README, MANUAL = ROOT / "README.md", ROOT / "docs/http.md"
BUILT = "build/release/penstock"
ADDRESS = "http://127.0.0.1:8080"
# Refusals are failures, and the status comes where the commands do not send anything.
CURLRC = 'silent\nshow-error\nfail-with-body\nmax-time = 60\nwrite-out = "%{stderr}%{http_code} %{content_type}\\n"\n'
OF_HTTP = {"accept", "content-type"}


def commands(document, section):
    """Lines of the section's blocks of `sh`."""
    text = document.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line]


class Manual(OnSqlite, JobsTest):
    def setUp(self):
        super().setUp()
        self.place = self.dir / "place"  # where somebody types
        self.place.mkdir()
        (self.place / ".curlrc").write_text(CURLRC)
        for name in ("dog.jpg", "street.jpg"):
            (self.place / name).write_bytes(self.pictures(1, stream=3, first=8)[0])
        self.clip("place/match.mp4", 60, *H264, stream=4)

    def talk_to(self, head):
        self.url = door_of(head)
        self.door = self.client(head)
        self.paths = self.door.get("/v1/openapi.json").json()["paths"]

    def start_head(self):
        self.put_blob("match.mp4", (self.place / "match.mp4").read_bytes())
        self.talk_to(self.head(self.jobs_topology(slow=256)))

    def type(self, command, job=""):
        """Runs it; (what it printed, status, content type)."""
        self.assertIn(ADDRESS, command)
        if command.startswith("curl "):
            self.check_parameters(command)
        command = command.replace(ADDRESS, self.url).replace("JOB", job).replace(BUILT, os.path.abspath(PROGRAM))
        run = lambda: subprocess.run(["bash", "-c", command], cwd=self.place, capture_output=True, timeout=PATIENCE,
                                     env={**os.environ, "CURL_HOME": str(self.place)})  # fmt: skip
        late = lambda done: "Deadline" in command and b"\n504 " in done.stderr  # on a machine that is busy
        done = until(lambda: done if not late(done := run()) else None, "an answer in time", 20)
        said = done.stderr.decode()
        self.assertEqual(done.returncode, 0, f"{command}\n{said}\n{done.stdout[:500]}")
        status, _, kind = said.splitlines()[-1].partition(" ") if said else ("", "", "")
        return done.stdout, status, kind

    def check_parameters(self, command):
        """Headers and queries are those that the path has: the door passes over what it does not know."""
        words = shlex.split(command, comments=True)
        url = urllib.parse.urlsplit(next(word for word in words if word.startswith(ADDRESS)))
        data = {"-d", "--data-binary", "-F", "-T"} & set(words)
        method = words[words.index("-X") + 1] if "-X" in words else "POST" if data else "GET"
        path = self.paths.get(url.path.replace("JOB", "{id}"), {})
        self.assertIn(method.lower(), path, command)
        known = {(each["in"], each["name"].lower()) for each in path[method.lower()].get("parameters", [])}
        for header in (words[i + 1].split(":")[0].lower() for i, word in enumerate(words) if word == "-H"):
            self.assertTrue(header in OF_HTTP or ("header", header) in known, f"{header}: {command}")
        for name, _ in urllib.parse.parse_qsl(url.query):
            self.assertIn(("query", name), known, command)

    def dead_job(self):
        return self.wait_for(self.door, self.submit(self.door, BROKEN), "dead")["id"]

    def test_a_picture_is_sent_as_the_manual_says(self):
        self.start_head()
        typed = commands(MANUAL, "Send it a picture")
        self.assertGreaterEqual(len(typed), 5)
        for command in typed:
            with self.subTest(command=command):
                printed, status, kind = self.type(command)
                self.assertEqual(status, "200")
                if output := re.search(r" -o (\S+)", command):
                    self.assertEqual((kind, printed), ("image/jpeg", b""))
                    self.assertEqual((self.place / output[1]).read_bytes()[:3], b"\xff\xd8\xff")
                elif accepted := re.search(r"Accept: (\S+)'", command):
                    self.assertEqual(kind, accepted[1])
                else:
                    self.assertEqual(barcode.read_objects(json.loads(printed)), (3, 8))

    def test_a_video_is_queued_as_the_manual_says(self):
        self.start_head()
        typed = commands(MANUAL, "Queue a video")
        self.assertGreaterEqual(len(typed), 7)
        job = None
        for command in typed:
            with self.subTest(command=command):
                if "requeue" in command:
                    self.assertEqual(self.type(command, self.dead_job())[1], "202")
                elif "-X DELETE" in command:
                    long = self.submit(self.door, self.clip("long.mp4", 2000, *H264).read_bytes())
                    self.assertEqual(self.type(command, long)[1], "204")
                    self.assertEqual(self.job(self.door, long)["state"], "cancelled")
                elif re.search(r"/v1/jobs($|\s)", command):  # makes one
                    printed, status, _ = self.type(command)
                    self.assertEqual(status, "202")
                    job = json.loads(printed)["id"]
                elif "/results" in command:
                    printed, status, _ = self.type(command, job)
                    self.assert_identity(self.assert_all_frames(printed), 4)
                elif "/v1/jobs?" in command:
                    dead = self.dead_job()
                    listed = json.loads(self.type(command)[0])["jobs"]
                    self.assertEqual([(j["id"], j["state"]) for j in listed], [(dead, "dead")])
                else:
                    view = json.loads(self.type(command, job)[0])
                    self.assertEqual(view["id"], job)
                    self.assertLessEqual({"state", "frames_done", "frames_total", "eta_s", "attempts"}, set(view))

    def assert_all_frames(self, printed):
        lines = [json.loads(line) for line in printed.splitlines()]
        self.assertEqual([line["seq"] for line in lines], list(range(60)))
        return lines

    def test_pictures_and_a_video_are_sent_as_the_readme_says(self):
        start, *typed = commands(README, "Send it a picture") + commands(README, "Queue a video")
        self.assertGreaterEqual(len(typed), 6)
        program, head, topology = shlex.split(start, comments=True)
        self.assertEqual((program, head), (BUILT, "head"))
        stores = [f"jobs.queue.path={self.dir}/jobs.db", f"jobs.blobs.path={self.dir}/blobs"]
        changes = [part for each in ("nodes.head.http=127.0.0.1:0", *stores) for part in ("--set", each)]
        self.talk_to(Head(self, ROOT / topology, *changes))
        job = ""
        for command in typed:
            with self.subTest(command=command):
                printed, status, kind = self.type(command, job)
                if output := re.search(r" -o (\S+)", command):
                    self.assertEqual((kind, printed), ("image/jpeg", b""))
                    self.assertEqual((self.place / output[1]).read_bytes()[:3], b"\xff\xd8\xff")
                elif "/v1/detect" in command:
                    self.assertIn("objects", json.loads(printed))
                elif "/results" in command:
                    self.assert_all_frames(printed)
                elif output := re.search(r" submit (\S+) .*--results (\S+)", command):
                    self.assert_all_frames((self.place / output[2] / f"{output[1]}.jsonl").read_bytes())
                elif " jobs " in command:
                    self.assertIn(job, printed.decode())
                else:
                    self.assertEqual(status, "202")
                    job = json.loads(printed)["id"]


if __name__ == "__main__":
    unittest.main()
