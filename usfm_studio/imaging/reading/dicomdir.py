"""A DICOMDIR: which files it names that are missing, or that lie where it may not point.

Its records are read in their order in the file and their links are not followed, so circles and wrong offsets do no
harm. The folder is searched in any case.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from usfm_studio.imaging.paths import native
from usfm_studio.imaging.reading.container import open_container
from usfm_studio.imaging.reading.elements import read_elements
from usfm_studio.imaging.reading.source import opened
from usfm_studio.imaging.reading.text import safe_text
from usfm_studio.imaging.walk import Failed

_RECORDS = 0x00041220
_FILE_ID = 0x00041500
_MOST = 200_000


def complaints(path: str) -> Iterator[Failed]:
    """References that are not followed. Raises Unreadable where the file is no DICOMDIR at all."""
    with opened(path) as source:
        container = open_container(source)
        elements = read_elements(
            container.source, container.offset, implicit=container.implicit, little=container.little
        )
        records = elements.items(_RECORDS, _MOST)
        references = [record.texts(_FILE_ID) for record in records if _FILE_ID in record]
    if not records:
        yield Failed(path, "The DICOMDIR names no files; its folder was searched instead.")
    folder = Path(native(path)).parent
    for parts in dict.fromkeys(references):
        shown = safe_text("/".join(parts))
        if _leads_out(parts):
            yield Failed(path, f"The DICOMDIR names {shown}: it lies outside its folder and was not opened.")
        elif not _exists(folder, parts):
            yield Failed(path, f"The DICOMDIR names {shown}: it is not there. Copy the disc again.")


def _leads_out(parts: tuple[str, ...]) -> bool:
    return any(part in ("", ".", "..") or "/" in part or ":" in part or "\0" in part for part in parts)


def _exists(folder: Path, parts: tuple[str, ...]) -> bool:
    """True where the file is there, in the written case or in lower case, as some systems copy discs."""
    return folder.joinpath(*parts).exists() or folder.joinpath(*(part.lower() for part in parts)).exists()
