#!/usr/bin/env python3
"""Converts the ONNX models of the tests to TorchScript, for engine `torch`:

    onnx_to_torchscript.py MODEL.onnx MODEL.pt [--batch N]

It knows the operators that those models have, not all of ONNX, and says which one it lacks. The converted model is run on
other pictures than it was traced with, and compared with the graph run operator by operator, before it is written.
Needs Debian's python3-torch and python3-onnx.
"""

import argparse
import warnings

import numpy
import onnx
import onnx.numpy_helper
import torch
import torch.nn.functional as F


def numbers(value):
    """A shape, axes or the like: known while the model is traced."""
    return [int(n) for n in value.reshape(-1).tolist()]


def symmetric(pads):
    """Padding of torch's convolutions and pools, which is the same on both sides."""
    half = len(pads) // 2
    if pads[:half] != pads[half:]:
        raise NotImplementedError(f"pads {pads} differ between the sides")
    return tuple(pads[:half])


def window(attributes):
    if attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise NotImplementedError(f"auto_pad {attributes['auto_pad']}")
    return {"stride": attributes.get("strides", [1, 1]), "padding": symmetric(attributes.get("pads", [0, 0, 0, 0]))}


def conv(a, x, weight, bias=None):
    return F.conv2d(x, weight, bias, dilation=a.get("dilations", [1, 1]), groups=a.get("group", 1), **window(a))


def batch_norm(a, x, scale, shift, mean, variance):
    return F.batch_norm(x, mean, variance, scale, shift, eps=a.get("epsilon", 1e-5))


def max_pool(a, x):
    ceil = bool(a.get("ceil_mode", 0))
    return F.max_pool2d(x, a["kernel_shape"], dilation=a.get("dilations", [1, 1]), ceil_mode=ceil, **window(a))


def average_pool(a, x):
    counts = bool(a.get("count_include_pad", 0))
    ceil = bool(a.get("ceil_mode", 0))
    return F.avg_pool2d(x, a["kernel_shape"], ceil_mode=ceil, count_include_pad=counts, **window(a))


def pad(a, x, pads=None, value=None):
    if a.get("mode", b"constant") != b"constant":
        raise NotImplementedError(f"pad mode {a['mode']}")
    pads = a["pads"] if pads is None else numbers(pads)
    sides = [n for low, high in zip(pads[: x.dim()][::-1], pads[x.dim() :][::-1]) for n in (low, high)]
    return F.pad(x, sides, value=a.get("value", 0.0) if value is None else value.item()) if any(sides) else x


def reshape(a, x, shape):
    return x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(numbers(shape))])


def resize(a, x, _roi=None, scales=None, sizes=None):
    mode = a.get("mode", b"nearest").decode()
    place = a.get("coordinate_transformation_mode", b"half_pixel").decode()
    to = {"size": numbers(sizes)[2:]} if sizes is not None and sizes.numel() else {}
    to = to or {"scale_factor": [float(s) for s in scales[2:]]}
    if mode == "nearest" and place in ("asymmetric", "half_pixel"):  # the same for whole scales
        return F.interpolate(x, mode="nearest", **to)
    if mode == "linear" and place in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        return F.interpolate(x, mode="bilinear", align_corners=place == "align_corners", **to)
    raise NotImplementedError(f"Resize {mode} {place}")


def slice_(a, x, starts=None, ends=None, axes=None, steps=None):
    starts = a["starts"] if starts is None else numbers(starts)
    ends = a["ends"] if ends is None else numbers(ends)
    axes = a.get("axes", range(len(starts))) if axes is None else numbers(axes)
    steps = [1] * len(starts) if steps is None else numbers(steps)
    for start, end, axis, step in zip(starts, ends, axes, steps):
        place = [slice(None)] * x.dim()
        place[axis] = slice(start, end if end < 2**31 else None, step)
        x = x[tuple(place)]
    return x


def split(a, x, sizes=None):
    sizes = a.get("split") if sizes is None else numbers(sizes)
    axis = a.get("axis", 0)
    return torch.split(x, sizes, axis) if sizes else torch.chunk(x, a["_outputs"], axis)


def softmax(a, x):
    if "axis" in a or a["_opset"] >= 13:
        axis = a.get("axis", -1)
        if a["_opset"] >= 13 or axis in (-1, x.dim() - 1):
            return torch.softmax(x, axis)
    axis = a.get("axis", 1)  # before version 13: over all axes from this one on
    return torch.softmax(x.flatten(axis), -1).reshape(x.shape)


def gather(a, x, indices):
    axis = a.get("axis", 0)
    return x.select(axis, int(indices)) if indices.dim() == 0 else x.index_select(axis, indices)


def squeeze(a, x, axes=None):
    axes = a.get("axes") if axes is None else numbers(axes)
    for axis in sorted(axes if axes is not None else [i for i, n in enumerate(x.shape) if n == 1], reverse=True):
        x = x.squeeze(axis)
    return x


def unsqueeze(a, x, axes=None):
    for axis in sorted(a["axes"] if axes is None else numbers(axes)):
        x = x.unsqueeze(axis)
    return x


