"""Durable jobs through the door of the real program, on each kind of stores, while heads are killed.

PENSTOCK_JOBS_SEED replays the moments of the kills; PENSTOCK_JOBS and PENSTOCK_KILLS are how many (100, 20)."""

import concurrent.futures
import http.client
import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
import unittest

import barcode
from door import Client, DoorTest, door_of
from fleet import ALONE, Head
from harness import H264, PATIENCE, penstock, until
from stores import OnAzure, OnCluster, OnNats, OnSqlite

SEED = int(os.environ.get("PENSTOCK_JOBS_SEED", random.randrange(1 << 32)))
JOBS = int(os.environ.get("PENSTOCK_JOBS", 100))
KILLS = int(os.environ.get("PENSTOCK_KILLS", 20))
OVER = ("done", "dead", "cancelled")
GROUP = 25  # frames
ONE_BY_ONE = {"inference": {"batch": {"max": 1}, "instances": 1}}
LONG = ["-c:v", "libx264", "-preset", "ultrafast", "-g", str(GROUP), "-bf", "2"]
BROKEN = b"\0\0\0\x18ftypisom" + b"no video at all " * 100


class JobsTest(DoorTest):
    """A test with heads that keep jobs in the stores of `jobs_section()`."""

    def jobs_topology(self, slow=None, stages=ALONE, **jobs):
        """`slow`: what the model does in vain, so that jobs take their time; `jobs`: more of their section."""
        model = self.model(f"slow-{slow}.onnx", slow=slow) if slow else None
        return self.door_topology(jobs={**self.jobs_section(), **jobs}, stages=stages, model=model)

    def head(self, topology):
        return Head(self, topology)

    def ready(self, **topology):
        """A head, and a client of its door."""
        head = self.head(self.jobs_topology(**topology))
        return head, self.client(head)

    def submit(self, client, body, **headers):
        reply = client.ask("POST", "/v1/jobs", body, {k.replace("_", "-"): v for k, v in headers.items()})
        self.assertEqual(reply.status, 202, reply.body)
        return reply.json()["id"]

    def ask_by_uri(self, client, uri):
        return client.ask("POST", "/v1/jobs", json.dumps({"uri": uri}), {"Content-Type": "application/json"})

    def job(self, client, job):
        reply = client.get(f"/v1/jobs/{job}")
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json()

    def wait_for(self, client, job, state="done", condition=lambda view: True):
        """Its view in that state. A job that ends otherwise never gets there."""

        def there():
            view = self.job(client, job)
            self.assertFalse(view["state"] in OVER and view["state"] != state, view)
            return view if view["state"] == state and condition(view) else None

        return until(there, f"job {job} to be {state}")

    def all_jobs(self, client):
        """{id: view}"""
        page = client.get("/v1/jobs?limit=1000").json()
        self.assertIsNone(page["next"])
        return {view["id"]: view for view in page["jobs"]}

    def results(self, client, job, named="JOB"):
        """The bytes of its results, to their end, with another name for the job. Waits for a job that is not over."""
        reply = client.get(f"/v1/jobs/{job}/results")
        self.assertEqual(reply.status, 200, reply.body)
        return reply.body.replace(f'"stream":"{job}"'.encode(), f'"stream":"{named}"'.encode())

    def results_of_run(self, clip):
        """The bytes that `penstock run` writes."""
        program = self.run_to_end(self.topology({"JOB": clip}, name="run.yaml", stages=ALONE))
        self.assertEqual(program.ledger["JOB"]["dropped"], {})
        return (program.results / "JOB.jsonl").read_bytes()

    def terminate(self, head):
        """Ends it in order, and checks its laws; its ledger."""
        head.terminate()
        return head.finish(files=False)

    def files(self):
        """Short videos and pictures of all kinds, each with frames of its own."""
        kinds = [("mp4", H264), ("mkv", LONG), ("ts", [*LONG, "-f", "mpegts"])]
        out = [self.clip(f"in/v{i}.{kinds[i % 3][0]}", 20 + 5 * i, *kinds[i % 3][1], stream=i) for i in range(6)]
        for i, kind in enumerate(("jpg", "png", "webp", "jpg"), start=6):
            out.append(self.dir / f"in/p{i}.{kind}")
            out[-1].write_bytes(self.pictures(1, kind, stream=i, first=3)[0])
        return out

    def undisturbed(self, files):
        """{name: bytes}: the results of a head that nobody kills."""
        section = OnSqlite.jobs_section(self)
        section["queue"]["path"], section["blobs"]["path"] = "calm/jobs.db", "calm/blobs"
        head = self.head(self.door_topology(name="calm.yaml", jobs=section, stages=ALONE))
        client = self.client(head)
        jobs = {path.name: self.submit(client, path.read_bytes(), Penstock_Name=path.name) for path in files}
        out = {name: self.results(client, job) for name, job in jobs.items()}
        self.terminate(head)
        for number, name in enumerate(out):
            lines = [json.loads(line) for line in out[name].splitlines()]
            first = 0 if name.startswith("v") else 3
            self.assert_identity(lines, number, first)
            self.assertEqual([line["seq"] for line in lines], list(range(20 + 5 * number if first == 0 else 1)))
        return out


