"""A head and workers as processes: the same results as one process gives, whoever joins, leaves, dies or sleeps."""

import signal
import subprocess
import time
import unittest

import hosts
from fleet import ALONE, NODES, FleetTest, Feed
from harness import PATIENCE, PROGRAM, penstock, until
from test_frames import CLIPS, X264

try:
    import msgpack
    import zmq
except ImportError:
    zmq = None


class SameResults(FleetTest):
    def test_a_head_with_three_workers_gives_the_bytes_that_one_process_gives(self):
        clips = {}
        for number, name in enumerate(["h264-b-frames", "h264-open-gop", "hevc-open-gop", "vp9-hidden-frames", "mpeg2",
                                       "mjpeg"]):  # fmt: skip
            ending, encoding = CLIPS[name]
            clips[name] = self.clip(f"{name}.{ending}", 60, *encoding, stream=number)
        for i in range(5):
            self.clip(f"pictures/{i}.png", 1, "-frames:v", "1", first=i)
        clips["pictures"] = self.dir / "pictures"
        expected = self.run_alone(clips)
        topology = self.fleet_topology(clips)
        head = self.head(topology)
        workers = [self.worker(f"w{i}", head, topology) for i in range(3)]
        ledger = head.finish()
        self.assertEqual({s: c["delivered"] for s, c in ledger.items()}, {s: 5 if s == "pictures" else 60 for s in clips})
        self.assert_same_results(head.results, expected)
        for worker in workers:  # they wait for the next head
            self.assertTrue(worker.running(), worker.errors())
            worker.terminate()
            worker.wait_for_exit(0)

    def test_workers_that_know_only_the_address_ask_the_head_for_the_topology(self):
        clip = self.clip("clip.mp4", 100, *X264, "-bf", "3")
        expected = self.run_alone({"clip": clip})
        head = self.head(self.fleet_topology({"clip": clip}))
        worker = self.worker("w", head)
        head.finish()
        self.assert_same_results(head.results, expected)
        self.assertEqual(len(worker.says("joined as worker")), 1)

    def test_workers_may_be_there_before_their_head_and_say_once_that_they_wait(self):
        feed = Feed(self, self.dir / "clip.ts", self.long_clip().read_bytes())
        topology = self.fleet_topology({"clip": feed.path})
        first = self.head(topology)  # to have an address
        address = first.address()
        first.kill()
        with_file = self.worker("a", address, topology)
        without = self.worker("b", address)
        for worker in (with_file, without):
            worker.wait_for("trying again")
        head = self.head(topology, "--listen", address)
        for worker in (with_file, without):
            worker.wait_until_joined()
        feed.feed()
        until(lambda: head.lines("clip"), "results")
        feed.finish()
        head.finish()
        for worker in (with_file, without):
            self.assertLessEqual(len(worker.says("trying again")), 2, worker.errors())  # the head has gone since
            self.assertTrue(worker.running(), worker.errors())

    def test_a_worker_that_waits_for_its_head_ends_at_a_signal(self):
        address = "tcp://127.0.0.1:9"
        for worker in (self.worker("a", address), self.worker("b", address, self.fleet_topology({"clip": self.clip("clip.mp4", 25)}))):
            worker.wait_for("trying again")
            worker.terminate()
            worker.wait_for_exit(0, 10)

    def test_a_worker_that_joins_late_gets_its_part(self):
        feed = Feed(self, self.dir / "clip.ts", self.long_clip().read_bytes())
        head = self.head(self.fleet_topology({"clip": feed.path}))
        feed.feed(0.5)
        self.workers(1, head)
        until(lambda: len(head.lines("clip")) > 50, "results by the first worker")
        late = self.worker("late", head, None, "--metrics", "127.0.0.1:0").wait_until_joined()
        feed.feed()
        until(lambda: late.metric("penstock_stage_items_total", stage="inference") > 0, "work of the late one")
        feed.finish()
        self.assertEqual(head.finish()["clip"]["delivered"], 300)
        self.assert_identity(head.lines("clip"))

    def long_clip(self):
        return self.clip("long.ts", 300, *X264, "-bf", "2", "-x264-params", "scenecut=0", "-f", "mpegts")


