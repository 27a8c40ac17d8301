#!/usr/bin/env python3
"""Makes the detector that the GPU benchmark runs: a ResNet-50 backbone and a YOLOv8-like head, [n, 84, 8400] at
640×640, with random weights, as TorchScript (f32; the engine halves it). Scores are biased so that a random picture has
about as many candidates as a real one. Needs torch, no torchvision.

Usage: detector.py OUT.pt [--side 640] [--width 1.0] [--candidates 100]
"""
import argparse
import math

import torch
from torch import nn


def conv(channels_in: int, channels_out: int, size: int, stride: int = 1, act: bool = True) -> nn.Sequential:
    layers = [nn.Conv2d(channels_in, channels_out, size, stride, size // 2, bias=False), nn.BatchNorm2d(channels_out)]
    return nn.Sequential(*layers, *([nn.ReLU(inplace=True)] if act else []))


class Bottleneck(nn.Module):
    """Of ResNet-50 (He et al., 2015), with the stride in the 3×3 convolution."""

    def __init__(self, channels_in: int, channels: int, stride: int):
        super().__init__()
        out = 4 * channels
        self.body = nn.Sequential(conv(channels_in, channels, 1), conv(channels, channels, 3, stride),
                                  conv(channels, out, 1, act=False))
        same = stride == 1 and channels_in == out
        self.shortcut = nn.Identity() if same else conv(channels_in, out, 1, stride, act=False)

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


class Detector(nn.Module):
    BINS = 16  # of the distance distribution of each side of a box
    CLASSES = 80
    STRIDES = (8, 16, 32)

    def __init__(self, side: int, width: float):
        super().__init__()
        base = max(8, int(64 * width))
        self.stem = nn.Sequential(conv(3, base, 7, 2), nn.MaxPool2d(3, 2, 1))
        channels, stages = base, []
        for index, blocks in enumerate((3, 4, 6, 3)):
            stage = []
            for block in range(blocks):
                stage.append(Bottleneck(channels, base << index, 2 if block == 0 and index > 0 else 1))
                channels = 4 * (base << index)
            stages.append(nn.Sequential(*stage))
        self.stages = nn.ModuleList(stages)
        hidden = 4 * base

        def branch(channels_in: int, out: int) -> nn.Sequential:
            return nn.Sequential(conv(channels_in, hidden, 3), conv(hidden, hidden, 3), nn.Conv2d(hidden, out, 1))

        levels = [4 * (base << index) for index in (1, 2, 3)]
        self.boxes = nn.ModuleList(branch(c, 4 * self.BINS) for c in levels)
        self.scores = nn.ModuleList(branch(c, self.CLASSES) for c in levels)
        centers, strides = [], []
        for stride in self.STRIDES:
            n = side // stride
            y, x = torch.meshgrid(torch.arange(n) + 0.5, torch.arange(n) + 0.5, indexing="ij")
            centers.append(torch.stack((x, y)).reshape(2, -1))
            strides.append(torch.full((1, n * n), float(stride)))
        # Buffers, so that they become halves with the rest; all of them are exact as halves.
        self.register_buffer("centers", torch.cat(centers, 1))
        self.register_buffer("strides", torch.cat(strides, 1))
        self.register_buffer("bins", torch.arange(self.BINS, dtype=torch.float32).reshape(1, 1, self.BINS, 1))

    def forward(self, images):
        x = self.stem(images)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        boxes = torch.cat([b(f).flatten(2) for b, f in zip(self.boxes, features[1:])], 2)
        scores = torch.cat([s(f).flatten(2) for s, f in zip(self.scores, features[1:])], 2)
        distances = (boxes.reshape(-1, 4, self.BINS, boxes.shape[2]).softmax(2) * self.bins).sum(2)
        corner, opposite = self.centers - distances[:, :2], self.centers + distances[:, 2:]
        return torch.cat(((corner + opposite) / 2 * self.strides, (opposite - corner) * self.strides, scores.sigmoid()), 1)


def candidates(model: Detector, side: int, threshold: float) -> tuple[float, float]:
    """Anchors of a random picture whose best score reaches the threshold, and all anchors."""
    best = model(torch.rand(1, 3, side, side))[0, 4:].max(0).values
    return float((best >= threshold).sum()), float(best.numel())


def bias_scores(model: Detector, side: int, wanted: int, threshold: float = 0.25) -> float:
    """Shifts the class biases until about `wanted` anchors reach the threshold. Returns how many do."""
    low, high = -30.0, 30.0
    for _ in range(14):
        middle = (low + high) / 2
        for branch in model.scores:
            nn.init.constant_(branch[-1].bias, middle)
        found, _ = candidates(model, side, threshold)
        low, high = (middle, high) if found < wanted else (low, middle)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--side", type=int, default=640, help="of the pictures, in pixels; a multiple of 32")
    parser.add_argument("--width", type=float, default=1.0, help="of the network, 1.0 being ResNet-50")
    parser.add_argument("--candidates", type=int, default=100, help="anchors of a picture that reach a score of 0.25")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    if options.side % 32:
        parser.error("--side must be a multiple of 32")
    torch.manual_seed(options.seed)
    model = Detector(options.side, options.width).eval()
    with torch.no_grad():
        for module in model.modules():  # the scale of features stays about one, whatever the depth
            if isinstance(module, nn.Conv2d):
                fan_in = module.in_channels * math.prod(module.kernel_size)
                nn.init.normal_(module.weight, std=math.sqrt(2 / fan_in))
            if isinstance(module, Bottleneck):
                nn.init.constant_(module.body[-1][1].weight, 0.3)
        found = bias_scores(model, options.side, options.candidates)
        example = torch.rand(2, 3, options.side, options.side)
        traced = torch.jit.trace(model, example)
        again = traced(example[:1])
        if not torch.allclose(again, model(example[:1]), atol=1e-3, rtol=1e-3):
            raise SystemExit("detector.py: the traced model differs from the model")
    traced.save(options.out)
    weights = sum(p.numel() for p in model.parameters())
    print(f"{options.out}: output {list(again.shape)}, {weights / 1e6:.1f} M weights, {found:.0f} candidates in a random picture")


if __name__ == "__main__":
    main()
