"""A sink or a model that takes its time: live streams shed, lossless ones wait; memory stays flat in both."""

import subprocess
import time
import unittest

import barcode
from harness import SystemTest, until

FRAMES = 3000
GROWTH_MB = 24  # far less than the clip, which is what would pile up
FLAT = {"dispatch": {"read_ahead": {"packets": 64, "bytes": "1MiB"}}, "live": {"queue": 16}}
SINKS = [{"kind": "jsonl", "path": "results/{stream}.jsonl", "queue": 16}]


class SlowSink(SystemTest):
    def setUp(self):
        super().setUp()
        self.sink = self.fifo("slow")

    def heavy_clip(self, rate):
        """About 70 MB: motion JPEG full of noise, the same few frames again and again."""
        few = self.clip("few.avi", 20, "-c:v", "mjpeg", "-q:v", "2", "-vf", "noise=alls=60:allf=t", fps=rate)
        size = few.stat().st_size
        self.assertGreater(size * FRAMES / 20, 60e6)
        clip = self.dir / "heavy.avi"
        again = ["-stream_loop", str(FRAMES // 20 - 1), "-i", few, "-c", "copy"]
        subprocess.run(["ffmpeg", "-v", "error", *again, clip], check=True)
        return clip

    def test_a_lossless_stream_waits_for_its_sink_and_loses_nothing(self):
        clip = self.heavy_clip(25)
        program = self.start(self.topology({"slow": clip}, sinks=SINKS, **FLAT), "--metrics", "127.0.0.1:0")

        def standing_still():
            before = program.counts("slow")
            time.sleep(1)
            return before if before["received"] > 0 and before == program.counts("slow") else None

        counts = until(standing_still, "the sink to push back to the source")
        self.assertLess(counts["received"], 600, "the source read on although nothing was taken")
        self.assertEqual(counts["dropped"], {})
        base = program.resident_mb()
        self.sink.read_to_end(program.process)
        most = base
        while program.process.poll() is None:
            try:
                most = max(most, program.resident_mb())
            except (AssertionError, OSError):
                break
            time.sleep(0.05)
        ledger = program.finish(code=0, files=False)
        self.assertEqual(ledger["slow"], {"received": FRAMES, "delivered": FRAMES, "dropped": {}, "in_flight": 0})
        lines = self.sink.lines()
        self.assertEqual([line["seq"] for line in lines], list(range(FRAMES)))
        self.assertLess(most - base, GROWTH_MB, f"from {base:.0f} to {most:.0f} MB")
        print(f"lossless: {counts['received']} of {FRAMES} frames read ahead, {base:.0f} MB, at most {most:.0f} MB")

    def test_a_live_stream_sheds_for_its_sink_and_goes_on(self):
        clip = self.heavy_clip(250)
        topology = self.topology([{"id": "slow", "uri": str(clip), "policy": "live"}], sinks=SINKS, **FLAT)
        program = self.start(topology, "--metrics", "127.0.0.1:0")
        counts = until(lambda: (c := program.counts("slow"))["dropped"].get("slow_sink", 0) > 100 and c, "shedding")
        base, received, delivered = program.resident_mb(), counts["received"], counts["delivered"]
        more = lambda: (c := program.counts("slow"))["received"] > received + 1000 and c
        counts = until(more, "a thousand frames more")
        self.assertEqual(counts["delivered"], delivered)
        self.assertLess(counts["in_flight"], 300)
        grown = program.resident_mb() - base
        self.assertLess(grown, GROWTH_MB, f"from {base:.0f} MB")
        self.sink.read_to_end(program.process)
        ledger = program.finish(code=0, files=False)["slow"]
        lines = self.sink.lines()
        self.assertEqual(len(lines), ledger["delivered"])
        numbers = [line["seq"] for line in lines]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertGreater(numbers[-1], counts["received"], "nothing was delivered after the sink took results again")
        self.assertEqual(ledger["received"], FRAMES)
        self.assertLessEqual(set(ledger["dropped"]), {"slow_sink", "shed"})
        print(f"live: {ledger}, grown by {grown:.1f} MB")

    def test_a_slow_sink_of_one_stream_holds_up_no_other(self):
        clips = {"slow": self.clip("slow.mp4", 400), "good": self.clip("good.mp4", 400, stream=1)}
        program = self.start(self.topology(clips, sinks=SINKS, **FLAT))
        until(lambda: len(program.lines("good")) == 400, "all results of the other stream")
        self.assertIsNone(program.process.poll())
        self.sink.read_to_end(program.process)
        ledger = program.finish(code=0, files=False)
        self.assertEqual(ledger["slow"]["delivered"], 400)
        program.check("good", ledger["good"])
        self.assert_identity(program.lines("good"), 1)
        self.assertTrue(all(barcode.read_objects(line) == (0, line["seq"]) for line in self.sink.lines()))


class SlowModel(SystemTest):
    def test_a_live_stream_too_fast_for_the_model_sheds_and_stays_near_to_now(self):
        model = self.model("slow.onnx", slow=2048)
        stages = {"inference": {"instances": 1, "batch": {"max": 1}}}
        uri = "synthetic://?width=256&height=192&fps=50&frames=400&gop=10&bframes=0&live=1"
        program = self.start(self.topology({"fast": uri}, model=model, stages=stages), "--metrics", "127.0.0.1:0")
        received = "penstock_stream_received_frames_total", (("stream", "fast"),)
        series = until(lambda: (s := program.metrics()).get(received, 0) >= 350 and s, "most of the stream")
        latencies = lambda le: series["penstock_stream_latency_seconds_bucket", (("stream", "fast"), ("le", le))]
        counts = program.finish(code=0)["fast"]
        self.assertEqual(counts["received"], 400)
        self.assertEqual(set(counts["dropped"]), {"shed"})
        self.assertGreater(counts["delivered"], 20)
        self.assertGreater(latencies("+Inf"), 20)
        # Without shedding the last result would be some 20 s late.
        self.assertEqual(latencies("5"), latencies("+Inf"), "results came more than five seconds late")
        self.assert_identity(program.lines("fast"))


if __name__ == "__main__":
    unittest.main()
