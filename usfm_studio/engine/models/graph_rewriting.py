"""The same graph with less work in it; every rule is exact up to rounding."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from usfm_studio.engine.models.onnx_format import Graph, Node

Kernels = NDArray[np.float32]


def simplified(graph: Graph) -> Graph:
    """Padding goes into the convolution after it; enlarging goes into the 3x3 convolution after it."""
    graph = _with_padding_inside(graph)
    graph = _with_enlarging_inside(graph)
    return _without_the_unused(graph)


def _with_padding_inside(graph: Graph) -> Graph:
    """Zeros around an image, then a convolution without padding: the same as a convolution with it."""
    made = {node.output: node for node in graph.nodes}
    nodes = []
    for node in graph.nodes:
        before = made.get(node.inputs[0])
        if node.op == "Conv" and before is not None and before.op == "Pad" and not any(_ints(node, "pads")):
            amounts = graph.constants[before.inputs[1]].tolist()
            beginnings, ends = amounts[: len(amounts) // 2], amounts[len(amounts) // 2 :]
            if len(beginnings) == 4 and not any([*beginnings[:2], *ends[:2]]):
                attributes = {**node.attributes, "pads": [*beginnings[2:], *ends[2:]]}
                node = replace(node, inputs=(before.inputs[0], *node.inputs[1:]), attributes=attributes)
        nodes.append(node)
    return replace(graph, nodes=nodes)


def _with_enlarging_inside(graph: Graph) -> Graph:
    """conv3x3(join(enlarged y, skip)) = transposed conv4x4(y) + conv3x3(skip): 4 products a cell of y in place of 9.

    Every cell of y stands in 2x2 places, so that a 3x3 kernel meets only 2x2 different ones; which, and with which sums
    of its entries, depends on the place's row and column being even or odd.
    """
    made = {node.output: node for node in graph.nodes}
    constants, nodes = dict(graph.constants), []
    for node in graph.nodes:
        joined = made.get(node.inputs[0])
        enlarged = made.get(joined.inputs[0]) if joined is not None else None
        if joined is None or enlarged is None or not _is_joining(graph, node, joined, enlarged):
            nodes.append(node)
            continue
        kernels = constants[node.inputs[1]].astype(np.float32)
        wide = graph.channels[enlarged.inputs[0]]
        up, skip = (f"{node.output}_{part}" for part in ("up", "skip"))
        constants[f"{up}_w"] = enlarging_kernels(kernels[:, :wide])
        constants[f"{skip}_w"] = np.ascontiguousarray(kernels[:, wide:])
        twice = {"strides": [2, 2], "pads": [1, 1, 1, 1]}
        nodes += [
            Node("ConvTranspose", (enlarged.inputs[0], f"{up}_w"), up, twice),
            Node("Conv", (joined.inputs[1], f"{skip}_w", *node.inputs[2:]), skip, node.attributes),
            Node("Add", (up, skip), node.output),
        ]
    return replace(graph, nodes=nodes, constants=constants)


def enlarging_kernels(kernels_OIhw: Kernels) -> Kernels:
    """3x3 kernels on an image enlarged twice (nearest) -> (I, O, 4, 4), transposed, stride 2, padding 1.

    Per axis, with weights a, b, c: even places see a on the cell before and b + c on their own, odd ones a + b on
    their own and c on the next. Entry p of a transposed kernel is what a cell gives to place 2 i + p - 1, so that
    it reads c, b + c, a + b, a.
    """
    sums = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], np.float32)
    return np.ascontiguousarray(np.einsum("ph,qw,oihw->iopq", sums, sums, kernels_OIhw).astype(np.float32))


def _is_joining(graph: Graph, node: Node, joined: Node, enlarged: Node) -> bool:
    uses = Counter(name for each in graph.nodes for name in each.inputs)
    return (
        (node.op, joined.op, enlarged.op) == ("Conv", "Concat", "Resize")
        and node.inputs[1] in graph.constants
        and graph.constants[node.inputs[1]].shape[2:] == (3, 3)
        and _ints(node, "pads") == [1, 1, 1, 1]
        and _ints(node, "strides") == [1, 1]
        and _ints(node, "dilations") == [1, 1]
        and node.attributes["group"] == 1
        and len(joined.inputs) == 2
        and joined.attributes["axis"] == 1
        and uses[joined.output] == uses[enlarged.output] == 1
        and not {joined.output, enlarged.output} & graph.outputs.keys()
        and graph.constants[enlarged.inputs[2]].tolist() == [1, 1, 2, 2]
    )


def _ints(node: Node, name: str) -> list[int]:
    value = node.attributes[name]
    return list(value) if isinstance(value, list | tuple) else []


def _without_the_unused(graph: Graph) -> Graph:
    """Drop what no output depends on."""
    wanted, nodes = set(graph.outputs), []
    for node in reversed(graph.nodes):
        if node.output in wanted:
            wanted.update(node.inputs)
            nodes.append(node)
    constants = {name: array for name, array in graph.constants.items() if name in wanted}
    return replace(graph, nodes=nodes[::-1], constants=constants)
