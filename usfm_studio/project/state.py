"""What a project holds now. Small things are in memory; masks and proposals are read when looked at."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from usfm_studio.document.annotation import NO_ANNOTATION, Annotation, Proposal
from usfm_studio.document.edit import (
    Edit,
    PaintTiles,
    ReplaceInstances,
    ReplaceSchema,
    SetAnnotation,
    SetChampion,
    SetProposal,
    Several,
)
from usfm_studio.document.errors import NotFound, WrongUsage
from usfm_studio.document.frame import Frame, FrameId, Instance
from usfm_studio.document.mask import TILE, Mask
from usfm_studio.project import tables
from usfm_studio.project.cache import Cache
from usfm_studio.project.store import Store
from usfm_studio.project.tables import parts_of

MASKS_BYTES = 48 << 20
PROPOSALS_BYTES = 32 << 20


class State:
    """The project's values. Not safe for threads by itself: `Project` holds a lock around every call."""

    def __init__(self, reader: Store, saved: Callable[[], int]) -> None:
        self._reader = reader
        self._ordered: tuple[Instance, ...] | None = None
        self._masks: Cache[tuple[FrameId, int], Mask] = Cache(MASKS_BYTES, saved)
        self._proposals: Cache[FrameId, Proposal] = Cache(PROPOSALS_BYTES, saved)
        self.schema = reader.read(tables.read_schema)
        self.joined = reader.read(tables.read_joined)
        self._last_place = max(self.joined.values(), default=0)
        self.by_digest = {i.digest: i for i in reader.read(tables.read_instances)}
        self.annotations = dict(reader.read(tables.read_annotations))
        self.champions = reader.read(tables.read_champions)
        self.proposed = dict(reader.read(tables.read_proposed))
        self.marked: dict[FrameId, set[int]] = {}
        for frame, layer in reader.read(tables.read_marked):
            self.marked.setdefault(frame, set()).add(layer)

    # ---- looking ----

    @property
    def instances(self) -> tuple[Instance, ...]:
        """By subject, study, series and number, as a worklist shows them."""
        if self._ordered is None:
            self._ordered = tuple(sorted(self.by_digest.values(), key=self._order))
        return self._ordered

    @property
    def subject_order(self) -> tuple[str, ...]:
        """Subjects in the order in which their first image joined the project."""
        by_place = sorted(self.by_digest.values(), key=lambda i: self.joined[i.digest])
        return tuple(dict.fromkeys(i.subject for i in by_place))

    def frame(self, frame: FrameId) -> Frame:
        """One frame. Raises NotFound."""
        instance = self.by_digest.get(frame.source)
        if instance is None or not 0 <= frame.index < instance.frames:
            raise NotFound("This image is not in the project", f"no frame {frame}")
        return Frame(instance=instance, index=frame.index)

    def mask(self, frame: FrameId, layer: int = 0) -> Mask:
        """One layer of one frame. Raises NotFound, Damaged."""
        held = self._masks.get((frame, layer))
        if held is not None:
            return held
        read = None
        if layer in self.marked.get(frame, ()):
            read = self._reader.read(tables.read_mask, frame, layer)
        mask = read if read is not None else Mask.empty(self.frame(frame).shape)
        self._masks.put((frame, layer), mask, _mask_bytes(mask))
        return mask

    def proposal(self, frame: FrameId) -> Proposal | None:
        """What a model said of a frame, or None. Raises Damaged."""
        if frame not in self.proposed:
            return None
        held = self._proposals.get(frame)
        if held is None:
            held = self._reader.read(tables.read_proposal, frame)
            if held is not None:
                self._proposals.put(frame, held, _mask_bytes(held.mask))
        return held

    def annotation(self, frame: FrameId) -> Annotation:
        """A person's decisions on a frame; an empty one where there are none."""
        return self.annotations.get(frame, NO_ANNOTATION)

    # ---- changing ----

    def apply(self, edit: Edit, position: int, *, strictly: bool = True) -> None:
        """Change the values. Strictly: an edit whose `before` is not what is here is refused whole (WrongUsage)."""
        done: list[Edit] = []
        places = self._last_place
        try:
            for part in parts_of(edit):
                if strictly:
                    self._refuse_stale(part)
                before = self._with_true_before(part)
                self._put(part, position)
                done.append(before)
        except BaseException:
            for part in reversed(done):
                self._put(part.inverse(), position)
            self.joined = {digest: place for digest, place in self.joined.items() if place <= places}
            self._last_place = places
            raise

    def based(self, edit: Edit) -> Edit:
        """The edit, where it changes a champion, starting from the one that is in force."""
        match edit:
            case SetChampion():
                return replace(edit, before=self.champions.get(edit.exam))
            case Several():
                return replace(edit, edits=tuple(self.based(part) for part in edit.edits))
            case _:
                return edit

    def _with_true_before(self, part: Edit) -> Edit:
        return replace(part, before=self.proposal(part.frame)) if isinstance(part, SetProposal) else part

    def _refuse_stale(self, edit: Edit) -> None:
        match edit:
            case PaintTiles():
                same = self._tiles_fit(edit)
            case SetAnnotation():
                self.frame(edit.frame)
                same = self.annotation(edit.frame) == edit.before
            case SetProposal():
                shape = self.frame(edit.frame).shape
                same = edit.after is None or (edit.after.frame == edit.frame and edit.after.mask.shape_rc == shape)
            case ReplaceInstances():
                same = self._instances_fit(edit)
            case ReplaceSchema():
                same = self.schema == edit.before
            case SetChampion():
                same = self.champions.get(edit.exam) == edit.before
            case Several():
                same = True  # its parts are looked at one by one
        if not same:
            raise _stale("what it changes has changed in the meantime")

    def _tiles_fit(self, edit: PaintTiles) -> bool:
        rows, columns = self.frame(edit.frame).shape
        if edit.shape_rc != (rows, columns):
            raise _stale(f"the mask is of {edit.shape_rc} and the image of {(rows, columns)}")
        if edit.before.keys() != edit.after.keys():
            raise _stale("tiles before and after are not the same ones")
        for (row, column), tile in edit.after.items():
            inside = 0 <= row * TILE < rows and 0 <= column * TILE < columns
            if not inside or tile.shape != (TILE, TILE) or tile.dtype != np.uint8:
                raise _stale(f"tile {(row, column)} does not belong to the image")
        mask, before = self.mask(edit.frame, edit.layer), Mask((rows, columns), edit.before)
        return all(_equal(mask, before, index) for index in edit.before)

    def _instances_fit(self, edit: ReplaceInstances) -> bool:
        old, new = [i.digest for i in edit.before], [i.digest for i in edit.after]
        if len(set(old)) != len(old) or len(set(new)) != len(new):
            return False
        known = all(digest in self.by_digest for digest in old)
        return known and not any(digest in self.by_digest for digest in set(new) - set(old))

    def _put(self, edit: Edit, position: int) -> None:
        match edit:
            case PaintTiles():
                self._paint(edit, position)
            case SetAnnotation():
                if edit.after == NO_ANNOTATION:
                    self.annotations.pop(edit.frame, None)
                else:
                    self.annotations[edit.frame] = edit.after
            case SetProposal(after=None):
                self.proposed.pop(edit.frame, None)
                self._proposals.drop(edit.frame)
            case SetProposal(after=Proposal() as proposal):
                self.proposed[edit.frame] = proposal.model
                self._proposals.put(edit.frame, proposal, _mask_bytes(proposal.mask), position)
            case ReplaceInstances():
                self._replace(edit)
            case ReplaceSchema():
                self.schema = edit.after
            case SetChampion(after=None):
                self.champions.pop(edit.exam, None)
            case SetChampion(after=str() as digest):
                self.champions[edit.exam] = digest

    def _paint(self, edit: PaintTiles, position: int) -> None:
        key = (edit.frame, edit.layer)
        held = self._masks.get(key)
        if held is None and edit.frame.source not in self.by_digest and edit.frame not in self.marked:
            held = Mask.empty(edit.shape_rc)
        mask = (held if held is not None else self.mask(*key)).with_tiles(edit.after)
        self._masks.put(key, mask, _mask_bytes(mask), position)
        layers = self.marked.setdefault(edit.frame, set())
        if mask.tiles:
            layers.add(edit.layer)
        else:
            layers.discard(edit.layer)
            if not layers:
                del self.marked[edit.frame]

    def _replace(self, edit: ReplaceInstances) -> None:
        kept = {i.digest for i in edit.after}
        for instance in edit.before:
            if instance.digest not in kept:
                self.by_digest.pop(instance.digest, None)
        for instance in edit.after:
            self.by_digest[instance.digest] = instance
            if instance.digest not in self.joined:
                self._last_place += 1
                self.joined[instance.digest] = self._last_place
        self._ordered = None

    def _order(self, instance: Instance) -> tuple[object, ...]:
        far = 1 << 30
        return (
            natural(instance.subject),
            instance.study_date or "9999",
            instance.study_uid,
            far if instance.series_number is None else instance.series_number,
            instance.series_uid,
            far if instance.instance_number is None else instance.instance_number,
            natural(instance.name),
            self.joined[instance.digest],
        )


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A key by which img2 comes before img10, letter case apart."""
    parts = re.split(r"([0-9]+)", text.casefold())
    return tuple((0, int(p), "") if p.isdigit() and p.isascii() else (1, 0, p) for p in parts)


def _equal(mask: Mask, other: Mask, index: tuple[int, int]) -> bool:
    mine, theirs = mask.tile(index), other.tile(index)
    return mine is theirs or bool((mine == theirs).all())


def _mask_bytes(mask: Mask) -> int:
    return 256 + sum(tile.nbytes for tile in mask.tiles.values())


def _stale(why: str) -> WrongUsage:
    return WrongUsage("The change was not made", why, "Try it again.")
