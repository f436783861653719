"""What a run shows: a picture of clean, corrupted and recovered images with their spectra, and TensorBoard's curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from usfm_studio.document.errors import WrongUsage
from usfm_studio.engine.pretraining.keeping import write_beside
from usfm_studio.engine.pretraining.step import Seen

FOLDER = "pictures"
SHOWN = 4
"""Images of a picture."""
DECADES = 4.0
"""A spectrum is shown from its maximum down to so many powers of ten below."""
LINE = 2


def panel(seen: Seen) -> NDArray[np.uint8]:
    """One row an image: clean, corrupted, recovered, then their spectra; (rows, columns) uint8."""
    rows = []
    for images in zip(seen.clean_BNN, seen.corrupted_BNN, seen.recovered_BNN, strict=True):
        spectra = [spectrum(image) for image in images]
        top = max(float(s.max()) for s in spectra)
        shown = [*images, *(((s - top) / DECADES + 1) for s in spectra)]
        rows.append(np.hstack([_framed(image) for image in shown]))
    return np.vstack(rows)


def spectrum(image_NN: Tensor) -> Tensor:
    """Logarithm (base 10) of the spectrum's modulus, frequency 0 in the middle."""
    modulus = torch.fft.fftshift(torch.fft.fft2(image_NN.float(), norm="ortho").abs())
    return modulus.clamp_min(1e-8).log10()


def write_picture(folder: Path, step: int, picture: NDArray[np.uint8]) -> None:
    """As `pictures/step-N.png`. Raises OSError."""
    folder = folder / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    done, encoded = cv2.imencode(".png", picture)
    if not done:
        raise OSError("the picture cannot be encoded")
    write_beside(folder / f"step-{step:09d}.png", encoded.tobytes())


class Board:
    """TensorBoard's log of a run; says nothing where it was not asked for."""

    def __init__(self, folder: Path, *, wanted: bool, first_step: int = 0) -> None:
        """Raises WrongUsage where the package is not installed."""
        self._writer: Any = None
        if not wanted:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise WrongUsage(
                "TensorBoard's log cannot be written",
                "the package tensorboard is not installed",
                "Install usfm-studio[research], or set log.tensorboard=false; metrics.jsonl is written anyway.",
            ) from error
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step or None)

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to each curve."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def picture(self, step: int, picture: NDArray[np.uint8]) -> None:
        """Add a picture."""
        if self._writer is not None:
            self._writer.add_image("recovery", picture, step, dataformats="HW")

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()


def _framed(image_NN: Tensor) -> NDArray[np.uint8]:
    grey = (image_NN.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    return np.pad(grey, ((0, LINE), (0, LINE)), constant_values=255)