def curl(*args):
    return subprocess.run(["curl", "-sS", "--max-time", "60", *map(str, args)], capture_output=True, timeout=PATIENCE)


class Basics(OnSqlite, JobsTest):
    def test_a_video_becomes_the_results_of_a_run_over_it(self):
        clip = self.clip("clip.mp4", 130, *LONG)
        head, client = self.ready()
        sent = curl("-T", clip, "-X", "POST", "-H", "Penstock-Name: a%20clip", "-w", "%{http_code}",
                    f"{door_of(head)}/v1/jobs")  # fmt: skip
        view, status = sent.stdout.decode().split("\n")
        self.assertEqual(status, "202", sent)
        job = json.loads(view)["id"]
        view = self.wait_for(client, job)
        self.assertEqual((view["name"], view["content_type"]), ("a clip", "video/mp4"))
        self.assertEqual(view["size_bytes"], clip.stat().st_size)
        self.assertEqual((view["frames_done"], view["frames_total"], view["attempts"]), (130, 130, 1))
        self.assertEqual((view["dropped"], view["error"], view["worker"]), ({}, "", ""))
        self.assertEqual(self.results(client, job), self.results_of_run(clip))
        until(lambda: self.blobs() == {f"{job}/result"}, "all but the result to go")
        ledger = self.terminate(head)
        self.assertEqual(ledger["(guests)"], {"received": 130, "delivered": 130, "dropped": {}, "in_flight": 0})

    def test_pictures_of_each_kind_are_jobs_too(self):
        head, client = self.ready()
        for number, (kind, mime) in enumerate((("jpg", "jpeg"), ("png", "png"), ("webp", "webp"))):
            with self.subTest(kind=kind):
                job = self.submit(client, self.pictures(1, kind, stream=number, first=9)[0])
                view = self.wait_for(client, job)
                self.assertEqual((view["content_type"], view["frames_done"]), (f"image/{mime}", 1))
                (line,) = self.results(client, job, job).splitlines()
                self.assertEqual(json.loads(line)["stream"], job)
                self.assertEqual(barcode.read_objects(json.loads(line)), (number, 9))

    def test_results_and_progress_are_there_while_the_job_runs(self):
        clip = self.clip("clip.mp4", 250, *LONG)
        head, client = self.ready(slow=1024, stages=ONE_BY_ONE)
        job = self.submit(client, clip.read_bytes())
        reply = Client(self, door_of(head)).send("GET", f"/v1/jobs/{job}/results")
        self.assertEqual((reply.status, reply.headers["Content-Type"]), (200, "application/jsonl"))
        first = reply.readline()
        view = self.wait_for(client, job, "running", lambda view: view["frames_done"] > 0 and view["eta_s"])
        self.assertEqual(view["frames_total"], 250)
        self.assertLess(view["frames_done"], 250)
        self.assertTrue(view["worker"])
        self.assertEqual((first + reply.read()).replace(job.encode(), b"JOB"), self.results_of_run(clip))
        self.wait_for(client, job)

    def test_a_repeated_key_gets_the_same_job_and_other_keys_others(self):
        head, client = self.ready()
        one, other = self.pictures(2)
        first = client.ask("POST", "/v1/jobs", one, {"Idempotency-Key": "a"})
        again = client.ask("POST", "/v1/jobs", other, {"Idempotency-Key": "a"})
        self.assertEqual((first.status, again.status, again.json()["id"]), (202, 200, first.json()["id"]))
        self.wait_for(client, first.json()["id"])
        late = client.ask("POST", "/v1/jobs", one, {"Idempotency-Key": "a"})
        self.assertEqual((late.status, late.json()["id"], late.json()["state"]), (200, first.json()["id"], "done"))
        fresh = {self.submit(client, one, Idempotency_Key="b"), self.submit(client, one), self.submit(client, one)}
        self.assertEqual(len(fresh | {first.json()["id"]}), 4)
        self.assertEqual(set(self.all_jobs(client)), fresh | {first.json()["id"]})

    def test_a_file_in_the_store_is_made_a_job_and_stays(self):
        clip = self.clip("clip.mp4", 40)
        head, client = self.ready()
        self.put_blob("match.mp4", clip.read_bytes())
        ask = lambda uri: self.ask_by_uri(client, uri)
        reply = ask("blob:match.mp4")
        self.assertEqual((reply.status, reply.json()["uri"]), (202, "blob:match.mp4"))
        job = reply.json()["id"]
        self.wait_for(client, job)
        self.assertEqual(self.results(client, job), self.results_of_run(clip))
        until(lambda: self.blobs() == {"match.mp4", f"{job}/result"}, "all but the file and the result to go")
        self.assertEqual(ask("blob:other.mp4").status, 404)
        for bad in (f"blob:{job}/result", "file:///etc/passwd", "http://127.0.0.1/match.mp4", "blob:../jobs.db"):
            self.assertEqual(ask(bad).status, 400, bad)

    def test_a_broken_input_is_dead_with_the_reason_and_done_when_it_is_mended_and_queued_again(self):
        head, client = self.ready()
        upload = self.wait_for(client, self.submit(client, BROKEN), "dead")
        self.assertEqual(upload["attempts"], 1)
        self.assertTrue(upload["error"])
        self.assertEqual(client.get(f"/v1/jobs/{upload['id']}/results").status, 404)
        self.put_blob("match.mp4", BROKEN)
        job = self.ask_by_uri(client, "blob:match.mp4").json()["id"]
        self.wait_for(client, job, "dead")
        dead = {j["id"] for j in client.get("/v1/jobs?state=dead").json()["jobs"]}
        self.assertEqual(dead, {upload["id"], job})
        self.assertEqual(client.ask("POST", f"/v1/jobs/{upload['id']}/requeue").status, 202)
        until(lambda: self.job(client, upload["id"])["state"] == "dead", "it to be dead again")
        clip = self.clip("clip.mp4", 40)
        self.put_blob("match.mp4", clip.read_bytes())
        self.assertEqual(client.ask("POST", f"/v1/jobs/{job}/requeue").status, 202)
        until(lambda: self.job(client, job)["state"] == "done", "it to be done")
        self.assertEqual(self.results(client, job), self.results_of_run(clip))
        self.assertEqual(client.ask("POST", f"/v1/jobs/{job}/requeue").status, 409)
        self.assertEqual(client.ask("POST", "/v1/jobs/no-such-job/requeue").status, 404)

    def test_a_job_is_cancelled_while_it_waits_and_while_it_runs(self):
        clip = self.clip("clip.mp4", 1000, *LONG)
        head, client = self.ready(slow=1024, concurrent=1)
        running = self.submit(client, clip.read_bytes())
        waiting = self.submit(client, clip.read_bytes())
        reply = Client(self, door_of(head)).send("GET", f"/v1/jobs/{running}/results")
        reply.readline()
        listed = lambda state: [j["id"] for j in client.get(f"/v1/jobs?state={state}").json()["jobs"]]
        self.assertEqual((listed("queued"), listed("running")), ([waiting], [running]))
        for job in (waiting, running):
            self.assertEqual(client.ask("DELETE", f"/v1/jobs/{job}").status, 204)
            self.assertEqual(self.job(client, job)["state"], "cancelled")
        # Whoever read its results does not take half for all.
        with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
            reply.read()
        self.assertEqual(listed("cancelled"), [waiting, running])  # newest first
        self.assertEqual(client.get(f"/v1/jobs/{running}/results").status, 404)
        self.assertEqual(client.ask("DELETE", f"/v1/jobs/{running}").status, 204)  # as it is already
        picture = self.submit(client, self.pictures(1)[0])  # the head is free for others at once
        self.wait_for(client, picture)
        self.assertEqual(client.ask("DELETE", f"/v1/jobs/{picture}").status, 409)
        self.terminate(head)


