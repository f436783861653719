"""Random numbers from counters: the same on CPU and GPU, for any split of a batch and any number of workers.

A value is a hash of (seed, step, rank, index of the image, stream, counter) and of nothing else; there is no generator
whose state could be lost. The hash is SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
generators"), whose integer arithmetic is exact everywhere.

Shapes: B images of a batch, N values of an image. Integers are int64 and stand for 64 bits without a sign.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

_WORD = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_QUANTILES = 1 << 16


def keys_B(seed: int, step: int, rank: int, index_B: Tensor) -> Tensor:
    """One key (int64) for each image of a batch.

    `index_B` (B,) int64 numbers the images of this step and rank; equal arguments give equal keys, and each argument
    is hashed in turn, so that no sum of them can meet another's.
    """
    state = 0
    for part in (seed, step, rank):
        state = _mixed_number((state ^ _mixed_number(part & _WORD)) + _GOLDEN)
    return _mixed((index_B.to(torch.int64) + 1) * _signed(_GOLDEN) + _signed(state))


def bits_BN(keys_B: Tensor, stream: int, n: int) -> Tensor:
    """(B, n) hashed 64-bit words, as int64. A stream is a purpose: its words are independent of other streams'."""
    start_B1 = _mixed(keys_B + _signed(_mixed_number((stream + 1) * _GOLDEN)))[:, None]
    count_N = torch.arange(1, n + 1, dtype=torch.int64, device=keys_B.device)
    return _mixed(start_B1 + count_N * _signed(_GOLDEN))


def uniform_BN(keys_B: Tensor, stream: int, n: int) -> Tensor:
    """(B, n) float32 in [0, 1), multiples of 2^-24."""
    return _shifted(bits_BN(keys_B, stream, n), 40).to(torch.float32) * 2.0**-24


def integers_BN(keys_B: Tensor, stream: int, n: int, below: int | Tensor) -> Tensor:
    """(B, n) int64 from 0 to `below` - 1; `below` is a number or a tensor that fits (B, n), well under 2^31."""
    return _shifted(bits_BN(keys_B, stream, n), 32) % below


def normal_BN(keys_B: Tensor, stream: int, n: int) -> Tensor:
    """(B, n) float32, standard normal: 65,536 equally likely quantiles, so from -4.3 to 4.3.

    They are looked up, because a logarithm or cosine need not have the same last bit on every device.
    """
    words = bits_BN(keys_B, stream, -(-n // 4))
    index = words.view(torch.int16)[:, :n].to(torch.int32).add_(_QUANTILES // 2)
    return _normal_table(keys_B.device).index_select(0, index.reshape(-1)).view(len(keys_B), n)


def smallest_BN(bits_BN: Tensor, count_B: Tensor | int) -> Tensor:
    """(B, N) bool: the `count_B` smallest words of each row, so exactly that many (0 to N) where words differ."""
    if isinstance(count_B, int):
        count_B = torch.full((len(bits_BN),), count_B, device=bits_BN.device)
    rank_BN = bits_BN.argsort(dim=1, stable=True).argsort(dim=1)
    return rank_BN < count_B[:, None]


def _mixed(x: Tensor) -> Tensor:
    """SplitMix64's finaliser, of a tensor that nobody else uses."""
    x = x.bitwise_xor(_shifted(x, 30)).mul_(_signed(_FIRST))
    x = x.bitwise_xor_(_shifted(x, 27)).mul_(_signed(_SECOND))
    return x.bitwise_xor_(_shifted(x, 31))


def _shifted(x: Tensor, by: int) -> Tensor:
    """Shift to the right without a sign."""
    return (x >> by).bitwise_and_((1 << (64 - by)) - 1)


def _mixed_number(x: int) -> int:
    x &= _WORD
    x = ((x ^ (x >> 30)) * _FIRST) & _WORD
    x = ((x ^ (x >> 27)) * _SECOND) & _WORD
    return x ^ (x >> 31)


def _signed(x: int) -> int:
    x &= _WORD
    return x - (1 << 64) if x >> 63 else x


@cache
def _normal_table(device: torch.device) -> Tensor:
    middle = (torch.arange(_QUANTILES, dtype=torch.float64) + 0.5) / _QUANTILES
    return torch.special.ndtri(middle).to(torch.float32).to(device)