class Leaving(FleetTest):
    SEGMENTS = 25

    def set_up_fleet(self, **more):
        """A head with two workers in the middle of a clip, both busy."""
        data = self.clip("long.ts", 12 * self.SEGMENTS, *X264, "-bf", "2", "-x264-params", "scenecut=0:open-gop=0", "-f",
                         "mpegts").read_bytes()  # fmt: skip
        self.feed = Feed(self, self.dir / "clip.ts", data)
        topology = self.fleet_topology({"clip": self.feed.path}, model=self.model("slow.onnx", slow=128), **more)
        head = self.head(topology)
        self.started = self.workers(2, head)
        self.feed.feed(0.6)
        until(lambda: len(head.lines("clip")) > 20, "the first results")
        return head

    def finish_fleet(self, head):
        """Everything else comes; returns how often segments were leased."""
        self.feed.feed()
        frames = 12 * self.SEGMENTS
        # The demuxer holds back the last packets until the end.
        until(lambda: head.counts("clip")["delivered"] > frames - 24, "nearly all results")
        leases = head.leases()
        self.feed.finish()
        self.assertEqual(head.finish()["clip"], {"received": frames, "delivered": frames, "dropped": {}, "in_flight": 0})
        self.assert_identity(head.lines("clip"))
        return leases

    def test_a_worker_that_is_drained_by_command_finishes_what_it_has_and_nothing_is_run_again(self):
        head = self.set_up_fleet()
        drain = subprocess.Popen([PROGRAM, "drain", "--head", head.address(), "w0"], stdout=subprocess.PIPE, text=True)
        head.wait_for("worker w0 is leaving")
        self.feed.feed(0.9)  # it may have a segment that has not ended yet
        self.assertEqual(drain.communicate(timeout=PATIENCE)[0], "w0 has left: drained\n")
        self.assertEqual(drain.returncode, 0)
        self.started[0].wait_for_exit(0)
        self.assertLessEqual(self.finish_fleet(head), self.SEGMENTS)

    def test_a_worker_that_gets_sigterm_finishes_what_it_has_and_nothing_is_run_again(self):
        head = self.set_up_fleet()
        self.started[1].terminate()
        head.wait_for("worker w1 is leaving")
        self.feed.feed(0.9)
        self.started[1].wait_for_exit(0)
        self.assertTrue(head.says("drained"), head.log())
        self.assertLessEqual(self.finish_fleet(head), self.SEGMENTS)

    def test_a_worker_that_does_not_exist_cannot_be_drained(self):
        head = self.set_up_fleet()
        result = penstock("drain", "--head", head.address(), "nobody")
        self.assertEqual(result.returncode, 1)
        self.assertIn('no worker is called "nobody"; there are: w0, w1', result.stderr)

    def test_a_worker_that_is_killed_loses_nothing_and_the_head_does_not_wait_for_its_lease(self):
        head = self.set_up_fleet(dispatch={"lease_timeout": "100s"})
        self.started[0].kill()
        head.wait_for("is gone", seconds=10)
        self.finish_fleet(head)

    def test_a_worker_that_sleeps_too_long_is_welcomed_anew_and_what_it_brings_late_counts_once(self):
        head = self.set_up_fleet(dispatch={"lease_timeout": "500ms"})
        sleeper = self.started[0]
        number = sleeper.wait_for("joined as worker").split("worker ")[1].split(",")[0]
        sleeper.send_signal(signal.SIGSTOP)
        head.wait_for(f"worker {number} was silent for too long")
        sleeper.send_signal(signal.SIGCONT)
        sleeper.wait_until_joined(2)
        until(lambda: head.workers() == 2, "it to be back")
        self.finish_fleet(head)
        self.assertTrue(sleeper.running(), sleeper.errors())

    def test_workers_of_a_head_that_died_join_the_next_one_by_themselves(self):
        clip = self.clip("clip.mp4", 300, *X264, "-bf", "3")
        expected = self.run_alone({"clip": clip})
        slow = self.model("slow.onnx", slow=1024)  # so that it takes longer than workers wait between attempts
        topology = self.fleet_topology({"clip": clip}, model=slow)
        head = self.head(topology)
        address = head.address()
        workers = self.workers(2, head)
        until(lambda: head.lines("clip"), "the first results")
        head.kill()
        for worker in workers:
            worker.wait_for("the head is away")
        second = int(time.time())
        until(lambda: int(time.time()) > second, "another second, after which epochs are named")
        (head.results / "clip.jsonl").unlink()
        again = self.head(topology, "--listen", address)
        again.finish()
        self.assert_same_results(again.results, expected)
        for worker in workers:
            epochs = [int(message.split()[-1]) for message in worker.says("joined as worker")]
            self.assertEqual(len(epochs), 2, worker.errors())
            self.assertGreater(epochs[1], epochs[0])


