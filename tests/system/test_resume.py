"""A head that ends before its streams do goes on at its next start: every frame is in the results once."""

import json
import random
import shutil
import signal
import unittest

import barcode
from harness import H264, SystemTest, until

CLIP = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "2", "-x264-params", "open-gop=1"]
MODEL = {"inference": {"batch": {"max": 1}}}


class Resume(SystemTest):
    def setUp(self):
        super().setUp()
        self.clip("a.mp4", 300, *CLIP)
        self.clip("b.mkv", 200, *H264, stream=1)
        self.clip("c.avi", 120, "-c:v", "mpeg4", "-g", "12", "-bf", "2", stream=2)
        shots = self.clip("shots/s%04d.jpg", 60, "-q:v", "2", stream=3).parent
        self.streams = [
            {"id": "a", "uri": "a.mp4"},
            {"id": "b", "uri": "b.mkv", "sample_fps": 10},
            {"id": "c", "uri": "c.avi"},
            {"id": "shots", "uri": str(shots)},
        ]
        self.frames = {"a": 300, "b": 80, "c": 120, "shots": 60}

    def write_topology(self, **more):
        model = self.model("slow.onnx", slow=384)
        more = {"stages": MODEL, "checkpoint": "kept", **more}
        return self.topology(self.streams, model=model, **more)

    def undisturbed(self):
        """The results of a run without a checkpoint."""
        model = self.model("slow.onnx", slow=384)
        sinks = [{"kind": "jsonl", "path": "expected/{stream}.jsonl"}]
        topology = self.topology(self.streams, name="undisturbed.yaml", model=model, stages=MODEL, sinks=sinks)
        program = self.start(topology)
        program.finish(files=False)
        return {s: (self.dir / "expected" / f"{s}.jsonl").read_bytes() for s in self.frames}

    def results(self):
        files = {s: self.dir / "results" / f"{s}.jsonl" for s in self.frames}
        return {s: f.read_bytes() if f.exists() else b"" for s, f in files.items()}

    def count(self):
        return sum(data.count(b"\n") for data in self.results().values())

    def life(self, topology, lines, end, noted=lambda streams: True):
        """Runs until there are so many lines and a checkpoint as asked for, then `end`s the program. False when it was
        done before."""
        program = self.start(topology)
        ripe = lambda: self.count() >= lines and self.checkpoint_file.exists() and noted(self.noted())
        until(lambda: ripe() or program.process.poll() is not None, f"{lines} lines, and a checkpoint of them")
        done = program.process.poll() is not None
        if done:
            program.finish(files=False)
        else:
            end(program)
            program.process.wait()
        return not done

    def assert_complete(self, expected):
        self.assertEqual({s: d.count(b"\n") for s, d in self.results().items()}, self.frames)
        for stream, data in self.results().items():
            self.assertEqual(data, expected[stream], stream)

    @property
    def checkpoint_file(self):
        return self.dir / "kept" / "checkpoint.json"

    def checkpoint(self):
        return json.loads(self.checkpoint_file.read_text())

    def noted(self):
        """The streams of the checkpoint. Results may be there before: a disk may take its time."""
        return {s["id"]: s for s in self.checkpoint()["streams"]} if self.checkpoint_file.exists() else {}

    def begun(self):
        return {name for name, stream in self.noted().items() if not stream["finished"]}

    def killed_life(self, topology, lines, noted=lambda streams: True):
        self.assertTrue(self.life(topology, lines, lambda program: program.kill(), noted), "done before it was killed")

    def run_in_lives(self, seed, end, between=lambda: None):
        expected = self.undisturbed()
        chance = random.Random(seed)
        topology = self.write_topology()
        lives, epochs = 0, []
        target = 0
        while self.life(topology, target := target + chance.randint(15, 150), end):
            lives += 1
            target = min(target, self.count())
            epochs.append(self.checkpoint()["epoch"])
            between()
        self.assertGreaterEqual(lives, 3)
        # Who is killed before it noted its epoch has given it to nobody.
        self.assertTrue(all(b - a in (0, 1) for a, b in zip(epochs, epochs[1:])), epochs)
        self.assertGreater(epochs[-1], epochs[0])
        self.assert_complete(expected)

    def test_a_program_that_is_killed_again_and_again_leaves_the_results_of_one_that_was_not(self):
        for seed in (1, 2):
            with self.subTest(seed=seed):
                for folder in ("kept", "results"):
                    shutil.rmtree(self.dir / folder, ignore_errors=True)
                self.run_in_lives(seed, lambda program: program.kill())

    def test_what_a_torn_write_left_is_cut(self):
        chance = random.Random(3)

        def tear():
            for stream in self.begun():
                with open(self.dir / "results" / f"{stream}.jsonl", "ab") as file:
                    file.write(chance.choice([b'{"stream":"a","seq":7', b"\0" * 5000, b"x", b""]))

        self.run_in_lives(4, lambda program: program.kill(), tear)

    def test_a_stop_leaves_the_rest_to_the_next_start(self):
        def stop(program):
            until(lambda: any("onnxruntime" in m for m in program.log()), "the program to have started")
            program.terminate()
            program.process.wait()
            self.assertEqual(program.process.returncode, 0, program.errors())

        self.run_in_lives(5, stop)

    def test_results_that_were_lost_come_again(self):
        expected = self.undisturbed()
        topology = self.write_topology()
        self.killed_life(topology, 150)
        stream = max(self.frames, key=lambda s: self.results()[s].count(b"\n"))
        path = self.dir / "results" / f"{stream}.jsonl"
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
        self.start(topology).finish(files=False)
        self.assert_complete(expected)

    def test_a_run_that_was_done_is_not_run_again(self):
        topology = self.write_topology()
        self.start(topology).finish()
        before = self.results()
        for _ in range(2):
            ledger = self.start(topology).finish(files=False)
            self.assertTrue(all(counts["finished_before"] for counts in ledger.values()), ledger)
            self.assertTrue(all(counts["received"] == 0 for counts in ledger.values()), ledger)
        self.assertEqual(self.results(), before)

    def test_the_report_says_where_a_stream_went_on(self):
        topology = self.write_topology()
        self.killed_life(topology, 250, lambda streams: any(s["seq"] > 0 for s in streams.values()))
        ledger = self.start(topology).finish(files=False)
        went_on = [s for s, counts in ledger.items() if counts.get("resumed_at", 0) > 0]
        done = [s for s, counts in ledger.items() if "finished_before" in counts]
        self.assertTrue(went_on + done, ledger)
        for stream in went_on:
            if stream != "b":  # where some frames are not asked for
                self.assertEqual(ledger[stream]["resumed_at"] + ledger[stream]["received"], self.frames[stream])

    def test_two_programs_never_share_a_checkpoint(self):
        topology = self.write_topology()
        first = self.start(topology)
        until(lambda: self.count() > 0, "the first results")
        first.process.send_signal(signal.SIGSTOP)  # or else it might be done first
        second = self.start(topology)
        second.process.wait()
        first.process.send_signal(signal.SIGCONT)
        self.assertEqual(second.process.returncode, 1)
        self.assertIn(f"is in use by another head (process {first.process.pid})", second.errors())
        first.finish()

    def assert_refused(self, topology, *texts):
        before = self.results()
        program = self.start(topology)
        program.process.wait()
        self.assertEqual(program.process.returncode, 78, program.errors())
        for text in (": checkpoint: ", "--fresh", *texts):
            self.assertIn(text, program.errors())
        self.assertEqual(self.results(), before)

    def test_a_changed_input_is_refused_and_a_fresh_start_takes_it(self):
        topology = self.write_topology()
        self.killed_life(topology, 100, lambda streams: "a" in streams)
        self.clip("a.mp4", 310, *CLIP)
        self.frames["a"] = 310
        self.assert_refused(topology, "stream a: its source has changed")
        self.start(topology, "--fresh").finish()
        self.assert_complete(self.undisturbed())

    def test_other_stages_are_refused(self):
        topology = self.write_topology()
        self.killed_life(topology, 100, lambda streams: streams)
        stages = {**MODEL, "postprocess": {**barcode.STAGES["postprocess"], "score": 0.9}}
        self.assert_refused(self.write_topology(stages=stages), "other stages, tracking or sinks")

    def test_a_checkpoint_that_is_none_is_refused(self):
        topology = self.write_topology()
        (self.dir / "kept").mkdir()
        self.checkpoint_file.write_text('{"penstock_checkpoint":1,"epo')
        self.assert_refused(topology, "checkpoint.json is not a whole checkpoint")

    def test_results_of_somebody_else_are_left_alone(self):
        topology = self.write_topology()
        self.killed_life(topology, 200, lambda streams: "a" in streams)
        path = self.dir / "results" / "a.jsonl"
        path.write_bytes(path.read_bytes() + b"notes\n")
        before = path.read_bytes()
        program = self.start(topology)
        program.finish(code=1, files=False)
        self.assertIn("is no result of this stream", program.errors())
        self.assertEqual(path.read_bytes(), before)

    def test_a_video_goes_on_in_a_new_file(self):
        sinks = [{"kind": kind, "path": f"results/{{stream}}.{kind}"} for kind in ("jsonl", "mp4")]
        expected = self.undisturbed()
        topology = self.write_topology(sinks=sinks)
        self.killed_life(topology, 250, lambda streams: any(not s["finished"] for s in streams.values()))
        began = [s for s in self.begun() if (self.dir / "results" / f"{s}.mp4").exists()]
        program = self.start(topology)
        program.finish(files=False)
        self.assert_complete(expected)
        self.assertTrue(began)
        for stream in began:
            self.assertTrue((self.dir / "results" / f"{stream}-2.mp4").exists(), program.errors())


