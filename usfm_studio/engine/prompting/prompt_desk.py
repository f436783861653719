"""The host's request `prompt`: frames that a person works on are kept embedded, so that a prompt costs only itself."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfm_studio.engine.device import Device
from usfm_studio.engine.lent_arrays import attached, fill
from usfm_studio.engine.models.catalogue import read_card
from usfm_studio.engine.prompting.prompt_model import load_prompts
from usfm_studio.engine.prompting.prompter import Prompter, PromptFeatures
from usfm_studio.engine.requests import PromptIn, prompt_of

FRAMES_HELD = 8
"""A frame holds up to 10 MB of maps, and its grey pixels."""


class PromptDesk:
    """Holds nothing that the next request could not bring again."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._prompter: Prompter | None = None
        self._frames: OrderedDict[str, PromptFeatures] = OrderedDict()

    def answer(self, request: PromptIn) -> bool:
        """Fill the mask (rows, columns) uint8, 1 where marked; True where the frame was embedded already.

        Raises BadModel, WrongUsage, Unreadable.
        """
        prompts = [prompt_of(mark) for mark in request.prompts]
        prompter = self._ready(Path(request.model))
        pixels = attached(request.pixels)
        known, features = self._features(prompter, pixels, request.digest)
        if prompts:
            last = None if request.last is None else attached(request.last)
            fill(request.mask, prompter.answer(features, prompts, last).astype(np.uint8))
        return known

    def _ready(self, folder: Path) -> Prompter:
        digest = read_card(folder).digest
        if self._prompter is None or self._prompter.card.digest != digest:
            self._prompter = Prompter(load_prompts(folder), self._device)
            self._frames.clear()
        return self._prompter

    def _features(self, prompter: Prompter, pixels: NDArray[Any], digest: str) -> tuple[bool, PromptFeatures]:
        key = digest or hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()
        known = key in self._frames and self._frames[key].shape_rc == pixels.shape[:2]
        if not known:
            self._frames[key] = prompter.embed(np.array(pixels))  # a copy: the client takes its array back
            while len(self._frames) > FRAMES_HELD:
                self._frames.popitem(last=False)
        self._frames.move_to_end(key)
        return known, self._frames[key]
