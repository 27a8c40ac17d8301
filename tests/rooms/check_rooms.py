#!/usr/bin/env python3
"""Checks the rooms: arrows between folders go down only, and each third-party library stays in the folder that owns it.

Usage: check_rooms.py ROOT. Prints every violation as FILE:LINE: message; exit status 1 if there is any.
"""
import pathlib
import re
import sys

# room: rooms it may include (the layers of docs/architecture.md)
LAYERS = {
    "core": [],
    "dispatch": ["core"],
    "tracking": ["core"],
    "kernels": ["core"],
    "metrics": ["core"],
    "topology": ["core", "dispatch", "kernels"],
    "media": ["core"],
    "inference": ["core", "kernels"],
    "transport": ["core"],
    "jobs": ["core", "topology"],
    "scaling": ["core", "dispatch", "metrics", "topology", "jobs"],
    "actors": ["core", "dispatch", "tracking", "kernels", "metrics", "topology", "media", "inference", "transport", "jobs"],
    "gateway": ["core", "metrics"],
    "front": [
        "core", "dispatch", "tracking", "kernels", "metrics", "topology", "media", "inference", "transport", "jobs",
        "actors", "gateway",
    ],
    "cli": [
        "core", "dispatch", "tracking", "kernels", "metrics", "topology", "media", "inference", "transport", "jobs",
        "actors", "gateway", "front", "scaling",
    ],
}

# library: how its headers begin, and the rooms that own it
LIBRARIES = {
    "CAF": (r"caf/", ["actors"]),
    "OpenCV": (r"opencv2/", ["media", "inference"]),
    "FFmpeg": (r"lib(av|sw)\w+/", ["media"]),
    "Highway": (r"hwy/", ["kernels"]),
    "CUDA": (r"(cuda_|cub/|thrust/|cooperative_groups)", ["kernels", "inference"]),
    "ONNX Runtime": (r"onnxruntime_", ["inference"]),
    "ZeroMQ": (r"zmq", ["transport"]),
    "msgpack-c": (r"msgpack", ["transport"]),
    "yaml-cpp": (r"yaml-cpp/", ["topology"]),
    "prometheus-cpp": (r"prometheus/", ["metrics"]),
    "civetweb": (r"civetweb|CivetServer", ["metrics"]),
    "CLI11": (r"CLI/", ["cli"]),
    "SQLite": (r"sqlite3", ["jobs"]),
    "cnats": (r"nats(/nats)?\.h", ["jobs"]),
    "libcurl": (r"curl/", ["jobs", "cli"]),
    "Boost": (r"boost/", ["gateway"]),
    "OpenSSL": (r"openssl/", ["gateway"]),
}

# vocabulary libraries of the whole house; core and dispatch know only the standard library and tl::expected
VOCABULARY = re.compile(r"(fmt|spdlog|nlohmann)/")

# owners whose own public headers may show the library (the actor handles are the interface of actors/)
SHOWN = {"CAF": ["actors"], "CLI11": ["cli"]}

SOURCES = {".hpp", ".cpp", ".cu", ".cuh", ".inl"}
INCLUDE = re.compile(r'\s*#\s*include\s*(["<])([^">]+)[">]')


def violations_of(root: pathlib.Path, path: pathlib.Path):
    room = path.relative_to(root).parts[0]
    is_public_header = path.suffix == ".hpp" and path.parent == root / room
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        quote, target = found.groups()
        first = target.split("/")[0]
        if quote == '"' and first in LAYERS and first != room and first not in LAYERS[room]:
            yield number, f"{room} must not know {first}"
        if quote == '"' and "/" not in target:
            yield number, f'write "{target}" with its folder'
        for library, (pattern, owners) in LIBRARIES.items():
            if not re.match(pattern, target):
                continue
            if room not in owners:
                yield number, f"{library} belongs to {', '.join(owners)}"
            elif is_public_header and room not in SHOWN.get(library, []):
                yield number, f"{library} must not show in a public header of {room}"
        if room in ("core", "dispatch") and VOCABULARY.match(target):
            yield number, f"{room} owns nothing but the standard library"


def main() -> int:
    root = pathlib.Path(sys.argv[1]).resolve()
    files = [f for room in LAYERS for f in sorted((root / room).rglob("*")) if f.suffix in SOURCES]
    if not files:
        print(f"no sources under {root}")
        return 1
    bad = 0
    for path in files:
        for number, message in violations_of(root, path):
            print(f"{path.relative_to(root)}:{number}: {message}")
            bad += 1
    print(f"{len(files)} files, {bad} violations")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
