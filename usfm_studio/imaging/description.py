"""What is known of a file without decoding it; what `info` prints and `import` takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from usfm_studio.document.calibration import Region
from usfm_studio.document.frame import Instance
from usfm_studio.document.values_json import instance_from, instance_to, region_from


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDescription:
    """One file, or one member of an archive.

    `kind`: still, loop, volume, video, segmentation, report, other. `ok`: its header, its lengths and the stream's own
    header agree. `instance` is there only where it has pixels that this program opens. `error` says what happened, why
    and what to do; None where all is well.
    """

    path: str
    member: str = ""
    ok: bool = False
    kind: str = "other"
    rows: int | None = None
    columns: int | None = None
    frames: int | None = None
    transfer_syntax: str | None = None
    photometric: str | None = None
    regions: tuple[Region, ...] = ()
    seconds_per_frame: float | None = None
    error: str | None = None
    instance: Instance | None = None
    size: int = 0
    notices: tuple[str, ...] = ()

    @property
    def shown_path(self) -> str:
        """Path, with the member behind it where the file is in an archive."""
        return f"{self.path}/{self.member}" if self.member else self.path

    @property
    def not_imported(self) -> str | None:
        """Why there is nothing to annotate; None where there is."""
        if self.instance is not None:
            return None
        return self.error or _NO_IMAGE.get(self.kind, "It holds no image.")

    def to_info(self) -> dict[str, Any]:
        """The fields of `info --json`, and `notices`."""
        return {
            "path": self.shown_path,
            "ok": self.ok,
            "kind": self.kind,
            "rows": self.rows,
            "columns": self.columns,
            "frames": self.frames,
            "transfer_syntax": self.transfer_syntax,
            "photometric": self.photometric,
            "regions": [_region_info(region) for region in self.regions],
            "seconds_per_frame": self.seconds_per_frame,
            "error": self.error,
            "notices": list(self.notices),
        }


_CLASH = "Another file has the same SOPInstanceUID; they are kept apart."
_NO_IMAGE = {
    "report": "It is a report: it holds no image.",
    "segmentation": "It is a segmentation, not an image to annotate. Bring it in with --annotations.",
}


def _region_info(region: Region) -> dict[str, Any]:
    return {
        "box": list(region.box),
        "format": region.spatial_format,
        "type": region.data_type,
        "units_x": region.units_xy[0],
        "units_y": region.units_xy[1],
        "delta_x": region.delta_xy[0],
        "delta_y": region.delta_xy[1],
    }


def description_to(description: FileDescription) -> dict[str, Any]:
    """As JSON values."""
    body = asdict(description)
    if description.instance is not None:
        body["instance"] = instance_to(description.instance)
    return body


def description_from(body: Mapping[str, Any]) -> FileDescription:
    """Inverse of `description_to`. Raises ValueError."""
    known = dict(body)
    known["regions"] = tuple(region_from(region) for region in body.get("regions", ()))
    known["notices"] = tuple(body.get("notices", ()))
    if known.get("instance") is not None:
        known["instance"] = instance_from(known["instance"])
    try:
        return FileDescription(**known)
    except TypeError as error:
        raise ValueError(f"FileDescription: {error}") from error


def with_clashes(files: Iterable[FileDescription]) -> tuple[FileDescription, ...]:
    """The same files; those that claim to be one DICOM object with another content get a notice."""
    held = tuple(files)
    contents: dict[str, set[str]] = {}
    for file in held:
        if file.instance is not None and file.instance.sop_instance_uid:
            same = contents.setdefault(file.instance.sop_instance_uid, set())
            same.add(file.instance.digest or file.shown_path)
    return tuple(_noted(file, contents) for file in held)


def _noted(file: FileDescription, contents: Mapping[str, set[str]]) -> FileDescription:
    instance = file.instance
    if instance is None or len(contents.get(instance.sop_instance_uid, ())) < 2:
        return file
    notices = (*file.notices, _CLASH)
    return replace(file, notices=notices, instance=replace(instance, notices=(*instance.notices, _CLASH)))


def descriptions_from(body: Mapping[str, Any]) -> list[FileDescription]:
    """The files of a `describe` answer, in the order in which they were asked for. Raises ValueError."""
    return [description_from(item) for item in body["files"]]
