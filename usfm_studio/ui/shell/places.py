"""Folders as the window sees them: which are projects, and where it puts what a person has not placed herself."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QStandardPaths


def is_project(folder: str | Path) -> bool:
    """Whether a folder is a project; one that cannot be asked (no right, no such name) is none."""
    try:
        return (Path(folder) / "project.db").exists()
    except (OSError, ValueError):
        return False


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
