"""File names of what is written: the source's stem made safe, with the frame of a loop, unique in one folder."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST = 120
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\s]+')
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"com{i}" for i in range(10)), *(f"lpt{i}" for i in range(10))})
_FRAME = re.compile(r"(.+)_f(\d{3,6})", re.DOTALL)
_DIGEST = re.compile(r"(.+)-([0-9a-f]{8})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Named:
    """What names one file: the stem of the source, its digest, and the frame where the source has several."""

    stem: str
    digest: str
    frame: int | None = None


def safe_stem(text: str) -> str:
    """A file name (without ending) that every system takes and that cannot leave its folder; never empty.

    Letters of any script stay; white space, separators, control and direction-changing characters become `_`.
    """
    plain = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    plain = "".join("_" if unicodedata.category(c)[0] == "C" else c for c in plain)
    plain = _FORBIDDEN.sub("_", plain).lstrip(".-=+@'").rstrip(". ")[:LONGEST].rstrip(". ")
    if not plain:
        return "image"
    return f"_{plain}" if plain.partition(".")[0].casefold() in _DEVICES else plain


def framed(stem: str, frame: int | None) -> str:
    """`STEM`, or `STEM_f000` for a frame of a loop."""
    return stem if frame is None else f"{stem}_f{frame:03d}"


def parted(name: str) -> tuple[str, int | None]:
    """Inverse of `framed`: (stem, frame or None)."""
    match = _FRAME.fullmatch(name)
    return (match[1], int(match[2])) if match else (name, None)


def digest_in(name: str) -> tuple[str, str]:
    """(name, "") or, where the name ends in `-` and eight digits of a digest, (name before it, those digits)."""
    match = _DIGEST.fullmatch(name)
    return (match[1], match[2]) if match else (name, "")


def unique_stems(named: Sequence[Named]) -> list[str]:
    """A safe stem for each source (frame apart), with eight digits of the digest where two would share a file name.

    Letter case is no difference: some systems cannot tell such names apart.
    """
    stems = [safe_stem(n.stem) for n in named]
    by_stem: dict[str, set[str]] = {}
    by_file: dict[str, set[str]] = {}
    for stem, one in zip(stems, named, strict=True):
        by_stem.setdefault(stem.casefold(), set()).add(one.digest)
        by_file.setdefault(framed(stem, one.frame).casefold(), set()).add(one.digest)
    shared = {d for digests in (*by_stem.values(), *by_file.values()) if len(digests) > 1 for d in digests}
    return [f"{stem}-{n.digest[:8]}" if n.digest in shared else stem for stem, n in zip(stems, named, strict=True)]
