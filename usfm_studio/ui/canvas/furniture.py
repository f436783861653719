"""What stands over the image and does not belong to it: tags, corner texts, depth scale, handles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from PySide6.QtCore import QPointF, QRect, QRectF
from PySide6.QtGui import QColor, QPainter, QRegion

from usfm_studio.ui.canvas import cursors, tags, texts
from usfm_studio.ui.canvas.contours import Loops
from usfm_studio.ui.canvas.coordinates import NO_MARGINS, Margins, Placement
from usfm_studio.ui.canvas.styles import SegmentStyle, style_of
from usfm_studio.ui.canvas.tags import Tag, Tagged
from usfm_studio.ui.canvas.texts import CornerTexts, Plate, Tick

HANDLES = 8
_REPEAT_ROOM = 10.0
_SCALE_ROOM = 70.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthScale:
    """Millimetres per image row, and the row at which depth is 0."""

    mm_per_row: float
    top_row: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What the furniture is placed by."""

    view: QRectF
    margins: Margins = NO_MARGINS
    corner: CornerTexts = field(default_factory=CornerTexts)
    view_line: str = ""
    placement: Placement = field(default_factory=Placement)
    rows: int = 0
    depth: DepthScale | None = None
    shows_texts: bool = True


@dataclass(slots=True)
class Furniture:
    """The furniture in its place. `settle_room` and `settle_tags` place it, and say what must be painted again."""

    plates: tuple[Plate, ...] = ()
    ticks: tuple[Tick, ...] = ()
    tags: tuple[Tag, ...] = ()
    repeats: tuple[tuple[QPointF, int, QColor], ...] = ()
    handles: tuple[QPointF, ...] = ()
    _room: Room | None = None

    def settle_room(self, room: Room) -> QRegion:
        """Corner texts and depth scale for this room."""
        if room == self._room:
            return QRegion()
        before = self._room_region()
        self._room = room
        self.plates, self.ticks = (), ()
        if room.shows_texts:
            self.plates = texts.plates(room.corner, room.view_line, room.view, room.margins)
            if room.depth is not None and room.rows:
                self.ticks = texts.depth_ticks(
                    room.placement, room.depth.mm_per_row, room.depth.top_row, room.rows, room.view.height()
                )
        return before.united(self._room_region())

    def settle_tags(self, wanted: Sequence[Tagged], view: QRectF) -> QRegion:
        """Tags, repeated numbers and handles for these segments."""
        before = self._tags_region()
        bar = QRectF(view.right() - _SCALE_ROOM, view.top(), _SCALE_ROOM, view.height())
        self.tags = tags.place(wanted, view, [*(plate.rect for plate in self.plates), bar])
        self.repeats = ()
        if len({item.value for item in wanted}) >= tags.REPEAT_FROM:
            self.repeats = tuple(
                (at, tag.of.number, QColor(tag.of.style.colour))
                for tag in self.tags
                for at in tags.repeats(tag.of.loops, view, tag.anchor)
            )
        self.handles = tuple(
            at for item in wanted if item.style.selected and not item.proposed for at in handles_of(item.loops)
        )
        return before.united(self._tags_region())

    def name_tag(self, at: QPointF | None, value: int) -> QRegion:
        """Show the name of the tag under the pointer, or of the segment `value`; the others' go."""
        named, changed = [], QRegion()
        for tag in self.tags:
            wanted = tag.of.proposed or tag.of.style.selected or tag.of.value == value
            wanted = wanted or (at is not None and tag.box.contains(at))
            other = tag if wanted == tag.of.named else tag.renamed(wanted)
            if other is not tag:
                changed = changed.united(_around(tag.bounds)).united(_around(other.bounds))
            named.append(other)
        self.tags = tuple(named)
        return changed

    def tag_at(self, at: QPointF) -> Tag | None:
        """The tag under a view point."""
        return next((tag for tag in self.tags if tag.box.contains(at)), None)

    def draw(self, painter: QPainter, region: QRegion) -> None:
        """Whatever of it meets a region."""
        for at, value, colour in self.repeats:
            if region.intersects(_mark(at)):
                tags.draw_repeat(painter, at, value, colour)
        for at in self.handles:
            if region.intersects(_mark(at)):
                cursors.draw_handle(painter, at)
        for tag in self.tags:
            if region.intersects(_around(tag.bounds)):
                tags.draw(painter, tag)
        for plate in self.plates:
            if region.intersects(_around(plate.rect)):
                texts.draw_plate(painter, plate)
        if self.ticks and self._room is not None and region.intersects(self._scale_rect()):
            texts.draw_depth_scale(painter, self.ticks, self._room.view.right() - self._room.margins.right)

    def _scale_rect(self) -> QRect:
        if self._room is None:
            return QRect()
        view, right = self._room.view, self._room.view.right() - self._room.margins.right
        return QRectF(right - _SCALE_ROOM, view.top(), _SCALE_ROOM, view.height()).toAlignedRect()

    def _room_region(self) -> QRegion:
        region = QRegion(self._scale_rect()) if self.ticks else QRegion()
        for plate in self.plates:
            region = region.united(_around(plate.rect))
        return region

    def _tags_region(self) -> QRegion:
        region = QRegion()
        for tag in self.tags:
            region = region.united(_around(tag.bounds))
        for at in (*(item[0] for item in self.repeats), *self.handles):
            region = region.united(_mark(at))
        return region


def tagged(
    loops: Iterable[tuple[int, Loops]],
    styles: Mapping[int, SegmentStyle],
    confidences: Mapping[int, float] | None,
) -> list[Tagged]:
    """What wants a tag: proposed segments (those with `confidences`) by name, accepted ones by number."""
    proposed = confidences is not None
    return [
        Tagged(
            value=value,
            loops=outline,
            style=style_of(styles, value),
            proposed=proposed,
            confidence=(confidences or {}).get(value),
            named=proposed or style_of(styles, value).selected,
        )
        for value, outline in loops
    ]


def handles_of(loops: Loops) -> tuple[QPointF, ...]:
    """Eight points along the longest outline."""
    if not len(loops):
        return ()
    longest = max((loops.loop(i) for i in range(len(loops))), key=len)
    every = [longest[len(longest) * i // HANDLES] for i in range(HANDLES)]
    return tuple(QPointF(float(x), float(y)) for x, y in every)


def _around(rect: QRectF) -> QRect:
    return rect.adjusted(-1, -1, 1, 1).toAlignedRect()


def _mark(at: QPointF) -> QRect:
    return QRectF(at.x() - _REPEAT_ROOM, at.y() - _REPEAT_ROOM, 2 * _REPEAT_ROOM, 2 * _REPEAT_ROOM).toAlignedRect()
