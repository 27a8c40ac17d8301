#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train the demo person detector and export it to ONNX.

A small convolutional network (the student) learns, from one video clip, to
reproduce the boxes of OpenCV's built-in HOG people detector (the teacher).
No label in here was drawn by a person.  Debian 12 has all that is needed:

    apt-get install --no-install-recommends \
        python3-torch python3-opencv python3-numpy opencv-doc
    /usr/bin/python3 tools/train-demo-model.py \
        --clip "$(dpkg -L opencv-doc | grep '/vtest.avi$')" \
        --out configs/models/demo-person.onnx

Stages: read the clip, ask the teacher, train, export, then evaluate the
exported file (through OpenCV's DNN module) on held-out frames.

Boxes are float arrays of shape K x 4 holding x1, y1, x2, y2, in pixels of the
full frame unless a docstring says otherwise.
"""

import argparse
import math
import os
import time

import cv2
import numpy as np
import torch
import torch.nn as nn

INPUT_H, INPUT_W = 288, 384  # network input, pixels
STRIDE = 8  # input pixels per output cell
GRID_H, GRID_W = INPUT_H // STRIDE, INPUT_W // STRIDE
PAD_GREY = 114  # letterbox fill

# --- the split ---------------------------------------------------------------
# Adjacent frames are near duplicates, so a random split would flatter: whole
# contiguous blocks are held out, and a gap on either side is used for nothing.
HELD_OUT_BLOCKS = ((200, 280), (560, 640))  # [first, last) frame
GAP = 10  # frames

# --- the teacher -------------------------------------------------------------
UPSCALE = 2.0  # the clip's people are 45..150 px tall; HOG's window is 128 px
PYRAMID_STEP = 1.08
WINDOW_TO_BODY = (0.24, 0.36, 0.37)  # half width, up, down; fractions of window
FOREGROUND_DIFF = 28  # grey levels
MIN_FOREGROUND = 0.30  # fraction of the box
MIN_SVM_SCORE = 0.4
SIZE_TOLERANCE = 1.35  # height against the height expected at that foot line
MAX_TRACK_GAP = 4  # frames
MIN_TRACK_HITS = 6  # detections
MIN_TRACK_SCORE = 1.0  # mean SVM score


def read_clip(path):
    """Return all frames as one uint8 array, frames x H x W x 3, BGR."""
    capture, frames = cv2.VideoCapture(path), []
    while True:
        ok, frame = capture.read()
        if not ok:
            break
        frames.append(frame)
    if not frames:
        raise SystemExit(f"cannot read frames from {path}")
    return np.stack(frames)


def split_frames(count):
    """Return (training, held-out) frame numbers; see HELD_OUT_BLOCKS."""
    held, near = set(), set()
    for first, last in HELD_OUT_BLOCKS:
        held.update(range(first, min(last, count)))
        near.update(range(first - GAP, last + GAP))
    train = [i for i in range(count) if i not in near]
    return train, sorted(held)


def iou_matrix(a, b):
    """IoU of every box in `a` (K x 4) with every box in `b` (M x 4): K x M."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = np.clip(high - low, 0, None).prod(2)
    area_a = (a[:, 2:] - a[:, :2]).prod(1)
    area_b = (b[:, 2:] - b[:, :2]).prod(1)
    return inter / (area_a[:, None] + area_b[None] - inter + 1e-9)


# ------------------------------------------------------------------ the teacher


def hog_windows(frames):
    """Per frame: K x 5 array of HOG windows (x, y, w, h in pixels, SVM score)."""
    hog = cv2.HOGDescriptor()
    hog.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())
    found = []
    for frame in frames:
        large = cv2.resize(frame, None, fx=UPSCALE, fy=UPSCALE)
        rects, scores = hog.detectMultiScale(
            large, hitThreshold=0, winStride=(8, 8), padding=(16, 16),
            scale=PYRAMID_STEP, groupThreshold=0)
        rects = np.asarray(rects, np.float32).reshape(-1, 4) / UPSCALE
        scores = np.asarray(scores, np.float32).reshape(-1, 1)
        found.append(np.hstack([rects, scores]))
    return found


