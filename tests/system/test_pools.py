"""The signals of scaling are what is so: what came, what was done and how busily, what waits, and who is there."""

import json
import os
import subprocess
import threading
import time
import unittest
import urllib.parse
import urllib.request

from door import Client, DoorTest, door_of
from fleet import NODES, FleetTest
from harness import H264, PATIENCE, SystemTest, free_port, until

LIVE = "synthetic://?width=256&height=192&frames=0&gop=25&bframes=0&fps=25&live=1"
LONG = {"id": "long", "uri": "synthetic://?width=256&height=192&frames=1000000&gop=250&bframes=0", "policy": "lossless"}
STATES = ("warming", "ready", "draining", "lost")


def pool(program, name, role="local", **labels):
    return program.metrics().get((f"penstock_pool_{name}", (("role", role), *labels.items())))


def until_pool(above, program, name, role="local", **labels):
    """Waits until the pool's metric is there and greater."""
    until(lambda: (pool(program, name, role, **labels) or 0) > above, f"{name} of {role} to be above {above}")


def workers(program, role="worker"):
    """{state: number}, without zeros."""
    series = program.metrics()
    counted = {s: series.get(("penstock_pool_workers", (("role", role), ("state", s))), 0) for s in STATES}
    return {state: int(number) for state, number in counted.items() if number}


