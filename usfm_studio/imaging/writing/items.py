"""What an export works on: the frames of a snapshot under the names that their files get."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.errors import Damaged, StudioError
from usfm_studio.document.mask import Ids
from usfm_studio.document.schema import Schema
from usfm_studio.document.snapshot import Sample, Snapshot
from usfm_studio.imaging.names import Named, framed, parted, unique_stems
from usfm_studio.imaging.reading.colour import to_8_bit

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".dcm", ".tif", ".tiff", ".bmp"})
_NUMBERED = re.compile(r"(.+)#(\d+)", re.DOTALL)
Progress = Callable[[dict[str, Any]], None]
"""Told {"done", "total"} after each frame; may raise Interrupted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One frame to write. `stem` is that of its source, `frame` its index where the source has several.

    `frames` is how many the source has (0: unknown), `bits` the stored bits of a sample (0: unknown); `path` and
    `member` lead to the source where they are known.
    """

    sample: Sample
    stem: str
    frame: int | None = None
    frames: int = 1
    path: str = ""
    member: str = ""
    bits: int = 0
    seconds_per_frame: float | None = None
    exam: str = ""
    model: str = ""

    @property
    def name(self) -> str:
        """File name without ending: `STEM` or `STEM_f000`."""
        return framed(self.stem, self.frame)


@dataclass(slots=True)
class Work:
    """A snapshot with its items, and whom to tell how far it is."""

    snapshot: Snapshot
    items: tuple[Item, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress | None = None
    done: int = 0

    @property
    def schema(self) -> Schema:
        """What the ids and labels mean."""
        return self.snapshot.schema

    @property
    def masked(self) -> tuple[Item, ...]:
        """The items that have a mask, empty ones included."""
        return tuple(item for item in self.items if item.sample.masked)

    def ids(self, item: Item) -> Ids:
        """(rows, columns) uint8 segment ids. Raises Damaged where the snapshot is not as its manifest says."""
        ids = self.snapshot.mask(item.sample)
        if ids is None or ids.shape != (item.sample.rows, item.sample.columns) or ids.dtype != np.uint8:
            raise Damaged("The export was not made", f"the mask of {item.name} is not as it was stored")
        return np.ascontiguousarray(ids)

    def pixels(self, item: Item) -> NDArray[np.uint8]:
        """(rows, columns[, 3]) uint8: the high 8 bits of deeper samples, as everything that learns sees them.

        One scale for all frames of a source: a frame stretched by itself would flicker beside its neighbours.
        """
        pixels: NDArray[Any] = np.asarray(self.snapshot.pixels(item.sample))
        return np.ascontiguousarray(to_8_bit(pixels, item.bits or int(pixels.max()).bit_length()))

    def loops(self, items: tuple[Item, ...]) -> Iterator[tuple[Item, ...]]:
        """The items, those of one source together and in order of their frames."""
        ordered = sorted(items, key=lambda i: (i.stem, i.frame or 0))
        for _, group in groupby(ordered, key=lambda i: i.stem):
            yield tuple(group)

    def step(self, count: int = 1) -> None:
        """So many more frames are written and read back."""
        self.done += count
        if self.progress is not None:
            self.progress({"done": self.done, "total": len(self.items)})


@dataclass(slots=True)
class Written:
    """What an export gave: frames that are in it, and sources that could not be, each with the reason."""

    frames: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)


def work_of(snapshot: Snapshot, options: Mapping[str, Any], progress: Progress | None) -> Work:
    """The snapshot's samples under their file names.

    `options["sources"]` maps a sample's stem to {"path", "member", "frame"} and, where known, "frames",
    "bits", "seconds_per_frame", "exam" and "model"; without it the sample's own name counts.
    """
    sources: Mapping[str, Mapping[str, Any]] = options.get("sources") or {}
    counts = Counter(sample.source_digest for sample in snapshot.samples if sample.source_digest)
    drafts = [_draft(s, sources.get(s.stem) or {}, counts[s.source_digest] > 1) for s in snapshot.samples]
    stems = unique_stems([Named(i.stem, i.sample.source_digest or i.sample.stem, i.frame) for i in drafts])
    named = tuple(replace(item, stem=stem) for item, stem in zip(drafts, stems, strict=True))
    return Work(snapshot, named, options, progress)


def _draft(sample: Sample, source: Mapping[str, Any], shares_source: bool) -> Item:
    stem, frame = _stem_and_frame(sample, source, shares_source)
    seconds = source.get("seconds_per_frame")
    return Item(
        sample=sample,
        stem=stem,
        frame=frame,
        frames=1 if frame is None else int(source.get("frames") or 0),
        path=str(source.get("path") or ""),
        member=str(source.get("member") or ""),
        bits=int(source.get("bits") or 0),
        seconds_per_frame=float(seconds) if seconds else None,
        exam=str(source.get("exam") or ""),
        model=str(source.get("model") or ""),
    )


def _stem_and_frame(sample: Sample, source: Mapping[str, Any], shares_source: bool) -> tuple[str, int | None]:
    """The source's stem, and the frame where the source is a loop."""
    numbered = _NUMBERED.fullmatch(sample.name)
    name = numbered[1] if numbered else sample.name
    name = Path(name).stem if Path(name).suffix.casefold() in PICTURES else name
    stem, frame = (name, int(numbered[2])) if numbered else parted(name)
    if source.get("frame") is not None:
        frame = int(source["frame"])
    count = int(source.get("frames") or 0)
    loop = count > 1 if count else shares_source or numbered is not None or bool(source.get("frame"))
    path = str(source.get("member") or source.get("path") or "").replace("\\", "/")
    if path:
        stem = Path(path).stem
    elif not loop:
        stem = name
    return stem, frame if loop else None


def differs(name: str) -> StudioError:
    """The error for a file that does not read back as it was written."""
    return StudioError(
        "The export was not kept", f"{name} read back differs from what was written", "Try again, or another drive."
    )