def cached_windows(frames, cache):
    """hog_windows(), kept in the .npz file `cache` if one is named."""
    if cache and os.path.exists(cache):
        with np.load(cache) as data:
            return np.split(data["windows"], np.cumsum(data["counts"])[:-1])
    windows = hog_windows(frames)
    if cache:
        counts = [len(w) for w in windows]
        np.savez_compressed(cache, windows=np.vstack(windows), counts=counts)
    return windows


def foreground_masks(frames):
    """Per frame: H x W uint8 mask, 1 where it differs from the median frame."""
    background = np.median(frames[::16], axis=0).astype(np.uint8)
    masks = []
    for frame in frames:
        diff = cv2.absdiff(frame, background).max(2)
        masks.append((cv2.GaussianBlur(diff, (5, 5), 0) > FOREGROUND_DIFF)
                     .astype(np.uint8))
    return masks


def windows_to_bodies(windows):
    """Shrink HOG windows (which carry a margin) to boxes around the body."""
    x, y, w, h = windows[:, :4].T
    half, up, down = WINDOW_TO_BODY
    cx, cy = x + w / 2, y + h / 2
    return np.stack([cx - half * w, cy - up * h, cx + half * w, cy + down * h], 1)


def mask_fraction(mask, boxes):
    """Fraction of each box that is set in a 0/1 mask."""
    height, width = mask.shape
    total = cv2.integral(mask)
    b = np.round(boxes).astype(int)
    x1, x2 = np.clip(b[:, 0], 0, width), np.clip(b[:, 2], 0, width)
    y1, y2 = np.clip(b[:, 1], 0, height), np.clip(b[:, 3], 0, height)
    inside = total[y2, x2] - total[y1, x2] - total[y2, x1] + total[y1, x1]
    return inside / np.maximum(1, (x2 - x1) * (y2 - y1))


def merge_windows(boxes, rank):
    """NMS at IoU 0.4; each kept box is the mean of its close cluster (IoU 0.5).

    Returns the merged boxes and the index of each one's best window.
    """
    overlap, used = iou_matrix(boxes, boxes), np.zeros(len(boxes), bool)
    merged, best = [], []
    for i in np.argsort(-rank):
        if used[i]:
            continue
        near = (overlap[i] > 0.4) & ~used
        used |= near
        close = np.where(near & (overlap[i] > 0.5))[0]
        merged.append(np.average(boxes[close], axis=0,
                                 weights=np.maximum(rank[close], 0.05)))
        best.append(i)
    return np.array(merged).reshape(-1, 4), np.array(best, int)


def frame_candidates(windows, mask):
    """Teacher candidates of one frame: boxes K x 4 and SVM scores K."""
    boxes = windows_to_bodies(windows)
    filled = mask_fraction(mask, boxes)
    keep = filled > MIN_FOREGROUND
    boxes, scores, filled = boxes[keep], windows[keep, 4], filled[keep]
    boxes, best = merge_windows(boxes, scores + 0.5 * filled)
    keep = scores[best] > MIN_SVM_SCORE
    return boxes[keep], scores[best][keep]


def fit_height(candidates):
    """Fit box height = a * foot line + b over the confident candidates.

    The camera does not move and people walk on (nearly) one plane, so a box
    of the wrong height for its foot line is a false alarm.
    """
    boxes = np.vstack([b[s > 2.0] for b, s in candidates])
    foot, height = boxes[:, 3], boxes[:, 3] - boxes[:, 1]
    keep = np.ones(len(foot), bool)
    for _ in range(5):
        a, b = np.polyfit(foot[keep], height[keep], 1)
        keep = np.abs(np.log(height / np.maximum(a * foot + b, 1))) < 0.2
    return a, b


def keep_plausible(boxes, scores, line):
    """Drop boxes whose height does not suit their foot line."""
    expected = np.maximum(line[0] * boxes[:, 3] + line[1], 1)
    ratio = (boxes[:, 3] - boxes[:, 1]) / expected
    keep = (ratio < SIZE_TOLERANCE) & (ratio > 1 / SIZE_TOLERANCE)
    return boxes[keep], scores[keep]


