"""The one door to smart prompts: a frame is embedded once, then every prompt is answered by a mask at native size.

prompter = Prompter(load_prompts(shipped_prompter()))
features = prompter.embed(pixels)
mask = prompter.answer(features, [Click((310.0, 204.0))])
mask = prompter.answer(features, [Click((310.0, 204.0)), Click((350.0, 230.0), positive=False)], mask)

The first click is answered on the whole frame, and again in a window around that answer, at its own resolution. Later
prompts need the window alone. A window's own embedding costs less than the detail that a cut of the frame's lacks.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from usfm_studio.document.errors import WrongUsage
from usfm_studio.document.prompts import Box, Click, Prompt
from usfm_studio.engine.device import Device, choose_device
from usfm_studio.engine.grey import full_scale, to_grey
from usfm_studio.engine.models.compiled import CannotCompile, CompiledEncoder, GraphFailed, compiled
from usfm_studio.engine.models.features import Encoder, Features
from usfm_studio.engine.models.fuse import fused
from usfm_studio.engine.prompting.holding import held
from usfm_studio.engine.prompting.prompt_decoder import MATCHED, PYRAMID, SEEN, PromptDecoder, inputs_of
from usfm_studio.engine.prompting.prompt_model import PromptModel
from usfm_studio.engine.prompting.window import (
    SIDE,
    XYXY,
    Marked,
    Window,
    extent_of,
    planes,
    whole_window,
    zoom_window,
)

LOG = logging.getLogger(__name__)
WINDOWS_HELD = 6
"""Embedded windows kept beside the whole frame's: 1.5 MB each."""
WIDER = 2.2
"""Zoom of the second look where the first one's answer reaches the window's edge."""
REACH = 0.25
"""Of the window's side: changes farther than this from the newest prompt are refused."""
AS_GOOD, ROOM = 1.3, 0.1
"""A window seen before serves again up to so many times a new one's side, with such a share of the mask around it."""
NO_FRAME_THERE = "it lies outside the frame"


@dataclass(slots=True)
class PromptFeatures:
    """What is kept of a frame between prompts: its grey pixels, and the maps of the windows looked at so far."""

    grey: NDArray[Any]
    white: float
    held: OrderedDict[Window, tuple[NDArray[np.float32], list[Tensor]]] = field(default_factory=OrderedDict)

    @property
    def shape_rc(self) -> tuple[int, int]:
        """Rows and columns of the frame."""
        return self.grey.shape[0], self.grey.shape[1]


class Prompter:
    """A prompt model made ready on a device; compiled on a CPU where that works. Not for several threads at once."""

    def __init__(self, model: PromptModel, device: Device | None = None, *, compile: bool = True) -> None:
        self.card = model.card
        self.device = device or choose_device("cpu")
        self._model = model
        self._encoder: Callable[[Tensor], Features]
        self._decoder: Callable[..., Tensor]
        self._in_torch()
        if compile and self.device.is_cpu:
            try:
                encoder = CompiledEncoder(model.encoder, self.device.threads)
                decoder = compiled_decoder(model.decoder, model.encoder, self.device.threads)
                self._encoder, self._decoder = encoder, decoder
            except CannotCompile as reason:
                LOG.info("a prompt model runs in torch", exc_info=reason)

    def embed(self, pixels: NDArray[Any]) -> PromptFeatures:
        """What later answers start from: (rows, columns[, 3]) uint8 or uint16. Raises WrongUsage for others."""
        grey = to_grey(pixels)
        features = PromptFeatures(grey, full_scale(grey))
        self._seen(features, whole_window(features.shape_rc))
        return features

    def answer(
        self, features: PromptFeatures, prompts: Sequence[Prompt], last_mask: NDArray[Any] | None = None
    ) -> Marked:
        """(rows, columns) bool: the mask after all `prompts` so far, the newest last; `last_mask` is what they refine.

        A click holds, a negative one adds nothing, what is far from the newest stays (`holding.held`). Raises
        WrongUsage without prompts, for one outside the frame, and for a mask of another size.
        """
        before = None if last_mask is None else np.asarray(last_mask) > 0
        _refuse_foreign(features.shape_rc, prompts, before)
        if before is not None and not before.any():
            before = None
        asked, window = self._asked(features, prompts, before)
        return held(asked, before, prompts, REACH * window.side)

    def _asked(
        self, features: PromptFeatures, prompts: Sequence[Prompt], before: Marked | None
    ) -> tuple[Marked, Window]:
        """What the network says, and where it looked last."""
        shape_rc = features.shape_rc
        window = whole_window(shape_rc)
        if before is None and not any(isinstance(prompt, Box) for prompt in prompts):
            coarse = self._look(features, window, prompts, None)
            seeded = _seeded(coarse, prompts)
            if not seeded.any():
                return coarse, window
            near = zoom_window(extent_of(seeded, prompts) or (0, 0, *shape_rc[::-1]), shape_rc)
            if near == window:
                return coarse, window
            window, before = near, seeded
        else:
            extent = extent_of(before, prompts)
            window = window if extent is None else _known(features, extent) or zoom_window(extent, shape_rc)
        asked = self._look(features, window, prompts, before)
        if window.touched(asked):
            extent = extent_of(asked, prompts)
            window = window if extent is None else zoom_window(extent, shape_rc, WIDER)
            asked = self._look(features, window, prompts, before)
        return asked, window

    @torch.inference_mode()
    def _look(
        self, features: PromptFeatures, window: Window, prompts: Sequence[Prompt], before: Marked | None
    ) -> Marked:
        """The network's mask of a window, at the frame's size; False outside of the window."""
        image, maps = self._seen(features, window)
        last = np.zeros((SIDE, SIDE), np.float32) if before is None else window.cut(before.astype(np.float32))
        made = torch.from_numpy(planes(image, last, prompts, window))[None].to(self.device.kind)
        logits = self._decoded(maps, *inputs_of(made))[0, 0].float().cpu().numpy()
        return window.put(logits, features.shape_rc, -1.0) > 0

    @torch.inference_mode()
    def _seen(self, features: PromptFeatures, window: Window) -> tuple[NDArray[np.float32], list[Tensor]]:
        """The image and the maps of a window; made when first looked at."""
        if window not in features.held:
            image = window.cut(features.grey) / np.float32(features.white)
            maps = self._encoded(torch.from_numpy(image)[None, None].to(self.device.kind)).maps
            features.held[window] = image, [maps[stride] for stride in PYRAMID]
            while len(features.held) > 1 + WINDOWS_HELD:
                features.held.pop(next(w for w in features.held if w != whole_window(features.shape_rc)))
        features.held.move_to_end(window)
        return features.held[window]

    def _encoded(self, x_BCHW: Tensor) -> Features:
        try:
            return self._encoder(x_BCHW)
        except GraphFailed as failure:
            self._give_up_graphs(failure)
            return self._encoder(x_BCHW)

    def _decoded(self, maps: Sequence[Tensor], planes_BPhw: Tensor, marks: Sequence[Tensor]) -> Tensor:
        try:
            return self._decoder(maps, planes_BPhw, marks)
        except GraphFailed as failure:
            self._give_up_graphs(failure)
            return self._decoder(maps, planes_BPhw, marks)

    def _give_up_graphs(self, failure: GraphFailed) -> None:
        LOG.warning("a prompt model runs in torch from now on", exc_info=failure)
        self._in_torch()

    def _in_torch(self) -> None:
        kind = torch.device(self.device.kind)
        self._encoder = fused(self._model.encoder).to(kind)
        self._decoder = fused(self._model.decoder).to(kind)


