"""The engine host: one process that keeps torch, the models in use and their embeddings warm.

Started by `client.Engine` as `python -m usfm_studio.engine.host`. Requests carry all they need, so a host that was
killed costs time and nothing else.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import torch

from usfm_studio.children.serve import Context, Handler, serve
from usfm_studio.document.errors import WrongUsage
from usfm_studio.engine.device import Device, choose_device
from usfm_studio.engine.instant_desk import InstantDesk
from usfm_studio.engine.lent_arrays import attached, fill
from usfm_studio.engine.models.blueprint import Preparation
from usfm_studio.engine.models.catalogue import read_card, shipped_encoder
from usfm_studio.engine.models.checkpoint import ENHANCEMENT, load_model
from usfm_studio.engine.models.embeddings import EmbeddingCache
from usfm_studio.engine.models.enhancing import Enhancing
from usfm_studio.engine.models.features import Features
from usfm_studio.engine.models.placement import placement_for
from usfm_studio.engine.models.predictor import Predictor
from usfm_studio.engine.prompting.prompt_desk import PromptDesk
from usfm_studio.engine.requests import (
    EncodedOut,
    EnhancedOut,
    FrameIn,
    FramesIn,
    InstantIn,
    LayoutIn,
    LayoutOut,
    ModelIn,
    PromptIn,
    ProposalOut,
    from_body,
    to_body,
)

MODELS_HELD = 4
TRIALS = 3
EMBEDDINGS = "embeddings"
"""Folder in the project's cache."""