class Refusals(FleetTest):
    def test_a_worker_with_other_stages_is_refused(self):
        clip = self.clip("clip.mp4", 25)
        head = self.head(self.fleet_topology({"clip": clip}))
        other = self.topology({"clip": clip}, name="other.yaml", nodes=NODES, stages={**ALONE, "postprocess": {"head": "yolov8", "score": 0.6}})
        worker = self.worker("w", head, other)
        worker.wait_for_exit(78)
        self.assertIn("the head refuses this worker: its topology has other stages", worker.errors())

    def test_a_worker_of_a_role_that_does_not_join_is_refused(self):
        clip = self.clip("clip.mp4", 25)
        head = self.head(self.fleet_topology({"clip": clip}))
        other = self.topology({"clip": clip}, name="other.yaml", nodes={"head": NODES["head"], "turbine": NODES["worker"]}, stages=ALONE)
        worker = self.worker("w", head, other)
        worker.wait_for_exit(78)
        self.assertIn('role "turbine" does not join here; those that do: worker', worker.errors())

    def test_a_head_that_others_could_reach_without_keys_does_not_start(self):
        topology = self.fleet_topology({"clip": self.clip("clip.mp4", 25)})
        result = penstock("head", topology, "--listen", "tcp://0.0.0.0:0")
        self.assertEqual(result.returncode, 78, result.stderr)
        self.assertIn("security.insecure: true", result.stderr)
        head = self.head(topology, "--listen", "tcp://0.0.0.0:0", "--set", "security.insecure=true")
        head.address()

    @unittest.skipUnless(zmq, "needs python3-zmq and python3-msgpack")
    def test_other_versions_of_the_protocol_are_refused_by_name_at_both_ends(self):
        context = zmq.Context()
        self.addCleanup(context.destroy, 0)
        head = self.head(self.fleet_topology({"clip": self.clip("clip.mp4", 25)}))
        dealer = context.socket(zmq.DEALER)
        dealer.connect(head.address())
        dealer.send(msgpack.packb([99, 0, []]))
        self.assertTrue(dealer.poll(20_000), head.errors())
        answer = msgpack.Unpacker()
        answer.feed(dealer.recv())
        text = str(list(answer))
        self.assertIn("version 99", text)
        router = context.socket(zmq.ROUTER)
        port = router.bind_to_random_port("tcp://127.0.0.1")
        worker = self.worker("w", f"tcp://127.0.0.1:{port}")
        peer, _ = router.recv_multipart()
        router.send_multipart([peer, msgpack.packb([99, 2, [99, False, "another version"]])])
        worker.wait_for_exit(78)
        self.assertIn("version 99", worker.errors())


class Keys(FleetTest):
    def test_with_keys_only_those_that_are_listed_join_and_get_the_same_results(self):
        clip = self.clip("clip.mp4", 100, *X264, "-bf", "3")
        expected = self.run_alone({"clip": clip})
        keys, foreign = self.dir / "keys", self.dir / "foreign"
        for folder, names in ((keys, ["head", "worker", "operator"]), (foreign, ["worker"])):
            made = penstock("keys", "--folder", folder, *names)
            self.assertEqual(made.returncode, 0, made.stderr)
        (foreign / "head.key").write_bytes((keys / "head.key").read_bytes())
        topology = self.fleet_topology({"clip": clip}, security={"keys": str(keys)})
        # Beyond loopback, which keys are enough for.
        head = self.head(topology, "--listen", "tcp://0.0.0.0:0")
        address = head.address().replace("0.0.0.0", "127.0.0.1")
        stranger = self.worker("stranger", address, None, "--keys", foreign)
        naked = self.worker("naked", address)
        stranger.wait_for("does not take this node's key")
        naked.wait_for("the handshake failed")
        drain = penstock("drain", "--head", address, "--keys", keys, "nobody")
        self.assertIn("no worker is called", drain.stderr)
        worker = self.worker("w", address, None, "--keys", keys)
        head.finish()
        self.assert_same_results(head.results, expected)
        worker.wait_until_joined()
        for other in (stranger, naked):
            self.assertFalse(other.says("joined as worker"), other.errors())


@hosts.needs_hosts
class OtherHosts(FleetTest):
    def test_a_worker_whose_link_is_cut_for_five_seconds_comes_back_and_nothing_is_lost(self):
        data = self.clip("long.ts", 300, *X264, "-bf", "2", "-x264-params", "scenecut=0", "-f", "mpegts").read_bytes()
        feed = Feed(self, self.dir / "clip.ts", data)
        network = hosts.Hosts(self)
        own = [network.add() for _ in range(3)]
        topology = self.fleet_topology({"clip": feed.path}, dispatch={"lease_timeout": "1s"},
                                       model=self.model("slow.onnx", slow=128), security={"insecure": True})  # fmt: skip
        head = self.head(topology, "--listen", f"tcp://{network.address_of(own[0])}:0", where=network.prefix(own[0]))
        workers = [self.worker(f"w{i}", head, where=network.prefix(i)) for i in own[1:]]
        for worker in workers:
            worker.wait_until_joined()
        feed.feed(0.5)
        until(lambda: len(head.lines("clip")) > 20, "the first results")
        cut = time.monotonic()
        network.set_link(own[1], False)
        until(lambda: head.says("is gone") or head.says("silent for too long"), "the head to give it up", 10)
        feed.feed(0.9)
        until(lambda: len(head.lines("clip")) > 200, "the other's results")
        until(lambda: time.monotonic() - cut > 5, "five seconds")
        network.set_link(own[1], True)
        workers[0].wait_until_joined(2)
        feed.feed()
        feed.finish()
        self.assertEqual(head.finish()["clip"], {"received": 300, "delivered": 300, "dropped": {}, "in_flight": 0})
        self.assert_identity(head.lines("clip"))


if __name__ == "__main__":
    unittest.main()
