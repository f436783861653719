"""An enhancement model at work: pixels in, pixels of the same size out. Host, holdout and scoring all enhance here.

Enhanced pixels are a view. Nothing is measured on them and nothing is proposed from them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from usfm_studio.document.errors import WrongUsage
from usfm_studio.engine.device import Device
from usfm_studio.engine.grey import full_scale, to_grey
from usfm_studio.engine.models.checkpoint import LoadedModel
from usfm_studio.engine.models.compiled import CannotCompile, GraphFailed, compiled
from usfm_studio.engine.models.embeddings import EmbeddingCache
from usfm_studio.engine.models.enhancer import (
    COARSE_PX,
    COARSE_WIDTH,
    FINE_PX,
    FINE_WIDTH,
    GRID,
    Enhancer,
    blocks,
    bounded,
    reach_of,
)
from usfm_studio.engine.models.features import Features
from usfm_studio.engine.models.fuse import fused
from usfm_studio.engine.models.predictor import Predictor, Prepared

LOG = logging.getLogger(__name__)
Detail = Callable[[Tensor, Tensor, Tensor], Tensor]
Shares = NDArray[np.float32]
"""Pixels as shares of white, 0..1."""

STRIP_PX = 1 << 20
"""About so many pixels go through the network at once: memory stays small however large a frame is."""
MARGIN = 64
"""Rows beside a strip that are computed and thrown away: more than the branch sees."""
EMPTY_PX, EMPTY = 15, 0.02
"""Where the mean of so many pixels about it is under this, a pixel is outside of the sector and stays as it is."""
GREY_UNTIL, COLOUR_FROM = 8.0, 24.0
"""Spread of red, green and blue (levels): under the first a pixel is grey, over the second it is colour and stays."""


class Enhancing:
    """An enhancement model made ready on a device. Not for several threads at once.

    The encoder's features go through `embeddings`, if given. `encoder`: one that is at work already, and places
    frames as the model does.
    """

    def __init__(
        self,
        model: LoadedModel,
        device: Device | None = None,
        embeddings: EmbeddingCache | None = None,
        *,
        compile: bool = True,
        encoder: Predictor | None = None,
    ) -> None:
        """Raises WrongUsage for a model of another task."""
        if model.enhancer is None:
            raise WrongUsage("This model enhances nothing", f"its task is {model.card.task}")
        self._predictor = encoder or Predictor(model, device, embeddings, compile=compile)
        self.card, self.device = model.card, self._predictor.device
        self._enhancer = fused(model.enhancer).to(torch.device(self.device.kind))
        self._detail: Detail = self._enhancer.detail
        if compile and self.device.is_cpu:
            try:
                self._detail = graph_of(self._enhancer, self.device.threads)
            except CannotCompile as reason:
                LOG.info("an enhancement model runs in torch", exc_info=reason)

    def enhance(self, pixels: NDArray[Any], digest: str = "") -> NDArray[np.uint8]:
        """The frame enhanced, 8 bit, of the shape of `pixels`: (rows, columns[, 3]) uint8 or uint16.

        No value changes by more than 51 levels. What is black in all its neighbourhood stays, and so does colour.
        """
        grey = to_grey(pixels)
        shares = grey.astype(np.float32) / full_scale(grey)
        shown = pixels.astype(np.float32) / full_scale(pixels)
        change = self._change(shares, self._predictor.prepare(pixels, digest)) * _in_tissue(shares)
        if shown.ndim == 3:
            change = (change * _greyness(shown))[:, :, None]
        enhanced: NDArray[np.uint8] = np.rint(np.clip(shown + change, 0, 1) * 255).astype(np.uint8)
        return enhanced

    @torch.inference_mode()
    def _change(self, shares: Shares, placed: Prepared) -> Shares:
        """(rows, columns) within ±BOUND, strip by strip."""
        features = self._predictor.embed([placed])
        rows, columns = shares.shape
        padded = np.pad(shares, ((0, -rows % GRID), (0, -columns % GRID)), mode="edge")
        change = np.empty_like(padded)
        for top, bottom in _strips(*padded.shape):
            first = max(0, top - MARGIN)
            found = self._piece(padded[first : bottom + MARGIN], features, placed, first)
            change[top:bottom] = found[top - first : bottom - first]
        return change[:rows, :columns]

    def _piece(self, piece: Shares, features: Features, placed: Prepared, top: int) -> Shares:
        window = slice(top, top + piece.shape[0]), slice(0, piece.shape[1])
        net = self._enhancer
        reach = reach_of(placed.placement, net.strides, net.fine_stride, window).to(self.device.kind)
        x_B1HW = torch.from_numpy(np.ascontiguousarray(piece))[None, None].to(self.device.kind)
        with self.device.autocast():
            coarse, fine = net.context(features.maps, reach)
            try:
                change = self._detail(blocks(x_B1HW), coarse, fine)
            except GraphFailed as failure:
                LOG.warning("an enhancement model runs in torch from now on", exc_info=failure)
                self._detail = net.detail
                change = self._detail(blocks(x_B1HW), coarse, fine)
        found: Shares = bounded(change.float())[0, 0].cpu().numpy()
        return found


def graph_of(enhancer: Enhancer, threads: int) -> Detail:
    """What `Enhancer.detail` does, as a graph on a CPU; it raises GraphFailed, MemoryError. Raises CannotCompile."""
    drawn = torch.Generator().manual_seed(0)  # apart from torch's own numbers, on which a run of learning depends

    def examples(rows: int, columns: int) -> list[Tensor]:
        sizes = ((4, 2), (COARSE_WIDTH, COARSE_PX), (FINE_WIDTH, FINE_PX))
        return [torch.rand((1, c, rows // px, columns // px), generator=drawn) for c, px in sizes]

    run = compiled(lambda *parts: [enhancer.detail(*parts)], examples, threads)
    return lambda *parts: run(*parts)[0]


def _strips(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """(first row, row after the last) of each strip; all but the last have a multiple of GRID rows."""
    height = max(GRID, STRIP_PX // max(1, columns) // GRID * GRID)
    for top in range(0, rows, height):
        yield top, min(rows, top + height)


def _in_tissue(shares: Shares) -> Shares:
    """1 where something is shown, 0 where all is black, (rows, columns)."""
    found: Shares = np.clip(cv2.blur(shares, (EMPTY_PX, EMPTY_PX)) / EMPTY, 0, 1)
    return found


def _greyness(shown: Shares) -> Shares:
    """1 for grey pixels, 0 for coloured ones, (rows, columns), of (rows, columns, 3)."""
    spread = (shown.max(2) - shown.min(2)) * 255
    found: Shares = np.clip((COLOUR_FROM - spread) / (COLOUR_FROM - GREY_UNTIL), 0, 1)
    return found