def clip(a, x, low=None, high=None):
    return torch.clamp(x, a.get("min") if low is None else low.item(), a.get("max") if high is None else high.item())


def cast(a, x):
    return x.to(torch.from_numpy(numpy.zeros(1, onnx.mapping.TENSOR_TYPE_TO_NP_TYPE[a["to"]])).dtype)


OPERATORS = {
    "Add": lambda a, x, y: x + y,
    "AveragePool": average_pool,
    "BatchNormalization": batch_norm,
    "Cast": cast,
    "Clip": clip,
    "Concat": lambda a, *parts: torch.cat(parts, a["axis"]),
    "Constant": lambda a: torch.from_numpy(onnx.numpy_helper.to_array(a["value"]).copy()),
    "Conv": conv,
    "Div": lambda a, x, y: x / y if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc"),
    "Exp": lambda a, x: torch.exp(x),
    "Flatten": lambda a, x: x.flatten(a.get("axis", 1)),
    "Gather": gather,
    "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdim=True),
    "HardSigmoid": lambda a, x: torch.clamp(a.get("alpha", 0.2) * x + a.get("beta", 0.5), 0, 1),
    "HardSwish": lambda a, x: F.hardswish(x),
    "Identity": lambda a, x: x,
    "LeakyRelu": lambda a, x: F.leaky_relu(x, a.get("alpha", 0.01)),
    "MaxPool": max_pool,
    "Mul": lambda a, x, y: x * y,
    "Pad": pad,
    "Relu": lambda a, x: torch.relu(x),
    "Reshape": reshape,
    "Resize": resize,
    "Shape": lambda a, x: torch.tensor([int(n) for n in x.shape]),
    "Sigmoid": lambda a, x: torch.sigmoid(x),
    "Slice": slice_,
    "Softmax": softmax,
    "Split": split,
    "Squeeze": squeeze,
    "Sub": lambda a, x, y: x - y,
    "Tanh": lambda a, x: torch.tanh(x),
    "Transpose": lambda a, x: x.permute(a["perm"]),
    "Unsqueeze": unsqueeze,
}


class Graph(torch.nn.Module):
    """Runs an ONNX graph operator by operator. Numbers of floating point are parameters, so that `half()` reaches them."""

    def __init__(self, model):
        super().__init__()
        graph = model.graph
        self.names = {}
        self.shapes = {}
        for number, tensor in enumerate(graph.initializer):
            value = torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy())
            if value.is_floating_point():
                self.names[tensor.name] = f"w{number}"
                self.register_parameter(f"w{number}", torch.nn.Parameter(value, requires_grad=False))
            else:
                self.shapes[tensor.name] = value
        self.input, *others = [i for i in graph.input if i.name not in self.names and i.name not in self.shapes]
        if others:
            raise NotImplementedError(f"more than one input: {[i.name for i in others]}")
        self.outputs = [o.name for o in graph.output]
        opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
        self.steps = []
        for node in graph.node:
            if node.op_type not in OPERATORS:
                raise NotImplementedError(f"operator {node.op_type} (node {node.name or node.output[0]})")
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            attributes.update(_opset=opset, _outputs=len(node.output))
            self.steps.append((OPERATORS[node.op_type], attributes, list(node.input), list(node.output)))

    def forward(self, images):
        values = {"": None, self.input.name: images, **self.shapes}
        values.update((name, getattr(self, own)) for name, own in self.names.items())
        for operator, attributes, inputs, outputs in self.steps:
            made = operator(attributes, *(values[i] for i in inputs))
            values.update(zip(outputs, made if isinstance(made, (tuple, list)) else [made]))
        made = {name: values[name] for name in self.outputs}
        return made if len(made) > 1 else made.popitem()[1]  # only a dictionary keeps names


def tensors(made):
    return list(made.values()) if isinstance(made, dict) else [made]


def convert(source, target, batch=1):
    """Writes the TorchScript of an ONNX model; returns the largest difference seen in the check of it."""
    graph = Graph(onnx.load(str(source))).eval()
    extents = [d.dim_value for d in graph.input.type.tensor_type.shape.dim]
    open_batch = extents[0] == 0
    torch.manual_seed(1)
    images = lambda n: torch.rand([n, *extents[1:]])
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # shapes are known, that is the point
        example = images(batch if open_batch else extents[0])
        traced = torch.jit.trace(graph, example, check_trace=False, strict=False)
        worst = 0.0
        for n in (1, 3) if open_batch else (extents[0],):
            pictures = images(n)
            for ours, theirs in zip(tensors(traced(pictures)), tensors(graph(pictures))):
                torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
                worst = max(worst, (ours - theirs).abs().max().item())
    traced.save(str(target))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--batch", type=int, default=1, help="items traced with, where the model leaves them open")
    args = parser.parse_args()
    worst = convert(args.source, args.target, args.batch)
    print(f"{args.target}: largest difference from the graph {worst:.2g}")


if __name__ == "__main__":
    main()
