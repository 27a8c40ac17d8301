"""What a pipeline takes of a GPU's memory: `penstock validate` says it, also where there is none."""

import json
import re
import unittest

from harness import SystemTest, penstock


class GpuMemory(SystemTest):
    FIGURES = ["device", "lanes", "batch", "ring_bytes", "pinned_bytes", "weights_bytes", "decoders", "decode_bytes"]
    LINE = (r"(?m)^gpu_memory: batch ring (\d+) MiB \((\d+) lanes? × (\d+) images?\), pinned (\d+) MiB, "
            r"weights ≥ (\d+) MiB(, decoding about (\d+) MiB \(1080p, (\d+) at the same time\))?"
            r"(; there is no GPU here|; the model does not run on the GPU here| of (cuda:\d+))$")  # fmt: skip

    def validate(self, **stages):
        """The line, and the figures."""
        topology = self.topology({"clip": self.clip("clip.mp4", 1)}, stages=stages)
        text, document = penstock("validate", topology), penstock("validate", topology, "--json", "-")
        self.assertEqual((text.returncode, document.returncode), (0, 0), text)
        return re.search(self.LINE, text.stdout), json.loads(document.stdout)["gpu_memory"]

    def test_the_line_and_the_figures_say_the_same(self):
        line, figures = self.validate(inference={"instances": 2, "batch": {"max": 4}}, decode={"concurrency": 3})
        self.assertEqual(list(figures), self.FIGURES)
        in_mib = lambda name: str(-(-figures[name] // 2**20))
        self.assertEqual(line[1], in_mib("ring_bytes"))
        self.assertEqual((line[2], line[3]), (str(figures["lanes"]), str(figures["batch"])))
        self.assertEqual((line[4], line[5]), (in_mib("pinned_bytes"), in_mib("weights_bytes")))
        self.assertEqual((line[7], line[8]), (in_mib("decode_bytes"), str(figures["decoders"])))
        self.assertEqual(line[10], figures["device"])
        self.assertEqual((figures["lanes"], figures["batch"]), (2, 4))
        self.assertEqual(figures["weights_bytes"], self.model().stat().st_size)

    def test_more_lanes_and_larger_batches_take_more(self):
        def ring(lanes, batch):
            return self.validate(inference={"instances": lanes, "batch": {"max": batch}})[1]["ring_bytes"]

        self.assertEqual(ring(4, 4), 2 * ring(2, 4))
        self.assertGreater(ring(2, 8), ring(2, 4))

    def test_frames_that_the_cpu_decodes_take_nothing_of_it_for_decoding(self):
        line, figures = self.validate(decode={"device": "cpu"})
        self.assertIsNone(line[6])
        self.assertEqual(figures["decode_bytes"], 0)

    def test_a_model_that_is_kept_on_the_cpu_takes_nothing(self):
        line, figures = self.validate(inference={"device": "cpu"})
        self.assertIsNone(line)
        self.assertIsNone(figures)


if __name__ == "__main__":
    unittest.main()
