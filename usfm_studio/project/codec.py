"""Edits and tiles as bytes: one codec byte, then zstd level 3 (measured: smallest and fast enough) over

    4 bytes   length of the header, little endian
    header    JSON: what the edit is, and where its tiles belong
    tiles     65,536 bytes each, in the header's order; empty tiles are only named

`before` of a proposal is not kept: no undo brings it back.
"""

from __future__ import annotations

import io
import json
import struct
import threading
import zlib
from types import MappingProxyType
from typing import Any

import numpy as np
import zstandard

from usfm_studio.document import values_json
from usfm_studio.document.annotation import Proposal
from usfm_studio.document.edit import (
    Edit,
    PaintTiles,
    ReplaceInstances,
    ReplaceSchema,
    SetAnnotation,
    SetChampion,
    SetProposal,
    Several,
)
from usfm_studio.document.errors import Damaged
from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import TILE, Mask, Tile
from usfm_studio.document.snapshot import schema_from, schema_to

ZSTD = 1
LEVEL = 3
TILE_BYTES = TILE * TILE
HEADER_MOST = 256 << 20
WINDOW_MOST = 8 << 20

_EMPTY = np.zeros((TILE, TILE), np.uint8)
_EMPTY.flags.writeable = False
_thread = threading.local()
_MALFORMED = (
    zstandard.ZstdError, struct.error, ValueError, LookupError, TypeError, AttributeError, RecursionError, MemoryError,
)  # fmt: skip


