"""The door of all exports: a snapshot folder in, a folder of files out, whole or not at all.

Every writer reads back what it wrote and compares before the folder takes its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from usfm_studio.document.errors import NotFound, WrongUsage
from usfm_studio.document.snapshot import Snapshot
from usfm_studio.imaging.paths import portable
from usfm_studio.imaging.writing.items import Progress, Work, Written, work_of
from usfm_studio.imaging.writing.whole import whole_folder

WRITERS = {
    "png": "label_maps:write",
    "nifti": "volumes:write_nifti",
    "nrrd": "volumes:write_nrrd",
    "coco": "coco:write",
    "csv": "tables:write",
    "data": "data_folder:write",
    "seg": "segmentation:write",
}
"""Format -> module:function of this package, imported when it is asked for."""
LATER = frozenset({"seg-slicer", "sr", "nnunet", "usfm"})


def write(
    format: str, snapshot_folder: Path, out: Path, options: Mapping[str, Any], progress: Progress | None = None
) -> dict[str, Any]:
    """Export a snapshot as `format` into the folder `out`.

    `options["sources"]` maps a sample's stem to {"path", "member", "frame", "frames", "seconds_per_frame", "exam",
    "model"}, of which `seg` needs the path and the others use what is there. The result holds "files" (paths in
    `out`, sorted), "frames" (their number) and "failed" ([{"path", "error"}]: sources that the format cannot hold).
    Raises WrongUsage, NotFound, Damaged, DiskFull, and Unsupported where the format can hold none of it.
    """
    writer = _writer(format)
    work = work_of(Snapshot.load(Path(snapshot_folder)), options, progress)
    if not work.items:
        raise NotFound("There is nothing to export", "no frame is done yet", "Finish a frame, then export again.")
    out = Path(out).absolute()
    with whole_folder(out) as folder:
        written = writer(work, folder)
        names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return {"files": [portable(str(out / name)) for name in names], "frames": written.frames, "failed": written.failed}


def _writer(format: str) -> Callable[[Work, Path], Written]:
    if format in LATER:
        raise WrongUsage(f"Export as {format} is not there yet", "it comes with a later version", _offer())
    if format not in WRITERS:
        raise WrongUsage(f"There is no export format {format}", "it is not known", _offer())
    module, _, name = WRITERS[format].partition(":")
    writer: Callable[[Work, Path], Written] = getattr(import_module(f"{__package__}.{module}"), name)
    return writer


def _offer() -> str:
    return f"Choose one of {', '.join(WRITERS)}."
