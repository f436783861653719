"""What the model proposes and what a person has decided; the two never share a layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Mask

INSTANT = "instant-"
"""How the name of an instant head begins where that of a model is its digest: it was made from the accepted frames of
one moment, and nobody has tested it."""


class State(StrEnum):
    """Where the work on a frame stands. Only DONE and NOTHING become training samples."""

    TODO = "todo"
    DOING = "doing"
    DONE = "done"
    NOTHING = "nothing"  # looked at, nothing to mark: trains as an empty mask
    FLAGGED = "flagged"
    UNUSABLE = "unusable"


class Decision(StrEnum):
    """What a person said of one proposed segment or label."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What one model says of one frame.

    `model` is its digest, or INSTANT and the digest of what an instant head has learned from. `confidences` is by
    segment value, 0..1 (soft Dice confidence); `predicted_dice` likewise, where the model can tell; `labels` is the
    probability of each label name.
    """

    frame: FrameId
    model: str
    mask: Mask
    confidences: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))
    predicted_dice: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))
    labels: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    model_name: str = ""

    @property
    def untested(self) -> bool:
        """True where an instant head proposes."""
        return self.model.startswith(INSTANT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """One step of how an annotation came to be. `what`: drawn, edited, accepted, labelled, imported, state."""

    who: str
    when: str  # ISO 8601 in UTC
    what: str
    model: str = ""
    decoder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A person's decisions on one frame, its mask layers apart.

    `decisions` remembers, by `MODEL:segment:VALUE` or `MODEL:label:NAME`, what was accepted or rejected, so that a
    rejected proposal of the same model stays away.
    """

    state: State = State.TODO
    labels: tuple[str, ...] = ()
    note: str = ""
    decisions: Mapping[str, Decision] = field(default_factory=lambda: MappingProxyType({}))
    provenance: tuple[Provenance, ...] = ()

    def decision(self, model: str, value: int) -> Decision | None:
        """What was said of a proposed segment of this model, or None."""
        return self.decisions.get(f"{model}:segment:{value}")

    def label_decision(self, model: str, name: str) -> Decision | None:
        """What was said of a proposed label of this model, or None."""
        return self.decisions.get(f"{model}:label:{name}")


NO_ANNOTATION = Annotation()
"""A frame that nobody touched."""
