"""What kind of disk a folder is on, and whether it can be written to."""

from __future__ import annotations

import os
from pathlib import Path

NETWORK = ("nfs", "cifs", "smb", "9p", "fuse.", "afs", "ncpfs", "webdav", "davfs")
MOUNTS = Path("/proc/self/mountinfo")


def can_write(folder: Path) -> bool:
    """True where files of this folder, and project.db in it, may be changed."""
    database = folder / "project.db"
    return os.access(folder, os.W_OK | os.X_OK) and (not database.exists() or os.access(database, os.W_OK))


def is_network(folder: Path, mounts: str | None = None) -> bool:
    """True on a network drive, where WAL's shared memory does not work. `mounts` is the text of mountinfo."""
    if os.name == "nt":
        return _windows_network(folder)
    kind = _kind(folder, mounts)
    return any(kind == name or kind.startswith(name) for name in NETWORK)


def _kind(folder: Path, mounts: str | None) -> str:
    """Type of the file system that holds a folder; empty when not known (man 5 proc, mountinfo)."""
    try:
        text = MOUNTS.read_text("utf-8", "surrogateescape") if mounts is None else mounts
    except OSError:
        return ""
    where, found, deepest = str(folder.resolve()), "", -1
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) < 5 or not right:
            continue
        point = fields[4].encode().decode("unicode_escape") if "\\" in fields[4] else fields[4]
        inside = where == point or where.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= deepest:
            found, deepest = right.split()[0], len(point)
    return found


def _windows_network(folder: Path) -> bool:
    import ctypes

    drive = folder.resolve().drive
    if drive.startswith("\\\\"):
        return True
    kernel = getattr(ctypes, "windll", None)
    return kernel is not None and int(kernel.kernel32.GetDriveTypeW(f"{drive}\\")) == 4