def compiled_decoder(decoder: PromptDecoder, encoder: Encoder, threads: int) -> Callable[..., Tensor]:
    """What `PromptDecoder.__call__` does, as a graph. Raises CannotCompile."""
    network = fused(decoder)
    count = len(PYRAMID)

    def flat(*inputs: Tensor) -> Sequence[Tensor]:
        return [network(inputs[:count], inputs[count], inputs[count + 1 :])]

    def examples(rows: int, columns: int) -> list[Tensor]:
        noise = torch.Generator().manual_seed(0)
        shapes = [(encoder.channels[s], s) for s in PYRAMID] + [(4 * SEEN, 2)] + [(1, s) for s in MATCHED for _ in "+-"]
        return [torch.rand((1, c, rows // s, columns // s), generator=noise) for c, s in shapes]

    run = compiled(flat, examples, threads)
    return lambda maps, planes_BPhw, marks: run(*maps, planes_BPhw, *marks)[0]


def _known(features: PromptFeatures, extent: XYXY) -> Window | None:
    """A window that is embedded already, holds the extent with room around it, and is hardly larger than a new one."""
    fresh = zoom_window(extent, features.shape_rc)
    size = max(extent[2] - extent[0], extent[3] - extent[1])
    fitting = [w for w in features.held if w.side <= AS_GOOD * fresh.side and _has_room(w, extent, ROOM * size)]
    return min(fitting, key=lambda window: window.side, default=None)


def _has_room(window: Window, extent: XYXY, room: float) -> bool:
    x0, y0, x1, y1 = extent
    wide = window.left <= x0 - room and x1 + room <= window.left + window.side
    return wide and window.top <= y0 - room and y1 + room <= window.top + window.side


def _seeded(mask: Marked, prompts: Sequence[Prompt]) -> Marked:
    """The connected parts of a mask that hold a positive click; all of it where none does."""
    count, parts = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    clicks = [p.at_xy for p in prompts if isinstance(p, Click) and p.positive]
    wanted = np.zeros(count, bool)
    wanted[[parts[round(y), round(x)] for x, y in clicks]] = True
    wanted[0] = False
    seeded: Marked = wanted[parts] if wanted.any() else mask
    return seeded


def _refuse_foreign(shape_rc: tuple[int, int], prompts: Sequence[Prompt], before: Marked | None) -> None:
    if before is not None and before.shape != shape_rc:
        why = f"it is {before.shape[0]}x{before.shape[1]}, the frame {shape_rc[0]}x{shape_rc[1]}"
        raise WrongUsage("The mask does not fit its frame", why)
    if not prompts:
        raise WrongUsage("There is nothing to answer", "no prompt was given", "Click, draw a box or a stroke.")
    rows, columns = shape_rc
    for prompt in prompts:
        points = _points(prompt)
        if not any(-0.5 <= x < columns - 0.5 and -0.5 <= y < rows - 0.5 for x, y in points):
            raise WrongUsage("The prompt cannot be used", NO_FRAME_THERE, "Point at the frame.")


def _points(prompt: Prompt) -> Sequence[tuple[float, float]]:
    """Points of which one must lie in the frame; of a box the one nearest to the frame's origin inside of it."""
    if isinstance(prompt, Click):
        return [prompt.at_xy]
    if isinstance(prompt, Box):
        return [(max(prompt.first_xy[0], 0.0), max(prompt.first_xy[1], 0.0))] if min(prompt.last_xy) > -0.5 else []
    return prompt.points_xy
