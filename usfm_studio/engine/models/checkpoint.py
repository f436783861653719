"""Models on disk: the one place where they are written and read.

A MODEL is a folder: `model.safetensors` (decoder, label head, and the encoder where training changed it), `card.json`
and, where weights of others are inside, their LICENSE and NOTICE. Tensor names begin with `encoder.`, `decoder.` or
`label_head.`. An ENCODER folder has the same files; its names are bare, so that `timm` loads them without this code.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import torch
from torch import Tensor, nn

from usfm_studio.document.errors import NotFound
from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.values_json import card_to
from usfm_studio.engine.models.blueprint import (
    Blueprint,
    DecoderPlan,
    EnhancerPlan,
    LabelHeadPlan,
    Preparation,
    blueprint_of,
    check_card,
    preparation_of,
)
from usfm_studio.engine.models.catalogue import (
    CARD,
    WEIGHTS,
    find_encoder,
    read_card,
    shipped_encoder,
)
from usfm_studio.engine.models.decoder import UNetDecoder
from usfm_studio.engine.models.encoder import Encoder, build_encoder
from usfm_studio.engine.models.enhancer import Enhancer
from usfm_studio.engine.models.label_head import LabelHead, summary_width
from usfm_studio.engine.models.safe_tensors import bad, read_tensors, write_tensors

ENHANCEMENT = "enhancement"
"""The task of a model that gives pictures: no masks, no labels, never a proposal."""
COUNTER = "num_batches_tracked"
"""BatchNorm's step counter: of no use after training, so never stored."""


@dataclass(slots=True)
class LoadedModel:
    """A model in memory, in eval mode, float32, on the CPU.

    `label_encoder` is what the label head summarises with, where that is not `encoder`.
    """

    card: ModelCard
    preparation: Preparation
    encoder: Encoder
    decoder: UNetDecoder | None
    label_head: LabelHead | None
    enhancer: Enhancer | None = None
    label_encoder: Encoder | None = None

    def parts(self) -> dict[str, nn.Module]:
        """The networks that are there, by the prefix of their tensors."""
        named = {
            "encoder": self.encoder,
            "decoder": self.decoder,
            "label_head": self.label_head,
            "enhancer": self.enhancer,
        }
        return {name: part for name, part in named.items() if part is not None}


def build_decoder(plan: DecoderPlan, encoder: Encoder, segments: int) -> UNetDecoder:
    """The decoder of a blueprint with random weights; one class more than segments."""
    return UNetDecoder(encoder.channels, segments + 1, plan.widths, plan.convs)


def build_label_head(plan: LabelHeadPlan, encoder: Encoder, labels: int) -> LabelHead:
    """The label head of a blueprint with random weights."""
    return LabelHead(summary_width(encoder, plan.masked), labels, plan.masked)


def build_enhancer(plan: EnhancerPlan, encoder: Encoder) -> Enhancer:
    """The enhancer of a blueprint; untrained, it changes nothing."""
    return Enhancer(encoder.channels, plan.widths)


def tensors_of(**parts: nn.Module | None) -> dict[str, Tensor]:
    """What to store of `encoder=`, `decoder=`, `label_head=`: matrices in half precision, the rest in single."""
    return {
        f"{part}.{name}": stored(tensor)
        for part, module in parts.items()
        if module is not None
        for name, tensor in module.state_dict().items()
        if not name.endswith(COUNTER)
    }


def stored(tensor: Tensor) -> Tensor:
    """A tensor as it goes to disk: kernels in half precision, vectors (statistics among them) in single.

    A kernel with values beyond half precision (a stranger's) stays in single.
    """
    half = tensor.half() if tensor.ndim > 1 else None
    return half if half is not None and bool(torch.isfinite(half).all()) else tensor.float()