def check_metrics(text):
    """What promtool says of an exposition."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stdout + done.stderr


class OneProcess(SystemTest):
    def test_a_live_stream_comes_at_its_rate_and_what_is_sampled_out_does_not(self):
        topology = self.topology([{"id": "all", "uri": LIVE}, {"id": "some", "uri": LIVE, "sample_fps": 5}])
        program = self.start(topology, "--metrics", "127.0.0.1:0")
        until_pool(300, program, "arrived_items_total")
        # The time in which the streams were opened weighs less and less.
        rate = lambda: pool(program, "arrival_rate_items_per_second")
        until(lambda: abs(rate() - 30) <= 4, "thirty a second")
        of = lambda name, **labels: series[f"penstock_{name}", tuple(labels.items())]

        def came(series):
            sampled = series["penstock_stream_dropped_frames_total", (("reason", "sampled"), ("stream", "some"))]
            received = (series["penstock_stream_received_frames_total", (("stream", s),)] for s in ("all", "some"))
            return sum(received) - sampled

        # Those of the pool are counted a moment after those of the streams; on a busy machine it takes longer until the
        # first, slow frames weigh so little that there is seen to be room.
        arrived = "penstock_pool_arrived_items_total", (("role", "local"),)
        headroom = "penstock_pool_headroom_streams", (("role", "local"),)
        series = until(lambda: (s := program.metrics())[arrived] == came(s) and s[headroom] > 0 and s,
                       "all that came to be counted, and room for more")  # fmt: skip
        self.assertAlmostEqual(of("pool_finished_items_total", role="local"), came(series), delta=60)
        self.assertEqual(of("pool_workers", role="local", state="ready"), 1)
        # The little that is done takes little of the time, so much more would find room.
        busy = sum(of("pool_utilisation_ratio", role="local", stage=s)
                   for s in ("decode", "preprocess", "inference", "postprocess"))  # fmt: skip
        self.assertTrue(0 < busy < 0.9, busy)
        self.assertAlmostEqual(of("pool_service_rate_items_per_second", role="local") * busy, 30, delta=6)
        self.assertLess(of("pool_backlog_seconds", role="local"), 1)
        self.assertEqual(check_metrics(program.get("/metrics")[1]), (0, ""))
        self.assertEqual(program.get("/healthz/rich"), (200, '{"ApplicationHealthState":"Healthy"}'))
        program.terminate()
        program.finish()

    def test_a_file_is_backlog_and_keeps_the_process_busy(self):
        frames = 4000
        clip = self.clip("long.mp4", frames, *H264)
        stages = {"inference": {"batch": {"max": 1}}}
        topology = self.topology({"clip": clip}, model=self.model("slow.onnx", slow=256), stages=stages,
                                 dispatch={"read_ahead": {"packets": 200}}, shutdown={"grace": "0s"})  # fmt: skip
        program = self.start(topology, "--metrics", "127.0.0.1:0")
        until_pool(300, program, "finished_items_total")
        used = lambda stage: ("penstock_pool_utilisation_ratio", (("role", "local"), ("stage", stage)))
        busy = lambda s: sum(s[used(stage)] for stage in ("decode", "preprocess", "inference", "postprocess"))
        # At first the time in which the file was opened weighs much.
        series = until(lambda: busy(s := program.metrics()) > 0.6 and s, "it to be busy")
        of = lambda name, **labels: series[f"penstock_pool_{name}", (("role", "local"), *labels.items())]
        received = series["penstock_stream_received_frames_total", (("stream", "clip"),)]
        self.assertEqual(of("arrived_items_total"), 0)  # it is held back
        self.assertGreaterEqual(of("backlog_items"), frames - received)
        self.assertLess(of("backlog_items"), frames)
        self.assertEqual(of("bottleneck", stage="inference"), 1)
        self.assertEqual(of("bottleneck", stage="decode"), 0)
        self.assertLess(busy(series), 1.1)
        self.assertAlmostEqual(of("worker_utilisation_ratio"), min(1, busy(series)), delta=0.02)
        self.assertEqual(of("backlog_of_jobs_items"), 0)
        rate = of("service_rate_items_per_second")
        self.assertAlmostEqual(of("backlog_seconds"), of("backlog_items") / rate, delta=0.01)
        self.assertEqual(of("late_items_total"), 0)
        program.terminate()
        program.finish()

    def test_what_a_process_cannot_do_in_time_is_late(self):
        stages = {"inference": {"batch": {"max": 1}, "instances": 1}}
        topology = self.topology({"live": LIVE}, model=self.model("slow.onnx", slow=4096), stages=stages,
                                 scaling={"objective": "500ms"}, shutdown={"grace": "0s"})  # fmt: skip
        program = self.start(topology, "--metrics", "127.0.0.1:0")
        until(lambda: program.counts("live")["dropped"].get("shed", 0) > 100, "frames to be shed")

        def agree():
            """Latencies are seen at once, what is late at the head's next tick."""
            series = program.metrics()
            late = series["penstock_pool_late_items_total", (("role", "local"),)]
            shed = series["penstock_stream_dropped_frames_total", (("reason", "shed"), ("stream", "live"))]
            slow = series["penstock_stream_latency_seconds_count", (("stream", "live"),)]
            slow -= series["penstock_stream_latency_seconds_bucket", (("stream", "live"), ("le", "0.5"))]
            return slow > 0 and late == shed + slow

        until(agree, "what is late to be what was shed or slow")
        self.assertEqual(pool(program, "headroom_streams"), 0)
        program.terminate()
        program.finish()


class Requests(DoorTest):
    def test_pictures_that_are_refused_came_too_and_are_late(self):
        stages = {"inference": {"batch": {"max": 1}, "instances": 1}}
        topology = self.door_topology(model=self.model("slow.onnx", slow=1024), stages=stages)
        program = self.start(topology, "--metrics", "127.0.0.1:0")
        url = door_of(program)
        picture = self.pictures(1)[0]
        answers, took = [], []
        for _ in range(5):  # the door must have seen how fast pictures are done
            began = time.monotonic()
            answers.append(Client(self, url).detect(picture, **{"Penstock-Deadline-Ms": "30000"}).status)
            took.append(time.monotonic() - began)
        self.assertEqual(answers, [200] * 5)
        deadline = str(int(3000 * sorted(took)[2]) + 1)  # eight at a time are too many, two are not

        def ask():
            client = Client(self, url)
            answers.extend(client.detect(picture, **{"Penstock-Deadline-Ms": deadline}).status for _ in range(10))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        refused, late = answers.count(503), answers.count(504)
        self.assertGreater(refused, 0, answers)
        self.assertGreater(answers.count(200), 5)
        until(lambda: pool(program, "arrived_items_total") == len(answers), "all of them to be counted")
        until(lambda: pool(program, "late_items_total") >= refused + late, "those without an answer to be late")
        program.terminate()
        program.finish()


