"""Changes of a project. Each holds before and after, so its inverse is a swap, written once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from usfm_studio.document.annotation import Annotation, Proposal
from usfm_studio.document.frame import FrameId, Instance
from usfm_studio.document.mask import Mask, Tile, TileIndex, changed_tiles
from usfm_studio.document.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintTiles:
    """Some tiles of one mask layer, replaced. `before` and `after` have the same keys."""

    name: str
    frame: FrameId
    shape_rc: tuple[int, int]
    layer: int = 0
    before: Mapping[TileIndex, Tile]
    after: Mapping[TileIndex, Tile]

    def inverse(self) -> PaintTiles:
        """The edit that takes this one back."""
        return replace(self, before=self.after, after=self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAnnotation:
    """State, labels, decisions, note and provenance of one frame, replaced."""

    name: str
    frame: FrameId
    before: Annotation
    after: Annotation

    def inverse(self) -> SetAnnotation:
        """The edit that takes this one back."""
        return replace(self, before=self.after, after=self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetProposal:
    """The proposal on one frame, replaced. The model's doing: journalled, but not a step that undo takes back."""

    name: str
    frame: FrameId
    before: Proposal | None
    after: Proposal | None

    def inverse(self) -> SetProposal:
        """The edit that takes this one back."""
        return replace(self, before=self.after, after=self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceInstances:
    """Files added (before empty), removed (after empty) or described anew (a merged subject, a moved file)."""

    name: str
    before: tuple[Instance, ...]
    after: tuple[Instance, ...]

    def inverse(self) -> ReplaceInstances:
        """The edit that takes this one back."""
        return replace(self, before=self.after, after=self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceSchema:
    """The label schema, replaced."""

    name: str
    before: Schema
    after: Schema

    def inverse(self) -> ReplaceSchema:
        """The edit that takes this one back."""
        return replace(self, before=self.after, after=self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetChampion:
    """Which model of the shelf proposes for one exam group (digest, or None)."""

    name: str
    exam: str
    before: str | None
    after: str | None

    def inverse(self) -> SetChampion:
        """The edit that takes this one back."""
        return replace(self, before=self.after, after=self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """Edits that are one act of a person, applied in order."""

    name: str
    edits: tuple[Edit, ...]

    def inverse(self) -> Several:
        """The edit that takes this one back: the inverses, last first."""
        return replace(self, edits=tuple(edit.inverse() for edit in reversed(self.edits)))


Edit = PaintTiles | SetAnnotation | SetProposal | ReplaceInstances | ReplaceSchema | SetChampion | Several


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an applied edit touched: kinds of `instances`, `masks`, `annotation`, `proposal`, `schema`, `champion`."""

    name: str
    kinds: frozenset[str]
    frames: frozenset[FrameId]
    position: int = 0  # journal position


def paint(name: str, frame: FrameId, before: Mask, after: Mask, layer: int = 0) -> PaintTiles | None:
    """The edit from one mask to another of the same shape; None where nothing differs (no empty undo steps)."""
    tiles = changed_tiles(before, after)
    if not tiles:
        return None
    return PaintTiles(
        name=name,
        frame=frame,
        shape_rc=before.shape_rc,
        layer=layer,
        before={i: old for i, (old, _) in tiles.items()},
        after={i: new for i, (_, new) in tiles.items()},
    )


def change_of(edit: Edit, position: int = 0) -> Change:
    """What an edit touches."""
    kinds: set[str] = set()
    frames: set[FrameId] = set()
    _collect(edit, kinds, frames)
    return Change(name=edit.name, kinds=frozenset(kinds), frames=frozenset(frames), position=position)


def _collect(edit: Edit, kinds: set[str], frames: set[FrameId]) -> None:
    match edit:
        case PaintTiles():
            kinds.add("masks")
            frames.add(edit.frame)
        case SetAnnotation():
            kinds.add("annotation")
            frames.add(edit.frame)
        case SetProposal():
            kinds.add("proposal")
            frames.add(edit.frame)
        case ReplaceInstances():
            kinds.add("instances")
        case ReplaceSchema():
            kinds.add("schema")
        case SetChampion():
            kinds.add("champion")
        case Several():
            for part in edit.edits:
                _collect(part, kinds, frames)
