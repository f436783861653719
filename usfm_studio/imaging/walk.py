"""From what a person names (files, folders, zips, a DICOMDIR) to single files; every input gives at least one outcome.

Standard library only. Links to folders are not followed, so a circle of links cannot trap it and nothing outside the
named folders is read by surprise.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from usfm_studio.document.errors import StudioError
from usfm_studio.imaging.paths import native, portable

DICOMDIR = "DICOMDIR"
_IGNORED = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX"})


@dataclass(frozen=True, slots=True)
class Found:
    """A file, or a member of the archive at `path`, that is worth a look. `size` in bytes, unpacked."""

    path: str
    member: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """Something that is not looked at, and why."""

    path: str
    error: str


Outcome = Found | Failed
Archive = Callable[[str], Iterable[Outcome]]
"""Lists the members of the zip at a path; may raise StudioError."""
Directory = Callable[[str], Iterable[Failed]]
"""What is wrong with the DICOMDIR at a path: references that are missing or lead out of its folder."""


def walk(paths: Iterable[str], archive: Archive, directory: Directory) -> Iterator[Outcome]:
    """The files behind the paths, each once, in order of name within a folder."""
    seen: set[str] = set()
    for path in paths:
        for outcome in _named(native(path), archive, directory):
            key = f"{outcome.path}\0{outcome.member}" if isinstance(outcome, Found) else ""
            if not key or key not in seen:
                seen.add(key)
                yield outcome


def _named(path: str, archive: Archive, directory: Directory) -> Iterator[Outcome]:
    """What a person named herself: links are followed here."""
    try:
        status = Path(path).stat()
    except (OSError, ValueError) as error:
        yield Failed(portable(path), _missing(path, error))
        return
    if stat.S_ISDIR(status.st_mode):
        yield from _folder(path, archive, directory)
    elif Path(path).name == DICOMDIR:
        yield from _folder(str(Path(path).parent), archive, directory)
    elif stat.S_ISREG(status.st_mode):
        yield from _file(path, status.st_size, archive, zipped=_begins_like_zip(path))
    else:
        yield Failed(portable(path), _not_a_file(path))


def _folder(top: str, archive: Archive, directory: Directory) -> Iterator[Outcome]:
    """All files under a folder, subfolders after the files of their parent. No recursion: depth costs nothing."""
    root = os.path.realpath(top)
    waiting = [top]
    empty = True
    while waiting:
        folder = waiting.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except (OSError, ValueError) as error:
            empty = False
            yield Failed(portable(folder), _missing(folder, error))
            continue
        below = []
        for entry in entries:
            if entry.name in _IGNORED or entry.name.startswith("._"):
                continue
            empty = False
            if entry.is_dir(follow_symlinks=False):
                below.append(entry.path)
            else:
                yield from _entry(entry, root, archive, directory)
        waiting += reversed(below)
    if empty:
        yield Failed(portable(top), f"{_shown(top)} holds no files: there is nothing to read.")


def _entry(entry: os.DirEntry[str], root: str, archive: Archive, directory: Directory) -> Iterator[Outcome]:
    try:
        status = entry.stat()
    except (OSError, ValueError) as error:
        yield Failed(portable(entry.path), _missing(entry.path, error))
        return
    if stat.S_ISDIR(status.st_mode):
        target = os.path.realpath(entry.path)
        if target != root and not target.startswith(root + os.sep) and not root.startswith(target + os.sep):
            yield Failed(
                portable(entry.path),
                f"{_shown(entry.path)} was not opened: it is a link to another folder. Add that folder itself.",
            )
    elif not stat.S_ISREG(status.st_mode):
        yield Failed(portable(entry.path), _not_a_file(entry.path))
    elif entry.name == DICOMDIR:
        yield from _directory(entry.path, directory)
    else:
        zipped = entry.name.casefold().endswith(".zip")
        yield from _file(entry.path, status.st_size, archive, zipped=zipped)


def _file(path: str, size: int, archive: Archive, *, zipped: bool) -> Iterator[Outcome]:
    if not zipped:
        yield Found(portable(path), size=size)
        return
    try:
        yield from archive(portable(path))
    except StudioError as error:
        yield Failed(portable(path), str(error))


def _directory(path: str, directory: Directory) -> Iterator[Failed]:
    """A DICOMDIR itself is no image: its folder is searched, and only its complaints are told."""
    try:
        yield from directory(portable(path))
    except StudioError as error:
        yield Failed(portable(path), str(error))


def _begins_like_zip(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except (OSError, ValueError):
        return False


def _shown(path: str) -> str:
    return portable(path.rstrip(os.sep).rpartition(os.sep)[2] or path)


def _missing(path: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        why = "it is a link that leads nowhere" if Path(path).is_symlink() else "it is not there"
    elif isinstance(error, PermissionError):
        why = "you may not read it"
    else:
        why = (getattr(error, "strerror", None) or "its name cannot be used").lower()
    return f"Could not read {_shown(path)}: {why}."


def _not_a_file(path: str) -> str:
    return f"Could not read {_shown(path)}: it is not a file but a device or a pipe."