def link_tracks(candidates):
    """Link boxes of successive frames greedily by IoU.

    Returns tracks: lists of (frame number, box, score).
    """
    tracks, live = [], []
    for number, (boxes, scores) in enumerate(candidates):
        live = [t for t in live if number - t[-1][0] <= MAX_TRACK_GAP]
        free = set(range(len(boxes)))
        if live and free:
            overlap = iou_matrix(np.stack([t[-1][1] for t in live]), boxes)
            order = np.dstack(np.unravel_index(
                np.argsort(-overlap, axis=None), overlap.shape))[0]
            grown = set()
            for t, k in order:
                if overlap[t, k] < 0.3:
                    break
                if t not in grown and k in free:
                    live[t].append((number, boxes[k], scores[k]))
                    grown.add(t)
                    free.discard(k)
        for k in sorted(free):
            live.append([(number, boxes[k], scores[k])])
            tracks.append(live[-1])
    return tracks


def smooth_track(track):
    """Fill a track's gaps linearly and smooth it over five frames."""
    numbers = np.array([n for n, _, _ in track])
    boxes = np.stack([b for _, b, _ in track])
    every = np.arange(numbers[0], numbers[-1] + 1)
    filled = np.stack([np.interp(every, numbers, boxes[:, c]) for c in range(4)], 1)
    smooth = [filled[max(0, i - 2):i + 3].mean(0) if 2 <= i < len(filled) - 2
              else filled[i] for i in range(len(filled))]
    return every, np.stack(smooth)


def teacher_boxes(frames, masks, cache):
    """The teacher's final boxes per frame (K x 4)."""
    size = np.array([frames.shape[2], frames.shape[1]] * 2)
    candidates = [frame_candidates(w, m)
                  for w, m in zip(cached_windows(frames, cache), masks)]
    line = fit_height(candidates)
    candidates = [keep_plausible(b, s, line) for b, s in candidates]
    labels = [[] for _ in frames]
    for track in link_tracks(candidates):
        score = np.mean([s for _, _, s in track])
        if len(track) < MIN_TRACK_HITS or score < MIN_TRACK_SCORE:
            continue
        for number, box in zip(*smooth_track(track)):
            labels[number].append(np.clip(box, 0, size))
    return [drop_doubles(np.array(b, np.float32).reshape(-1, 4)) for b in labels]


def drop_doubles(boxes):
    """Where two tracks lie on one person (IoU over 0.55) keep the first."""
    keep = []
    for i in range(len(boxes)):
        if not keep or iou_matrix(boxes[i:i + 1], boxes[keep]).max() < 0.55:
            keep.append(i)
    return boxes[keep]


def ignore_mask(mask, boxes):
    """Foreground that no teacher box explains: neither person nor background.

    The teacher misses some people; training must not call them background.
    """
    rest = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    rest = cv2.dilate(rest, np.ones((9, 9), np.uint8))
    for x1, y1, x2, y2 in boxes:
        dx, dy = 0.2 * (x2 - x1), 0.1 * (y2 - y1)
        rest[max(0, int(y1 - dy)):int(y2 + dy), max(0, int(x1 - dx)):int(x2 + dx)] = 0
    return rest


# ------------------------------------------------------------------ the student


def conv(c_in, c_out, stride=1, dilation=1):
    """3x3 convolution, batch norm, ReLU (the norm is folded on export)."""
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, stride, dilation, dilation, bias=False),
        nn.BatchNorm2d(c_out), nn.ReLU(inplace=True))


class Residual(nn.Module):
    """x + conv(conv(x)), at one resolution."""

    def __init__(self, channels, dilation):
        super().__init__()
        self.body = nn.Sequential(conv(channels, channels, dilation=dilation),
                                  conv(channels, channels, dilation=dilation))

    def forward(self, x):
        return x + self.body(x)


