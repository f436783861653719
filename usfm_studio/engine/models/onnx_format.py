"""Networks as ONNX bytes, written by hand: a graph of nodes, its constants, its inputs and outputs.

ONNX is a protocol buffer. The numbers below are those of the fields in `onnx.proto3` (https://onnx.ai, Apache-2.0);
written here because the `onnx` package would weigh 30 MB for this one page.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

OPSET, IR_VERSION = 17, 8
"""Operators as of ONNX 1.12 (2022); the format's own version that goes with them."""

Attribute = int | float | str | Sequence[int]
Array = NDArray[np.float32] | NDArray[np.int64]
Sizes = tuple[int | None, ...]
"""None: any size."""

_VARINT, _BYTES, _FOUR_BYTES = 0, 2, 5
_MODEL = {"ir_version": 1, "producer_name": 2, "graph": 7, "opset_import": 8}
_GRAPH = {"node": 1, "name": 2, "initializer": 5, "input": 11, "output": 12}
_NODE = {"input": 1, "output": 2, "op_type": 4, "attribute": 5}
_ATTRIBUTE = {"name": 1, "f": 2, "i": 3, "s": 4, "ints": 8, "type": 20}
_TENSOR = {"dims": 1, "data_type": 2, "name": 8, "raw_data": 9}
_TYPES = {"f": 1, "i": 2, "s": 3, "ints": 7}
_ELEMENTS = {"float32": 1, "int64": 7}


@dataclass(frozen=True, slots=True)
class Node:
    """One operation: `op` is ONNX's name of it; values are known by name, an input left out is ""."""

    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(slots=True)
class Graph:
    """Nodes in an order in which they can be computed. Inputs and outputs say which sizes are fixed."""

    inputs: dict[str, Sizes] = field(default_factory=dict)
    outputs: dict[str, Sizes] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    channels: dict[str, int] = field(default_factory=dict)
    """Of every value with a channel axis; not written to a file."""

    def to_bytes(self) -> bytes:
        """The content of an .onnx file. Constants must be float32 or int64. Raises ValueError."""
        parts = [_message(_GRAPH["node"], _node(node)) for node in self.nodes]
        parts.append(_text(_GRAPH["name"], "network"))
        parts += [_message(_GRAPH["initializer"], _tensor(name, array)) for name, array in self.constants.items()]
        parts += [_message(_GRAPH["input"], _value(name, sizes)) for name, sizes in self.inputs.items()]
        parts += [_message(_GRAPH["output"], _value(name, sizes)) for name, sizes in self.outputs.items()]
        return b"".join(
            (
                _integer(_MODEL["ir_version"], IR_VERSION),
                _text(_MODEL["producer_name"], "usfm-studio"),
                _message(_MODEL["graph"], b"".join(parts)),
                _message(_MODEL["opset_import"], _integer(2, OPSET)),  # field 1, the domain, is left empty
            )
        )


def _node(node: Node) -> bytes:
    parts = [_text(_NODE["input"], name) for name in node.inputs]
    parts += [_text(_NODE["output"], node.output), _text(_NODE["op_type"], node.op)]
    parts += [_message(_NODE["attribute"], _attribute(name, value)) for name, value in node.attributes.items()]
    return b"".join(parts)


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, str):
        kind, said = "s", _text(_ATTRIBUTE["s"], value)
    elif isinstance(value, float):
        kind, said = "f", _varint(_ATTRIBUTE["f"] << 3 | _FOUR_BYTES) + struct.pack("<f", value)
    elif isinstance(value, int):
        kind, said = "i", _integer(_ATTRIBUTE["i"], value)
    else:
        kind, said = "ints", b"".join(_integer(_ATTRIBUTE["ints"], each) for each in value)
    return _text(_ATTRIBUTE["name"], name) + said + _integer(_ATTRIBUTE["type"], _TYPES[kind])


def _tensor(name: str, array: Array) -> bytes:
    if array.dtype.name not in _ELEMENTS:
        raise ValueError(f"{name} is {array.dtype.name}")
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    return b"".join(
        (
            *(_integer(_TENSOR["dims"], size) for size in array.shape),
            _integer(_TENSOR["data_type"], _ELEMENTS[array.dtype.name]),
            _text(_TENSOR["name"], name),
            _message(_TENSOR["raw_data"], little.tobytes()),
        )
    )


def _value(name: str, sizes: Sizes) -> bytes:
    """ValueInfoProto: a float tensor; each free size under a name of its own (fields 1 and 2: value, name)."""
    named = (_text(2, f"{name}_{axis}") if n is None else _integer(1, n) for axis, n in enumerate(sizes))
    shape = b"".join(_message(1, one) for one in named)
    kind = _integer(1, _ELEMENTS["float32"]) + _message(2, shape)
    return _text(1, name) + _message(2, _message(1, kind))


def _integer(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value & 0xFFFF_FFFF_FFFF_FFFF)


def _text(number: int, value: str) -> bytes:
    return _message(number, value.encode())


def _message(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Seven bits a byte, lowest first; the top bit says that more follow."""
    said = bytearray()
    while value > 0x7F:
        said.append(value & 0x7F | 0x80)
        value >>= 7
    said.append(value)
    return bytes(said)
