"""When each frame was taken and how fast to play (PS3.3 C.7.6.5)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

from usfm_studio.imaging.reading.elements import Elements

DEFAULT_FPS = 30.0
_POINTER = 0x00280009
_FRAME_TIME = 0x00181063
_VECTOR = 0x00181065
_CINE_RATE = 0x00180040
_DISPLAY_RATE = 0x00082144
_LONGEST_MS = 60_000.0
_FASTEST_FPS = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """`seconds` of each frame from the first, or None where the file states no usable clock."""

    seconds: tuple[float, ...] | None
    playback_fps: float
    playback_assumed: bool
    notices: tuple[str, ...] = ()


def read_timing(elements: Elements, frames: int) -> Timing:
    """Clock: what FrameIncrementPointer names, else FrameTime, FrameTimeVector, 1 / CineRate. Speed: see `_speed`."""
    if frames < 2:
        return Timing(seconds=None, playback_fps=DEFAULT_FPS, playback_assumed=True)
    notices: list[str] = []
    step_ms = _positive(elements.number(_FRAME_TIME, "DS"), _LONGEST_MS)
    vector = elements.numbers(_VECTOR, "DS")
    seconds = None
    if vector and (_VECTOR in _pointed(elements) or step_ms is None):
        seconds = _from_vector(vector, frames, notices)
    elif step_ms is not None:
        seconds = _even(step_ms / 1000, frames)
    if seconds is None and not vector and (rate := _rate(elements, _CINE_RATE)) is not None:
        seconds = _even(1 / rate, frames)
    if seconds is None and not notices:
        notices.append("The file states no usable frame times.")
    fps = _speed(elements, seconds)
    if fps is None:
        notices.append(f"The file states no speed; it plays at {DEFAULT_FPS:g} frames a second.")
    return Timing(
        seconds=seconds, playback_fps=fps or DEFAULT_FPS, playback_assumed=fps is None, notices=tuple(notices)
    )


def _pointed(elements: Elements) -> set[int]:
    words = [int(n) for n in elements.numbers(_POINTER, "AT")]
    return {group << 16 | element for group, element in zip(words[::2], words[1::2], strict=False)}


def _positive(value: float | None, most: float) -> float | None:
    return value if value is not None and math.isfinite(value) and 0 < value <= most else None


def _rate(elements: Elements, tag: int) -> float | None:
    return _positive(elements.number(tag, "IS"), _FASTEST_FPS)


def _even(step_s: float, frames: int) -> tuple[float, ...]:
    return tuple(i * step_s for i in range(frames))


def _from_vector(vector: tuple[float, ...], frames: int, notices: list[str]) -> tuple[float, ...] | None:
    """Sums of the increments; the first is 0 whatever it says. None, with a notice, where one is missing or wrong."""
    if len(vector) < frames:
        notices.append(f"The file states the times of {len(vector)} of its {frames} frames; times are unknown.")
        return None
    steps = [0.0, *vector[1:frames]]
    if not all(math.isfinite(s) and 0 <= s <= _LONGEST_MS for s in steps) or not any(steps):
        notices.append("The frame times in the file make no sense; times are unknown.")
        return None
    return tuple(total / 1000 for total in accumulate(steps))


def _speed(elements: Elements, seconds: tuple[float, ...] | None) -> float | None:
    """RecommendedDisplayFrameRate, CineRate, then the mean of the frame times; None where none is stated."""
    for tag in (_DISPLAY_RATE, _CINE_RATE):
        if (rate := _rate(elements, tag)) is not None:
            return rate
    if seconds is not None and seconds[-1] > 0:
        return min(_FASTEST_FPS, (len(seconds) - 1) / seconds[-1])
    return None