class Student(nn.Module):
    """Anchor-free detector with one output grid of stride 8.

    forward(): N x 3 x 288 x 384 (RGB, 0..1) to N x 5 x 1728 in the YOLOv8
    layout: cx, cy, w, h in input pixels, then the person score (sigmoid).
    """

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            conv(3, 16, 2), conv(16, 24, 2), conv(24, 24), conv(24, 40, 2),
            Residual(40, 1), Residual(40, 2), conv(40, 40))
        self.box = nn.Conv2d(40, 4, 1)
        self.score = nn.Conv2d(40, 1, 1)
        nn.init.constant_(self.score.bias, -4.0)
        nn.init.zeros_(self.box.weight)
        self.box.bias.data = torch.tensor([0.0, 0.0, math.log(2.0), math.log(5.0)])
        y, x = torch.meshgrid(torch.arange(GRID_H), torch.arange(GRID_W), indexing="ij")
        centres = torch.stack([x, y]).flatten() * STRIDE + STRIDE / 2
        self.register_buffer("centres", centres.float())  # all x, then all y

    def forward(self, images):
        features = self.trunk(images)
        box = self.box(features).reshape(-1, 4, GRID_H * GRID_W)
        score = self.score(features).reshape(-1, 1, GRID_H * GRID_W)
        # Added as a vector: OpenCV 4.6 broadcasts no other shape over a batch.
        centre = box[:, :2].reshape(-1, 2 * GRID_H * GRID_W) * STRIDE + self.centres
        centre = centre.reshape(-1, 2, GRID_H * GRID_W)
        size = torch.exp(box[:, 2:]) * STRIDE
        return torch.cat([centre, size, torch.sigmoid(score)], 1)


def multiply_adds(model):
    """Multiply-adds of one image, convolutions only."""
    total = [0]

    def count(layer, _, out):
        total[0] += layer.weight.numel() * out.shape[2] * out.shape[3]

    hooks = [m.register_forward_hook(count)
             for m in model.modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        model(torch.zeros(1, 3, INPUT_H, INPUT_W))
    for hook in hooks:
        hook.remove()
    return total[0]


# ----------------------------------------------------------------- training data


def letterbox_scale(frame):
    """(scale, left pad, top pad) that fits a frame into the network's input."""
    height, width = frame.shape[:2]
    scale = min(INPUT_W / width, INPUT_H / height)
    return scale, (INPUT_W - width * scale) / 2, (INPUT_H - height * scale) / 2


def letterbox(frame):
    """Frame (H x W x 3, BGR) to the network's input, 3 x 288 x 384 float32."""
    scale, left, top = letterbox_scale(frame)
    width, height = round(frame.shape[1] * scale), round(frame.shape[0] * scale)
    canvas = np.full((INPUT_H, INPUT_W, 3), PAD_GREY, np.uint8)
    x, y = int(left), int(top)
    canvas[y:y + height, x:x + width] = cv2.resize(frame, (width, height))
    return to_input(canvas)


def to_input(image):
    """BGR uint8 image to RGB planes, value / 255."""
    return np.ascontiguousarray(image[:, :, ::-1].transpose(2, 0, 1), np.float32) / 255


def random_warp(rng, frame):
    """A random (scale x, offset x, scale y, offset y) from frame to input.

    Horizontal flip, scale 0.75..1.35 of the letterbox, shift up to 15 %.
    """
    height, width = frame.shape[:2]
    scale = letterbox_scale(frame)[0] * math.exp(rng.uniform(math.log(0.75), math.log(1.35)))
    cx = width / 2 + rng.uniform(-0.15, 0.15) * width
    cy = height / 2 + rng.uniform(-0.15, 0.15) * height
    sx = -scale if rng.random() < 0.5 else scale
    return sx, INPUT_W / 2 - sx * cx, scale, INPUT_H / 2 - scale * cy


def warp_image(image, warp, fill, interpolation):
    """Apply a warp (in continuous coordinates) to an image."""
    sx, ox, sy, oy = warp
    matrix = np.float64([[sx, 0, ox + 0.5 * sx - 0.5], [0, sy, oy + 0.5 * sy - 0.5]])
    return cv2.warpAffine(image, matrix, (INPUT_W, INPUT_H), flags=interpolation,
                          borderValue=fill)


def warp_boxes(boxes, warp):
    """Boxes in frame pixels to boxes in input pixels; drops those cut off."""
    sx, ox, sy, oy = warp
    x = np.sort(boxes[:, [0, 2]] * sx + ox, axis=1)
    y = boxes[:, [1, 3]] * sy + oy
    full = np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], 1)
    seen = np.clip(full, 0, [INPUT_W, INPUT_H] * 2)
    area = (full[:, 2:] - full[:, :2]).prod(1)
    return seen[(seen[:, 2:] - seen[:, :2]).prod(1) > 0.5 * area]


