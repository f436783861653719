"""Where on the disk the window puts what a person has not placed herself."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QStandardPaths


def free_name(folder: Path, name: str) -> Path:
    """A path in a folder that nothing has yet: `name`, `name 2`, …"""
    number = 1
    path = folder / name
    while path.exists():
        number += 1
        path = folder / f"{name} {number}"
    return path


def projects_folder() -> Path:
    """Where new projects are made."""
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return Path(documents or Path.home()) / "USFM Studio"
