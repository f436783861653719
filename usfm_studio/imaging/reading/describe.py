"""What a file is, from its headers alone; every file gives one description, whatever is wrong with it."""

from __future__ import annotations

from typing import Any

from pydicom.uid import UID

from usfm_studio.document.errors import OutOfMemory, StudioError, Unreadable
from usfm_studio.document.frame import Instance
from usfm_studio.imaging.description import FileDescription
from usfm_studio.imaging.reading.archive import is_zip
from usfm_studio.imaging.reading.container import Container
from usfm_studio.imaging.reading.dicom import VIDEO, DicomImage, open_image, read_header
from usfm_studio.imaging.reading.elements import PARSE_ERRORS, Elements
from usfm_studio.imaging.reading.identity import read_identity
from usfm_studio.imaging.reading.palette import read_palette
from usfm_studio.imaging.reading.pixels import decode_stored
from usfm_studio.imaging.reading.regions import read_regions, read_spacing_mm_xy, region_notices
from usfm_studio.imaging.reading.source import Source, opened, shown_name
from usfm_studio.imaging.reading.still import is_picture, read_picture
from usfm_studio.imaging.reading.timing import read_timing

_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66."
_REPORTS = ("1.2.840.10008.5.1.4.1.1.88.", "1.2.840.10008.5.1.4.1.1.104.")
_VOLUME = "1.2.840.10008.5.1.4.1.1.6.2"
_NO_CALIBRATION = "A picture states no scale: lengths are in pixels."


def describe(path: str, member: str = "", *, digest: bool = False) -> FileDescription:
    """Describe one file. `digest`: also hash it, so that its instance can be imported."""
    try:
        with opened(path, member) as source:
            return describe_source(source, path, member, digest=digest)
    except StudioError as error:
        return FileDescription(path=path, member=member, error=str(error))
    except MemoryError:
        error_text = str(OutOfMemory(f"Could not read {shown_name(path, member)}", "it needs more memory than it may"))
        return FileDescription(path=path, member=member, error=error_text)
    except PARSE_ERRORS as error:
        name = shown_name(path, member)
        reason = Unreadable(f"Could not read {name}", f"its structure is damaged ({type(error).__name__})")
        return FileDescription(path=path, member=member, error=str(reason))


def describe_source(source: Source, path: str, member: str, *, digest: bool) -> FileDescription:
    """Describe an open file. Raises Unreadable where nothing at all can be said of it."""
    head = source.read_at(0, 132)
    if head[128:132] != b"DICM" and is_picture(head):
        return _picture(source, path, member, digest=digest)
    if is_zip(head):
        why = "it is an archive inside an archive" if member else "it is an archive, not an image"
        raise Unreadable(f"Could not read {source.name}", why, "Unpack it first.")
    container, elements = read_header(source)
    return _dicom(source, container, elements, path, member, digest=digest)


def _picture(source: Source, path: str, member: str, *, digest: bool) -> FileDescription:
    picture = read_picture(source)
    instance = Instance(
        digest=source.sha256() if digest else "",
        path=path,
        member=member,
        name=source.name,
        kind="loop" if picture.frames > 1 else "still",
        rows=picture.rows,
        columns=picture.columns,
        samples=picture.samples,
        bits=picture.bits,
        frames=picture.frames,
        photometric="RGB" if picture.samples == 3 else "MONOCHROME2",
        subject=source.stem,
        notices=(_NO_CALIBRATION,),
    )
    return FileDescription(
        path=path,
        member=member,
        ok=True,
        kind=instance.kind,
        rows=picture.rows,
        columns=picture.columns,
        frames=picture.frames,
        photometric=instance.photometric,
        instance=instance,
        size=source.size,
        notices=instance.notices,
    )


def _dicom(
    source: Source, container: Container, elements: Elements, path: str, member: str, *, digest: bool
) -> FileDescription:
    stated = _stated(source, container, elements, path, member)
    kind = stated["kind"]
    if kind in ("report", "segmentation", "other"):
        whole = kind == "report" or (kind == "segmentation" and elements.pixels is not None)
        error = None if whole else str(Unreadable(f"Could not show {source.name}", "it holds no image"))
        return FileDescription(**stated, ok=whole, error=error)
    try:
        image = open_image(source, container, elements)
        _try_first(image)
    except StudioError as error:
        return FileDescription(**{**stated, "error": str(error)})
    instance = _instance(image, stated, digest=digest)
    step = instance.seconds[-1] / (instance.frames - 1) if instance.seconds else None
    stated |= {
        "frames": instance.frames,
        "kind": "volume" if kind == "volume" else instance.kind,
        "notices": instance.notices,
        "seconds_per_frame": step,
    }
    return FileDescription(**stated, ok=True, instance=instance)


def _try_first(image: DicomImage) -> None:
    """JPEG XL states neither size nor end where it could be read quickly: its first frame is decoded instead."""
    if image.syntax.startswith("1.2.840.10008.1.2.4.11"):
        decode_stored(image, 0)


def _stated(source: Source, container: Container, elements: Elements, path: str, member: str) -> dict[str, Any]:
    """What the header says, whether or not there is a picture."""
    sop_class = elements.text(0x00080016)
    rows, columns = elements.whole(0x00280010), elements.whole(0x00280011)
    frames = elements.whole(0x00280008, "IS") if 0x00280008 in elements else 1
    if sop_class.startswith(_SEGMENTATION):
        kind = "segmentation"
    elif sop_class.startswith(_REPORTS):
        kind = "report"
    elif rows is None and columns is None and elements.pixels is None and not _is_image(sop_class):
        kind = "other"
    elif container.syntax in VIDEO:
        kind = "video"
    elif sop_class == _VOLUME:
        kind = "volume"
    else:
        kind = "loop" if (frames or 1) > 1 else "still"
    pictured = rows is not None or elements.pixels is not None
    return {
        "path": path,
        "member": member,
        "kind": kind,
        "rows": rows,
        "columns": columns,
        "frames": frames if pictured else None,
        "transfer_syntax": container.syntax or None,
        "photometric": elements.text(0x00280004)[:16] or None,
        "regions": read_regions(elements),
        "size": source.size,
    }


def _is_image(sop_class: str) -> bool:
    return UID(sop_class).name.endswith("Image Storage")


def _instance(image: DicomImage, stated: dict[str, Any], *, digest: bool) -> Instance:
    header, elements, frames = image.header, image.elements, len(image.index)
    timing = read_timing(elements, frames)
    regions, spacing = stated["regions"], read_spacing_mm_xy(elements)
    notices = [*image.notices, *region_notices(elements, regions, spacing, (header.rows, header.columns))]
    notices += timing.notices
    samples, bits = header.samples, header.bits
    if header.photometric == "PALETTE COLOR":
        if read_palette(elements) is not None:
            samples, bits = 3, 8
        else:
            notices.append("The file's colour table is missing; the image is shown as grey.")
    return Instance(
        digest=image.source.sha256() if digest else "",
        path=stated["path"],
        member=stated["member"],
        name=image.source.name,
        kind="loop" if frames > 1 else "still",
        rows=header.rows,
        columns=header.columns,
        samples=samples,
        bits=8 if samples == 3 else bits,
        frames=frames,
        seconds=timing.seconds,
        playback_fps=timing.playback_fps,
        playback_assumed=timing.playback_assumed,
        regions=regions,
        spacing_mm_xy=spacing,
        transfer_syntax=image.syntax,
        photometric=header.photometric,
        notices=tuple(notices),
        **read_identity(elements, image.source.stem),
    )
