"""A pipeline cut between machines: some decode (and preprocess), others run the model. The same results as in one
process, also when a machine behind the cut dies, leaves, or comes late."""

import json
import pathlib
import signal
import unittest

import footage
from fleet import FleetTest, Worker
from harness import penstock, until
from test_frames import CLIPS, X264

HEAD = {"stages": ["source", "collector"], "listen": "tcp://127.0.0.1:0"}
DIAL = {"dial": "tcp://127.0.0.1:9"}
FRAMES = (["decode"], ["preprocess", "inference", "postprocess"])
TENSORS = (["decode", "preprocess"], ["inference", "postprocess"])


def nodes(cut, **link):
    before, behind = cut
    return {
        "head": HEAD,
        "cpu": {"stages": before, **DIAL, "link": link},
        "gpu": {"stages": behind, **DIAL, "listen": "tcp://127.0.0.1:0"},
    }


class CutTest(FleetTest):
    def cut_topology(self, streams, cut, link=None, stages=None, **more):
        """`fleet_topology` with roles before and behind the cut."""
        (self.dir / "fleet").mkdir(exist_ok=True)
        stages = {"inference": {"batch": {"max": 1}}, **(stages or {})}
        return self.topology(streams, name="fleet/topology.yaml", stages=stages, nodes=nodes(cut, **(link or {})),
                             **more)  # fmt: skip

    def of_role(self, role, count, head, topology, first=0):
        started = [Worker(self, f"{role}{i}", topology, "--head", head.address(), "--role", role, "--metrics",
                          "127.0.0.1:0") for i in range(first, first + count)]  # fmt: skip
        if role == "cpu":  # once they decode, work may be done before all but one of them are there
            until(lambda: any(worker.says("joined as worker") for worker in started), "one of them to join")
            return started
        return [worker.wait_until_joined() for worker in started]

    def clips(self, frames=60):
        made = {}
        for number, name in enumerate(["h264-b-frames", "hevc-open-gop", "mjpeg"]):
            ending, encoding = CLIPS[name]
            made[name] = self.clip(f"{name}.{ending}", frames, *encoding, stream=number)
        return made

    def long_clips(self, frames=400):
        return {f"s{i}": self.clip(f"s{i}.mp4", frames, *X264, "-g", "20", stream=i) for i in range(3)}

    def assert_nothing_failed(self, head):
        self.assertFalse(head.says("failed"), head.errors())
        self.assertFalse(head.says("quarantine"), head.errors())


@unittest.skipUnless(pathlib.Path(footage.DEMO_CLIP).exists(), footage.NO_DEMO)
class LargerBatches(CutTest):
    """An engine rounds differently in batches of other sizes, and who shares a batch depends on who is there."""

    STAGES = {**footage.DEMO, "inference": {"model": str(footage.DEMO_MODEL), "batch": {"max": 8}}}

    def assert_agree(self, folder, expected):
        found = [json.loads(line) for line in self.results_in(folder)["square"].splitlines()]
        self.assertEqual(len(found), len(expected))
        objects = 0
        for a, b in zip(found, expected):
            self.assertEqual((a["seq"], len(a["objects"])), (b["seq"], len(b["objects"])))
            size = [b["width"], b["height"]] * 2
            for one, other in zip(a["objects"], b["objects"]):
                self.assertEqual(one["class"], other["class"])
                # Scores are written with four digits, boxes with two.
                self.assertAlmostEqual(one["score"], other["score"], delta=2e-4)
                for got, wanted, whole in zip(one["box"], other["box"], size):
                    self.assertAlmostEqual(got, wanted, delta=1e-4 * whole + 0.01)
                objects += 1
        self.assertGreater(objects, 1000)

    def test_results_agree_to_a_ten_thousandth_wherever_the_pipeline_is_cut(self):
        clips = {"square": footage.DEMO_CLIP}
        expected = [json.loads(line) for line in self.run_alone(clips, stages=self.STAGES)["square"].splitlines()]
        for cut, count in ((FRAMES, 1), (TENSORS, 2)):
            topology = self.cut_topology(clips, cut, stages=self.STAGES)
            head = self.head(topology)
            self.of_role("gpu", count, head, topology)
            self.of_role("cpu", 2, head, topology)
            head.finish()
            self.assert_agree(head.results, expected)
            for result in head.results.glob("*"):
                result.unlink()
        whole = self.fleet_topology(clips, stages=self.STAGES)
        head = self.head(whole)
        self.workers(3, head, whole)
        head.finish()
        self.assert_agree(head.results, expected)


class SameResults(CutTest):
    def check_cut(self, cut):
        clips = self.clips()
        expected = self.run_alone(clips)
        topology = self.cut_topology(clips, cut)
        head = self.head(topology)
        workers = self.of_role("gpu", 2, head, topology) + self.of_role("cpu", 2, head, topology)
        head.finish()
        self.assert_same_results(head.results, expected)
        for worker in workers:
            worker.terminate()
            worker.wait_for_exit(0)

    def test_frames_on_the_link(self):
        self.check_cut(FRAMES)

    def test_tensors_on_the_link(self):
        self.check_cut(TENSORS)

    def test_encrypted_links_also_between_workers(self):
        clips = {"clip": self.clip("clip.mp4", 60, *X264)}
        expected = self.run_alone(clips)
        topology = self.cut_topology(clips, TENSORS)
        made = penstock("keys", "--folder", topology.parent / "keys", "head", "cpu", "gpu", "gpu1")
        self.assertEqual(made.returncode, 0, made.stderr)
        head = self.head(topology)
        self.of_role("gpu", 2, head, topology)  # one with a key of its own, one with its role's
        self.of_role("cpu", 1, head, topology)
        head.finish()
        self.assert_same_results(head.results, expected)

    def check_read(self, cut, **link):
        """Results may differ in their digits, but every frame is still read right."""
        clips = {"clip": self.clip("clip.mp4", 100, *X264)}
        topology = self.cut_topology(clips, cut, link)
        head = self.head(topology)
        self.of_role("gpu", 1, head, topology)
        self.of_role("cpu", 1, head, topology)
        head.ledger = head.finish()
        self.assert_delivered(head, "clip", 100)
        self.assert_identity(head.lines("clip"))

    def test_jpeg_on_the_link(self):
        self.check_read(FRAMES, frames="jpeg", quality=90)

    def test_half_tensors_on_the_link(self):
        self.check_read(TENSORS, tensors="fp16")