class Commands(OnSqlite, JobsTest):
    def test_files_are_submitted_listed_and_queued_again(self):
        head, client = self.ready()
        url = door_of(head)
        clip = self.clip("clip.mp4", 40)
        picture = self.dir / "picture.jpg"
        picture.write_bytes(self.pictures(1)[0])
        broken = self.dir / "broken.mp4"
        broken.write_bytes(BROKEN)
        done = penstock("submit", clip, picture, "--to", url, "--wait", "--json", self.dir / "sent.json")
        self.assertEqual(done.returncode, 0, done)
        sent = json.loads((self.dir / "sent.json").read_text())["jobs"]
        self.assertEqual([(j["state"], j["frames_done"]) for j in sent], [("done", 40), ("done", 1)])
        again = penstock("submit", clip, "--to", url, "--results", self.dir / "out")
        self.assertEqual((again.returncode, again.stdout.count(sent[0]["id"])), (0, 2), again)
        results = (self.dir / "out/clip.mp4.jsonl").read_bytes()
        self.assertEqual(results.replace(sent[0]["id"].encode(), b"JOB"), self.results_of_run(clip))
        bad = penstock("submit", broken, "--to", url, "--wait")
        self.assertEqual(bad.returncode, 1, bad)
        job = bad.stdout.split()[0]
        self.assertIn(f"{job}  dead: ", bad.stdout)
        listed = penstock("jobs", url)
        self.assertEqual(listed.returncode, 0, listed)
        rows = [line.split()[:3] for line in listed.stdout.splitlines()]
        self.assertEqual(rows[1:], [[job, "dead", "broken.mp4"], [sent[1]["id"], "done", "picture.jpg"],
                                    [sent[0]["id"], "done", "clip.mp4"]])  # fmt: skip
        dead = penstock("jobs", url, "--dead").stdout.splitlines()
        self.assertEqual([line.split()[0] for line in dead], ["ID", job])
        self.assertEqual(penstock("jobs", url, "--requeue", job).returncode, 0)
        until(lambda: self.job(client, job)["state"] == "dead", "it to be dead again")
        shown = penstock("jobs", url, "--results", sent[0]["id"])
        self.assertEqual(shown.stdout.encode(), results)
        screen = penstock("top", url, "--once")
        self.assertIn("2 done, 0 failed, 0 cancelled, 1 dead", screen.stdout, screen)


