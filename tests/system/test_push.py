"""Programs push video to the head and subscribe to its results, over real sockets."""

import json
import socket
import subprocess
import sys
import threading
import time
import unittest

from harness import PATIENCE, PROGRAM, ROOT, SystemTest, complete_lines, until

try:
    import msgpack
    import zmq

    absent = None
except ImportError as e:
    absent = f"python3-zmq and python3-msgpack are needed: {e}"

EXAMPLES = ROOT / "docs/examples"
STAGES = ["source", "decode", "preprocess", "inference", "postprocess", "collector"]


class Producer:
    """A program that speaks the protocol, message by message."""

    def __init__(self, test, address):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(address)
        test.addCleanup(self.socket.close)

    def send(self, kind, payload=None, **fields):
        parts = [msgpack.packb({"type": kind, **fields})]
        self.socket.send_multipart(parts if payload is None else [*parts, payload])

    def hear(self, kind=None):
        while True:
            if not self.socket.poll(PATIENCE * 1000):
                raise AssertionError(f"the head says nothing; {kind} was expected")
            said = msgpack.unpackb(self.socket.recv())
            if kind in (None, said["type"]):
                return said
            if said["type"] == "error":
                raise AssertionError(said)

    def push(self, pictures, stream, first=0, credit=0):
        for i, picture in enumerate(pictures):
            while credit == 0:
                credit += self.hear("credit")["packets"]
            self.send("packet", picture, stream=stream, pts_us=(first + i) * 40_000, key=True)
            credit -= 1
        return credit


class Relay:
    """A TCP connection that can be cut; the next one may pass."""

    def __init__(self, test, to):
        host, port = to.removeprefix("tcp://").split(":")
        self.target = host, int(port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.open = []
        threading.Thread(target=self.accept, daemon=True).start()
        test.addCleanup(self.listener.close)
        test.addCleanup(self.cut)

    def accept(self):
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            far = socket.create_connection(self.target)
            self.open += [near, far]
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=(a, b), daemon=True).start()

    def carry(self, a, b):
        try:
            while data := a.recv(1 << 16):
                b.sendall(data)
        except OSError:
            pass
        for end in (a, b):
            end.close()

    def cut(self):
        for end in self.open:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.open = []


