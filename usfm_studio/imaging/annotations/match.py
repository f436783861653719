"""Which frame a mask or a label belongs to: by the stem of its file, else by SOP Instance UID or digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from usfm_studio.imaging.names import digest_in, parted, safe_stem


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is known of one file of the project: enough to find it by name and to check sizes."""

    digest: str
    stem: str
    rows: int
    columns: int
    frames: int = 1
    sop_instance_uid: str = ""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Target:
        """From an instance's JSON values (`document/values_json.py`)."""
        path = str(body.get("member") or body.get("path") or body.get("name") or "").replace("\\", "/")
        return cls(
            digest=str(body["digest"]),
            stem=PurePosixPath(path).stem,
            rows=int(body["rows"]),
            columns=int(body["columns"]),
            frames=int(body.get("frames", 1)),
            sop_instance_uid=str(body.get("sop_instance_uid", "")),
        )


@dataclass(frozen=True, slots=True)
class Place:
    """One frame of one target."""

    target: Target
    index: int

    @property
    def key(self) -> str:
        """`FrameId.key`."""
        return f"{self.target.digest}#{self.index}"

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) that a mask must have."""
        return self.target.rows, self.target.columns


class Index:
    """Finds targets by name. Names are compared as written, then as safe file names, letter case apart."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self._by_name: dict[str, dict[str, Target]] = {}
        for target in targets:
            for name in (target.stem, safe_stem(target.stem), target.sop_instance_uid, target.digest):
                if name:
                    self._by_name.setdefault(name.casefold(), {})[target.digest] = target

    def source(self, name: str) -> Target:
        """The one file of this name (without ending). Raises ValueError with the reason."""
        found = self._named(name)
        if not found:
            bare, digits = digest_in(name)
            found = [t for t in self._named(bare) if digits and t.digest.startswith(digits)]
        if not found:
            raise ValueError("no image of that name is in the project")
        if len(found) > 1:
            raise ValueError(f"{len(found)} images of that name are in the project")
        return found[0]

    def frame(self, name: str, index: int | None = None) -> Place:
        """The frame that a file of this name (without ending) stands for: `STEM`, or `STEM_f000` of a loop.

        `index` overrides what the name says. Raises ValueError with the reason.
        """
        stem, numbered = parted(name)
        whole = self._named(name)
        if index is None and not (whole and all(t.frames == 1 for t in whole)) and numbered is not None:
            return self.at(self.source(stem), numbered)
        target = self.source(name)
        if index is None and target.frames > 1:
            raise ValueError(f"the image is a loop: name the frame, as in {name}_f000")
        return self.at(target, index or 0)

    def at(self, target: Target, index: int) -> Place:
        """One frame of a target. Raises ValueError where it has no such frame."""
        if not 0 <= index < target.frames:
            raise ValueError(f"the image has {target.frames} frames, none has the number {index} (counted from 0)")
        return Place(target, index)

    def _named(self, name: str) -> list[Target]:
        return list(self._by_name.get(name.casefold(), {}).values())
