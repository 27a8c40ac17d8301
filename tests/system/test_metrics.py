"""The metrics agree with the ledger; health and readiness say what is so."""

import os
import unittest

from harness import SystemTest, until

ENDLESS = "synthetic://?width=256&height=192&frames=0&gop=25&bframes=0&fps=50&live=1"


class Metrics(SystemTest):
    def test_the_counts_of_a_finished_stream_are_those_of_the_ledger(self):
        clip = self.clip("clip.mp4", 100, "-c:v", "libx264", "-bf", "0", "-g", "10", "-movflags", "+faststart")
        broken = self.dir / "broken.mp4"
        broken.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
        streams = [
            {"id": "camera", "uri": ENDLESS},
            {"id": "clip", "uri": str(clip), "sample_fps": 5},
            {"id": "broken", "uri": str(broken)},
        ]
        program = self.start(self.topology(streams), "--metrics", "127.0.0.1:0")
        settled = {}

        def finished(stream):
            counts = program.counts(stream)
            settled[stream] = counts
            complete = len(program.lines(stream)) == counts["delivered"]
            balanced = counts["received"] == counts["delivered"] + sum(counts["dropped"].values())
            return counts["received"] > 0 and counts["in_flight"] == 0 and balanced and complete

        until(lambda: program.counts("clip")["received"] == 100 and finished("clip"), "the clip to finish")
        until(lambda: program.counts("broken")["dropped"] and finished("broken"), "the broken clip to finish")
        series = program.metrics()
        program.terminate()
        ledger = program.finish(code=1)
        self.assertEqual(settled, {s: ledger[s] for s in ("clip", "broken")})
        self.assertEqual(settled["clip"]["dropped"], {"sampled": 80})
        of = lambda name, **labels: series[name, tuple(labels.items())]
        self.assertEqual(of("penstock_stream_latency_seconds_count", stream="clip"), 20)
        objects = sum(len(line["objects"]) for line in program.lines("clip"))
        self.assertEqual(of("penstock_stream_objects_total", stream="clip"), objects)
        frames = of("penstock_stage_items_total", stage="inference")
        self.assertGreaterEqual(frames, 20 + settled["broken"]["delivered"])
        # A batch is counted when it starts and its images when it has run: between them are those of the instances.
        running = of("penstock_inference_batch_images_sum") - frames
        self.assertTrue(0 <= running <= 8 * len(os.sched_getaffinity(0)), running)
        for stage in ("decode", "preprocess", "inference", "postprocess"):
            self.assertGreater(of("penstock_stage_busy_seconds_total", stage=stage), 0)
        info = next(dict(labels) for name, labels in series if name == "penstock_model_info")
        self.assertEqual((info["engine"], info["device"]), ("onnxruntime", "cpu"))
        self.assertTrue(any(name == "penstock_build_info" for name, _ in series))

    def test_the_counts_balance_at_every_moment(self):
        program = self.start(self.topology({"camera": ENDLESS}), "--metrics", "127.0.0.1:0")
        seen = []
        settled = lambda c: c["delivered"] + sum(c["dropped"].values()) + c["in_flight"]

        def balanced():
            seen.append(program.counts("camera"))
            # The counts move on ten times a second, one after the other. Whoever looks in between looks once more.
            if seen[-1]["received"] != settled(seen[-1]):
                seen.append(program.counts("camera"))
            counts = seen[-1]
            self.assertEqual(counts["received"], settled(counts), counts)
            return counts["delivered"] > 50

        until(balanced, "fifty results")
        for before, after in zip(seen, seen[1:]):
            self.assertLessEqual(before["received"], after["received"])
            self.assertLessEqual(before["delivered"], after["delivered"])
        program.terminate()
        program.finish()

    def test_readiness_ends_with_the_first_signal_and_health_does_not(self):
        sink = self.fifo("stuck")  # keeps the drain going
        program = self.start(self.topology({"stuck": ENDLESS}, shutdown={"grace": "10min"}), "--metrics", "127.0.0.1:0")
        until(lambda: program.counts("stuck")["received"] > 0, "the first frame")
        self.assertEqual(program.get("/healthz")[0], 200)
        self.assertEqual(program.get("/readyz")[0], 200)
        self.assertEqual(program.get("/nothing")[0], 404)
        # Until the pipe and the queue behind it are full.
        until(lambda: program.counts("stuck")["dropped"].get("slow_sink", 0) > 0, "the sink to be full")
        program.terminate()
        until(lambda: program.get("/readyz")[0] == 503, "readiness to end")
        self.assertEqual(program.get("/healthz")[0], 200)
        sink.read_to_end(program.process)
        counts = program.finish(files=False)["stuck"]
        self.assertEqual(len(sink.lines()), counts["delivered"])

    def test_an_address_in_use_is_an_error(self):
        program = self.start(self.topology({"camera": ENDLESS}), "--metrics", "127.0.0.1:0")
        taken = program.metrics_port()
        topology = self.topology({"clip": self.clip("clip.mp4", 5)}, name="other.yaml")
        other = self.start(topology, "--metrics", f"127.0.0.1:{taken}")
        self.assertEqual(other.process.wait(60), 1)
        self.assertIn(str(taken), other.errors())
        program.terminate()
        program.finish()


if __name__ == "__main__":
    unittest.main()