class Fleet(FleetTest):
    def serve(self, stream={"id": "live", "uri": LIVE}, **more):
        """A head with a door, and nobody who works."""
        nodes = {"head": {**NODES["head"], "http": "127.0.0.1:0"}, "worker": NODES["worker"]}
        (self.dir / "fleet").mkdir()
        topology = self.topology([stream], name="fleet/topology.yaml", nodes=nodes, **more)
        return self.head(topology)

    def measured(self, name, head, *args):
        return self.worker(name, head, None, "--metrics", "127.0.0.1:0", *args)

    def assert_workers(self, head, **expected):
        until(lambda: workers(head) == expected, f"workers to be {expected}")

    def test_a_worker_is_warming_then_ready_then_draining_then_gone(self):
        # A segment takes it many seconds, which is how long it drains.
        head = self.serve(LONG, model=self.model("slow.onnx", slow=2048), stages={"inference": {"batch": {"max": 1}}},
                          shutdown={"grace": "0s"})  # fmt: skip
        self.assert_workers(head)
        labels = self.dir / "labels"  # loading waits until somebody writes them
        os.mkfifo(labels)
        worker = self.measured("w0", head, "--set", f"stages.postprocess.labels={labels}", "--set",
                               "shutdown.grace=60s")  # fmt: skip
        self.assert_workers(head, warming=1)
        self.assertEqual(worker.get("/readyz")[0], 503)
        self.assertEqual(worker.get("/healthz/rich"), (200, '{"ApplicationHealthState":"Healthy"}'))
        state = lambda name: worker.metrics()["penstock_worker_state", (("role", "worker"), ("state", name))]
        self.assertEqual([state(s) for s in ("warming", "ready", "draining")], [1, 0, 0])
        shown = Client(self, door_of(head)).get("/v1/state").json()["workers"]
        self.assertEqual([(w["name"], w["state"]) for w in shown], [("w0", "warming")])
        self.assertEqual(head.workers(), 0)

        labels.write_text("code\n")
        worker.wait_until_joined()
        self.assert_workers(head, ready=1)
        self.assertEqual(worker.get("/readyz")[0], 200)
        self.assertEqual([state(s) for s in ("warming", "ready", "draining")], [0, 1, 0])
        self.assertEqual(check_metrics(worker.get("/metrics")[1]), (0, ""))
        self.assertEqual(check_metrics(head.get("/metrics")[1]), (0, ""))
        until_pool(0, head, "service_rate_items_per_second", "worker")
        until_pool(0, head, "utilisation_ratio", "worker", stage="decode")

        worker.terminate()
        until(lambda: worker.get("/readyz")[0] == 503, "readiness to end")
        self.assertEqual(worker.get("/healthz/rich"), (200, '{"ApplicationHealthState":"Healthy"}'))
        self.assertEqual([state(s) for s in ("warming", "ready", "draining")], [0, 0, 1])
        self.assert_workers(head, draining=1)
        worker.wait_for_exit(0)
        self.assert_workers(head)
        head.terminate()
        head.finish()

    def test_a_worker_that_dies_is_lost_until_it_is_back(self):
        head = self.serve()
        first, _ = self.measured("w0", head), self.measured("w1", head)
        self.assert_workers(head, ready=2)
        first.kill()
        self.assert_workers(head, ready=1, lost=1)
        self.measured("w0", head).wait_until_joined()
        self.assert_workers(head, ready=2)
        head.terminate()
        head.finish()

    def test_a_worker_that_is_killed_while_it_loads_its_model_is_not_missed(self):
        head = self.serve()
        labels = self.dir / "labels"
        os.mkfifo(labels)
        worker = self.measured("w0", head, "--set", f"stages.postprocess.labels={labels}")
        self.assert_workers(head, warming=1)
        worker.kill()
        self.assert_workers(head)
        head.terminate()
        head.finish()

    def test_prometheus_finds_head_and_workers_by_the_targets(self):
        head = self.serve()
        started = [self.measured(name, head).wait_until_joined() for name in ("w0", "w1")]
        self.worker("unseen", head).wait_until_joined()  # it serves no metrics
        url = door_of(head)
        expected = {urllib.parse.urlsplit(url).netloc: ("head", None)}
        expected |= {f"127.0.0.1:{w.metrics_port()}": ("worker", w.name) for w in started}

        def targets():
            found = Client(self, url).get("/v1/targets").json()
            of = lambda t: (t["labels"]["role"], t["labels"]["name"] if t["labels"]["role"] == "worker" else None)
            return {t["targets"][0]: of(t) for t in found}

        until(lambda: targets() == expected, "the targets")
        prometheus = f"http://127.0.0.1:{self.prometheus(url)}"

        def scraped():
            try:
                with urllib.request.urlopen(f"{prometheus}/api/v1/query?query=up", timeout=PATIENCE) as reply:
                    found = json.load(reply)["data"]["result"]
            except OSError:
                return None  # it starts
            return {r["metric"]["instance"]: r["metric"]["role"] for r in found if r["value"][1] == "1"}

        until(lambda: scraped() == {address: role for address, (role, _) in expected.items()}, "all to be scraped")
        head.terminate()
        head.finish()

    def prometheus(self, url):
        """Starts a real server that scrapes what the head names; its port."""
        folder = self.dir / "prometheus"
        folder.mkdir()
        discovery = {"url": f"{url}/v1/targets", "refresh_interval": "1s"}
        jobs = [{"job_name": "all", "scrape_interval": "1s", "http_sd_configs": [discovery]}]
        (folder / "prometheus.yml").write_text(json.dumps({"scrape_configs": jobs}))
        port = free_port()
        with open(folder / "log", "wb") as log:
            server = subprocess.Popen(
                ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                 f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)  # fmt: skip
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        return port


