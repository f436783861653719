"""What makes a good frame look like one of a lesser machine: for learning enhancement where there are no pairs.

A frame is log-compressed: what multiplies the echo (attenuation, speckle, gain) adds to grey. Pixels are shares of
white, (rows, columns) float32 0..1. What is black in all its neighbourhood stays black.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Shares = NDArray[np.float32]

SHOWN_RANGE_DB = 60.0
"""Decibels between black and white: what a usual display shows."""
EMPTY_PX, EMPTY = 15, 0.02
LEAST = 2
"""So many of the degradations at least strike a frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """Probabilities of the degradations, and the ranges that they are drawn from. Lengths are in pixels.

    `untouched` is the share of frames that stay as they are, so that a good frame is learned to be left alone.
    `axial` and `lateral` are the blur's sigmas at the bottom of the frame; near the probe it is a third of that.
    """

    untouched: float = 0.4
    blur: float = 0.8
    axial: tuple[float, float] = (0.4, 1.5)
    lateral: tuple[float, float] = (0.8, 3.0)
    coarse: float = 0.25
    coarse_factor: tuple[float, float] = (1.3, 2.5)
    speckle: float = 0.6
    speckle_share: tuple[float, float] = (0.2, 0.7)
    band_stop: float = 0.2
    band_kept: tuple[float, float] = (0.0, 0.5)
    range_change: float = 0.2
    range_db: tuple[float, float] = (50.0, 75.0)
    gain_loss: float = 0.2
    gain_db: tuple[float, float] = (2.0, 10.0)
    haze: float = 0.2
    haze_share: tuple[float, float] = (0.05, 0.25)
    noise: float = 0.5
    noise_share: tuple[float, float] = (0.01, 0.06)
    fewer_bits: float = 0.3
    bits: tuple[int, int] = (3, 6)


def degraded(pixels: NDArray[np.uint8], draws: Degradation, rng: np.random.Generator) -> NDArray[np.uint8]:
    """One draw of (rows, columns) uint8, in the order in which a machine would do it: beam, echo, display."""
    if draws.untouched and rng.random() < draws.untouched:
        return pixels.copy()
    clean: Shares = (pixels / 255).astype(np.float32)
    struck = _struck(draws, rng)
    x = clean
    for name in STEPS:
        if name in struck:
            x = STEPS[name](x, draws, rng)
    inside = np.clip(cv2.blur(clean, (EMPTY_PX, EMPTY_PX)) / EMPTY, 0, 1)
    found: NDArray[np.uint8] = np.rint(np.clip(x * inside, 0, 1) * 255).astype(np.uint8)
    return found


def _struck(draws: Degradation, rng: np.random.Generator) -> set[str]:
    """Which degradations this frame gets; the likeliest fill up to LEAST."""
    chances = {name: float(getattr(draws, name)) for name in STEPS}
    found = {name for name, chance in chances.items() if rng.random() < chance}
    able = sorted((name for name, chance in chances.items() if chance > 0), key=lambda name: -chances[name])
    for name in able:
        if len(found) >= LEAST:
            break
        found.add(name)
    return found


def _blur(x: Shares, draws: Degradation, rng: np.random.Generator) -> Shares:
    """A beam that widens with depth: three blurs of the frame, each ruling where its depth is nearest."""
    axial, lateral = rng.uniform(*draws.axial), rng.uniform(*draws.lateral)
    depth = np.linspace(0, 2, x.shape[0], dtype=np.float32)[:, None]
    out = np.zeros_like(x)
    for step, part in enumerate((1 / 3, 2 / 3, 1.0)):
        share = np.clip(1 - np.abs(depth - step), 0, 1)
        out += share * cv2.GaussianBlur(x, (0, 0), sigmaX=lateral * part, sigmaY=axial * part)
    return out


def _coarse(x: Shares, draws: Degradation, rng: np.random.Generator) -> Shares:
    """Fewer lines and samples, brought back to the same size."""
    factor = rng.uniform(*draws.coarse_factor)
    size_xy = max(1, round(x.shape[1] / factor)), max(1, round(x.shape[0] / factor))
    small = cv2.resize(x, size_xy, interpolation=cv2.INTER_AREA)
    large: Shares = cv2.resize(small, (x.shape[1], x.shape[0]), interpolation=cv2.INTER_LINEAR)
    return large