class Ordeal:
    """Clients send jobs by curl, and again with the same key until they have an answer, while the head is killed."""

    slow = 384

    def test_every_job_is_done_once_though_the_head_is_killed_again_and_again(self):
        print(f"PENSTOCK_JOBS_SEED={SEED}", flush=True)
        self.chance = random.Random(SEED)
        files = self.files()
        expected = self.undisturbed(files)
        self.topology_file = self.jobs_topology(slow=self.slow)
        self.orders = queue.Queue()
        self.sent, self.tries, self.failed = {}, [], []
        plan = [(f"key-{i}", self.chance.choice(files)) for i in range(JOBS)]
        clients = [threading.Thread(target=self.send_orders, args=(n,)) for n in range(4)]
        self.go_on = True
        self.live = None
        for client in clients:
            client.start()
        try:
            for life in range(KILLS):
                self.live_for_a_while(plan[life * JOBS // KILLS : (life + 1) * JOBS // KILLS])
            self.live = head = self.head(self.topology_file)
            client = self.client(head)
            for thread in clients:
                self.orders.put(None)
            for thread in clients:
                thread.join(PATIENCE)
        finally:
            self.go_on = False
            for thread in clients:
                self.orders.put(None)
                thread.join()
        self.assertEqual(self.failed, [])
        self.assertEqual(sorted(self.sent), sorted(key for key, _ in plan))
        for key, path in plan:
            self.assertEqual(self.results(client, self.sent[key]), expected[path.name], (key, path.name))
        views = self.all_jobs(client)
        self.assertEqual({view["state"] for view in views.values()}, {"done"})
        self.assertEqual(len(set(self.sent.values())), JOBS, "two keys have one job")
        self.assertLessEqual(set(self.sent.values()), set(views), "jobs are lost")
        self.assertLessEqual(set(views), set(self.sent.values()), "a key has two jobs")
        # The kills hit those that sent, and jobs that were worked on: else this shows nothing.
        again = sum(view["attempts"] > 1 for view in views.values())
        unanswered = len(self.tries) - JOBS
        print(f"{KILLS} kills: {unanswered} requests without an answer, {again} jobs taken over", flush=True)
        self.assertGreaterEqual(unanswered, KILLS // 4)
        self.assertGreaterEqual(again, KILLS // 4)
        self.check_blobs(head, set(views), unanswered)

    def live_for_a_while(self, orders):
        self.live = head = self.head(self.topology_file)
        for order in orders:
            self.orders.put(order)
        moment = self.chance.choice(["started", "open", "open", "busy", "busy"])
        if moment != "started":
            door_of(head)
        if moment == "busy":
            done = lambda: head.metric("penstock_jobs_attempts_total", end="done")  # short ones are over soon
            until(lambda: head.metric("penstock_jobs_running") + done() > 0, "it to work on a job")
        time.sleep(self.chance.uniform(0, 0.2 if moment == "busy" else 0.8))
        self.assertTrue(head.running(), head.errors())
        head.kill()

    def send_orders(self, number):
        while order := self.orders.get():
            key, path = order
            reply = self.dir / f"reply-{number}"
            while not (job := self.sent_once(key, path, reply)):
                if not self.go_on:
                    return
            self.sent[key] = job

    def sent_once(self, key, path, into):
        """The id of its job; None where there was no answer."""
        open_door = [m for m in self.live.log() if m.startswith("the door is open: ")] if self.live else []
        if not open_door or not self.live.running():
            time.sleep(0.02)
            return None
        self.tries.append(key)
        done = curl("-T", path, "-X", "POST", "--limit-rate", "400K", "-H", f"Idempotency-Key: {key}", "-H",
                    f"Penstock-Name: {path.name}", "-o", into, "-w", "%{http_code}",
                    open_door[0].split()[-1] + "/v1/jobs")  # fmt: skip
        if done.returncode == 0 and done.stdout in (b"200", b"202"):
            return json.loads(into.read_text())["id"]
        if done.returncode == 0 and done.stdout not in (b"429", b"503"):
            self.failed.append((key, done.stdout, into.read_bytes()))
            self.go_on = False
        return None

    def check_blobs(self, head, jobs, unanswered):
        """Each job has its result. What may be left for an hour is of requests that died before there was a job."""
        results = {f"{job}/result" for job in jobs}

        def rest():
            found = self.blobs()
            self.assertLessEqual(results, found)
            return found - results

        until(lambda: not any(name.split("/")[0] in jobs for name in rest()), "what belongs to jobs to go")
        left = rest()
        print(f"left by requests that died: {len(left)}", flush=True)
        for name in left:
            self.assertRegex(name, r"^(\w+/input|\.new/\w+)$")
        self.assertLessEqual(len(left), unanswered + 2 * KILLS)  # two jobs at a time
        self.terminate(head)
        if not self.age_blobs(left):
            return
        self.live = self.head(self.topology_file)
        until(lambda: not rest(), "what is of no job to go when it is old")
        self.terminate(self.live)


class OrdealOnSqlite(OnSqlite, Ordeal, JobsTest):
    pass


class OrdealOnNats(OnNats, Ordeal, JobsTest):
    pass


class OrdealOnAzure(OnAzure, Ordeal, JobsTest):
    pass


class TwoHeads:
    slow = 512
    jobs = 30

    def done_by(self, head):
        return int(head.metric("penstock_jobs_attempts_total", end="done"))

    def test_two_heads_share_the_work_and_when_one_is_killed_the_other_finishes(self):
        files = self.files()
        expected = self.undisturbed(files)
        topology = self.jobs_topology(slow=self.slow)
        videos = [path for path in files if path.name.startswith("v")]
        first = self.head(topology)
        client = self.client(first)
        jobs = {self.submit(client, videos[-1].read_bytes(), Penstock_Name=videos[-1].name): videos[-1].name}
        name = self.wait_for_worker(client, *jobs)
        second = self.head(topology)
        doors = [client, self.client(second)]
        for i in range(1, self.jobs):
            path = videos[i % len(videos)] if i % 4 else files[-1 - i // 4 % 4]
            jobs[self.submit(doors[i % 2], path.read_bytes(), Penstock_Name=path.name)] = path.name
        until(lambda: min(self.done_by(first), self.done_by(second)) >= 4, "both to have done some")
        by_first = self.done_by(first)
        while not self.killed_at_work(first, name, doors[1]):
            so_far = self.done_by(first)
            until(lambda: self.done_by(first) > so_far, "the first to go on")
        held = {job: view for job, view in self.all_jobs(doors[1]).items() if view["worker"] == name}
        blobs = self.blobs()
        # Nobody holds it against a job if the work got further.
        lost = {job for job, view in held.items() if not view["frames_done"] and f"{job}/result" not in blobs}
        for job, file in jobs.items():
            self.assertEqual(self.results(doors[1], job), expected[file], (job, file))
        views = self.all_jobs(doors[1])
        self.assertEqual(set(views), set(jobs))
        for job, view in views.items():
            self.assertEqual((view["state"], view["attempts"]), ("done", 2 if job in lost else 1), view)
        self.assertGreaterEqual(self.done_by(second), 4 + len(lost))
        self.assertLessEqual(by_first + self.done_by(second), self.jobs)
        for end in ("lost", "failed"):
            self.assertEqual(second.metric("penstock_jobs_attempts_total", end=end), 0)
        until(lambda: self.blobs() == {f"{job}/result" for job in jobs}, "all but the results to go")
        self.terminate(second)

    def wait_for_worker(self, client, job):
        return until(lambda: self.job(client, job)["worker"], "a worker")

    def killed_at_work(self, head, name, client):
        """Stops it, and kills it if it works on a job."""
        head.send_signal(signal.SIGSTOP)
        at_work = any(view["worker"] == name for view in self.all_jobs(client).values())
        head.send_signal(signal.SIGKILL if at_work else signal.SIGCONT)
        return at_work


class TwoHeadsOnCluster(OnCluster, TwoHeads, JobsTest):
    pass


class TwoHeadsOnAzure(OnAzure, TwoHeads, JobsTest):
    pass


class Resume:
    frames = 400

    def test_a_long_job_whose_head_is_killed_goes_on_at_another_where_it_was(self):
        clip = self.clip("long.mp4", self.frames, *LONG)
        topology = self.jobs_topology(slow=1024, stages=ONE_BY_ONE)
        first = self.head(topology)
        client = self.client(first)
        job = self.submit(client, clip.read_bytes())
        noted = self.wait_for(client, job, "running", lambda view: view["frames_done"] >= 3 * GROUP)
        first.kill()
        second = self.head(topology)
        client = self.client(second)
        held = self.job(client, job)
        self.assertEqual((held["state"], held["worker"]), ("running", noted["worker"]))  # as long as the lease lasts
        frames = held["frames_done"]
        self.assertGreaterEqual(frames, noted["frames_done"])
        self.assertLess(frames, self.frames)
        view = self.wait_for(client, job, "running", lambda view: view["worker"] != noted["worker"])
        self.assertGreaterEqual(view["frames_done"], frames)
        self.assertEqual(view["attempts"], 1)  # it got further, so this is not held against it
        view = self.wait_for(client, job)
        self.assertEqual((view["frames_done"], view["frames_total"]), (self.frames, self.frames))
        self.assertEqual((view["attempts"], view["dropped"]), (1, {}))
        self.assertEqual(second.says("resumed at frame"), [f"stream {job}-2: resumed at frame {frames}"])
        self.assertEqual(frames % GROUP, 0)
        self.assertEqual(self.results(client, job), self.results_of_run(clip))
        until(lambda: self.blobs() == {f"{job}/result"}, "all but the result to go")
        ledger = self.terminate(second)["(guests)"]
        rest = self.frames - frames
        self.assertEqual(ledger, {"received": rest, "delivered": rest, "dropped": {}, "in_flight": 0})


class ResumeOnSqlite(OnSqlite, Resume, JobsTest):
    pass


class ResumeOnAzure(OnAzure, Resume, JobsTest):
    pass


def run_side_by_side():
    """Each class in a process of its own: most of their time they wait for leases to run out."""
    classes = [OrdealOnAzure, OrdealOnNats, OrdealOnSqlite, ResumeOnAzure, ResumeOnSqlite, TwoHeadsOnAzure,
               TwoHeadsOnCluster, Basics, Commands]  # fmt: skip

    def run(one):
        began = time.monotonic()
        command = [sys.executable, __file__, "-v", one.__name__]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        print(f"==== {one.__name__}: {time.monotonic() - began:.0f} s\n{done.stdout.decode()}", flush=True)
        return done.returncode

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        return int(any(list(pool.map(run, classes))))


if __name__ == "__main__":
    sys.exit(run_side_by_side() if len(sys.argv) == 1 else unittest.main())