class Cut(FleetTest):
    def test_each_part_of_a_cut_is_a_pool_of_its_own(self):
        nodes = {
            "head": NODES["head"],
            "cpu": {"stages": ["decode", "preprocess"], "dial": "tcp://127.0.0.1:9"},
            "gpu": {"stages": ["inference", "postprocess"], "dial": "tcp://127.0.0.1:9", "listen": "tcp://127.0.0.1:0"},
        }
        (self.dir / "fleet").mkdir()
        # Enough work for a rate to be known.
        large = LIVE.replace("width=256&height=192", "width=640&height=480")
        topology = self.topology({"live": large}, name="fleet/topology.yaml", nodes=nodes,
                                 model=self.model("slow.onnx", slow=256))  # fmt: skip
        head = self.head(topology)
        for role in ("gpu", "cpu"):
            self.worker(role, head, topology, "--role", role).wait_until_joined()
        for role, stages in (("cpu", ["decode", "preprocess"]), ("gpu", ["inference", "postprocess"])):
            until(lambda: workers(head, role) == {"ready": 1}, f"the {role} to be ready")
            until_pool(50, head, "finished_items_total", role)
            for stage in ("decode", "preprocess", "inference", "postprocess"):
                used = pool(head, "utilisation_ratio", role, stage=stage)
                self.assertTrue(used > 0 if stage in stages else used is None, (role, stage, used))
            until_pool(0, head, "service_rate_items_per_second", role)
            self.assertGreater(pool(head, "arrived_items_total", role), 50)
        head.terminate()
        head.finish()


if __name__ == "__main__":
    unittest.main()
