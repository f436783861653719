"""The worker's request `probe`: one encoder scored, or two held against each other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec

from usfm_studio.children.serve import Context
from usfm_studio.document.errors import Interrupted, WrongUsage
from usfm_studio.engine.device import choose_device
from usfm_studio.engine.probing.approval import approval
from usfm_studio.engine.probing.encoders import probed_encoder
from usfm_studio.engine.probing.hand_made import hand_made
from usfm_studio.engine.probing.prober import Check, Prober
from usfm_studio.engine.probing.results import ProbeResult


class ProbeOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Snapshot folders by name, and encoders as `probed_encoder` knows them. `seed` is that of untrained ones.

    `quick` looks at few frames and leaves the gate of hand-made filters out.
    """

    folders: dict[str, str]
    encoder: str
    against: str | None = None
    fold_role: Literal["decide", "steer"] = "decide"
    quick: bool = False
    seed: int = 0
    device: str = "auto"
    threads: int | None = None


def probe(body: dict[str, Any], context: Context, ended: Callable[[], bool]) -> dict[str, Any]:
    """The fields of `probe`; with `against` also `against` (the other's fields) and `verdict`."""
    try:
        order = msgspec.convert(body, ProbeOrder)
    except msgspec.ValidationError as error:
        raise WrongUsage("The probe cannot start", f"the request is wrong: {error}") from error

    def check(done: int, total: int, what: str) -> None:
        context.check()
        if ended():
            raise Interrupted("The probe was interrupted", "the system ends it")
        context.progress({"event": "progress", "done": done, "total": total, "what": what})

    names = [order.encoder, *([] if order.against is None else [order.against])]
    encoders = [probed_encoder(name, order.seed) for name in names]
    folders = {name: Path(path) for name, path in order.folders.items()}
    device = choose_device(order.device, order.threads)
    prober = Prober(folders, order.fold_role, quick=order.quick, device=device)
    total = prober.frames * len(names)
    results: list[ProbeResult] = []
    for name, (encoder, digest) in zip(names, encoders, strict=True):
        told = partial(_after, check, prober.frames * len(results), total)
        results.append(prober.score(encoder, Path(name).name, digest, told))
    body = results[0].body()
    if order.against is not None:
        body |= _held_against(results[0], results[1], prober, order, lambda: check(total, total, "filters"))
    return body


def _after(check: Check, before: int, total: int, done: int, _all: int, what: str) -> None:
    check(before + done, total, what)


def _held_against(
    new: ProbeResult, old: ProbeResult, prober: Prober, order: ProbeOrder, check: Callable[[], None]
) -> dict[str, Any]:
    gate = None
    if not order.quick:
        found = {name: hand_made(folder, prober.device, check=check) for name, folder in prober.folders.items()}
        gate = {name: shot.dice for name, shots in found.items() for shot in shots.values()}
    return {"against": old.body(), "hand_made": gate, "verdict": approval(new, old, gate).body()}
