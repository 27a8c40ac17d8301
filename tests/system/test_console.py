"""The console in a real browser: what it shows is what the door says, and people get by with a phone or a keyboard."""

import hashlib
import json
import struct
import unittest
import urllib.parse

from browser import Browser
from door import DoorTest, door_of
from fleet import NODES, FleetTest
from harness import H264, until

ENDLESS = "synthetic://?width=256&height=192&frames=0&gop=25&bframes=0&fps=25&live=1"
JOBS = {"queue": {"kind": "sqlite", "path": "jobs.db"}, "blobs": {"kind": "local", "path": "blobs"}, "concurrent": 1}
EVIL = "<img src=x onerror='document.title=1'>.mp4"
PHONE = (390, 844)


class Console(DoorTest, FleetTest):
    @classmethod
    def setUpClass(cls):
        cls.browser = Browser(cls)

    def setUp(self):
        super().setUp()
        self.browser.resize(1280, 900)
        self.browser.leave()

    def open(self, program):
        """Opens the console. Whatever the test does then, the page asks nobody but the door, and nothing goes wrong in
        it."""
        url = door_of(program)
        self.addCleanup(self.browser.leave)
        self.addCleanup(self.check_page, url)
        self.asked = []
        self.browser.open(url)
        return url

    def requests(self):
        """All addresses that the page has asked for."""
        self.asked += self.browser.requests()
        return self.asked

    def check_page(self, url):
        self.assertIn(f"{url}/console.js", self.requests(), "requests are not logged")
        self.assertEqual([r for r in self.asked if not r.startswith((f"{url}/", "blob:", "data:"))], [])
        faults = [e for e in self.browser.log("browser") if e["level"] == "SEVERE" and e["source"] != "network"]
        self.assertEqual(faults, [])

    def sees(self, condition, what):
        """Waits until the page shows it."""
        return until(condition, f"the page to show {what}")

    def status(self, text):
        return self.sees(lambda: text in (self.browser.text("#status") or ""), f"“{text}”")

    def picture_of(self, stream):
        """The preview as it is now, as text; None before the first frame."""
        return self.browser.run("""
            const image = document.querySelector(`[data-stream="${arguments[0]}"] img`);
            if (!image || !image.naturalWidth) return null;
            const canvas = document.createElement('canvas');
            canvas.width = image.naturalWidth;
            canvas.height = image.naturalHeight;
            canvas.getContext('2d').drawImage(image, 0, 0);
            return canvas.toDataURL();
            """, stream)  # fmt: skip

    def fact(self, stream, name):
        """A number of a stream's card; None where there is none."""
        text = self.browser.text(f'[data-stream="{stream}"] [data-fact="{name}"]')
        return float(text.split()[0].replace(",", "")) if text else None

    @staticmethod
    def metric(text, name, *labels):
        """The number of the series with these labels, as it stands in the metrics."""
        for line in text.splitlines():
            series, _, number = line.rpartition(" ")
            found, _, rest = series.partition("{")
            if found == name and {l for l in rest.rstrip("}").split(",") if l} == set(labels):
                return number
        raise AssertionError(f"the metrics have no {name} with {labels}")

    def submit(self, client, name, body, state):
        """A job in that state."""
        headers = {"Penstock-Name": urllib.parse.quote(name)}
        reply = client.ask("POST", "/v1/jobs", body, headers)
        self.assertEqual(reply.status, 202, reply.body)
        path = f"/v1/jobs/{reply.json()['id']}"
        until(lambda: client.get(path).json()["state"] == state, f"{name} to be {state}")
        return reply.json()["id"]

    def detected(self, client, picture):
        """The objects in the words of the page."""
        whole = lambda v: int(v + 0.5)
        return [f"{o['label']}, {whole(100 * o['score'])} %, at {', '.join(str(whole(v)) for v in o['box'])}"
                for o in client.detect(picture).json()["objects"]]  # fmt: skip

    def objects(self):
        return self.browser.run("return [...document.querySelectorAll('#objects li')].map((li) => li.innerText)")

    def drawn(self, box):
        """Width and height of the picture with boxes, and whether there is colour on the lower edge of one: the picture
        itself has none."""
        return self.browser.run("""
            const canvas = document.getElementById('canvas');
            const [x, y, w, h] = arguments[0];
            const [r, g, b] = canvas.getContext('2d').getImageData(x + w / 2, y + h, 1, 1).data;
            return [canvas.width, canvas.height, Math.max(r, g, b) - Math.min(r, g, b) > 50];
            """, box)  # fmt: skip

    # -- streams

    def test_the_numbers_are_those_of_the_metrics_and_balance(self):
        clip = self.clip("clip.mp4", 60)
        program = self.start(self.door_topology([{"id": "camera", "uri": ENDLESS},
                                                 {"id": "clip", "uri": str(clip), "sample_fps": 5}]))  # fmt: skip
        client = self.client(program)
        self.open(program)
        self.status("Takes work")
        self.sees(lambda: self.browser.text('[data-stream="clip"] .state') == "ended", "the end of the clip")
        metrics = client.get("/metrics").body.decode()
        of = lambda name, *labels: self.metric(metrics, f"penstock_stream_{name}", 'stream="clip"', *labels)
        sampled = of("dropped_frames_total", 'reason="sampled"')
        shown = {"Stream": "clip", "Received": of("received_frames_total"), "Delivered": of("delivered_frames_total"),
                 "Dropped": sampled, "In flight": of("in_flight_frames"), "Dropped for": f"sampled {sampled}",
                 "Balance": "✓ balances"}  # fmt: skip
        self.assertEqual(self.browser.rows("ledger-table")["clip"], shown)
        self.assertEqual(shown["Received"], "60")
        self.assertEqual(self.browser.text('[data-stream="clip"] .drops'), f"Dropped: sampled {sampled}")

        # Of a stream that goes on the page shows something between what was before it and what comes after.
        camera = lambda: next(s for s in client.get("/v1/state").json()["streams"] if s["id"] == "camera")
        before = camera()["delivered"]
        self.sees(lambda: self.fact("camera", "Delivered") >= before, "newer numbers")
        self.assertLessEqual(self.fact("camera", "Delivered"), camera()["delivered"])
        self.sees(lambda: 20 < self.fact("camera", "Frames/s") < 30, "the camera's rate")
        self.assertLessEqual(self.fact("camera", "Latency p50"), self.fact("camera", "Latency p99"))

    def test_previews_move_until_nobody_wants_to_see_them(self):
        cameras = [f"camera{i}" for i in range(5)]
        program = self.start(self.door_topology({camera: ENDLESS for camera in cameras}))
        client = self.client(program)
        viewers = lambda: self.metric(client.get("/metrics").body.decode(), "penstock_http_preview_viewers")
        self.open(program)
        seen = {}

        def moves(stream):
            pictures = seen.setdefault(stream, set())
            pictures.add(self.picture_of(stream))
            return len(pictures - {None}) >= 3

        for camera in cameras[:3]:
            self.sees(lambda: moves(camera), f"{camera} moving")
        # A browser opens six connections to a server: with more pictures nothing else would come any more.
        self.browser.click('[data-stream="camera4"] button')
        self.sees(lambda: moves("camera4"), "camera4 moving")
        until(lambda: viewers() == "3", "the first viewer to have gone")
        self.assertEqual(self.browser.text('[data-stream="camera0"] button'), "Watch")
        for camera in ("camera1", "camera2", "camera4"):
            self.browser.click(f'[data-stream="{camera}"] button')
        until(lambda: viewers() == "0", "nobody to watch")

    def test_a_stream_that_was_added_can_be_removed(self):
        program = self.start(self.door_topology({"fixed": ENDLESS}))
        self.open(program)
        added = self.client(program).ask("POST", "/v1/streams", json.dumps({"id": "guest", "uri": ENDLESS}))
        self.assertEqual(added.status, 201, added.body)
        remove = '[data-stream="guest"] button[aria-label="Remove guest"]'
        self.sees(lambda: self.browser.shows(remove), "the guest")
        self.assertFalse(self.browser.shows('[data-stream="fixed"] button[aria-label="Remove fixed"]'))
        self.browser.click(remove)
        self.browser.post("/alert/accept")
        self.sees(lambda: self.browser.text('[data-stream="guest"]') is None, "that it has gone")

    def test_a_door_that_is_gone_is_told(self):
        program = self.start(self.door_topology())
        self.open(program)
        self.status("Takes work")
        program.terminate()
        program.process.wait(30)
        self.status("Not reached")

    # -- pictures

    def test_a_picture_that_is_chosen_or_dropped_gets_its_boxes(self):
        program = self.start(self.door_topology())
        client = self.client(program)
        self.open(program)
        first, second = (self.dir / name for name in ("first.jpg", "second.webp"))
        first.write_bytes(self.pictures(1, first=7)[0])
        second.write_bytes(self.pictures(1, "webp", first=99)[0])

        expected = self.detected(client, first.read_bytes())
        self.assertTrue(expected)
        self.browser.type("#file", first)
        self.sees(lambda: self.objects() == expected, "the objects of the picture")
        self.assertIn(f"{len(expected)} objects in ", self.browser.text("#picture-status"))
        boxes = [o["box"] for o in client.detect(first.read_bytes()).json()["objects"]]
        box = max(boxes, key=lambda box: box[1])  # under which there are no labels
        self.assertEqual(self.drawn(box), [256, 192, True])

        x, y = self.browser.run("const r = document.getElementById('drop').getBoundingClientRect();"
                                "return [r.x + r.width / 2, r.y + r.height / 2]")  # fmt: skip
        for kind in ("dragEnter", "dragOver", "drop"):
            self.browser.devtools("Input.dispatchDragEvent", type=kind, x=x, y=y,
                                  data={"items": [], "files": [str(second)], "dragOperationsMask": 1})  # fmt: skip
        expected = self.detected(client, second.read_bytes())
        self.sees(lambda: self.objects() == expected, "the objects of the picture that was dropped")

        # A camera's wish to have it turned does not move the boxes, which are in the pixels as they are coded.
        wish = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\1" + struct.pack(">HHIHH", 0x112, 3, 1, 6, 0) + bytes(4)
        data = first.read_bytes()
        turned = self.dir / "turned.jpg"
        turned.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(wish) + 2) + wish + data[2:])
        self.browser.type("#file", turned)
        expected = self.detected(client, turned.read_bytes())
        self.sees(lambda: self.objects() == expected, "the objects of the picture that is to be turned")
        self.assertEqual(self.drawn(box), [256, 192, True])

        words = self.dir / "words.txt"
        words.write_text("no picture")
        self.browser.type("#file", words)
        self.sees(lambda: "not a JPEG, PNG or WebP picture" in self.browser.text("#picture-status"), "why not")

    # -- workers and jobs

    def test_workers_are_those_of_the_state_and_leave_with_it(self):
        (self.dir / "fleet").mkdir()
        nodes = {"head": {**NODES["head"], "http": "127.0.0.1:0"}, "worker": NODES["worker"]}
        head = self.head(self.topology([], name="fleet/topology.yaml", nodes=nodes))
        workers = self.workers(2, head)
        client = self.client(head)
        self.open(head)

        def same():
            state = client.get("/v1/state").json()["workers"]
            of = lambda w: (w["state"], f"{round(100 * w['load'])} %", str(w["leases"]), str(w["credit"]),
                            ", ".join(w["stages"]))  # fmt: skip
            shown = {name: tuple(row[k] for k in ("State", "Load", "Leases", "Credit", "Stages"))
                     for name, row in self.browser.rows("worker-table").items()}  # fmt: skip
            return shown == {w["name"]: of(w) for w in state} and sorted(shown)

        self.assertEqual(self.sees(same, "the workers"), ["w0", "w1"])
        workers[0].kill()
        self.sees(lambda: same() == ["w1"], "that one has gone")

    def jobs_program(self):
        """One that works on the long clip until the test is over, whatever the machine."""
        slow = self.model("slow.onnx", slow=2048)
        stages = {"inference": {"batch": {"max": 1}, "instances": 1}}
        return self.start(self.door_topology(model=slow, stages=stages, jobs=JOBS))

    def long_clip(self):
        return self.clip("long.mp4", 1500, *H264, "-g", "5").read_bytes()

    def test_jobs_and_dead_letters_are_those_of_the_door(self):
        program = self.jobs_program()
        client = self.client(program)
        done = self.submit(client, "short.mp4", self.clip("short.mp4", 3).read_bytes(), "done")
        dead = self.submit(client, EVIL, b"\0\0\0\x18ftypisom" + bytes(1000), "dead")
        busy = self.submit(client, "long.mp4", self.long_clip(), "running")
        waits = self.submit(client, "next.mp4", self.clip("next.mp4", 3).read_bytes(), "queued")
        self.open(program)
        rows = lambda: self.browser.rows("job-table")
        self.sees(lambda: list(rows()) == [waits, busy, dead, done], "the jobs, newest first")
        shown = rows()
        for job in client.get("/v1/jobs").json()["jobs"]:
            row = shown[job["id"]]
            self.assertEqual((row["Job"], row["State"]), (job["name"], job["state"]))
            self.assertEqual(row["Attempts"], f"{job['attempts']} of {job['max_attempts']}")
            self.assertEqual(row["Error"], job["error"])
        self.assertEqual((shown[done]["Progress"], shown[done]["Do"]), ("3 of 3", ""))
        self.assertEqual([shown[job]["Do"] for job in (waits, busy, dead)], ["Cancel", "Cancel", "Queue again"])
        frames = lambda: client.get(f"/v1/jobs/{busy}").json()["frames_done"]
        before = frames()
        self.sees(lambda: int(rows()[busy]["Progress"].split()[0].replace(",", "")) >= max(1, before), "progress")
        self.assertLessEqual(int(rows()[busy]["Progress"].split()[0].replace(",", "")), frames())

        letter = self.browser.rows("dead-table")
        self.assertEqual(list(letter), [dead])
        self.assertEqual((letter[dead]["Job"], letter[dead]["Error"]),
                         (EVIL, client.get(f"/v1/jobs/{dead}").json()["error"]))  # fmt: skip
        self.assertEqual(self.browser.run("return document.title"), "Penstock test")
        self.browser.click(f'#dead-table [data-key="{dead}"] button')
        self.sees(lambda: rows()[dead]["State"] == "queued", "that it waits again")
        self.sees(lambda: not self.browser.rows("dead-table"), "no dead letters")
        self.assertEqual(client.get(f"/v1/jobs/{dead}").json()["state"], "queued")

    # -- tokens

    def test_it_asks_for_a_token_and_only_the_right_one_opens(self):
        digest = hashlib.sha256(b"the-right-one").hexdigest()
        token = {"name": "boss", "sha256": digest, "scopes": ["admin"]}
        program = self.start(self.door_topology({"camera": ENDLESS}, http={"tokens": [token]}))
        url = self.open(program)
        dialog = lambda: self.browser.run("return document.getElementById('token-dialog').open")
        self.sees(dialog, "the question for a token")
        self.status("Waits for a token")
        self.assertIsNone(self.picture_of("camera"))
        self.browser.type("#token", "the-wrong-one")
        self.browser.press("Enter")
        self.sees(lambda: "That token was refused." in self.browser.text("#token-why") and dialog(), "the refusal")
        self.assertIsNone(self.picture_of("camera"))
        self.browser.type("#token", "the-right-one")
        self.browser.press("Enter")
        self.status("Takes work")
        self.sees(lambda: self.picture_of("camera"), "the preview")
        self.assertFalse(dialog())
        picture = self.dir / "picture.jpg"
        picture.write_bytes(self.pictures(1)[0])
        self.browser.type("#file", picture)
        self.sees(self.objects, "the objects of a picture")

        self.browser.open(url)  # once more in the same tab
        self.status("Takes work")
        self.browser.click("#token-button")
        self.browser.click('#token-form button[value="forget"]')
        self.status("Waits for a token")
        self.assertEqual(self.browser.run("return Object.keys(sessionStorage).length + localStorage.length"), 0)
        self.assertEqual([r for r in self.requests() if "the-" in r], [], "a token stands in an address")
        self.assertNotIn("the-right-one", program.errors())

    # -- people

    def test_a_phone_shows_all_of_it_without_scrolling_sideways(self):
        clip = self.clip("clip.mp4", 30)
        stream = {"id": f"a-clip-with-a-long-name-{'x' * 60}", "uri": str(clip), "sample_fps": 5}
        program = self.start(self.door_topology([stream, {"id": "camera", "uri": ENDLESS}], jobs=JOBS))
        self.submit(self.client(program), "y" * 200, b"\0\0\0\x18ftypisom" + bytes(1000), "dead")
        self.browser.resize(*PHONE, mobile=True)
        self.open(program)
        self.sees(lambda: self.picture_of("camera") and self.browser.rows("dead-table"), "a stream and a job")
        picture = self.dir / "picture.jpg"
        picture.write_bytes(self.pictures(1, size=(1024, 768))[0])
        self.browser.type("#file", picture)
        self.sees(self.objects, "the objects of a picture")
        wide = self.browser.run("""
            const room = document.documentElement.clientWidth;
            const wide = [...document.querySelectorAll('header, main, main *')].filter((e) =>
              e.offsetParent && e.getBoundingClientRect().right > room + 1);
            return [document.documentElement.scrollWidth, room, wide.map((e) => e.outerHTML.slice(0, 100))];
            """)  # fmt: skip
        self.assertEqual(wide, [PHONE[0], PHONE[0], []])
        small = self.browser.run("""
            return [...document.querySelectorAll('button')].filter((b) => b.offsetParent && b.offsetHeight < 36).length
            """)  # fmt: skip
        self.assertEqual(small, 0, "buttons that a finger misses")

    def test_the_keyboard_reaches_and_does_everything(self):
        program = self.jobs_program()
        client = self.client(program)
        added = client.ask("POST", "/v1/streams", json.dumps({"id": "camera", "uri": ENDLESS}))
        self.assertEqual(added.status, 201, added.body)
        busy = self.submit(client, "long.mp4", self.long_clip(), "running")
        self.open(program)
        self.sees(lambda: self.browser.rows("job-table") and self.fact("camera", "Frames/s") is not None, "all of it")
        focused = lambda: self.browser.run("""
            const e = document.activeElement;
            const style = getComputedStyle(e);
            const r = e.getBoundingClientRect();
            const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
            const seen = r.width > 0 && r.right > 0 && r.bottom > 0 && r.left < innerWidth && r.top < innerHeight;
            return [e.getAttribute('aria-label') || e.id || e.innerText, ring, seen];
            """)  # fmt: skip
        order = []
        while (name := self.tab(focused)) and name not in order:
            order.append(name)
        self.assertEqual(order, ["Skip to streams", "Streams", "Picture", "Workers", "Jobs", "Ledger", "Events",
                                 "token-button", "Stop watching camera", "Remove camera", "file", "Cancel: long.mp4"])

        # The page is made anew all the time, and who stands on a button stays there.
        asked = lambda: sum("/v1/jobs?" in r for r in self.requests())
        while self.tab(focused) != "Cancel: long.mp4":
            pass
        before = asked()
        until(lambda: asked() >= before + 3, "the page to look at the jobs once more")
        self.assertEqual(focused()[0], "Cancel: long.mp4")
        self.browser.press("Enter")
        self.browser.post("/alert/accept")
        self.sees(lambda: self.browser.rows("job-table")[busy]["State"] == "cancelled", "that the job is cancelled")
        while self.tab(focused) != "Stop watching camera":
            pass
        self.browser.press("Space")
        self.assertEqual(focused()[0], "Watch camera")
        while self.tab(focused) != "token-button":
            pass
        self.browser.press("Enter")
        self.assertEqual(focused()[0], "token")
        self.browser.press("Escape")
        self.assertEqual(focused()[0], "token-button")

    def tab(self, focused):
        """Goes on by one; returns the name of what has the focus then, which is seen. Empty at the page's end."""
        self.browser.press("Tab")
        name, ring, seen = focused()
        if self.browser.run("return document.activeElement === document.body"):
            return ""
        self.assertTrue(ring and seen, f"nobody sees that {name} has the focus")
        return name


if __name__ == "__main__":
    unittest.main()
