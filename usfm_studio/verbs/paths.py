"""What a person names on the command line: where its images are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

IMAGES = "images"
BESIDE = ("masks", "targets", "labels.csv", "subjects.csv", "spacing.csv", "schema.toml")
"""What makes a folder with `images` a DATA folder (docs/cli.md)."""


def images_of(paths: Iterable[str]) -> tuple[str, ...]:
    """The paths, with a DATA folder's `images` in its place: its masks and targets are no images to work on."""
    return tuple(str(Path(path) / IMAGES) if is_data_folder(Path(path)) else path for path in paths)


def is_data_folder(path: Path) -> bool:
    """True for a folder laid out as the contract says."""
    try:
        return (path / IMAGES).is_dir() and any((path / name).exists() for name in BESIDE)
    except (OSError, ValueError):
        return False