def jitter_colours(rng, image):
    """Random contrast, brightness and channel gains."""
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.93, 1.07, 3)
    return np.clip(image * gain + rng.uniform(-25, 25), 0, 255).astype(np.uint8)


def make_targets(boxes, ignore):
    """Training targets on the grid, as one 7 x GRID_H x GRID_W float32 array.

    0: heat (1 at a person's centre cells, a Gaussian around them), 1: centre
    cell or not, 2: weight (0 = ignored), 3..6: the box in input pixels.
    """
    targets = np.zeros((7, GRID_H, GRID_W), np.float32)
    targets[2] = cv2.resize(ignore.astype(np.float32), (GRID_W, GRID_H),
                            interpolation=cv2.INTER_AREA) < 0.25
    nearest = np.full((GRID_H, GRID_W), np.inf)
    ys, xs = np.mgrid[:GRID_H, :GRID_W] * STRIDE + STRIDE / 2
    for x1, y1, x2, y2 in boxes:
        dx, dy = np.abs(xs - (x1 + x2) / 2), np.abs(ys - (y1 + y2) / 2)
        reach_x = max(STRIDE / 2, 0.2 * (x2 - x1))
        reach_y = max(STRIDE / 2, 0.12 * (y2 - y1))
        distance = (dx / reach_x) ** 2 + (dy / reach_y) ** 2
        targets[0] = np.maximum(targets[0], np.exp(-distance / 4))
        centre = (dx <= reach_x) & (dy <= reach_y) & (distance < nearest)
        nearest[centre] = distance[centre]
        targets[1][centre] = 1
        targets[2][centre] = 1
        targets[3:, centre] = np.float32([x1, y1, x2, y2])[:, None]
    return targets


def training_sample(rng, frame, boxes, ignore):
    """One augmented (input, targets) pair."""
    warp = random_warp(rng, frame)
    image = warp_image(frame, warp, (PAD_GREY,) * 3, cv2.INTER_LINEAR)
    rest = warp_image(ignore, warp, 0, cv2.INTER_NEAREST)
    return to_input(jitter_colours(rng, image)), make_targets(warp_boxes(boxes, warp), rest)


# ---------------------------------------------------------------------- training


def giou_loss(p, t):
    """1 - GIoU of predicted and target boxes, both 4 x K (x1, y1, x2, y2)."""
    inter = ((torch.minimum(p[2], t[2]) - torch.maximum(p[0], t[0])).clamp(min=0)
             * (torch.minimum(p[3], t[3]) - torch.maximum(p[1], t[1])).clamp(min=0))
    hull = ((torch.maximum(p[2], t[2]) - torch.minimum(p[0], t[0]))
            * (torch.maximum(p[3], t[3]) - torch.minimum(p[1], t[1])))
    union = (p[2] - p[0]) * (p[3] - p[1]) + (t[2] - t[0]) * (t[3] - t[1]) - inter
    return 1 - inter / union + (hull - union) / hull


def detection_loss(output, targets):
    """Penalty-reduced focal loss of the scores plus GIoU and L1 of the boxes.

    output: N x 5 x A as the network gives it; targets: N x 7 x A.
    """
    score = output[:, 4].clamp(1e-5, 1 - 1e-5)
    heat, centre, weight = targets[:, 0], targets[:, 1], targets[:, 2]
    hit = -torch.log(score) * (1 - score) ** 2 * centre
    miss = -torch.log(1 - score) * score ** 2 * (1 - heat) ** 4 * (1 - centre)
    positives = centre.sum().clamp(min=1)
    score_loss = ((hit + miss) * weight).sum() / positives
    chosen = centre > 0
    cx, cy, w, h = output[:, :4].transpose(0, 1)[:, chosen]
    predicted = torch.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
    wanted = targets[:, 3:].transpose(0, 1)[:, chosen]
    box_loss = giou_loss(predicted, wanted).sum() / positives
    l1_loss = (predicted - wanted).abs().sum() / STRIDE / positives
    return score_loss + 2 * box_loss + 0.25 * l1_loss