class Host:
    """The handlers and what they keep between requests: nothing that could not be made again."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._embeddings = EmbeddingCache()
        self._predictors: OrderedDict[str, Predictor] = OrderedDict()
        self._enhancing: Enhancing | None = None
        self._encode_ms: float | None = None
        self._instant = InstantDesk()
        self._prompts = PromptDesk(device)

    def handlers(self) -> dict[str, Handler]:
        """By kind of request."""
        return {
            "device": self.tell_device,
            "warm": self.warm,
            "propose": self.propose,
            "enhance": self.enhance,
            "encode": self.encode,
            "layout": self.layout,
            "prompt": self.prompt,
            "embed": self.embed,
            "instant": self.instant,
        }

    def tell_device(self, _body: dict[str, Any], _context: Context) -> dict[str, Any]:
        """What this machine computes on, and how long the default encoder takes for 256 px."""
        if self._encode_ms is None:
            self._encode_ms = self._trial(self._predictor(str(shipped_encoder())))
        device = self.device
        return {
            "kind": device.kind,
            "name": device.name,
            "precision": device.precision,
            "threads": device.threads,
            "free_bytes": device.free_bytes(),
            "encode_ms": round(self._encode_ms, 1),
            "torch": str(torch.__version__),
        }

    def warm(self, body: dict[str, Any], _context: Context) -> dict[str, Any]:
        """Load a model and let it work once, so that its next answer comes at full speed."""
        folder = from_body(body, ModelIn).model
        if read_card(Path(folder)).task == ENHANCEMENT:
            enhancing = self._enhancer(folder)
            enhancing.enhance(np.full((256, 256), 128, np.uint8))
            return {"digest": enhancing.card.digest}
        predictor = self._predictor(folder)
        self._trial(predictor)
        return {"digest": predictor.card.digest}

    def propose(self, body: dict[str, Any], context: Context) -> dict[str, Any]:
        """Ids (and probabilities) into the given arrays; the rest of each frame's answer as progress, in order."""
        request = self._frames_in(body)
        predictor = self._predictor(request.model)
        if predictor.card.task == "encoder":
            raise WrongUsage("This model proposes nothing", "it is an encoder", "Choose a model made by fine-tuning.")
        if predictor.card.task == ENHANCEMENT:
            raise WrongUsage("This model proposes nothing", "it enhances images", "Choose a model that marks.")
        for start, frames in _chunks(request.frames, self.device.batch):
            context.check()
            wanted = any(frame.probabilities for frame in frames)
            pixels, digests = [attached(frame.pixels) for frame in frames], [frame.digest for frame in frames]
            for i, said in enumerate(predictor.predict_all(pixels, digests, probabilities=wanted)):
                fill(frames[i].ids, said.ids)
                fill(frames[i].probabilities, said.probabilities)
                out = ProposalOut(
                    index=start + i,
                    confidences=said.confidences,
                    predicted_dice=said.predicted_dice,
                    labels=said.labels,
                )
                context.progress(to_body(out))
        return {"frames": len(request.frames)}

    def enhance(self, body: dict[str, Any], context: Context) -> dict[str, Any]:
        """Enhanced pixels into the given arrays, frame by frame."""
        request = self._frames_in(body)
        enhancing = self._enhancer(request.model)
        for index, frame in enumerate(request.frames):
            context.check()
            fill(frame.enhanced, enhancing.enhance(attached(frame.pixels), frame.digest))
            context.progress(to_body(EnhancedOut(index=index)))
        return {"frames": len(request.frames)}

    def instant(self, body: dict[str, Any], context: Context) -> dict[str, Any]:
        """Learn from lessons, then as `propose`; see `instant_desk.py`."""
        request = from_body(body, InstantIn)
        self._embeddings.keep_in(Path(request.cache) / EMBEDDINGS if request.cache else None)
        return to_body(self._instant.answer(request, self._predictor(request.model), context))

    def prompt(self, body: dict[str, Any], context: Context) -> dict[str, Any]:
        """A mask from clicks, boxes and scribbles, into the given array; see `prompting/prompt_desk.py`."""
        known = self._prompts.answer(from_body(body, PromptIn))
        context.progress({"index": 0})
        return {"known": known}

    def encode(self, body: dict[str, Any], context: Context) -> dict[str, Any]:
        """Each frame's summary as progress, in order; its maps, finest first, into the given arrays."""
        request = self._frames_in(body)
        predictor = _placing(self._predictor(request.model), request.placement)
        for index, features in enumerate(self._embedded(predictor, request.frames, context)):
            for target, (_, map_1Chw) in zip(request.frames[index].maps, sorted(features.maps.items()), strict=False):
                fill(target, map_1Chw[0].half().cpu().numpy())
            context.progress(to_body(EncodedOut(index=index, pooled=tuple(features.pooled_BD[0].tolist()))))
        return {"frames": len(request.frames)}

    def layout(self, body: dict[str, Any], _context: Context) -> dict[str, Any]:
        """Shapes of what a model's encoder makes of frames, seen on a black one of the first size."""
        request = from_body(body, LayoutIn)
        predictor = _placing(self._predictor(request.model), request.placement).without_embeddings()
        input_px, mode = predictor.card.input_px, predictor.preparation.placement
        sizes = {placement_for(native_rc, input_px, mode).size_rc for native_rc in request.sizes_rc}
        features = predictor.embed([predictor.prepare(np.zeros(request.sizes_rc[0], np.uint8))])
        shapes = {stride: (m.shape[1], m.shape[2], m.shape[3]) for stride, m in features.maps.items()}
        return to_body(LayoutOut(pooled=features.pooled_BD.shape[1], maps=shapes, alike=len(sizes) == 1))

    def embed(self, body: dict[str, Any], context: Context) -> dict[str, Any]:
        """Compute ahead what a model's encoder makes of frames that a person may soon look at."""
        request = self._frames_in(body)
        done = self._embedded(self._predictor(request.model), request.frames, context)
        return {"frames": sum(1 for _ in done)}

    def _embedded(self, predictor: Predictor, frames: Sequence[FrameIn], context: Context) -> Iterator[Features]:
        """The features of each frame, in order, as many together as the device likes."""
        for _, some in _chunks(frames, self.device.batch):
            context.check()
            yield from predictor.embed_all([predictor.prepare(attached(frame.pixels), frame.digest) for frame in some])

    def _frames_in(self, body: dict[str, Any]) -> FramesIn:
        """The request; embeddings are kept where it says."""
        request = from_body(body, FramesIn)
        self._embeddings.keep_in(Path(request.cache) / EMBEDDINGS if request.cache else None)
        return request

    def _predictor(self, folder: str) -> Predictor:
        """The model of a folder, kept by digest; the card is read each time, since folders may change."""
        digest = read_card(Path(folder)).digest
        if digest not in self._predictors:
            self._predictors[digest] = Predictor(load_model(Path(folder)), self.device, self._embeddings)
            while len(self._predictors) > MODELS_HELD:
                self._predictors.popitem(last=False)
        self._predictors.move_to_end(digest)
        return self._predictors[digest]

    def _enhancer(self, folder: str) -> Enhancing:
        """The enhancement model of a folder; the last one used is kept."""
        digest = read_card(Path(folder)).digest
        if self._enhancing is None or self._enhancing.card.digest != digest:
            self._enhancing = Enhancing(load_model(Path(folder)), self.device, self._embeddings)
        return self._enhancing

    def _trial(self, predictor: Predictor) -> float:
        """Milliseconds for one black frame, best of a few; nothing of it is kept."""
        apart = predictor.without_embeddings()
        black = np.zeros((256, 256), np.uint8)
        best = float("inf")
        for _ in range(TRIALS):
            begun = time.perf_counter()
            apart.predict(black)
            best = min(best, time.perf_counter() - begun)
        return best * 1000


def _chunks(frames: Sequence[FrameIn], size: int) -> list[tuple[int, Sequence[FrameIn]]]:
    return [(start, frames[start : start + size]) for start in range(0, len(frames), size)]


def _placing(predictor: Predictor, placement: str) -> Predictor:
    """The same predictor, sharing its networks, that places frames in another way."""
    if not placement:
        return predictor
    apart = copy.copy(predictor)
    body = {**msgspec.to_builtins(predictor.preparation), "placement": placement}
    try:
        apart.preparation = msgspec.convert(body, Preparation)
    except msgspec.ValidationError as error:
        raise WrongUsage("The frames cannot be prepared", str(error)) from error
    return apart


def main(arguments: Sequence[str]) -> int:
    """Answer requests until the parent is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args(arguments)
    handlers: dict[str, Handler] = {}

    def begin() -> None:
        device = choose_device(options.device, options.threads)
        cv2.setNumThreads(device.threads)
        handlers.update(Host(device).handlers())

    return serve(handlers, on_start=begin)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
