"""Checkpoints of other programs: which files may be one, and the encoder folder that the importer makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from usfm_studio.document.errors import BadModel, ChildDied, NotFound, OutOfMemory, Unsupported
from usfm_studio.engine import importer_client
from usfm_studio.verbs.shelf import CARD
from usfm_studio.verbs.steps import Steps, answer

READ = frozenset((".pt", ".pth", ".ckpt", ".bin", ".safetensors"))
UNREAD = frozenset((".onnx", ".pkl", ".npz", ".h5", ".pb", ".tflite", ".gguf"))
"""Weights that hold no tensors under names that are known, or that would have to be run to be read."""


def is_foreign(source: Path) -> bool:
    """False for a model folder, True for a file that may be another program's checkpoint.

    Raises NotFound, Unsupported, BadModel for anything else.
    """
    if (source / CARD).is_file():
        return False
    what = f"{source.name or 'The model'} is not a model"
    if not source.exists():
        raise NotFound(
            f"There is no model at {source.name or 'that place'}", "no such file or folder", "Check the name."
        )
    if source.is_file() and source.suffix.lower() in READ:
        return True
    if source.suffix.lower() in UNREAD:
        hint = "Bring a .pth, .pt, .ckpt, .bin or .safetensors file, or a model folder of USFM Studio."
        raise Unsupported(what, f"{source.suffix} files are not read", hint)
    raise BadModel(what, "a model is a folder with card.json and its weights, or a file of an encoder's weights")


def encoder_from(source: Path, out: Path, licence: str, choices: Mapping[str, Any]) -> Steps[None]:
    """Have the importer write the encoder in a checkpoint as the folder `out`. Raises BadModel, DiskFull."""
    source = source.absolute()
    try:
        str(source).encode()
    except UnicodeEncodeError as error:
        what = f"{ascii(source.name)[1:-1]} cannot be used"
        raise BadModel(what, "its name, or a folder's, is no text", "Rename it.") from error
    importing = importer_client.start(source, out.absolute(), licence=licence, **choices)
    try:
        yield from answer(importing.ticket)
    except (ChildDied, OutOfMemory) as error:
        why = "reading it took more memory or time than a file of its size may take"
        raise BadModel(f"{source.name} cannot be used", why, "Copy it again from where it came.") from error
    finally:
        importing.child.kill()
