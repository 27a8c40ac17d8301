#!/usr/bin/env python3
"""Times what Penstock's fused preprocessing does, 1080p NV12 → 640×640 letterbox RGB f16, done by torch and torchvision
operators. Prints JSON; needs torch, and torchvision for one of the ways. `--check FOLDER` compares each way with the
frame and tensor that `bench_gpu --dump FOLDER` wrote. Without `--device cuda` it only tries its logic.

Ways:
- picture: the usual one. Full-size RGB pictures first (chroma repeated), then resize, pad, normalise.
- torchvision: the same, with torchvision's resize and pad.
- planes: what a careful author writes. Y and UV are resized first, as Penstock does, and only 640×360 is converted.
- compiled …: the same through torch.compile.
"""
import argparse
import json
import pathlib
import statistics
import sys
import time

import torch
import torch.nn.functional as F

try:
    from torchvision.transforms.v2 import functional as V
except ImportError:
    V = None

WIDTH, HEIGHT, SIDE, PAD = 1920, 1080, 640, 114.0
# BT.709, limited range, as the benchmark's frames say.
LUMA, RED_V, GREEN_U, GREEN_V, BLUE_U = 255 / 219, 1.5748, -0.187324, -0.468124, 1.8556


def planes_of(frames):
    """[n, 1620, 1920] u8 into Y [n, 1, 1080, 1920] and UV [n, 2, 540, 960], without a copy."""
    y = frames[:, None, :HEIGHT]
    uv = frames[:, HEIGHT:].unflatten(2, (WIDTH // 2, 2)).permute(0, 3, 1, 2)
    return y, uv


def to_rgb(y, uv, dtype):
    y = (y.to(dtype) - 16) * LUMA
    u, v = ((uv.to(dtype) - 128) * (255 / 224)).unbind(1)
    y = y[:, 0]
    rgb = torch.stack((y + RED_V * v, y + GREEN_U * u + GREEN_V * v, y + BLUE_U * u), 1)
    return rgb.clamp_(0, 255)


def fitted():
    scale = min(SIDE / WIDTH, SIDE / HEIGHT)
    width, height = round(WIDTH * scale), round(HEIGHT * scale)
    left, top = (SIDE - width) // 2, (SIDE - height) // 2
    return width, height, (left, SIDE - width - left, top, SIDE - height - top)


def resize(x, width, height):
    return F.interpolate(x, (height, width), mode="bilinear", align_corners=False, antialias=False)


def picture(frames, dtype):
    width, height, border = fitted()
    y, uv = planes_of(frames)
    uv = uv.repeat_interleave(2, 2).repeat_interleave(2, 3)
    rgb = resize(to_rgb(y, uv, dtype), width, height)
    return (F.pad(rgb, border, value=PAD) * (1 / 255)).half()


def torchvision(frames, dtype):
    width, height, (left, right, top, bottom) = fitted()
    y, uv = planes_of(frames)
    uv = uv.repeat_interleave(2, 2).repeat_interleave(2, 3)
    rgb = V.resize(to_rgb(y, uv, dtype), [height, width], antialias=False)
    rgb = V.pad(rgb, [left, top, right, bottom], fill=PAD)
    return V.normalize(rgb, [0.0] * 3, [255.0] * 3).half()


def planes(frames, dtype):
    width, height, border = fitted()
    y, uv = planes_of(frames)
    rgb = to_rgb(resize(y.to(dtype), width, height), resize(uv.to(dtype), width, height), dtype)
    return (F.pad(rgb, border, value=PAD) * (1 / 255)).half()


def ways(compiled: bool) -> tuple[dict, dict]:
    """Name → function, and name → why it is missing."""
    all_ways, missing = {"picture": picture, "planes": planes}, {}
    if V is not None:
        all_ways["torchvision"] = torchvision
    else:
        missing["torchvision"] = "torchvision is not installed"
    if not compiled:
        return all_ways, missing
    if hasattr(torch, "compile"):
        for name, way in list(all_ways.items()):
            all_ways[f"compiled {name}"] = torch.compile(way, dynamic=False)
    else:
        missing["compiled"] = f"torch {torch.__version__} has no torch.compile"
    return all_ways, missing


def seconds_of(call, device, sets: int, repeats: int) -> list[float]:
    """Seconds of one call in each repeat; a repeat takes every input once. On a GPU timed by events."""
    times = []
    for repeat in range(repeats + 3):
        if device.type == "cuda":
            begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            begin.record()
            for i in range(sets):
                call(i)
            end.record()
            end.synchronize()
            passed = begin.elapsed_time(end) / 1e3
        else:
            start = time.perf_counter()
            for i in range(sets):
                call(i)
            passed = time.perf_counter() - start
        if repeat >= 3:  # the first ones warm up (torch.compile: compile)
            times.append(passed / sets)
    return times


def compare(way, dtype, folder: pathlib.Path, device) -> dict:
    raw = torch.frombuffer(bytearray((folder / "frame.nv12").read_bytes()), dtype=torch.uint8)
    frame = raw.reshape(1, HEIGHT * 3 // 2, WIDTH).to(device)
    wanted = torch.frombuffer(bytearray((folder / "tensor.f16").read_bytes()), dtype=torch.float16).reshape(3, SIDE, SIDE)
    found = way(frame, dtype)[0].float().cpu()
    apart = (found - wanted.float()).abs() * 255
    return {"mean_difference": float(apart.mean()), "most_difference": float(apart.max())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--sets", type=int, default=2, help="inputs that take turns")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--check", type=pathlib.Path)
    parser.add_argument("--only", help="one of the ways")
    parser.add_argument("--no-compile", action="store_true")
    options = parser.parse_args()
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit(f"torch_preprocess.py: torch {torch.__version__} sees no CUDA device: nothing was measured")
    on_gpu = device.type == "cuda"
    torch.manual_seed(7)
    shape = (options.images, HEIGHT * 3 // 2, WIDTH)
    frames = [torch.randint(0, 256, shape, dtype=torch.uint8, device=device) for _ in range(options.sets)]
    available, missing = ways(on_gpu and not options.no_compile)
    rows = []
    with torch.inference_mode():
        for name, way in available.items():
            if options.only and name != options.only:
                continue
            # Halves are what a GPU does fastest; where the CPU has no such operators, floats try the logic.
            for dtype in (torch.float16, torch.float32) if on_gpu else (torch.float32,):
                try:
                    row = {"way": name, "inside": str(dtype).removeprefix("torch.")}
                    if options.check:
                        row |= compare(way, dtype, options.check, device)
                    times = seconds_of(lambda i: way(frames[i], dtype), device, options.sets, options.repeats)
                except Exception as e:  # torch.compile fails in many ways; the others still count
                    missing[f"{name} {dtype}"] = f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}"
                    continue
                row |= {"us": statistics.median(times) * 1e6, "repeats": len(times)}
                rows.append(row)
    print(json.dumps({"measurement": on_gpu, "torch": torch.__version__, "device": str(device),
                      "images": options.images, "ways": rows, "missing": missing}))


if __name__ == "__main__":
    main()