@unittest.skipIf(absent, absent)
class Push(SystemTest):
    def pictures(self, count, first=0):
        folder = self.dir / f"pictures-{first}"
        folder.mkdir()
        self.clip(f"{folder.name}/%04d.jpg", count, "-c:v", "mjpeg", "-q:v", "3", first=first)
        return folder, [p.read_bytes() for p in sorted(folder.glob("*.jpg"))]

    def serve(self, streams=(), accept="declared", sinks=(), **more):
        head = {"stages": STAGES, "ingest": {"listen": "tcp://127.0.0.1:0", "accept": accept}}
        sinks = [{"kind": "jsonl", "path": "results/{stream}.jsonl"}, *sinks]
        return self.start(self.topology(list(streams), nodes={"head": head}, sinks=sinks, **more), "--metrics",
                          "127.0.0.1:0")  # fmt: skip

    def address(self, program, what="producers may push to "):
        def said():
            self.assertIsNone(program.process.poll(), program.errors())
            return [m.removeprefix(what) for m in program.log() if m.startswith(what)]

        return until(said, what)[0]

    def test_pictures_that_a_program_pushes_are_delivered_once_and_in_order(self):
        program = self.serve([{"id": "door", "uri": "push://door", "policy": "lossless"}])
        _, pictures = self.pictures(100)
        producer = Producer(self, self.address(program))
        producer.send("open", stream="door", codec="mjpeg", width=256, height=192, fps=25)
        producer.push(pictures, "door")
        producer.send("end")
        done = producer.hear("done")
        self.assertEqual((done["received"], done["delivered"], done["dropped"]), (100, 100, {}))
        ledger = program.finish()  # ends by itself
        self.assertEqual(ledger["door"]["delivered"], 100)
        self.assert_identity(program.lines("door"))

    def test_the_example_producer_and_the_example_subscriber_work(self):
        sink = {"kind": "zmq", "listen": "tcp://127.0.0.1:0"}
        program = self.serve(accept="any", sinks=[sink])
        published = self.address(program, "results are published on ")
        out = self.dir / "subscribed"
        with open(out, "wb") as to:
            subscriber = subprocess.Popen([sys.executable, EXAMPLES / "subscribe.py", published, "yard"], stdout=to)
        self.addCleanup(subscriber.wait)
        self.addCleanup(subscriber.kill)
        heard = lambda: out.read_bytes().count(b"\n")
        folder, _ = self.pictures(30)
        address = self.address(program)
        # A subscription takes its time: streams go by until one is heard.
        for number in range(50):
            pushed = subprocess.run([sys.executable, EXAMPLES / "push_camera.py", address, f"yard{number}", folder],
                                    capture_output=True, text=True, timeout=PATIENCE)  # fmt: skip
            self.assertEqual(pushed.returncode, 0, pushed.stdout + pushed.stderr)
            if heard():
                break
        until(lambda: heard() >= 1, "results at the subscriber")
        pushed = subprocess.run([sys.executable, EXAMPLES / "push_camera.py", address, "yard-last", folder],
                                capture_output=True, text=True, timeout=PATIENCE)  # fmt: skip
        self.assertEqual(pushed.returncode, 0, pushed.stdout + pushed.stderr)
        delivered = len(program.lines("yard-last"))
        of_last = lambda: [r for r in complete_lines(out) if r["stream"] == "yard-last"]
        until(lambda: len(of_last()) == delivered, "all results at the subscriber")
        self.assertEqual(of_last(), program.lines("yard-last"))
        program.terminate()
        program.finish()

    def test_a_producer_that_comes_back_goes_on_where_the_head_is(self):
        program = self.serve([{"id": "a", "uri": "push://a", "policy": "lossless"}])
        _, pictures = self.pictures(120)
        first = Producer(self, self.address(program))
        first.send("open", stream="a", codec="mjpeg")
        first.push(pictures[:50], "a")
        first.socket.close()  # some of what it sent may be lost
        until(lambda: any("its producer is gone" in m for m in program.log()), "the end of the connection")
        second = Producer(self, self.address(program))
        second.send("open", stream="a", codec="mjpeg")
        received = second.hear("credit")["received"]
        self.assertLessEqual(received, 50)
        second.push(pictures[received:], "a", first=received)
        second.send("end", stream="a")
        self.assertEqual(second.hear("done")["delivered"], 120)
        program.finish()
        self.assert_identity(program.lines("a"))

    def test_a_live_stream_whose_producer_stays_away_ends(self):
        reconnect = {"min": "100ms", "max": "300ms"}
        program = self.serve([{"id": "a", "uri": "push://a", "reconnect": reconnect}])
        _, pictures = self.pictures(5)
        producer = Producer(self, self.address(program))
        producer.send("open", stream="a", codec="mjpeg")
        producer.push(pictures, "a")
        until(lambda: len(program.lines("a")) == 5, "five results")
        producer.socket.close()
        self.assertEqual(program.finish()["a"]["received"], 5)

    def push_program(self, *args, code=0):
        done = subprocess.run([PROGRAM, "push", *map(str, args), "--json", "-", "--quiet"], capture_output=True,
                              text=True, timeout=PATIENCE)  # fmt: skip
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout) if done.stdout else None

    def test_a_file_that_is_pushed_has_the_results_of_one_that_is_read(self):
        clip = self.clip("clip.mp4", 150, "-c:v", "libx264", "-g", "30", "-bf", "3", "-x264-params", "open-gop=1")
        self.run_to_end(self.topology({"clip": clip}, name="read.yaml"))
        read = (self.dir / "results/clip.jsonl").read_bytes()
        program = self.serve([{"id": "clip", "uri": "push://clip"}])
        said = self.push_program(clip, "--to", self.address(program))
        self.assertEqual((said["packets_sent"], said["delivered"], said["dropped"]), (150, 150, {}))
        program.finish()
        self.assertEqual((self.dir / "results/clip.jsonl").read_bytes(), read)

    def test_a_live_file_is_pushed_at_its_own_pace(self):
        clip = self.clip("clip.mp4", 50)
        program = self.serve(accept="any")
        said = self.push_program(clip, "--to", self.address(program), "--stream", "cam", "--policy", "live")
        self.assertGreater(said["seconds"], 1.9)
        self.assertEqual(said["packets_sent"] + said["packets_skipped"], 50)
        program.terminate()
        self.assertEqual(program.finish()["cam"]["received"], said["packets_sent"])

    def test_a_push_without_a_head_or_for_another_stream_fails(self):
        clip = self.clip("clip.mp4", 10)
        program = self.serve([{"id": "a", "uri": "push://a"}])
        self.push_program(clip, "--to", self.address(program), "--stream", "b", code=1)
        program.terminate()
        program.finish()

    def test_a_push_goes_on_when_its_connection_breaks(self):
        clip = self.clip("clip.mp4", 400)
        model = self.model("slow.onnx", slow=512)  # so that there is something left to push
        program = self.serve([{"id": "clip", "uri": "push://clip", "policy": "lossless"}], model=model,
                             dispatch={"read_ahead": {"packets": 32}})  # fmt: skip
        address = self.address(program)
        gate = Relay(self, address)
        pushing = subprocess.Popen([PROGRAM, "push", clip, "--to", gate.address, "--json", "-"], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        until(lambda: len(program.lines("clip")) > 30, "thirty results")
        gate.cut()
        out, errors = pushing.communicate(timeout=PATIENCE)
        self.assertEqual(pushing.returncode, 0, errors)
        self.assertIn("connecting again", errors)
        self.assertEqual(json.loads(out)["delivered"], 400)
        program.finish()
        self.assert_identity(program.lines("clip"))

    def test_a_producer_that_missed_the_account_of_its_stream_may_ask_for_it(self):
        program = self.serve([{"id": "a", "uri": "push://a", "policy": "lossless"}], accept="any")
        _, pictures = self.pictures(10)
        first = Producer(self, self.address(program))
        first.send("open", stream="a", codec="mjpeg")
        first.push(pictures, "a")
        first.socket.close()
        until(lambda: any("its producer is gone" in m for m in program.log()), "the end of the connection")
        second = Producer(self, self.address(program))
        second.send("open", stream="a", codec="mjpeg")
        received = second.hear("credit")["received"]
        second.push(pictures[received:], "a", first=received)
        until(lambda: program.counts("a")["received"] == 10, "all pictures to be in: what is on its way may be lost")
        second.send("end", stream="a")
        second.socket.disconnect(second.socket.last_endpoint)
        third = Producer(self, self.address(program))
        done = None
        while not done:  # the head may not know yet that the second one is gone
            third.send("open", stream="a", codec="mjpeg", again=True)
            said = third.hear()
            if said["type"] == "credit":
                third.send("end", stream="a")
            done = said if said["type"] == "done" else None
            if said["type"] == "error":
                time.sleep(0.25)  # who asks again and again at once is shut out
        self.assertEqual(done["delivered"], 10)
        third.send("open", stream="a", codec="mjpeg")
        self.assertIn("has ended", third.hear("error")["message"])
        program.terminate()
        program.finish()

    def test_with_keys_only_producers_with_a_listed_key_may_push(self):
        keys = self.dir / "keys"
        for name in ("head", "producer"):
            subprocess.run([PROGRAM, "keys", name, "--folder", keys], check=True, capture_output=True)
        clip = self.clip("clip.mp4", 20)
        program = self.serve(accept="any", security={"keys": str(keys)})
        address = self.address(program)
        stranger = self.dir / "stranger"
        subprocess.run([PROGRAM, "keys", "producer", "--folder", stranger], check=True, capture_output=True)
        (stranger / "head.key").write_bytes((keys / "head.key").read_bytes())
        for refused in ([], ["--keys", stranger]):
            self.push_program(clip, "--to", address, "--patience", "2", *refused, code=1)
        self.assertEqual(self.push_program(clip, "--to", address, "--keys", keys)["delivered"], 20)
        program.terminate()
        program.finish()

    def test_one_connection_may_push_many_streams(self):
        program = self.serve(accept="any")
        _, pictures = self.pictures(10)
        producer = Producer(self, self.address(program))
        names = [f"s{i}" for i in range(20)]
        credit = {}
        for name in names:
            producer.send("open", stream=name, codec="mjpeg", policy="lossless")
        while len(credit) < len(names):
            said = producer.hear("credit")
            credit[said["stream"]] = credit.get(said["stream"], 0) + said["packets"]
        for i, picture in enumerate(pictures):
            for name in names:
                producer.send("packet", picture, stream=name, pts_us=i * 40_000)
        for name in names:
            producer.send("end", stream=name)
        done = {}
        while len(done) < len(names):
            said = producer.hear("done")
            done[said["stream"]] = said["delivered"]
        self.assertEqual(done, {name: 10 for name in names})
        program.terminate()
        program.finish()
        for name in names:
            self.assert_identity(program.lines(name))

    def test_hostile_producers_are_refused_and_do_not_disturb_others(self):
        program = self.serve([{"id": "a", "uri": "push://a", "policy": "lossless"}, {"id": "b", "uri": "push://b"}])
        address = self.address(program)
        _, pictures = self.pictures(60)
        good = Producer(self, address)
        good.send("open", stream="a", codec="mjpeg")
        credit = good.push(pictures[:30], "a")

        def refused(hostile, why):
            said = hostile.hear()
            while said["type"] == "credit":
                said = hostile.hear()
            self.assertEqual(said["type"], "error", said)
            self.assertIn(why, said["message"])

        garbage = Producer(self, address)
        garbage.socket.send(b"\xff" * 100)
        refused(garbage, "")
        unopened = Producer(self, address)
        unopened.send("packet", b"x", stream="a", pts_us=0)
        refused(unopened, "not opened")
        unknown = Producer(self, address)
        unknown.send("open", stream="nobody", codec="mjpeg")
        refused(unknown, "no stream")
        escape = Producer(self, address)
        escape.send("open", stream="../../etc/x", codec="mjpeg")
        refused(escape, "stream is no name")
        thief = Producer(self, address)
        thief.send("open", stream="a", codec="mjpeg")
        refused(thief, "another connection")
        greedy = Producer(self, address)
        greedy.send("open", stream="b", codec="mjpeg")
        greedy.hear("credit")
        for i in range(5000):
            greedy.send("packet", pictures[0], pts_us=i * 1000)
        refused(greedy, "without credit")
        oversized = Producer(self, address)
        oversized.socket.send_multipart([msgpack.packb({"type": "packet", "pts_us": 0}), bytes(64 << 20)])

        good.push(pictures[30:], "a", first=30, credit=credit)
        good.send("end")
        self.assertEqual(good.hear("done")["delivered"], 60)
        program.terminate()
        program.finish()
        self.assert_identity(program.lines("a"))


if __name__ == "__main__":
    unittest.main()
