"""On a GPU real footage gives what it gives on the CPU, from the file to the results."""

import json
import unittest

from footage import DEMO, DEMO_CLIP, DEMO_MODEL, FASTESTDET, NO_DEMO, NO_MEDIA, FootageTest
from harness import SHARED, penstock


def why_not():
    """Why torch cannot run on a GPU here; empty where it can."""
    document = json.loads(penstock("devices", "--json", "-").stdout)
    if document["cuda"]["absent"]:
        return document["cuda"]["absent"]
    torch = next(engine for engine in document["engines"] if engine["name"] == "torch")
    reasons = {device["name"]: device["reason"] for device in torch["devices"]}
    return torch["absent"] or reasons.get("cuda", "this torch has no CUDA")


class GpuPipeline(FootageTest):
    @classmethod
    def setUpClass(cls):
        if reason := why_not():
            print(f"skipped: {reason}")
            raise unittest.SkipTest(reason)
        super().setUpClass()

    def agree(self, model, streams, stages, sample_fps, least):
        """All of the path, and all but the decoder, against the CPU."""
        on_cpu = {**stages, "decode": {"device": "cpu", "sample_fps": sample_fps}}
        expected = self.objects("torch", model, streams, on_cpu, device="cpu")
        for decoder in ("auto", "cpu"):
            with self.subTest(decoder=decoder):
                on_gpu = {**stages, "decode": {"device": decoder, "sample_fps": sample_fps}}
                ours = self.objects("torch", model, streams, on_gpu, device="cuda")
                self.assert_alike(ours, expected, stages, least, f"{model.name}, decode.device {decoder}")

    @unittest.skipUnless(DEMO_CLIP.exists(), NO_DEMO)
    def test_the_demo_finds_the_same_people_on_a_gpu(self):
        self.agree(DEMO_MODEL, {"square": DEMO_CLIP}, DEMO, sample_fps=5, least=0.995)

    @unittest.skipUnless((SHARED / "media").is_dir(), NO_MEDIA)
    def test_fastestdet_finds_the_same_things_on_a_gpu_in_clips_and_pictures(self):
        streams = {"cars": SHARED / "media/car-detection.mp4", "things": SHARED / "media/fd*.jpg"}
        self.agree(SHARED / "models/coco-fastestdet-352.onnx", streams, FASTESTDET, sample_fps=5, least=0.99)


if __name__ == "__main__":
    unittest.main()