class Quarantine(SystemTest):
    def test_a_segment_that_was_given_up_can_be_run_by_itself(self):
        clip = self.clip("clip.mp4", 200, "-c:v", "libx264", "-preset", "ultrafast", "-g", "100", "-bf", "2")
        slow = {"model": self.model("slow.onnx", slow=2048), "dispatch": {"stall_timeout": "1ms", "attempts": 1}}
        slow["stages"] = {"inference": {"batch": {"max": 1}, "instances": 1}}
        topology = self.topology({"clip": clip}, **slow)
        program = self.start(topology)
        ledger = program.finish(code=1)["clip"]
        self.assertGreaterEqual(ledger["dropped"]["poison"], 1, program.errors())
        folders = sorted((self.dir / "quarantine").iterdir())
        self.assertTrue(folders, program.errors())
        for number, folder in enumerate(folders):
            why = json.loads((folder / "reason.json").read_text())
            self.assertEqual(folder.name, f"clip-{why['epoch']}-{why['segment']}")
            self.assertIn("no outcome for 1 ms", why["reason"])
            self.assertEqual(why["codec"]["name"], "h264")
            segment = {f"q{number}": folder / "segment.nut"}
            again = self.start(self.topology(segment, "again.yaml", quarantine="", **slow))
            self.assertGreaterEqual(again.finish(code=1)[f"q{number}"]["dropped"]["poison"], 1)
            healthy = self.run_to_end(self.topology(segment, "healthy.yaml"))
            self.assert_delivered(healthy, f"q{number}", len(why["packets"]))
            self.assert_identity(healthy.lines(f"q{number}"), first=why["segment"] * 100)


if __name__ == "__main__":
    unittest.main()
