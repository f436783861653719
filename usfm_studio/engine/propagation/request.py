"""The worker's request `propagate`: a snapshot whose samples are a loop in order, with masks on its key frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import numpy as np

from usfm_studio.children.serve import Context
from usfm_studio.document.errors import Interrupted, Unsupported, WrongUsage
from usfm_studio.document.snapshot import Snapshot
from usfm_studio.engine.device import choose_device
from usfm_studio.engine.models.catalogue import shipped_encoder
from usfm_studio.engine.models.checkpoint import load_model
from usfm_studio.engine.models.embeddings import EmbeddingCache
from usfm_studio.engine.models.predictor import Predictor
from usfm_studio.engine.propagation.carrying import Carried, carry


class PropagationOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The loop's snapshot, where the masks go (STEM.npy, one a frame), and a fine-tuned model's folder or none."""

    snapshot: str
    out: str
    model: str | None = None
    device: str = "auto"
    threads: int | None = None


def propagate(body: dict[str, Any], context: Context, ended: Callable[[], bool]) -> dict[str, Any]:
    """{flagged: [n], score: {n: value}, seconds}, frames from 0; the masks lie in `out` by then.

    `seconds` are those of the carrying, without the loading of models. Progress is `done`, `total`.
    """
    try:
        order = msgspec.convert(body, PropagationOrder)
    except msgspec.ValidationError as error:
        raise WrongUsage("The masks cannot be carried", f"the request is wrong: {error}") from error
    loop = Snapshot.load(Path(order.snapshot))
    total = len(loop.samples)

    def check(done: int) -> None:
        context.check()
        if ended():
            raise Interrupted("Carrying the masks was interrupted", "the system ends it")
        context.progress({"event": "progress", "done": done, "total": total})

    device, embeddings = choose_device(order.device, order.threads), EmbeddingCache()
    encoder = Predictor(load_model(shipped_encoder()), device, embeddings)
    model = None if order.model is None else Predictor(load_model(Path(order.model)), device, embeddings)
    if model is not None and not model.card.segments:
        raise Unsupported("This model marks nothing", f"its task is {model.card.task}", "Name one that gives masks.")
    masks = {n: loop.mask(sample) for n, sample in enumerate(loop.samples)}
    keys = {n: np.asarray(ids) for n, ids in masks.items() if ids is not None}
    begun = monotonic()
    carried = carry([loop.pixels(sample) for sample in loop.samples], keys, encoder, model, check=check)
    out = Path(order.out)
    out.mkdir(parents=True, exist_ok=True)
    for sample, one in zip(loop.samples, carried, strict=True):
        np.save(out / f"{sample.stem}.npy", one.ids)
    return {**_answer(carried), "seconds": round(monotonic() - begun, 3)}


def _answer(carried: list[Carried]) -> dict[str, Any]:
    return {
        "flagged": [n for n, one in enumerate(carried) if one.flagged],
        "score": {str(n): round(one.score, 4) for n, one in enumerate(carried)},
    }
