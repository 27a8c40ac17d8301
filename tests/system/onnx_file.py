"""Writes small ONNX models byte by byte (protobuf wire format), so that tests need no package for it.

Field numbers are those of onnx.proto3 (ONNX 1.10).
"""

import struct

FLOAT, INT64 = 1, 7


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def floats(name, shape, values):
    """A constant; `values` has one number for each element."""
    data = b"".join(field(1, n) for n in shape) + field(2, FLOAT) + field(8, name)
    return data + field(9, struct.pack(f"<{len(values)}f", *values))


def ints(name, values):
    return field(1, len(values)) + field(2, INT64) + field(8, name) + field(9, struct.pack(f"<{len(values)}q", *values))


def node(kind, inputs, outputs, **attributes):
    """Attributes are whole numbers or lists of them."""
    data = b"".join(field(1, i) for i in inputs) + b"".join(field(2, o) for o in outputs) + field(4, kind)
    for name, value in attributes.items():
        many = isinstance(value, list)
        content = b"".join(field(8, v) for v in value) if many else field(3, value)
        data += field(5, field(1, name) + content + field(20, 7 if many else 2))
    return data


def value(name, shape):
    """Input or output of f32; a text instead of a size leaves it open."""
    sizes = b"".join(field(1, field(2 if isinstance(n, str) else 1, n)) for n in shape)
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, sizes)))


def model(inputs, outputs, nodes, constants=()):
    graph = b"".join(field(1, n) for n in nodes) + field(2, "test") + b"".join(field(5, c) for c in constants)
    graph += b"".join(field(11, i) for i in inputs) + b"".join(field(12, o) for o in outputs)
    return field(1, 8) + field(8, field(1, "") + field(2, 13)) + field(7, graph)
