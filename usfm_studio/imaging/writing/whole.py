"""A folder that appears whole or not at all: written beside, read back, then renamed."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from usfm_studio.document.errors import WrongUsage
from usfm_studio.imaging.disk import translated

ROOMY = 200
"""Bytes of a file's name that leave room for more: drives take 255."""


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A fresh folder to fill; when the block ends well it becomes `out`, else nothing of it stays.

    Where `out` has files already, the new ones join them as long as none is replaced by another content. Raises
    WrongUsage, DiskFull or StudioError.
    """
    what = f"Could not write {out.name}"
    if out.exists() and not out.is_dir():
        raise WrongUsage(what, "a file of that name is there", "Choose another name.")
    beside = out.parent / f".{out.name}.{os.getpid()}.tmp"
    try:
        with translated(what):
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(parents=True)
            yield beside
            _place(beside, out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def put(path: Path, content: bytes) -> None:
    """Write one file of a folder that is still being filled. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        file.write(content)


def put_whole(path: Path, content: bytes) -> None:
    """Write one file into a folder in use: beside, then renamed. Raises DiskFull or StudioError."""
    beside = path.with_name(_beside(path))
    with translated(f"Could not write {path.name}"):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(content)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def _beside(path: Path) -> str:
    """A name for what is not finished, where the file's own has no room for more with a name that keeps its ending."""
    long = len(os.fsencode(path.name)) > ROOMY
    name = f"{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}{path.suffix}" if long else path.name
    return f".{name}.{os.getpid()}.tmp"


def _place(beside: Path, out: Path) -> None:
    if out.is_dir() and not any(out.iterdir()):
        out.rmdir()
    if not out.exists():
        beside.rename(out)
        return
    files = sorted(p.relative_to(beside) for p in beside.rglob("*") if p.is_file())
    for name in files:
        _refuse_other(beside / name, out / name, out)
    moved: list[Path] = []
    try:
        for name in files:
            if not (out / name).exists():
                (out / name).parent.mkdir(parents=True, exist_ok=True)
                (beside / name).rename(out / name)
                moved.append(out / name)
    except OSError:
        for path in moved:
            path.unlink(missing_ok=True)
        raise


def _refuse_other(new: Path, old: Path, out: Path) -> None:
    """Raise WrongUsage where a file (or folder) of that name is there with another content."""
    if not old.exists() and not old.is_symlink():
        return
    if not old.is_file() or old.read_bytes() != new.read_bytes():
        why = f"{old.relative_to(out)} is there already and is another"
        raise WrongUsage(f"{out.name} is not written over", why, "Choose another folder, or empty this one.")
