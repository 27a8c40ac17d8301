"""Frames that say who they are, and a model that reads it.

The code is that of the program's synthetic streams: 8 x 8 black and white cells in the top left corner, each a 32nd of
the width and a 24th of the height: 16 bits of stream number, 32 of frame number, 16 of CRC-16/CCITT-FALSE. With
pictures of 4:3 stretched to the model's 32 x 24, every cell is one pixel, and the model answers with one object for
each white cell. So each line of results proves which frame it belongs to.
"""

import subprocess

import onnx_file as onnx

CELLS = 8
WIDTH, HEIGHT = 32, 24  # of the model's input
STAGES = {
    "preprocess": {"fit": "stretch", "filter": "area", "color": "rgb", "mean": 0, "scale": "1/255"},
    "postprocess": {"head": "yolov8", "score": 0.5, "iou": 0.45},
}


def checksum(payload):
    crc = 0xFFFF
    for i in range(47, -1, -1):
        feed = (crc >> 15 ^ payload >> i) & 1
        crc = crc << 1 & 0xFFFF ^ (0x1021 if feed else 0)
    return crc


def code_of(stream, frame):
    payload = stream << 32 | frame
    return payload << 16 | checksum(payload)


def read_code(bits):
    """(stream, frame) of 64 bits; None where the checksum is wrong."""
    payload = bits >> 16
    return (payload >> 32, payload & 0xFFFFFFFF) if checksum(payload) == bits & 0xFFFF else None


def draw(width, height, stream, frame):
    """One frame of 8-bit grey in limited range, as bytes; a pattern moves behind the code."""
    cell_w, cell_h = width // WIDTH, height // HEIGHT
    ramp = bytes(60 + abs((x + 3 * frame) % 128 - 64) for x in range(width + 128))
    code = code_of(stream, frame)
    rows = []
    for cell_row in range(CELLS):
        bits = code >> (CELLS * (CELLS - 1 - cell_row)) & 0xFF
        cells = b"".join(bytes([235 if bits >> (CELLS - 1 - i) & 1 else 16]) * cell_w for i in range(CELLS))
        rows += [cells + ramp[y : y + width - len(cells)] for y in range(cell_h)]
    rows += [ramp[y % 128 : y % 128 + width] for y in range(CELLS * cell_h, height)]
    return b"".join(rows)


def read_picture(grey, width, height):
    """(stream, frame) of a decoded grey picture of full range; None where nothing can be read."""
    cell_w, cell_h = width // WIDTH, height // HEIGHT
    bits = 0
    for i in range(CELLS * CELLS):
        top, left = i // CELLS * cell_h, i % CELLS * cell_w
        middle = [grey[(top + cell_h // 2 + dy) * width + left + cell_w // 2 + dx] for dy in (-1, 0) for dx in (-1, 0)]
        bits = bits << 1 | (sum(middle) > 4 * 127)
    return read_code(bits)


def box_of(bit):
    """Centre and size of the object that stands for a bit, in the model's pixels: outside of the code itself."""
    return 13 + bit % CELLS * 2.25, 13 + bit // CELLS * 1.25, 2, 1


def read_objects(line):
    """(stream, frame) as the objects of a line of results say; None where they make no code."""
    bits = 0
    for found in line["objects"]:
        x, y, w, h = found["box"]
        column = ((x + w / 2) * WIDTH / line["width"] - 13) / 2.25
        row = ((y + h / 2) * HEIGHT / line["height"] - 13) / 1.25
        if abs(column - round(column)) > 0.05 or abs(row - round(row)) > 0.05:
            return None
        bits |= 1 << (CELLS * CELLS - 1 - round(row) * CELLS - round(column))
    return read_code(bits)


def write_model(path, batch="n", slow=0, fails_on_odd=False):
    """The reading model; takes batches of any size, or of `batch`. `slow`: channels of a useless convolution (1024
    cost about 30 ms a picture on one core). `fails_on_odd`: running it is an error where a frame number is odd."""
    bits = CELLS * CELLS
    boxes = [box_of(i)[k] for k in range(4) for i in range(bits)]
    nodes = [
        onnx.node("Slice", ["images", "from", "to", "axes"], ["cells"]),
        onnx.node("Reshape", ["cells", "flat"], ["read"]),
        onnx.node("Mul", ["read", "zero"], ["nothing"]),
        onnx.node("Add", ["nothing", "grid"], ["boxes"]),
    ]
    constants = [
        onnx.ints("from", [1, 0, 0]),
        onnx.ints("to", [2, CELLS, CELLS]),
        onnx.ints("axes", [1, 2, 3]),
        onnx.ints("flat", [0, 1, bits]),
        onnx.floats("zero", [1], [0]),
        onnx.floats("grid", [1, 4, bits], boxes),
    ]
    scores = "read"
    if slow:
        nodes += [
            onnx.node("Conv", ["images", "widen"], ["wide"], kernel_shape=[1, 1]),
            onnx.node("Conv", ["wide", "mix"], ["mixed"], kernel_shape=[1, 1]),
            onnx.node("ReduceMax", ["mixed"], ["most"], axes=[1, 2, 3], keepdims=1),
            onnx.node("Reshape", ["most", "one"], ["less"]),
            onnx.node("Mul", ["less", "zero"], ["none"]),
            onnx.node("Add", ["read", "none"], ["scores"]),
        ]
        constants += [
            onnx.floats("widen", [slow, 3, 1, 1], [0.001] * (3 * slow)),
            onnx.floats("mix", [slow, slow, 1, 1], [0.001] * (slow * slow)),
            onnx.ints("one", [0, 1, 1]),
        ]
        scores = "scores"
    if fails_on_odd:
        nodes += [
            onnx.node("Gather", ["read", "lowest"], ["odd"], axis=2),
            onnx.node("Add", ["odd", "half"], ["rounding"]),
            onnx.node("Cast", ["rounding"], ["index"], to=onnx.INT64),
            onnx.node("Gather", ["zero", "index"], ["no such element"]),
            onnx.node("Add", ["read", "no such element"], ["checked"]),
        ]
        constants += [onnx.ints("lowest", [47]), onnx.floats("half", [1], [0.5])]
        scores = "checked"
    nodes.append(onnx.node("Concat", ["boxes", scores], ["objects"], axis=1))
    images, objects = onnx.value("images", [batch, 3, HEIGHT, WIDTH]), onnx.value("objects", [batch, 5, bits])
    path.write_bytes(onnx.model([images], [objects], nodes, constants))
    return path


def write_clip(path, frames, *encoding, size=(256, 192), fps=25, stream=0, first=0, before=()):
    """Encodes frames with codes by ffmpeg: `encoding` are its output options, `before` further input ones."""
    width, height = size
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "gray"]
    command += ["-color_range", "tv", "-s", f"{width}x{height}", "-r", str(fps), "-i", "-", *before]
    command += ["-pix_fmt", "yuv420p", "-threads", "2", *encoding, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as ffmpeg:
        for i in range(first, first + frames):
            ffmpeg.stdin.write(draw(width, height, stream, i))
        ffmpeg.stdin.close()
    if ffmpeg.returncode != 0:
        raise RuntimeError(f"ffmpeg failed: {' '.join(command)}")
    return path
