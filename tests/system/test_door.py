"""The HTTP door of the program: pictures, streams, events, state, and how it ends."""

import hashlib
import json
import re
import shutil
import subprocess
import threading
import time
import unittest

import barcode
from door import HEAD, Client, DoorTest, door_of, events_of, parts_of
from fleet import NODES, FleetTest
from harness import until

PATIENT = {"admission": {"max_wait": "1min"}}  # nobody is told to come again later
ENDLESS = "synthetic://?width=256&height=192&frames=0&gop=25&bframes=0&fps=25&live=1"


def ledger_of(program):
    """Of the pictures that clients waited for."""
    program.terminate()
    return program.finish(files=False)["(requests)"]


class Pictures(DoorTest):
    def test_a_picture_gets_the_objects_that_a_run_over_it_gets(self):
        folder = self.clip("shots/%03d.jpg", 3, "-q:v", "2").parent
        run = self.run_to_end(self.topology({"shots": folder}, name="run.yaml"))
        program = self.start(self.door_topology())
        client = self.client(program)
        for path, line in zip(sorted(folder.iterdir()), run.lines("shots")):
            reply = client.detect(path.read_bytes())
            self.assertEqual(reply.status, 200, reply.body)
            got = reply.json()
            self.assertEqual((got["width"], got["height"]), (line["width"], line["height"]))
            self.assertEqual(len(got["objects"]), len(line["objects"]))
            for mine, theirs in zip(got["objects"], line["objects"]):
                self.assertEqual((mine["label"], mine["class"]), (theirs["label"], theirs["class"]))
                for a, b in zip([mine["score"], *mine["box"]], [theirs["score"], *theirs["box"]]):
                    self.assertAlmostEqual(a, b, delta=0.0051)  # lines are rounded
        self.assertEqual(ledger_of(program), {"received": 3, "delivered": 3, "dropped": {}, "in_flight": 0})

    def test_jpeg_png_and_webp_are_read_in_a_body_or_a_form(self):
        program = self.start(self.door_topology())
        url, client = door_of(program), self.client(program)
        for kind in ("jpg", "png", "webp"):
            with self.subTest(kind=kind):
                picture = self.pictures(1, kind, first=7)[0]
                self.assert_shows(client.detect(picture), 0, 7)
                path = self.dir / f"picture.{kind}"
                path.write_bytes(picture)
                form = subprocess.run(["curl", "-sS", "-F", f"image=@{path}", f"{url}/v1/detect"], capture_output=True,
                                      check=True, timeout=60)  # fmt: skip
                self.assertEqual(barcode.read_objects(json.loads(form.stdout)), (0, 7))

    def test_the_picture_comes_back_with_boxes_where_it_is_asked_for(self):
        program = self.start(self.door_topology())
        picture = self.pictures(1)[0]
        reply = self.client(program).detect(picture, "?annotate=true")
        self.assertEqual((reply.status, reply.headers["Content-Type"]), (200, "image/jpeg"))
        drawn = self.dir / "drawn.jpg"
        drawn.write_bytes(reply.body)
        grey = lambda path: subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "gray", "-"],
                                           capture_output=True, check=True).stdout  # fmt: skip
        plain = self.dir / "plain.jpg"
        plain.write_bytes(picture)
        before, after = grey(plain), grey(drawn)
        self.assertEqual(len(before), len(after))
        changed = sum(abs(a - b) > 40 for a, b in zip(before, after))
        self.assertGreater(changed, len(before) // 100)

    def test_what_is_no_picture_or_a_broken_one_is_refused_and_costs_nobody_else(self):
        program = self.start(self.door_topology(media={"max_pixels": 100_000}))
        client = self.client(program)
        picture = self.pictures(1)[0]
        self.assertEqual(client.detect(b"words").status, 415)
        self.assertEqual(client.detect(picture[: len(picture) // 2]).status, 422)
        large = client.detect(self.pictures(1, size=(512, 384))[0])
        self.assertEqual((large.status, large.json()["error"]["code"]), (422, "picture"))
        self.assert_shows(client.detect(picture), 0, 0)
        self.assertEqual(ledger_of(program), {"received": 2, "delivered": 1, "dropped": {"corrupt": 1}, "in_flight": 0})

    def test_many_clients_at_once_each_get_their_own(self):
        program = self.start(self.door_topology(http=PATIENT))
        url = door_of(program)
        wrong, rounds = [], 10

        def ask(number, pictures):
            client = Client(self, url)
            for frame, picture in enumerate(pictures):
                reply = client.detect(picture)
                if reply.status != 200 or barcode.read_objects(reply.json()) != (number, frame):
                    wrong.append((number, frame, reply.status, reply.body[:100]))

        threads = [threading.Thread(target=ask, args=(n, self.pictures(rounds, stream=n))) for n in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        frames = 24 * rounds
        self.assertEqual(ledger_of(program), {"received": frames, "delivered": frames, "dropped": {}, "in_flight": 0})

    def test_past_its_deadline_a_request_is_answered_and_dropped(self):
        # One picture takes some tenths of a second, so those behind it are late.
        slow = self.model("slow.onnx", slow=4096)
        program = self.start(self.door_topology(model=slow, stages={"inference": {"batch": {"max": 1}, "instances": 1}}))
        url, picture = door_of(program), self.pictures(1)[0]

        def seconds_of_one():
            began = time.monotonic()
            self.assert_shows(Client(self, url).detect(picture), 0, 0)
            return time.monotonic() - began

        quiet = seconds_of_one()
        codes = []
        ask = lambda: codes.append(Client(self, url).detect(picture, **{"Penstock-Deadline-Ms": "600"}).status)
        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertIn(504, codes)
        self.assertEqual(set(codes) - {200, 503, 504}, set())
        self.assertGreater(codes.count(504), 8)
        self.assertLess(seconds_of_one(), 5 * quiet, "what is late stands in the way of others")
        ledger = ledger_of(program)
        late = ledger["delivered"] - codes.count(200) - 2  # done when its client was just being told that it is not
        self.assertIn(late, (0, 1))
        self.assertEqual(ledger["dropped"], {"deadline": codes.count(504) - late})

    def test_requests_that_are_under_way_are_answered_when_the_program_ends(self):
        slow = self.model("slow.onnx", slow=1024)
        stages = {"inference": {"batch": {"max": 1}, "instances": 1}}
        program = self.start(self.door_topology(model=slow, stages=stages, http=PATIENT))
        url = door_of(program)
        replies = {}

        def ask(frame, picture):
            replies[frame] = Client(self, url).detect(picture)

        threads = [threading.Thread(target=ask, args=each) for each in enumerate(self.pictures(12))]
        for thread in threads:
            thread.start()
        until(lambda: self.client(program).get("/metrics").body.count(b'received_frames_total{stream="(requests)"} 12'), "all to be in")
        self.assertEqual(self.client(program).ask("POST", "/v1/drain").status, 202)
        for thread in threads:
            thread.join()
        for frame, reply in replies.items():
            self.assert_shows(reply, 0, frame)
        ledger = program.finish(files=False)
        self.assertEqual(ledger["(requests)"], {"received": 12, "delivered": 12, "dropped": {}, "in_flight": 0})


class Streams(DoorTest):
    def test_a_stream_joins_runs_and_leaves(self):
        clip = self.clip("clip.mp4", 100)
        program = self.start(self.door_topology())
        client = self.client(program)
        added = client.ask("POST", "/v1/streams", json.dumps({"id": "clip", "uri": str(clip)}))
        self.assertEqual(added.status, 201, added.body)
        until(lambda: len(program.lines("clip")) == 100, "its results")
        self.assert_identity(program.lines("clip"))
        self.assertEqual(client.ask("POST", "/v1/streams", json.dumps({"id": "live", "uri": ENDLESS})).status, 201)
        until(lambda: len(program.lines("live")) > 20, "its results")
        self.assertEqual(client.ask("POST", "/v1/streams", json.dumps({"id": "live", "uri": ENDLESS})).status, 409)
        self.assertEqual(client.ask("DELETE", "/v1/streams/live").status, 204)
        gone = lambda: [s["id"] for s in client.get("/v1/streams").json()["streams"]] == []
        until(gone, "it to have left")
        self.assertEqual(client.ask("DELETE", "/v1/streams/live").status, 404)
        program.terminate()
        ledger = program.finish(files=False)["(guests)"]
        self.assertEqual(ledger["received"], ledger["delivered"] + sum(ledger["dropped"].values()))
        self.assertEqual(ledger["delivered"], 100 + len(program.lines("live")))

    def test_what_cannot_join_is_refused_with_the_reason(self):
        program = self.start(self.door_topology({"fixed": ENDLESS}))
        client = self.client(program)
        add = lambda **what: client.ask("POST", "/v1/streams", json.dumps(what))
        self.assertEqual(add(id="fixed", uri=ENDLESS).status, 409)
        self.assertEqual(client.ask("DELETE", "/v1/streams/fixed").status, 409)
        self.assertEqual(add(id="../up", uri=ENDLESS).status, 400)
        self.assertEqual(add(id="p", uri="push://p").status, 400)
        self.assertEqual(add(id="none", uri=str(self.dir / "*.mp4")).status, 400)
        self.assertEqual(add(id="none", uri=str(self.dir / "gone.mp4")).status, 400)
        # What is only found out when it is opened is in the log.
        (self.dir / "words.mp4").write_text("no video")
        self.assertEqual(add(id="words", uri=str(self.dir / "words.mp4")).status, 201)
        until(lambda: "words.mp4" in program.errors(), "the log to say so")

    def test_snapshot_and_preview_show_the_stream_with_boxes(self):
        program = self.start(self.door_topology({"camera": ENDLESS}))
        client = self.client(program)
        self.assertEqual(client.get("/v1/streams/none/snapshot.jpg").status, 404)
        shot = client.get("/v1/streams/camera/snapshot.jpg")
        self.assertEqual((shot.status, shot.headers["Content-Type"]), (200, "image/jpeg"))
        reply = Client(self, door_of(program)).send("GET", "/v1/streams/camera/preview.mjpeg")
        self.assertEqual(reply.status, 200)
        pictures = []
        for picture in parts_of(reply):
            self.assertEqual(picture[:2], b"\xff\xd8")
            pictures.append(picture)
            if len(pictures) == 5:
                break
        self.assertEqual(len({hashlib.sha256(p).digest() for p in pictures}), 5, "it does not move")
        reply.close()
        # Nobody watches: nothing is drawn.
        viewers = lambda: re.search(rb"penstock_http_preview_viewers (\d+)", client.get("/metrics").body)[1]
        until(lambda: viewers() == b"0", "nobody to watch")

    def test_a_preview_that_nobody_takes_does_not_hold_the_stream_up(self):
        program = self.start(self.door_topology({"camera": ENDLESS}))
        client = self.client(program)
        reply = Client(self, door_of(program)).send("GET", "/v1/streams/camera/preview.mjpeg")
        self.assertEqual(reply.status, 200)
        before = len(program.lines("camera"))
        until(lambda: len(program.lines("camera")) > before + 100, "the stream to go on")
        state = client.get("/v1/state").json()["streams"][0]
        self.assertEqual(state["dropped"], {})


class Events(DoorTest):
    def test_results_and_the_end_of_a_stream_are_events(self):
        clip = self.clip("clip.mp4", 50)
        program = self.start(self.door_topology({"camera": ENDLESS}))
        reply = self.client(program).send("GET", "/v1/events?stream=clip")
        self.assertEqual(reply.status, 200)
        add = {"id": "clip", "uri": str(clip)}
        self.assertEqual(self.client(program).ask("POST", "/v1/streams", json.dumps(add)).status, 201)
        results, ended = [], None
        for event, data in events_of(reply):
            self.assertEqual(data["stream"], "clip")
            if event == "result":
                results.append(data)
            elif event == "stream" and data["state"] == "ended":
                ended = data
                break
        self.assertEqual(results, program.lines("clip"))
        self.assertEqual((ended["received"], ended["delivered"], ended["dropped"]), (50, 50, {}))


class State(DoorTest):
    def test_the_state_and_the_metrics_say_the_same(self):
        clip = self.clip("clip.mp4", 60)
        program = self.start(self.door_topology([{"id": "camera", "uri": ENDLESS},
                                                 {"id": "clip", "uri": str(clip), "sample_fps": 5}]))  # fmt: skip
        client = self.client(program)
        clip_state = lambda: next(s for s in client.get("/v1/state").json()["streams"] if s["id"] == "clip")
        until(lambda: clip_state()["state"] == "ended", "the clip to end")
        state, text = clip_state(), client.get("/metrics").body.decode()
        metric = lambda name, **labels: int(float(re.search(
            name + "{" + ",".join(f'{k}="{v}"' for k, v in sorted(labels.items())) + "} (.*)", text)[1]))  # fmt: skip
        self.assertEqual(state["received"], metric("penstock_stream_received_frames_total", stream="clip"))
        self.assertEqual(state["delivered"], metric("penstock_stream_delivered_frames_total", stream="clip"))
        self.assertEqual(state["dropped"]["sampled"],
                         metric("penstock_stream_dropped_frames_total", stream="clip", reason="sampled"))  # fmt: skip

        def camera():
            s = next(s for s in client.get("/v1/state").json()["streams"] if s["id"] == "camera")
            return s if 20 < s["frames_per_s"] < 30 and 0 < s["latency_p50_ms"] <= s["latency_p99_ms"] else None

        until(camera, "the camera's rate and latency")
        document = client.get("/v1/state").json()
        self.assertEqual([w["name"] for w in document["workers"]], ["local"])
        self.assertEqual([s["name"] for s in document["stages"]], ["decode", "preprocess", "inference", "postprocess"])
        until(lambda: client.get("/v1/state").json()["stages"][2]["items_per_s"] > 10, "the stage's rate")
        self.assertEqual(client.get("/healthz").status, 200)
        self.assertEqual(client.get("/readyz").status, 200)
        self.assertEqual(client.get("/").headers["Content-Type"], "text/html; charset=utf-8")

    def test_a_run_with_a_door_ends_with_its_streams(self):
        clip = self.clip("clip.mp4", 30)
        program = self.run_to_end(self.door_topology({"clip": clip}))
        self.assert_delivered(program, "clip", 30)


class Fleet(FleetTest):
    def test_pictures_are_answered_though_workers_are_killed(self):
        (self.dir / "fleet").mkdir()
        nodes = {"head": {**NODES["head"], "http": "127.0.0.1:0"}, "worker": NODES["worker"]}
        topology = self.topology([], name="fleet/topology.yaml", nodes=nodes, http=PATIENT,
                                 model=self.model("slow.onnx", slow=512))  # fmt: skip
        head = self.head(topology)
        workers = self.workers(3, head)
        url = door_of(head)
        folder = self.clip("shots/%03d.jpg", 40, "-q:v", "2").parent
        pictures = [path.read_bytes() for path in sorted(folder.iterdir())]
        replies = {}

        def ask(first):
            client = Client(self, url)
            for frame in range(first, 40, 4):
                replies[frame] = client.detect(pictures[frame], **{"Penstock-Deadline-Ms": "30000"})

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for i, worker in enumerate(workers[:2]):
            until(lambda: len(replies) >= 8 * (i + 1), "some replies")
            worker.kill()
        for thread in threads:
            thread.join()
        for frame, reply in replies.items():
            self.assertEqual(reply.status, 200, (frame, reply.body, head.errors()))
            self.assertEqual(barcode.read_objects(reply.json()), (0, frame))
        head.terminate()
        ledger = head.finish(files=False)["(requests)"]
        self.assertEqual(ledger, {"received": 40, "delivered": 40, "dropped": {}, "in_flight": 0})


class Tokens(DoorTest):
    def test_only_tokens_with_the_scope_open_the_door_and_none_is_written_down(self):
        digest = lambda token: hashlib.sha256(token.encode()).hexdigest()
        tokens = [{"name": "app", "sha256": digest("secret-app"), "scopes": ["detect"]},
                  {"name": "boss", "sha256": digest("secret-boss"), "scopes": ["admin"]}]  # fmt: skip
        program = self.start(self.door_topology(http={"tokens": tokens}), "--log-level", "debug")
        picture = self.pictures(1)[0]
        self.assertEqual(self.client(program).detect(picture).status, 401)
        self.assertEqual(self.client(program, "secret-none").detect(picture).status, 401)
        app = self.client(program, "secret-app")
        self.assert_shows(app.detect(picture), 0, 0)
        self.assertEqual(app.get("/v1/state").status, 403)
        self.assertEqual(app.ask("POST", "/v1/drain").status, 403)
        self.assertEqual(self.client(program, "secret-boss").ask("POST", "/v1/drain").status, 202)
        program.finish(files=False)
        self.assertNotIn("secret-", program.errors())


if __name__ == "__main__":
    unittest.main()