def save_model(
    folder: Path, card: ModelCard, tensors: Mapping[str, Tensor], *, ours: bool = True, terms: Path | None = None
) -> ModelCard:
    """Write a model folder, whole or not at all; returns the card with its digest.

    The card's `digest` is filled in, and `encoder_digest` too where `tensors` hold an encoder. `ours`: an encoder
    among them comes from the one that ships under its name, whose LICENSE and NOTICE go along; `terms`: from that
    folder, whose own go along. An older folder of that name is replaced. Raises OSError.
    """
    beside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.tmp")
    beside.mkdir(parents=True)
    try:
        digest = write_tensors(beside / WEIGHTS, tensors)
        tuned = card.task == "encoder" or any(name.startswith("encoder.") for name in tensors)
        card = replace(card, digest=digest, encoder_digest=digest if tuned else card.encoder_digest)
        if tuned and (ours or terms is not None):
            _copy_terms(terms or _shipped(card.encoder), beside)
        _write_flushed(beside / CARD, msgspec.json.format(msgspec.json.encode(card_to(card)), indent=2))
        _flush_folder(beside)
        _put_in_place(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return card


def load_model(folder: Path, encoders: Iterable[Path] = ()) -> LoadedModel:
    """A model ready to predict. `encoders` are encoder folders beside those that ship. Raises BadModel."""
    card = read_card(folder)
    check_card(card)
    if card.task == "encoder":
        return LoadedModel(card, preparation_of(card), load_encoder(folder), None, None)
    plan = blueprint_of(card)
    encoder = build_encoder(card.encoder)
    decoder, label_head = _heads(plan, card, encoder)
    enhancer = build_enhancer(plan.enhancer, encoder) if plan.enhancer else None
    model = LoadedModel(card, preparation_of(card), encoder, decoder, label_head, enhancer)
    own_encoder = card.encoder_digest == card.digest
    if not own_encoder:
        model.encoder = load_encoder(find_encoder(card.encoder_digest, encoders))
        if model.encoder.name != card.encoder:
            raise bad(f"its encoder is called {card.encoder} and is a {model.encoder.name}")
    if plan.label_head is not None and plan.label_head.encoder_digest:
        model.label_encoder = load_encoder(find_encoder(plan.label_head.encoder_digest, encoders))
        if model.label_encoder.name != card.encoder:
            raise bad(f"its labels want an encoder {card.encoder} and name a {model.label_encoder.name}")
    fillable = {name: part for name, part in model.parts().items() if own_encoder or name != "encoder"}
    _fill(fillable, folder, card.digest)
    return model


def load_encoder(folder: Path) -> Encoder:
    """The encoder of an encoder folder, in eval mode. Raises BadModel."""
    card = read_card(folder)
    if card.task != "encoder":
        raise bad("it is not an encoder")
    encoder = build_encoder(card.encoder)
    _fill({"": encoder}, folder, card.digest)
    return encoder


def _heads(plan: Blueprint, card: ModelCard, encoder: Encoder) -> tuple[UNetDecoder | None, LabelHead | None]:
    if plan.decoder is None and plan.label_head is None and plan.enhancer is None:
        raise bad("its card describes neither a mask decoder nor a label head nor an enhancer")
    if (plan.enhancer is None) != (card.task != ENHANCEMENT):
        raise bad("its task and its network do not fit")
    if (plan.decoder is None) != (not card.segments) or (plan.label_head is None) != (not card.labels):
        raise bad("its card lists other outputs than its network has")
    if plan.label_head is not None and plan.label_head.masked and plan.decoder is None:
        raise bad("its label head needs a mask that its network does not make")
    decoder = build_decoder(plan.decoder, encoder, len(card.segments)) if plan.decoder else None
    label_head = build_label_head(plan.label_head, encoder, len(card.labels)) if plan.label_head else None
    return decoder, label_head


def _fill(parts: Mapping[str, nn.Module], folder: Path, digest: str) -> None:
    wanted = {
        (part, name): tuple(tensor.shape)
        for part, module in parts.items()
        for name, tensor in module.state_dict().items()
        if not name.endswith(COUNTER)
    }
    tensors = read_tensors(folder / WEIGHTS, digest, {_joined(*key): shape for key, shape in wanted.items()})
    for part, module in parts.items():
        own = {name: tensors[_joined(part, name)] for (of, name) in wanted if of == part}
        module.load_state_dict(own, strict=False)  # only counters are left out: read_tensors compared the names
        module.eval()


def _joined(part: str, name: str) -> str:
    return f"{part}.{name}" if part else name


def _shipped(encoder: str) -> Path | None:
    try:
        return shipped_encoder(encoder)
    except NotFound:
        return None


def _copy_terms(source: Path | None, into: Path) -> None:
    if source is None:
        return
    for name in ("LICENSE", "NOTICE"):
        if (source / name).is_file():
            shutil.copyfile(source / name, into / name)


def _write_flushed(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put_in_place(beside: Path, folder: Path) -> None:
    """Rename into place. An older folder is moved away first, and back if the new one cannot come."""
    old = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.old")
    replaces = folder.exists()
    if replaces:
        folder.rename(old)
    try:
        beside.rename(folder)
    except OSError:
        if replaces:
            old.rename(folder)
        raise
    if replaces:
        shutil.rmtree(old, ignore_errors=True)
    _flush_folder(folder.parent)
