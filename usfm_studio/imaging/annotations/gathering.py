"""What a reading of annotations collects: masks as .npy files, labels, and one reason for each that was left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from usfm_studio.document.errors import DiskFull, Unreadable, WrongUsage
from usfm_studio.document.mask import Ids
from usfm_studio.document.schema import Schema
from usfm_studio.document.schema_file import schema_of
from usfm_studio.document.snapshot import schema_to
from usfm_studio.imaging.annotations.match import Index, Place
from usfm_studio.imaging.disk import is_full
from usfm_studio.imaging.paths import portable

LARGEST_TEXT = 128 << 20


@dataclass(slots=True)
class Gathering:
    """Filled by a format's reader; `result()` is what the door answers."""

    index: Index
    out: Path
    schema: Schema | None = None
    masks: dict[str, Path] = field(default_factory=dict)
    labels: dict[str, list[str]] = field(default_factory=dict)
    failed: list[dict[str, str]] = field(default_factory=list)

    @property
    def values(self) -> frozenset[int]:
        """Segment values that the annotations' own schema knows."""
        return frozenset(s.value for s in self.schema.segments) if self.schema else frozenset()

    def mask(self, place: Place, ids: Ids) -> None:
        """Keep one mask. Raises ValueError where its size is not the frame's or the frame has one already."""
        if ids.shape != place.shape:
            have, want = (f"{columns} x {rows}" for rows, columns in (ids.shape, place.shape))
            raise ValueError(f"it is {have} pixels, the image {want}")
        if place.key in self.masks:
            raise ValueError("another mask of the same frame came before it")
        path = self.out / f"m{len(self.masks):06d}.npy"
        np.save(path, np.ascontiguousarray(ids))
        self.masks[place.key] = path

    def label(self, place: Place, name: str) -> None:
        """Keep one label, each once a frame."""
        held = self.labels.setdefault(place.key, [])
        if name not in held:
            held.append(name)

    @contextmanager
    def item(self, path: Path | str) -> Iterator[None]:
        """One file or entry: what goes wrong with it is listed, and the next one is read."""
        shown = portable(str(path))
        name = shown.rpartition("/")[2] if isinstance(path, Path) else shown
        try:
            yield
        except (ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
            self.failed.append({"path": shown, "error": str(Unreadable(f"Could not take over {name}", _reason(error)))})
        except OSError as error:
            if is_full(error):
                raise DiskFull(f"Could not take over {name}", "no space is left for it", "Free some space.") from error
            reason = (error.strerror or "it cannot be read").lower()
            self.failed.append({"path": shown, "error": str(Unreadable(f"Could not take over {name}", reason))})

    def result(self) -> dict[str, Any]:
        """{"masks": [{"frame_key", "file"}], "labels": {frame_key: [...]}, "schema", "failed": [{"path", "error"}]}."""
        return {
            "masks": [{"frame_key": key, "file": str(path)} for key, path in self.masks.items()],
            "labels": self.labels,
            "schema": schema_to(self.schema) if self.schema is not None else None,
            "failed": self.failed,
        }


def _reason(error: Exception) -> str:
    """What was wrong with an entry; only a ValueError of ours was written for a person."""
    if isinstance(error, KeyError):
        return f"an entry is missing ({error.args[0]})"
    if isinstance(error, MemoryError):
        return "there is too little memory for it"
    return str(error) if type(error) is ValueError else "its entry is not as this format has it"


def read_text(path: Path) -> str:
    """A text file, UTF-8. Raises Unreadable."""
    what = f"Could not read {path.name}"
    try:
        if path.stat().st_size > LARGEST_TEXT:
            raise Unreadable(what, "it is larger than any table of annotations")
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(what, "it is not UTF-8 text", "Save it again as UTF-8.") from error
    except OSError as error:
        raise Unreadable(what, (error.strerror or "it cannot be read").lower()) from error


def schema_in(folder: Path) -> Schema | None:
    """The schema of `schema.toml` in a folder, or None. Raises WrongUsage, Unreadable."""
    path = folder / "schema.toml"
    if not path.is_file():
        return None
    try:
        return schema_of(read_text(path))
    except WrongUsage as error:
        raise WrongUsage(f"Could not read {path.name}", error.why, error.hint) from error