def _speckle(x: Shares, draws: Degradation, rng: np.random.Generator) -> Shares:
    """Rayleigh amplitudes, correlated as by a beam, in decibels: mean 0, added in part."""
    sigma_x, sigma_y = rng.uniform(0.8, 2.5), rng.uniform(0.6, 1.2)
    real, imaginary = (
        cv2.GaussianBlur(rng.standard_normal(x.shape, np.float32), (0, 0), sigmaX=sigma_x, sigmaY=sigma_y)
        for _ in range(2)
    )
    power = real**2 + imaginary**2
    decibels = 10 * np.log10(np.maximum(power / power.mean(), 1e-4))
    found: Shares = x + np.float32(rng.uniform(*draws.speckle_share)) * (decibels - decibels.mean()) / SHOWN_RANGE_DB
    return found


def _band_stop(x: Shares, draws: Degradation, rng: np.random.Generator) -> Shares:
    """One ring of the spectrum weakened, not the mean; the frame mirrored at its edges, so that they do not ring."""
    rim = tuple((side // 4, side // 4) for side in x.shape)
    padded = np.pad(x, rim, mode="symmetric")
    down, across = np.fft.fftfreq(padded.shape[0])[:, None], np.fft.rfftfreq(padded.shape[1])[None]
    radius = np.hypot(down, across)
    inner = np.exp(rng.uniform(np.log(0.03), np.log(0.25)))
    ring = (radius >= inner) & (radius < inner * rng.uniform(1.3, 2.0))
    kept = np.where(ring, rng.uniform(*draws.band_kept), 1.0)
    whole: Shares = np.fft.irfft2(np.fft.rfft2(padded) * kept, padded.shape).astype(np.float32)
    (top, _), (left, _) = rim
    return whole[top : top + x.shape[0], left : left + x.shape[1]]


def _range_change(x: Shares, draws: Degradation, rng: np.random.Generator) -> Shares:
    """Another log-compression: the display shows more or fewer decibels under white."""
    found: Shares = 1 + (x - 1) * np.float32(SHOWN_RANGE_DB / rng.uniform(*draws.range_db))
    return found


def _gain_loss(x: Shares, draws: Degradation, rng: np.random.Generator) -> Shares:
    """Attenuation that was not made up for: so many decibels lost at the bottom."""
    lost = rng.uniform(*draws.gain_db) / SHOWN_RANGE_DB
    found: Shares = x - np.float32(lost) * np.linspace(0, 1, x.shape[0], dtype=np.float32)[:, None]
    return found


def _haze(x: Shares, draws: Degradation, rng: np.random.Generator) -> Shares:
    """Reverberation under the probe: a veil that fades with depth, in clouds."""
    coarse = rng.uniform(0.3, 1.0, (6, 6)).astype(np.float32)
    clouds = cv2.resize(coarse, (x.shape[1], x.shape[0]), interpolation=cv2.INTER_CUBIC)
    depth = np.linspace(0, 1, x.shape[0], dtype=np.float32)[:, None]
    veil = np.float32(rng.uniform(*draws.haze_share)) * clouds * np.exp(-depth / np.float32(rng.uniform(0.15, 0.6)))
    found: Shares = x + veil * (1 - x)
    return found


def _noise(x: Shares, draws: Degradation, rng: np.random.Generator) -> Shares:
    """Electronic noise, which the gain of depth lifts."""
    depth = np.linspace(0.3, 1, x.shape[0], dtype=np.float32)[:, None]
    found: Shares = x + np.float32(rng.uniform(*draws.noise_share)) * depth * rng.standard_normal(x.shape, np.float32)
    return found


def _fewer_bits(x: Shares, draws: Degradation, rng: np.random.Generator) -> Shares:
    """Fewer grey levels."""
    levels = (1 << int(rng.integers(draws.bits[0], draws.bits[1] + 1))) - 1
    found: Shares = (np.rint(np.clip(x, 0, 1) * levels) / levels).astype(np.float32)
    return found


STEPS: Mapping[str, Callable[[Shares, Degradation, np.random.Generator], Shares]] = {
    "blur": _blur, "coarse": _coarse, "speckle": _speckle, "band_stop": _band_stop, "gain_loss": _gain_loss,
    "noise": _noise, "haze": _haze, "range_change": _range_change, "fewer_bits": _fewer_bits,
}  # fmt: skip
"""By the names of their probabilities, in the order in which they strike."""