class Losses(CutTest):
    def check_death(self, cut):
        clips = self.long_clips(200)
        model = self.model("slow.onnx", slow=256)  # so that it has something to do when it dies
        expected = self.run_alone(clips, model=model)
        topology = self.cut_topology(clips, cut, model=model)
        head = self.head(topology)
        gpus = self.of_role("gpu", 2, head, topology)
        cpus = self.of_role("cpu", 2, head, topology)
        until(lambda: sum(len(head.lines(s)) for s in clips) > 100, "results")
        gpus[0].send_signal(signal.SIGKILL)
        head.finish()
        self.assertTrue(any(cpu.says("go elsewhere") for cpu in cpus), "it died with nothing to do")
        self.assert_same_results(head.results, expected)
        self.assert_nothing_failed(head)

    def test_a_machine_behind_the_cut_that_is_killed_costs_nothing_with_frames_on_the_link(self):
        self.check_death(FRAMES)

    def test_a_machine_behind_the_cut_that_is_killed_costs_nothing_with_tensors_on_the_link(self):
        self.check_death(TENSORS)

    def test_a_machine_behind_the_cut_leaves_in_order_and_nothing_is_sent_again(self):
        clips = self.long_clips()
        model = self.model("slow.onnx", slow=128)  # so that there is something left to do when it leaves
        expected = self.run_alone(clips, model=model)
        topology = self.cut_topology(clips, TENSORS, model=model)
        head = self.head(topology)
        gpus = self.of_role("gpu", 2, head, topology)
        cpus = self.of_role("cpu", 1, head, topology)
        until(lambda: sum(len(head.lines(s)) for s in clips) > 100, "results")
        drained = penstock("drain", "--head", head.address(), "gpu0")
        self.assertEqual(drained.returncode, 0, drained.stderr)
        gpus[0].wait_for_exit(0)
        head.finish()
        self.assert_same_results(head.results, expected)
        self.assertFalse(cpus[0].says("go elsewhere"), cpus[0].errors())

    def test_leases_wait_until_somebody_takes_what_would_be_sent(self):
        clips = {"clip": self.clip("clip.mp4", 100, *X264)}
        expected = self.run_alone(clips)
        topology = self.cut_topology(clips, TENSORS, dispatch={"lease_timeout": "1s", "stall_timeout": "2s"})
        head = self.head(topology)
        self.of_role("cpu", 1, head, topology)
        head.wait_for("waits for machines")
        self.assertEqual(head.workers(), 0)
        self.of_role("gpu", 1, head, topology)
        head.finish()
        self.assert_same_results(head.results, expected)
        self.assert_nothing_failed(head)

    def test_nothing_counts_against_segments_while_all_machines_behind_the_cut_are_gone(self):
        clips = self.long_clips(200)
        model = self.model("slow.onnx", slow=256)  # so that there is something left to do when they are gone
        expected = self.run_alone(clips, model=model)
        topology = self.cut_topology(clips, TENSORS, model=model,
                                     dispatch={"lease_timeout": "1s", "stall_timeout": "2s"})  # fmt: skip
        head = self.head(topology)
        gpus = self.of_role("gpu", 1, head, topology)
        self.of_role("cpu", 1, head, topology)
        until(lambda: sum(len(head.lines(s)) for s in clips) > 50, "results")
        gpus[0].send_signal(signal.SIGKILL)
        head.wait_for("nobody takes what it sends")
        self.of_role("gpu", 1, head, topology, first=1)
        head.finish()
        self.assert_same_results(head.results, expected)
        self.assert_nothing_failed(head)


class Refusals(CutTest):
    def complaint(self, roles):
        result = penstock("validate", self.topology({}, nodes=roles))
        self.assertEqual(result.returncode, 78, result.stderr)
        return result.stderr

    def test_cuts_that_there_are_not_are_refused_with_those_that_there_are(self):
        text = self.complaint(nodes((["decode", "preprocess", "inference"], ["postprocess"])))
        self.assertIn("a cut before preprocess", text)
        self.assertIn("before inference", text)

    def test_a_role_that_nobody_sends_to_is_said(self):
        roles = nodes(TENSORS)
        roles["other"] = {"stages": ["preprocess", "inference", "postprocess"], **DIAL, "listen": "tcp://127.0.0.1:0"}
        self.assertIn("this role is sent nothing", self.complaint(roles))

    def test_the_role_behind_the_cut_must_listen(self):
        roles = nodes(FRAMES)
        del roles["gpu"]["listen"]
        self.assertIn("nodes.gpu.listen: is missing", self.complaint(roles))


if __name__ == "__main__":
    unittest.main()