def checksum(*parts: object) -> int:
    """CRC-32 over the parts: tells a flipped bit in a row from what was written."""
    value = 0
    for part in parts:
        value = zlib.crc32(part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass"), value)
        value = zlib.crc32(b"\0", value)
    return value


def plain(value: Any) -> Any:
    """A number of numpy as one of Python, for JSON. Raises TypeError for what is none."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be stored")


def pack_tile(tile: Tile) -> bytes:
    """A tile as codec byte and zstd."""
    return bytes([ZSTD]) + _compressor().compress(np.ascontiguousarray(tile).data)


def unpack_tile(data: bytes) -> Tile:
    """Inverse of `pack_tile`; read-only. Raises Damaged."""
    body = _body(data)
    try:
        declared = zstandard.frame_content_size(body)
        if declared != TILE_BYTES:  # asked before anything is allocated
            raise _damaged("a mask tile", f"{declared} bytes")
        return _tile(_decompressor().decompress(body))
    except _MALFORMED as error:
        raise _damaged("a mask tile", error) from error


def pack_edit(edit: Edit) -> bytes:
    """An edit as bytes."""
    tiles: list[Tile] = []
    header = json.dumps(_to(edit, tiles), separators=(",", ":"), default=plain).encode("ascii")
    stream = _compressor().compressobj()
    parts = [bytes([ZSTD]), stream.compress(struct.pack("<I", len(header)) + header)]
    parts += [stream.compress(np.ascontiguousarray(tile).data) for tile in tiles]
    parts.append(stream.flush())
    return b"".join(parts)


def unpack_edit(data: bytes) -> Edit:
    """Inverse of `pack_edit`. Raises Damaged."""
    try:
        with _decompressor().stream_reader(io.BytesIO(_body(data)), read_across_frames=False) as stream:
            (length,) = struct.unpack("<I", _exactly(stream, 4))
            if length > HEADER_MOST:
                raise ValueError(f"a header of {length} bytes")
            header = json.loads(_exactly(stream, length))
            return _from(header, stream)
    except _MALFORMED as error:
        raise _damaged("an entry of the journal", error) from error


def pack_proposal(proposal: Proposal) -> bytes:
    """A proposal as bytes."""
    return pack_edit(SetProposal(name="", frame=proposal.frame, before=None, after=proposal))


def unpack_proposal(data: bytes) -> Proposal:
    """Inverse of `pack_proposal`. Raises Damaged."""
    edit = unpack_edit(data)
    if not isinstance(edit, SetProposal) or edit.after is None:
        raise _damaged("a proposal", type(edit).__name__)
    return edit.after


def _to(edit: Edit, tiles: list[Tile]) -> dict[str, Any]:
    match edit:
        case PaintTiles():
            return {"edit": "paint", **_paint_to(edit, tiles)}
        case SetAnnotation():
            before, after = values_json.annotation_to(edit.before), values_json.annotation_to(edit.after)
            return {"edit": "annotation", "name": edit.name, "frame": edit.frame.key, "before": before, "after": after}
        case SetProposal():
            after_body = None if edit.after is None else _proposal_to(edit.after, tiles)
            return {"edit": "proposal", "name": edit.name, "frame": edit.frame.key, "after": after_body}
        case ReplaceInstances():
            old, new = ([values_json.instance_to(i) for i in items] for items in (edit.before, edit.after))
            return {"edit": "instances", "name": edit.name, "before": old, "after": new}
        case ReplaceSchema():
            was, now = schema_to(edit.before), schema_to(edit.after)
            return {"edit": "schema", "name": edit.name, "before": was, "after": now}
        case SetChampion():
            return {
                "edit": "champion", "name": edit.name, "exam": edit.exam, "before": edit.before, "after": edit.after,
            }  # fmt: skip
        case Several():
            return {"edit": "several", "name": edit.name, "edits": [_to(part, tiles) for part in edit.edits]}


def _paint_to(edit: PaintTiles, tiles: list[Tile]) -> dict[str, Any]:
    named = []
    for index in sorted({*edit.before, *edit.after}):
        kept = []
        for side in (edit.before, edit.after):
            tile = side.get(index, _EMPTY)
            kept.append(1 if tile.any() else 0)
            if kept[-1]:
                tiles.append(tile)
        named.append([*index, *kept])
    return {
        "name": edit.name, "frame": edit.frame.key, "layer": edit.layer, "shape": list(edit.shape_rc), "tiles": named,
    }  # fmt: skip


def _proposal_to(proposal: Proposal, tiles: list[Tile]) -> dict[str, Any]:
    indexes = sorted(index for index, tile in proposal.mask.tiles.items() if tile.any())
    tiles.extend(proposal.mask.tiles[index] for index in indexes)
    return {
        "model": proposal.model,
        "model_name": proposal.model_name,
        "shape": list(proposal.mask.shape_rc),
        "tiles": [list(index) for index in indexes],
        "confidences": [[int(value), float(score)] for value, score in proposal.confidences.items()],
        "predicted_dice": [[int(value), float(score)] for value, score in proposal.predicted_dice.items()],
        "labels": {name: float(score) for name, score in proposal.labels.items()},
    }


def _from(body: dict[str, Any], stream: zstandard.ZstdDecompressionReader) -> Edit:
    kind, name = body["edit"], str(body["name"])
    if kind == "paint":
        return _paint_from(body, stream)
    if kind == "annotation":
        old, new = (values_json.annotation_from(body[side]) for side in ("before", "after"))
        return SetAnnotation(name=name, frame=FrameId.parse(body["frame"]), before=old, after=new)
    if kind == "proposal":
        frame = FrameId.parse(body["frame"])
        proposal = None if body["after"] is None else _proposal_from(body["after"], frame, stream)
        return SetProposal(name=name, frame=frame, before=None, after=proposal)
    if kind == "instances":
        was, now = (tuple(values_json.instance_from(item) for item in body[side]) for side in ("before", "after"))
        return ReplaceInstances(name=name, before=was, after=now)
    if kind == "schema":
        return ReplaceSchema(name=name, before=schema_from(body["before"]), after=schema_from(body["after"]))
    if kind == "champion":
        return SetChampion(name=name, exam=body["exam"], before=body["before"], after=body["after"])
    if kind == "several":
        return Several(name=name, edits=tuple(_from(part, stream) for part in body["edits"]))
    raise ValueError(f"an edit of kind {kind}")


def _paint_from(body: dict[str, Any], stream: zstandard.ZstdDecompressionReader) -> PaintTiles:
    before, after = {}, {}
    for row, column, old, new in body["tiles"]:
        before[(row, column)] = _tile(_exactly(stream, TILE_BYTES)) if old else _EMPTY
        after[(row, column)] = _tile(_exactly(stream, TILE_BYTES)) if new else _EMPTY
    rows, columns = body["shape"]
    return PaintTiles(
        name=body["name"],
        frame=FrameId.parse(body["frame"]),
        shape_rc=(rows, columns),
        layer=body["layer"],
        before=MappingProxyType(before),
        after=MappingProxyType(after),
    )


def _proposal_from(body: dict[str, Any], frame: FrameId, stream: zstandard.ZstdDecompressionReader) -> Proposal:
    rows, columns = body["shape"]
    tiles = {(r, c): _tile(_exactly(stream, TILE_BYTES)) for r, c in body["tiles"]}
    return Proposal(
        frame=frame,
        model=body["model"],
        model_name=body["model_name"],
        mask=Mask((rows, columns), MappingProxyType(tiles)),
        confidences=MappingProxyType(dict(body["confidences"])),
        predicted_dice=MappingProxyType(dict(body["predicted_dice"])),
        labels=MappingProxyType(body["labels"]),
    )


def _tile(raw: bytes) -> Tile:
    tile = np.empty((TILE, TILE), np.uint8)
    tile.ravel()[:] = np.frombuffer(raw, np.uint8)
    tile.flags.writeable = False
    return tile


def _exactly(stream: zstandard.ZstdDecompressionReader, count: int) -> bytes:
    parts, left = [], count
    while left:
        part = stream.read(left)
        if not part:
            raise ValueError(f"{left} bytes are missing")
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _body(data: bytes) -> memoryview:
    if not data or data[0] != ZSTD:
        raise _damaged("a part", f"codec {data[0] if data else 'missing'}")
    return memoryview(data)[1:]


def _compressor() -> zstandard.ZstdCompressor:
    made: zstandard.ZstdCompressor | None = getattr(_thread, "compressor", None)
    if made is None:
        made = _thread.compressor = zstandard.ZstdCompressor(level=LEVEL)
    return made


def _decompressor() -> zstandard.ZstdDecompressor:
    return zstandard.ZstdDecompressor(max_window_size=WINDOW_MOST)


def _damaged(what: str, why: object) -> Damaged:
    return Damaged(
        f"The project is damaged: {what} cannot be read", str(why), "Run `usfm-studio project repair` on it."
    )
