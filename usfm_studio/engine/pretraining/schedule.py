"""How the learning rate and the memory of the averaged weights go with the steps."""

from __future__ import annotations

import math


def rate_factor(step: int, steps: int, warmup: float, floor: float) -> float:
    """What the learning rates are multiplied by at `step` (0 is the first), in 0..1.

    Linear from near 0 to 1 over the share `warmup` of all steps, then a half cosine down to `floor` at the last one.
    """
    rising = max(1, round(warmup * steps)) if warmup > 0 else 0
    if step < rising:
        return (step + 1) / (rising + 1)
    along = (step - rising) / max(1, steps - 1 - rising)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, along)))


def ema_decay(step: int, most: float) -> float:
    """How much of the averaged weights stays after `step` (0 is the first).

    Grows to `most`: at the beginning the average must not hold on to weights that are nearly random. The rule
    (1 + t) / (10 + t) is the one of TensorFlow's ExponentialMovingAverage.
    """
    return min(most, (1 + step) / (10 + step))
