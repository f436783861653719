"""Training steps of depthwise convolutions without the library's slow paths.

On CPUs the usual backward pass of a depthwise convolution takes half of a training step of EfficientNet-Lite0:
5x5 weight gradients and stride-2 input gradients fall back to reference loops in half precision (measured: 50 to
100 times the forward pass). The same gradients from forward convolutions and shifted products bring a step from
859 to 489 ms (`benchmarks/training_step.py`). On a GPU the library is fast, and nothing is replaced.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Depthwise(torch.autograd.Function):
    """Depthwise convolution of (B, C, H, W) with a (C, 1, k, k) kernel."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return functional.conv2d(x, weight, stride=stride, padding=padding, groups=x.shape[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        wanted_x, wanted_weight = ctx.needs_input_grad[:2]
        by_x = _by_input(grad, weight, x.shape, ctx.stride, ctx.padding) if wanted_x else None
        by_weight = _by_weight(grad, weight, x, ctx.stride, ctx.padding) if wanted_weight else None
        return by_x, by_weight, None, None


def _by_input(grad: Tensor, weight: Tensor, shape: torch.Size, stride: int, padding: int) -> Tensor:
    """A forward convolution with the turned kernel; a stride is undone by zeros in between."""
    kernel, channels = weight.shape[2], weight.shape[0]
    if stride > 1:
        size = (shape[0], channels, *(side + 2 * padding - kernel + 1 for side in shape[2:]))
        spread = torch.empty(size, dtype=grad.dtype, memory_format=torch.channels_last).zero_()
        spread[:, :, ::stride, ::stride] = grad
        grad = spread
    return functional.conv2d(grad, weight.flip(2, 3), padding=kernel - 1 - padding, groups=channels)


def _by_weight(grad: Tensor, weight: Tensor, x: Tensor, stride: int, padding: int) -> Tensor:
    """The library's for 3x3, where it is fast; else one product and sum for each cell of the kernel."""
    kernel, channels = weight.shape[2], weight.shape[0]
    if kernel == 3:
        pair, around = [stride, stride], [padding, padding]
        mask = [False, True, False]
        found: Tensor = torch.ops.aten.convolution_backward(
            grad, x, weight, [0], pair, around, [1, 1], False, [0, 0], channels, mask
        )[1]
        return found
    x = functional.pad(x, (padding,) * 4) if padding else x
    rows, columns = (stride * (side - 1) + 1 for side in grad.shape[2:])
    cells = [
        (grad * x[:, :, i : i + rows : stride, j : j + columns : stride]).sum((0, 2, 3))
        for i in range(kernel)
        for j in range(kernel)
    ]
    return torch.stack(cells, 1).reshape(weight.shape)


class QuickDepthwise(nn.Module):
    """Stands in for a depthwise convolution and shares its weight, so names and files stay as they are."""

    def __init__(self, conv: nn.Conv2d, around: tuple[int, ...] | None) -> None:
        super().__init__()
        self.weight = conv.weight
        self.stride, self.padding, self.around = int(conv.stride[0]), int(conv.padding[0]), around

    def forward(self, x: Tensor) -> Tensor:
        """The convolution, in half precision under autocast like any other."""
        if self.around is not None:
            x = functional.pad(x, self.around)
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            x, weight = x.to(dtype), weight.to(dtype)
        return _Depthwise.apply(x, weight, self.stride, self.padding)


def quicken(encoder: nn.Module) -> None:
    """Replace the depthwise convolutions of an encoder on the CPU, in place; gradients stay the same."""
    for module in list(encoder.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Conv2d) and child.groups > 1 and child.groups == child.in_channels:
                setattr(module, name, QuickDepthwise(child, getattr(child, "around", None)))
