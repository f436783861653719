"""An engine host without torch: a real process that answers like the real one, and slowly or not at all on order.

It marks what is brighter than 127 with value 1. The variable `TINY_ENGINE` holds words: `slow` waits a second a frame,
`dies` kills the process at each proposal, `dies-once:FILE` only where FILE is not there yet (it makes it).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from usfm_studio.children.arrays import ArrayRef, attach
from usfm_studio.children.serve import serve
from usfm_studio.document.errors import Unreadable

ORDER = os.environ.get("TINY_ENGINE", "")


def device(_body, _context):
    return {"kind": "cpu", "name": "Tiny", "precision": "float32", "threads": 2, "free_bytes": 1 << 30,
            "encode_ms": 1.0, "torch": "none"}  # fmt: skip


def propose(body, context):
    for index, frame in enumerate(body["frames"]):
        misbehave(context)
        try:
            pixels = attach(ArrayRef.from_json(frame["pixels"]))
            ids = attach(ArrayRef.from_json(frame["ids"]))
        except ValueError as error:
            raise Unreadable("The frame's pixels cannot be reached", str(error)) from error
        grey = pixels if pixels.ndim == 2 else pixels[..., 0]
        ids[...] = (grey > 127).astype(np.uint8)
        context.progress({"index": index, "confidences": {"1": 0.8}, "predicted_dice": {}, "labels": {}})
    return {"frames": len(body["frames"])}


KNOWN = set()
"""(group, key, revision) of the lessons that this process has seen."""


def instant(body, context):
    """Marks what is bright with the largest value that the lessons have; says by its confidence how many there are."""
    lessons = body["lessons"]
    for lesson in lessons:
        if lesson["ids"] is not None:
            KNOWN.add((body["group"], lesson["key"], lesson["revision"]))
    lacking = [x["key"] for x in lessons if (body["group"], x["key"], x["revision"]) not in KNOWN]
    if lacking:
        return {"lacking": lacking}
    for index, frame in enumerate(body["frames"]):
        misbehave(context)
        pixels, ids = attach(ArrayRef.from_json(frame["pixels"])), attach(ArrayRef.from_json(frame["ids"]))
        ids[...] = (pixels > 127).astype(np.uint8)
        context.progress({"index": index, "confidences": {"1": len(lessons) / 100}})
    return {}


def misbehave(context):
    kind, _, argument = ORDER.partition(":")
    if kind == "slow":
        for _ in range(100):
            context.check()
            time.sleep(0.01)
    if kind == "dies-once" and not Path(argument).exists():
        Path(argument).touch()
        kind = "dies"
    if kind == "dies":
        os.kill(os.getpid(), signal.SIGKILL)


def warm(_body, _context):
    return {"digest": ""}


if __name__ == "__main__":
    sys.exit(serve({"device": device, "propose": propose, "instant": instant, "warm": warm}))
