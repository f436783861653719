"""Networks for prediction alone: normalisation folded into the convolutions before it."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)


def fused(network: Network) -> Network:
    """A copy in eval mode, equal up to rounding, with every BatchNorm merged into the convolution before it.

    Convolution and normalisation must be registered one after the other in the same module, as everywhere here.
    """
    network = copy.deepcopy(network).eval()
    for module in list(network.modules()):
        for (conv_name, conv), (norm_name, norm) in pairwise(list(module.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, conv_name, fuse_conv_bn_eval(conv, norm))
                setattr(module, norm_name, nn.Identity())
    return network
