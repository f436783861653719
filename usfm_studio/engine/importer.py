"""The process that reads checkpoints of other programs: one file, under limits of memory and time.

Started as `python -m usfm_studio.engine.importer` by `importer_client`.
"""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import Any, Literal

import msgspec
import timm.layers
import timm.models.beit
import timm.models.vision_transformer  # noqa: F401 - all imports come before the limit of memory
import torch

from usfm_studio.children.limits import allow_more
from usfm_studio.children.serve import Context, serve
from usfm_studio.document.errors import DiskFull, StudioError, WrongUsage
from usfm_studio.document.values_json import card_to
from usfm_studio.engine.importer_client import ROOM_BYTES, TIMES_THE_FILE
from usfm_studio.engine.models.foreign.convert import convert
from usfm_studio.engine.models.foreign.layout import Choice


class ImportOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file to convert into the folder `out`."""

    file: str
    out: str
    licence: str = ""
    heads: int | None = None
    pixels: Literal["imagenet", "half"] | None = None


def convert_file(body: dict[str, Any], _context: Context) -> dict[str, Any]:
    """{"card": the card of the encoder folder that was written}."""
    try:
        order = msgspec.convert(body, ImportOrder)
    except msgspec.ValidationError as error:
        raise WrongUsage("The import cannot start", f"the request is wrong: {error}") from error
    file = Path(order.file)
    allow_more(ROOM_BYTES + TIMES_THE_FILE * file.stat().st_size)
    choice = Choice(heads=order.heads, pixels=order.pixels)
    try:
        return {"card": card_to(convert(file, Path(order.out), licence=order.licence, choice=choice))}
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull("The encoder could not be written", "the disk is full", "Free some space.") from error
        raise StudioError("The encoder could not be written", error.strerror or "the disk reports an error") from error


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(serve({"convert": convert_file}))
