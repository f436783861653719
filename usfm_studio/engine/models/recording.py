"""What a network does, written down while it does it: one run over a small example gives its graph.

Only what our convolutional networks use is known here. Anything else raises `CannotRecord`, and the network is run as
it is. Sizes are never written down, so a graph serves every input size; a reshape, which would need them, is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from usfm_studio.engine.models.onnx_format import Attribute, Graph, Node, Sizes


class CannotRecord(Exception):
    """The network does something that has no counterpart here."""


@torch.inference_mode()
def recorded(network: Callable[..., Sequence[Tensor]], examples: Sequence[Tensor]) -> Graph:
    """The graph of what `network` computes from `examples` (float32, (B, C, H, W)), of any B, H and W.

    Inputs are called in0, in1, ..., outputs are those that `network` returns, in order. Parameters and what follows
    from them alone become constants. Raises CannotRecord.
    """
    recorder = _Recorder()
    for i, example in enumerate(examples):
        recorder.graph.inputs[f"in{i}"] = _sizes(example)
        recorder.hold(example, f"in{i}")
    with recorder:
        results = network(*examples)
    recorder.graph.outputs = {recorder.name_of(result): _sizes(result) for result in results}
    if len({*recorder.graph.outputs, *recorder.graph.inputs}) < len(results) + len(examples):
        raise CannotRecord("a result is given twice, or is an input")
    return recorder.graph


def _sizes(tensor: Tensor) -> Sizes:
    """Channels are fixed; the batch, rows and columns are free."""
    return tuple(size if axis == 1 else None for axis, size in enumerate(tensor.shape))


class _Recorder(TorchFunctionMode):
    """Stands between a network and torch; every call of a tensor function passes here."""

    def __init__(self) -> None:
        super().__init__()
        self.graph = Graph()
        self._names: dict[int, str] = {}
        self._held: list[Tensor] = []
        """Every tensor seen, kept alive: an id is told apart from others only as long as its owner lives."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Compute, and write it down if it depends on an input."""
        kwargs = dict(kwargs or {})
        result = func(*args, **kwargs)
        if self._depends([*args, *kwargs.values()]) and _has_tensor(result):
            name = getattr(func, "__name__", str(func))
            if name not in _KNOWN:
                raise CannotRecord(f"{name} is not known")
            try:
                _KNOWN[name](self, result, *args, **kwargs)
            except TypeError as error:
                raise CannotRecord(f"{name} is called in a way that is not known: {error}") from error
        return result

    def hold(self, tensor: Tensor, name: str) -> None:
        """From now on this tensor is known by this name."""
        self._names[id(tensor)] = name
        self._held.append(tensor)
        if tensor.ndim > 1:
            self.graph.channels[name] = tensor.shape[1]

    def name_of(self, value: Tensor | float) -> str:
        """The value's name; what was not computed from an input becomes a constant."""
        if isinstance(value, Tensor) and id(value) in self._names:
            return self._names[id(value)]
        if isinstance(value, Tensor) and value.dtype != torch.float32:
            raise CannotRecord(f"a constant is {value.dtype}")
        name = f"c{len(self.graph.constants)}"
        if isinstance(value, Tensor):
            self.graph.constants[name] = np.array(value.detach().numpy(), np.float32)
            self.hold(value, name)
        else:
            self.graph.constants[name] = np.array(value, np.float32)
        return name

    def constant(self, values: Sequence[float] | float, kind: type) -> str:
        """The name of a new constant."""
        name = f"c{len(self.graph.constants)}"
        self.graph.constants[name] = np.array(values, kind)
        return name

    def node(self, result: Tensor, op: str, *inputs: str, **attributes: Attribute) -> None:
        """Write an operation down, whose outcome was `result`."""
        name = f"v{len(self.graph.nodes)}"
        self.graph.nodes.append(Node(op, inputs, name, attributes))
        self.hold(result, name)

    def _depends(self, values: Sequence[Any]) -> bool:
        flat = [one for value in values for one in (value if isinstance(value, list | tuple) else [value])]
        return any(isinstance(one, Tensor) and not self._is_constant(one) for one in flat)

    def _is_constant(self, tensor: Tensor) -> bool:
        return self._names.get(id(tensor), "c").startswith("c")


