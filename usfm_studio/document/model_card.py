"""What is known of a model: enough to use it, to judge it and to repeat its training."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """The card of one model; `card.json` in its folder.

    `digest` is the sha256 of `model.safetensors`. `segments` maps the network's output values 1..n to segment
    names; `labels` is the order of the label head's outputs. `scores` holds metric -> number for the holdout.
    Subjects are named by the first 16 digits of sha256 of their name, since a card may leave the machine.
    """

    digest: str
    name: str
    task: str  # segmentation, labels, both, enhancement, encoder
    encoder: str  # catalogue name
    encoder_digest: str
    created: str = ""
    organ: str = ""
    exam: str = ""
    segments: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    labels: tuple[str, ...] = ()
    exclusive_labels: bool = True
    input_px: int = 256
    preprocessing: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    parents: tuple[str, ...] = ()
    data_digest: str = ""
    train_subjects: tuple[str, ...] = ()
    holdout_subjects: tuple[str, ...] = ()
    seed: int = 0
    scores: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    comparison: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    temperature: float = 1.0
    licence: str = ""
    attribution: tuple[str, ...] = ()
    notes: str = ""

    @property
    def short(self) -> str:
        """First eight digits of the digest: how people name a model."""
        return self.digest[:8]


def subject_code(subject: str) -> str:
    """How cards name a subject: the first 16 digits of the sha256 of its name."""
    return hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()[:16]
