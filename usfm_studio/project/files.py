"""Files written whole or not at all: beside, fsync, rename, fsync of the folder. Every step can be made to fail."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from usfm_studio.project import faults

BESIDE = ".tmp"
"""Ending of what is being written; swept at opening when older than an hour."""
CHUNK = 1 << 20


def beside(path: Path) -> Path:
    """A fresh name in the same folder, swept if it is left behind."""
    return path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}{BESIDE}")


def write_whole(path: Path, parts: Iterable[bytes]) -> None:
    """The parts as one file. After a crash or an error, the old file or the new one is there. Raises OSError."""
    temporary = beside(path)
    try:
        with temporary.open("xb") as file:
            for part in parts:
                faults.step("write")
                file.write(part)
            sync_file(file)
        rename(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_file(file: IO[bytes]) -> None:
    """What was written to an open file is on the disk. Raises OSError."""
    file.flush()
    faults.step("fsync")
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(file.fileno(), fcntl.F_FULLFSYNC)
    else:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """New and removed names of a folder are on the disk (Windows does that by itself). Raises OSError."""
    faults.step("fsync")
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def rename(source: Path, target: Path) -> None:
    """Move within one disk, replacing a file; the name is on the disk afterwards. Raises OSError."""
    faults.step("rename")
    source.replace(target)
    sync_folder(target.parent)


def copy_folder(source: Path, target: Path) -> None:
    """The files and folders of a folder, copied and flushed; links are left out. Raises OSError."""
    target.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        if path.is_symlink():
            continue
        if path.is_dir():
            copy_folder(path, target / path.name)
        elif path.is_file() and not path.name.endswith(BESIDE):
            copy_file(path, target / path.name)
    sync_folder(target)


def copy_file(source: Path, target: Path) -> str:
    """Copy and flush one file; answers the sha256 of what was copied. Raises OSError."""
    digest = hashlib.sha256()
    with source.open("rb") as reading, target.open("xb") as writing:
        while chunk := reading.read(CHUNK):
            faults.step("write")
            digest.update(chunk)
            writing.write(chunk)
        sync_file(writing)
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    """The sha256 (hex) of a file. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def remove(path: Path) -> None:
    """Remove a file or a folder, whatever of it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def parts_of(path: Path) -> Iterable[bytes]:
    """The bytes of a file, 1 MB at a time. Raises OSError."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
