"""Models that do not fit are refused before anything starts; one that fails on a picture costs that picture."""

import random
import unittest

import barcode
import onnx_file as onnx
from harness import SystemTest, penstock


class Models(SystemTest):
    def refused_model(self, model, *words, **stages):
        done = penstock("run", self.topology({"clip": self.clip("clip.mp4", 1)}, model=model, stages=stages))
        self.assertEqual(done.returncode, 78, done)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_a_model_of_another_input_size_than_the_topology_is_refused_with_both_sizes(self):
        preprocess = {**barcode.STAGES["preprocess"], "size": [640, 480]}
        self.refused_model(self.model(), "640x480", "32x24", preprocess=preprocess)

    def test_a_model_of_other_outputs_than_the_head_expects_is_refused_with_both(self):
        self.refused_model(self.model(), "fastestdet", "5,64", postprocess={"head": "fastestdet"})

    def test_a_model_that_takes_no_pictures_is_refused_with_what_it_takes(self):
        path = self.dir / "vector.onnx"
        nodes = [onnx.node("Identity", ["vector"], ["same"])]
        path.write_bytes(onnx.model([onnx.value("vector", [1, 77])], [onnx.value("same", [1, 77])], nodes))
        self.refused_model(path, "vector", "1,77")

    def test_a_model_file_that_is_no_model_is_refused(self):
        path = self.dir / "junk.onnx"
        path.write_bytes(random.Random(1).randbytes(1000))
        self.refused_model(path, "junk.onnx")

    def test_labels_of_another_number_than_the_classes_are_refused_with_both_numbers(self):
        labels = self.dir / "labels.txt"
        labels.write_text("cat\ndog\nbird\n")
        postprocess = {**barcode.STAGES["postprocess"], "labels": str(labels)}
        self.refused_model(self.model(), "3 labels", "1 class", postprocess=postprocess)

    def test_pictures_that_the_engine_fails_on_are_the_only_ones_dropped_even_of_their_batch(self):
        model = self.model("odd.onnx", fails_on_odd=True)
        for batch in (1, 8):
            with self.subTest(batch=batch):
                stages = {"inference": {"batch": {"max": batch, "wait": "20ms"}}}
                topology = self.topology({"clip": self.clip("clip.mp4", 40)}, model=model, stages=stages)
                program = self.run_to_end(topology, code=1)
                self.assert_counts(program, "clip", 40, 20, engine_error=20)
                self.assertEqual([line["seq"] for line in program.lines("clip")], list(range(0, 40, 2)))
                self.assert_identity(program.lines("clip"))


if __name__ == "__main__":
    unittest.main()