def _has_tensor(result: Any) -> bool:
    parts = result if isinstance(result, list | tuple) else [result]
    return any(isinstance(part, Tensor) for part in parts)


def _arithmetic(op: str) -> Callable[..., None]:
    def record(to: _Recorder, result: Tensor, a: Tensor | float, b: Tensor | float) -> None:
        to.node(result, op, to.name_of(a), to.name_of(b))

    return record


def _convolution(
    to: _Recorder, result: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1,
    padding: Any = 0, dilation: Any = 1, groups: int = 1,
) -> None:  # fmt: skip
    if isinstance(padding, str):
        raise CannotRecord("padding by name")
    inputs = [to.name_of(x), to.name_of(weight), *([] if bias is None else [to.name_of(bias)])]
    settings: dict[str, Attribute] = {
        "strides": _pair(stride),
        "pads": _pair(padding) * 2,
        "dilations": _pair(dilation),
        "group": groups,
    }
    to.node(result, "Conv", *inputs, **settings)


def _pad(
    to: _Recorder, result: Tensor, x: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> None:
    """torch tells the sides of the last axis first, ONNX all beginnings and then all ends."""
    if mode != "constant" or value:
        raise CannotRecord("padding with other than zeros")
    before, after = pad[-2::-2], pad[::-2]
    unpadded = [0] * (x.ndim - len(before))
    to.node(result, "Pad", to.name_of(x), to.constant([*unpadded, *before, *unpadded, *after], np.int64))


def _relu6(to: _Recorder, result: Tensor, x: Tensor, inplace: bool = False) -> None:
    to.node(result, "Clip", to.name_of(x), to.constant(0.0, np.float32), to.constant(6.0, np.float32))


def _relu(to: _Recorder, result: Tensor, x: Tensor, inplace: bool = False) -> None:
    to.node(result, "Relu", to.name_of(x))


def _over_axes(op: str) -> Callable[..., None]:
    def record(to: _Recorder, result: Tensor, x: Tensor, dim: Any, keepdim: bool = False) -> None:
        axes = [dim] if isinstance(dim, int) else list(dim)
        to.node(result, op, to.name_of(x), axes=axes, keepdims=int(keepdim))

    return record


def _cat(to: _Recorder, result: Tensor, tensors: Sequence[Tensor], dim: int = 0) -> None:
    to.node(result, "Concat", *(to.name_of(tensor) for tensor in tensors), axis=dim)


def _interpolate(
    to: _Recorder, result: Tensor, x: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    **others: Any,
) -> None:  # fmt: skip
    if size is not None or scale_factor is None or mode != "nearest" or any(others.values()):
        raise CannotRecord("scaling other than nearest by a factor")
    scales = to.constant([1.0, 1.0, *(float(s) for s in _pair(scale_factor))], np.float32)
    settings = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    to.node(result, "Resize", to.name_of(x), "", scales, **settings)


def _same(to: _Recorder, result: Tensor, x: Tensor) -> None:
    if result.dtype != x.dtype:
        raise CannotRecord(f"a change to {result.dtype}")
    to.hold(result, to.name_of(x))


def _pair(value: Any) -> list[Any]:
    return [value, value] if isinstance(value, int | float) else list(value)


_KNOWN: dict[str, Callable[..., None]] = {
    "add": _arithmetic("Add"),
    "sub": _arithmetic("Sub"),
    "mul": _arithmetic("Mul"),
    "div": _arithmetic("Div"),
    "conv2d": _convolution,
    "pad": _pad,
    "relu6": _relu6,
    "relu": _relu,
    "mean": _over_axes("ReduceMean"),
    "amax": _over_axes("ReduceMax"),
    "cat": _cat,
    "interpolate": _interpolate,
    "float": _same,
}