def train(frames, labels, ignores, numbers, epochs, batch, rate, seed):
    """Train a Student on the given frame numbers; returns averaged weights."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model, averaged = Student(), Student()
    averaged.load_state_dict(model.state_dict())
    optimiser = torch.optim.AdamW(model.parameters(), rate, weight_decay=1e-3)
    steps = math.ceil(len(numbers) / batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=steps * epochs, pct_start=0.15)
    started = time.time()
    for epoch in range(epochs):
        order, total = rng.permutation(numbers), 0.0
        for step in range(steps):
            picked = order[step * batch:(step + 1) * batch]
            samples = [training_sample(rng, frames[i], labels[i], ignores[i]) for i in picked]
            images = torch.from_numpy(np.stack([s[0] for s in samples]))
            targets = torch.from_numpy(np.stack([s[1] for s in samples])).flatten(2)
            loss = detection_loss(model(images), targets)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimiser.step()
            schedule.step()
            average_weights(averaged, model, min(0.99, 0.9 + 0.01 * epoch))
            total += loss.item()
        print(f"epoch {epoch + 1:3d}/{epochs}  loss {total / steps:.3f}"
              f"  {time.time() - started:.0f} s", flush=True)
    return averaged.eval()


@torch.no_grad()
def average_weights(averaged, model, decay):
    """Exponential moving average of weights and batch-norm statistics."""
    for old, new in zip(averaged.state_dict().values(), model.state_dict().values()):
        if old.dtype.is_floating_point:
            old.mul_(decay).add_(new, alpha=1 - decay)
        else:
            old.copy_(new)


def export(model, path):
    """Write the network as ONNX (opset 13) with a dynamic batch dimension."""
    torch.onnx.export(
        model, torch.zeros(1, 3, INPUT_H, INPUT_W), path, opset_version=13,
        input_names=["images"], output_names=["output0"],
        dynamic_axes={"images": {0: "batch"}, "output0": {0: "batch"}})


# -------------------------------------------------------------------- evaluation


def run_exported(net, inputs):
    """Output of the exported file for inputs N x 3 x 288 x 384: N x 5 x 1728."""
    net.setInput(inputs)
    return net.forward("output0")


def report_export(model, path, frames):
    """Print the file's size and how far OpenCV DNN and torch differ on it."""
    print(f"{os.path.getsize(path)} bytes, {multiply_adds(model) / 1e6:.0f} M"
          f" multiply-adds, {sum(p.numel() for p in model.parameters())} parameters")
    net = cv2.dnn.readNetFromONNX(path)
    sample = np.stack([letterbox(f) for f in frames[::max(1, len(frames) // 4)][:4]])
    for count in (1, 4):
        with torch.no_grad():
            expected = model(torch.from_numpy(sample[:count])).numpy()
        diff = np.abs(run_exported(net, sample[:count]) - expected)
        print(f"OpenCV DNN against torch, batch {count}: boxes within"
              f" {diff[:, :4].max():.1e} px, scores within {diff[:, 4].max():.1e}")


def decode(output, frame, floor, nms_iou):
    """One 5 x A output to (boxes K x 4 in frame pixels, scores K), best first."""
    scale, left, top = letterbox_scale(frame)
    cx, cy, w, h, score = output[:, output[4] >= floor]
    boxes = np.stack([cx - w / 2 - left, cy - h / 2 - top,
                      cx + w / 2 - left, cy + h / 2 - top], 1) / scale
    order, kept = np.argsort(-score, kind="stable"), []
    overlap = iou_matrix(boxes, boxes)
    for i in order:
        if not kept or overlap[i, kept].max() <= nms_iou:
            kept.append(i)
    size = [frame.shape[1], frame.shape[0]] * 2
    return np.clip(boxes[kept], 0, size), score[kept]


def match(boxes, truth, at_iou=0.5):
    """Greedy matching in score order; returns K flags, true where matched."""
    flags, free = np.zeros(len(boxes), bool), np.ones(len(truth), bool)
    overlap = iou_matrix(boxes, truth)
    for i in range(len(boxes)):
        if not free.any():
            break
        k = np.argmax(np.where(free, overlap[i], -1))
        if overlap[i, k] >= at_iou:
            flags[i], free[k] = True, False
    return flags


def average_precision(scores, flags, total):
    """Area under the interpolated precision-recall curve."""
    flags = flags[np.argsort(-scores, kind="stable")]
    hits = np.cumsum(flags)
    precision = hits / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float((precision * flags).sum() / max(total, 1))


def evaluate(net, frames, labels, numbers, nms_iou):
    """Score the exported file against the teacher on the given frames.

    Returns the number of teacher boxes, the scores of all detections and
    whether each matched a teacher box.
    """
    scores, flags, total = [], [], 0
    for i in numbers:
        output = run_exported(net, letterbox(frames[i])[None])[0]
        boxes, score = decode(output, frames[i], 0.02, nms_iou)
        scores.append(score)
        flags.append(match(boxes, labels[i]))
        total += len(labels[i])
    return total, np.concatenate(scores), np.concatenate(flags)


def print_table(name, count, total, scores, flags, recommended):
    """Print precision, recall and F1 at several score thresholds, and AP50."""
    print(f"\n{name}: {count} frames, {total} teacher boxes,"
          f" AP50 {average_precision(scores, flags, total):.3f}")
    print("  score  precision  recall     F1")
    for threshold in (0.2, 0.3, 0.4, 0.5, 0.6):
        kept = flags[scores >= threshold]
        precision, recall = kept.mean() if len(kept) else 0, kept.sum() / total
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        mark = "  <- recommended" if threshold == recommended else ""
        print(f"  {threshold:5.2f}  {precision:9.3f}  {recall:6.3f}  {f1:5.3f}{mark}")


def draw(folder, net, frames, labels, numbers, score, nms_iou):
    """Write PNGs: teacher boxes thin green, student boxes red."""
    os.makedirs(folder, exist_ok=True)
    for i in numbers:
        canvas = frames[i].copy()
        for x1, y1, x2, y2 in labels[i].round().astype(int).tolist():
            cv2.rectangle(canvas, (x1, y1), (x2, y2), (0, 255, 0), 1)
        output = run_exported(net, letterbox(frames[i])[None])[0]
        for box, value in zip(*decode(output, frames[i], score, nms_iou)):
            x1, y1, x2, y2 = box.round().astype(int).tolist()
            cv2.rectangle(canvas, (x1, y1), (x2, y2), (0, 0, 255), 1)
            cv2.putText(canvas, f"{value:.2f}", (x1, y1 - 2), 0, 0.4, (0, 0, 255), 1)
        cv2.imwrite(os.path.join(folder, f"frame-{i:04d}.png"), canvas)


def parse_arguments():
    parser = argparse.ArgumentParser(
        description="Train the demo person detector and export it to ONNX.")
    parser.add_argument("--clip", required=True, help="opencv-doc's vtest.avi")
    parser.add_argument("--out", required=True, help="ONNX file to write")
    parser.add_argument("--evaluate", action="store_true",
                        help="train nothing, only score the file named by --out")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=4e-3, help="peak learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--score", type=float, default=0.5, help="threshold of --draw")
    parser.add_argument("--iou", type=float, default=0.45, help="NMS threshold")
    parser.add_argument("--cache", help=".npz file that keeps the raw HOG windows")
    parser.add_argument("--draw", help="folder for annotated held-out frames")
    return parser.parse_args()


def main():
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    torch.use_deterministic_algorithms(True)
    frames = read_clip(args.clip)
    training, held_out = split_frames(len(frames))
    started = time.time()
    masks = foreground_masks(frames)
    labels = teacher_boxes(frames, masks, args.cache)
    ignores = [ignore_mask(m, b) for m, b in zip(masks, labels)]
    print(f"teacher: {sum(map(len, labels))} boxes in {len(frames)} frames,"
          f" {time.time() - started:.0f} s; {len(training)} frames to train on,"
          f" {len(held_out)} held out", flush=True)
    if not args.evaluate:
        model = train(frames, labels, ignores, training, args.epochs, args.batch,
                      args.rate, args.seed)
        export(model, args.out)
        report_export(model, args.out, frames[held_out])
    net = cv2.dnn.readNetFromONNX(args.out)
    for name, numbers in (("held out", held_out), ("training", training[::4])):
        result = evaluate(net, frames, labels, numbers, args.iou)
        print_table(name, len(numbers), *result, args.score)
    if args.draw:
        draw(args.draw, net, frames, labels, held_out[::10], args.score, args.iou)


if __name__ == "__main__":
    main()
