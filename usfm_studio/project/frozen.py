"""Edits that nobody can change any more: the journal's thread reads them after `apply` has returned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from usfm_studio.document.annotation import Proposal
from usfm_studio.document.edit import Edit, PaintTiles, SetProposal, Several
from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Mask, Tile, TileIndex, frozen


def frozen_edit(edit: Edit) -> Edit:
    """The same edit with read-only tiles and mappings, its numbers Python's own.

    Tiles that are read-only already are shared, not copied.
    """
    match edit:
        case PaintTiles():
            rows, columns = edit.shape_rc
            return replace(
                edit,
                frame=FrameId(edit.frame.source, int(edit.frame.index)),
                shape_rc=(int(rows), int(columns)),
                layer=int(edit.layer),
                before=_tiles(edit.before),
                after=_tiles(edit.after),
            )
        case SetProposal(after=Proposal() as proposal):
            return replace(
                edit, after=replace(proposal, mask=Mask(proposal.mask.shape_rc, _tiles(proposal.mask.tiles)))
            )
        case Several():
            return replace(edit, edits=tuple(frozen_edit(part) for part in edit.edits))
        case _:
            return edit


def _tiles(tiles: Mapping[TileIndex, Tile]) -> Mapping[TileIndex, Tile]:
    return MappingProxyType({(int(row), int(column)): frozen(tile) for (row, column), tile in tiles.items()})
