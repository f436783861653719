"""A stranger's checkpoint becomes an ENCODER folder."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from usfm_studio.document.model_card import ModelCard
from usfm_studio.engine.models.blueprint import INPUT_PX_RANGE
from usfm_studio.engine.models.checkpoint import save_model, stored
from usfm_studio.engine.models.features import MULTIPLE
from usfm_studio.engine.models.foreign.layout import Choice
from usfm_studio.engine.models.foreign.reading import read_checkpoint
from usfm_studio.engine.models.foreign.recognise import Recognised, recognise

DEFAULT_PX = 256
NOT_STATED = "not stated"


def convert(file: Path, out: Path, *, licence: str = "", choice: Choice | None = None) -> ModelCard:
    """Write the encoder in `file` as the folder `out`, whole or not at all; returns its card.

    Kernels go to half precision, vectors stay in single, as in every encoder folder. Raises BadModel, OSError.
    """
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    found = recognise(file, read_checkpoint(file), choice)
    tensors = {name: stored(tensor.detach().contiguous()) for name, tensor in found.tensors.items()}
    return save_model(out, _card(file, digest, found, licence.strip() or NOT_STATED), tensors, ours=False)


def _input_px(trained: int | None) -> int:
    """The size that frames are brought to: the trained one, where placement can give it."""
    low, high = INPUT_PX_RANGE
    return DEFAULT_PX if trained is None or trained % MULTIPLE else min(high, max(low, trained))


def _card(file: Path, digest: str, found: Recognised, licence: str) -> ModelCard:
    source = {
        "file": file.name, "sha256": digest, "layout": found.layout, "spare": found.spare,
        "assumed": list(found.assumed),
    }  # fmt: skip
    spare = ", ".join(f"{group} {count}" for group, count in found.spare.items())
    assumed = "; ".join(found.assumed)
    return ModelCard(
        digest="",
        name=file.stem,
        task="encoder",
        encoder=found.encoder,
        encoder_digest="",
        input_px=_input_px(found.input_px),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        settings=MappingProxyType({"source": source}),
        licence=licence,
        notes=f"Imported from {file.name}."
        + (f" Left out: {spare}." if spare else "")
        + (f" Assumed: {assumed}." if assumed else ""),
    )
