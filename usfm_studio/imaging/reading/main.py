"""The reader process: everything that opens a file from outside runs here, under limits of memory and time."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from pydicom import config

from usfm_studio.children.arrays import ArrayRef, attach
from usfm_studio.children.serve import Context, Handler, serve
from usfm_studio.document.values_json import instance_from
from usfm_studio.imaging.description import description_to
from usfm_studio.imaging.formats import LABELS, PREDICTIONS, READ, WRITE
from usfm_studio.imaging.paths import native
from usfm_studio.imaging.reading.archive import members
from usfm_studio.imaging.reading.data_folder import data_folder_to_snapshot
from usfm_studio.imaging.reading.describe import describe
from usfm_studio.imaging.reading.dicomdir import complaints
from usfm_studio.imaging.reading.frames import frame_pixels, pixel_digest
from usfm_studio.imaging.reading.source import opened
from usfm_studio.imaging.reading.thumbnail import thumbnail
from usfm_studio.imaging.walk import Failed, Found, Outcome, walk

_PART = 500
Body = dict[str, Any]


def _walk(body: Body, context: Context) -> Body:
    """{"paths"} -> {"found": [{path, member, size}], "failed": [{path, error}]}; the same in parts as progress."""
    found: list[Body] = []
    failed: list[Body] = []
    told = [0, 0]
    for outcome in walk(body["paths"], _members, complaints):
        (found if isinstance(outcome, Found) else failed).append(asdict(outcome))
        if len(found) + len(failed) - sum(told) >= _PART:
            context.check()
            context.progress({"found": found[told[0] :], "failed": failed[told[1] :]})
            told = [len(found), len(failed)]
    return {"found": found, "failed": failed}


def _members(path: str) -> Iterator[Outcome]:
    with opened(path) as source:
        listed = list(members(source.handle, source.name))
    if not listed:
        yield Failed(path, f"{source.name} holds no files: there is nothing to read.")
    for member in listed:
        if member.refused:
            yield Failed(f"{path}/{member.name}", f"Could not read {member.name}: {member.refused}.")
        else:
            yield Found(path, member.name, member.size)


def _describe(body: Body, context: Context) -> Body:
    """{"files": [{path, member}], "digest"} -> {"files": [description]}, one each, in order."""
    described = []
    for item in body["files"]:
        context.check()
        described.append(describe(item["path"], item["member"], digest=body["digest"]))
    return {"files": [description_to(d) for d in described]}


def _pixels(body: Body, _: Context) -> Body:
    """{"instance", "index", "ref"} -> {"digest", "decoder"}; the pixels are put into the array `ref`."""
    instance = instance_from(body["instance"])
    pixels, decoder = frame_pixels(instance, body["index"])
    attach(ArrayRef.from_json(body["ref"]))[...] = pixels
    return {"digest": pixel_digest(pixels), "decoder": decoder}


def _thumbnail(body: Body, _: Context) -> Body:
    """{"instance", "index", "size", "folder"} -> {"path"}."""
    path = thumbnail(instance_from(body["instance"]), body["index"], body["size"], Path(body["folder"]))
    return {"path": str(path)}


def _data_folder(body: Body, context: Context) -> Body:
    """{"data", "out", "skip": {file: error}} -> {"folder", "failed"}; progress names the file before it is opened."""
    return data_folder_to_snapshot(Path(native(body["data"])), Path(body["out"]), body.get("skip", {}), context)


def _write(body: Body, context: Context) -> Body:
    """{"format", "snapshot", "out", "options"} -> the writer's answer; its progress is passed on."""

    def progress(step: Body) -> None:
        context.check()
        context.progress(step)

    answer: Body = _function(WRITE)(
        body["format"], Path(body["snapshot"]), Path(native(body["out"])), body["options"], progress
    )
    return answer


def _annotations(body: Body, _: Context) -> Body:
    """{"format", "path", "instances", "out"} -> the reader's answer."""
    answer: Body = _function(READ)(body["format"], Path(native(body["path"])), body["instances"], Path(body["out"]))
    return answer


def _write_predictions(body: Body, context: Context) -> Body:
    """{"items": [{"stem", "ref"}], "out", "kind", "segments"} -> {"files"}: label maps, probabilities, pictures."""
    name = {"probabilities": "probabilities", "enhanced": "pixels"}.get(body["kind"], "ids")
    items = [{"stem": item["stem"], name: attach(ArrayRef.from_json(item["ref"]))} for item in body["items"]]
    context.check()
    segments = {int(value): title for value, title in body["segments"].items()}
    answer: Body = _function(PREDICTIONS)(items, Path(native(body["out"])), body["kind"], segments)
    return answer


def _write_labels(body: Body, _: Context) -> Body:
    """{"rows", "out", "labels", "exclusive"} -> {"files"}: `labels.csv`."""
    out = Path(native(body["out"]))
    answer: Body = _function(LABELS)(body["rows"], out, body["labels"], exclusive=body["exclusive"])
    return answer


def _function(name: str) -> Any:
    """The function of `module:function`, imported when it is first asked for."""
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)


HANDLERS: dict[str, Handler] = {
    "walk": _walk,
    "describe": _describe,
    "pixels": _pixels,
    "thumbnail": _thumbnail,
    "data_folder": _data_folder,
    "write": _write,
    "annotations": _annotations,
    "write_predictions": _write_predictions,
    "write_labels": _write_labels,
}


def quiet() -> None:
    """No warning of a library reaches a log: it may quote a patient's name."""
    warnings.simplefilter("ignore")
    config.settings.reading_validation_mode = config.IGNORE
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)


if __name__ == "__main__":
    sys.exit(serve(HANDLERS, on_start=quiet))
