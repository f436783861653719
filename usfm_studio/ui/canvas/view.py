"""The canvas widget: a frame with its segments, under the tool in the hand."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QRegion
from PySide6.QtWidgets import QWidget

from usfm_studio.document.frame import FrameId, Pixels
from usfm_studio.document.mask import Mask, TileIndex
from usfm_studio.document.rasterise import XY
from usfm_studio.ui.canvas.coordinates import Margins, Placement
from usfm_studio.ui.canvas.fade import Fade
from usfm_studio.ui.canvas.furniture import DepthScale
from usfm_studio.ui.canvas.grid import grid_shift
from usfm_studio.ui.canvas.hand import Hand
from usfm_studio.ui.canvas.input import Input
from usfm_studio.ui.canvas.levels import Levels
from usfm_studio.ui.canvas.mark import PointerMark
from usfm_studio.ui.canvas.navigation import Navigation
from usfm_studio.ui.canvas.picture import Picture
from usfm_studio.ui.canvas.stage import Stage
from usfm_studio.ui.canvas.styles import Overlay, SegmentStyle, style_of
from usfm_studio.ui.canvas.texts import CornerTexts
from usfm_studio.ui.tools.brush import allowed_size, stepped_size
from usfm_studio.ui.tools.tool import (
    Answer,
    Ask,
    Commit,
    Finish,
    Grab,
    Hints,
    Modifiers,
    Nothing,
    Pick,
    Preview,
    Scene,
    Tool,
    ToolEvent,
)

OPACITY_STEP, REACH = 0.1, 7.0  # REACH: logical pixels within which a vertex is taken hold of


class CanvasView(QWidget):
    """Shows one frame and lets a tool work on it. It changes nothing itself: edits go out by `commits`."""

    commits = Signal(object)
    """A `Commit`: an edit to apply, and the proposed segment that it starts from."""
    picked = Signal(int, bool)
    """A segment was pointed at: its value (0: none), and whether it is a proposed one."""
    asked = Signal(object)
    """A `Prompt` that a model is to answer."""
    refused = Signal(str)
    """Why a tool did nothing, for the status line."""
    frame_step = Signal(int)
    context_menu = Signal(QPoint, object)
    """Global position and image point."""
    brush_size_changed = Signal(float)
    hovered = Signal(object)
    """The image point under the pointer, or None."""
    gesture_changed = Signal(bool)
    """True while a stroke or outline is under way: floating things hide, nothing reflows."""
    hints_changed = Signal(object)
    tool_left = Signal()
    """Escape with nothing to cancel: back to the select tool."""

    half_pixel = 0.5
    """Half a device pixel in logical ones: a mouse's position is the corner of the pixel that it points at."""
    hand_held = False
    """True while the key that moves the image is held."""
    _built = False  # Qt sends events while the widget is being made

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._key: FrameId | None = None
        self._scene_kept = Scene(frame=FrameId("", 0), mask=Mask.empty((1, 1)))
        self._wheel_steps = False
        self._just_shown = False  # a frame whose masks are still to come
        self._told: tuple[bool, Hints] = (False, ())
        self.levels = Levels(self)
        self.levels.changed.connect(self.update)
        self._stage = Stage()
        self._navigation = Navigation()
        self._mark = PointerMark()
        self._hand = Hand(self._scene, self._answered)
        self._fade = Fade(self, self._arriving)
        self._calm = QTimer(self, singleShot=True)
        self._calm.timeout.connect(self._calmed)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAttribute(Qt.WidgetAttribute.WA_AcceptTouchEvents)
        self.setAccessibleName("Image")
        self.setMinimumSize(160, 120)
        self._input = Input(self, self)
        self._built = True

    # What is shown.

    def show_frame(
        self, pixels: Pixels | None, key: FrameId | None, pixel_aspect: float = 1.0, bits: int | None = None
    ) -> None:
        """Another frame: (rows, columns) or (rows, columns, 3), uint8 or uint16; None for none.

        A stroke under way ends first and is kept. `pixel_aspect` is a pixel's width over its height, `bits` the
        stored bits of a sample. Window and level stay while the frames are of one file. The masks of another frame
        are empty until `set_masks` tells them.
        """
        if key != self._key:
            self._end_gesture()
            self._stage.accepted.forget()
            self._stage.proposed.forget()
        before, self._key = self._key, key
        same_file = key is not None and before is not None and key.source == before.source
        self._stage.picture = None if pixels is None else Picture(pixels)
        self._scene_kept = replace(self._scene_kept, frame=key or FrameId("", 0))
        if pixels is not None:
            shape = (pixels.shape[0], pixels.shape[1])
            self._navigation.show(shape, pixel_aspect)
            if not same_file:
                self.levels.begin(bits or (8 if pixels.dtype.itemsize == 1 else 16))
            if key != before or self._scene_kept.mask.shape_rc != shape:
                self.set_masks(Mask.empty(shape), None, self._stage.styles)
            self._just_shown = key != before
        self._placed()
        self._tell()

    def set_masks(
        self,
        accepted: Mask,
        proposed: Mask | None,
        styles: Mapping[int, SegmentStyle],
        confidences: Mapping[int, float] | None = None,
    ) -> None:
        """The layers of the current frame: what a person accepted, and undecided segments of the model."""
        arrives = proposed is not None and proposed is not self._scene_kept.proposed and bool(proposed.tiles)
        self._scene_kept = replace(self._scene_kept, mask=accepted, proposed=proposed)
        self._stage.show_masks(accepted, proposed, styles, confidences or {})
        if arrives and not self._just_shown and not self.gesture_active:
            self._fade.begin()
        self._just_shown = False
        self._refresh()

    def update_tiles(self, changed: Collection[TileIndex], mask: Mask) -> None:
        """The accepted layer after an edit of these tiles. What the canvas shows already costs nothing."""
        del changed  # shared tiles tell by themselves what changed
        self._scene_kept = replace(self._scene_kept, mask=mask)
        self._stage.accepted.change_to(mask)
        self._repaint_stale()
        self._calm.start()

    def set_texts(self, texts: CornerTexts) -> None:
        """What the corners say."""
        self._stage.corner = texts
        self._refresh()

    def set_scale(self, mm_per_px: float | None, top_row: float = 0.0) -> None:
        """Millimetres per image row for the depth scale, and the row at depth 0; None: no scale."""
        self._stage.depth = None if mm_per_px is None else DepthScale(mm_per_row=mm_per_px, top_row=top_row)
        self._refresh()

    def set_texts_visible(self, on: bool) -> None:
        """Corner texts and depth scale on or off."""
        self._stage.shows_texts = on
        self._refresh()

    def set_margins(self, margins: Margins) -> None:
        """Room at the edges that something else covers."""
        self._navigation.keep_clear(margins)
        self._placed()

    def set_overlay(self, overlay: Overlay) -> None:
        """Outline and rim, outlines alone, or nothing."""
        self._stage.overlay, self._stage.tags_stale = overlay, True
        self.update()

    def set_opacity(self, opacity: float) -> None:
        """Opacity of all overlays, 0.1 to 1."""
        self._stage.opacity = min(1.0, max(OPACITY_STEP, round(opacity, 2)))
        self.update()

    @property
    def opacity(self) -> float:
        """Opacity of all overlays."""
        return self._stage.opacity

    def auto_window_level(self) -> None:
        """Fit window and level to the values that occur."""
        if self._stage.picture is not None:
            self.levels.fit(self._stage.picture.pixels)

    # Where the image lies.

    @property
    def placement(self) -> Placement:
        """Where the image lies in the view."""
        return self._navigation.placement

    @property
    def zoom(self) -> float:
        """Device pixels per image pixel."""
        return self._navigation.zoom

    def image_to_view(self, xy: XY) -> QPointF:
        """The view point of an image point; pixel centres lie at integers."""
        return QPointF(*self.placement.image_to_view(xy))

    def view_to_image(self, view: QPointF) -> XY:
        """The image point under a view point; inverse of `image_to_view`."""
        return self.placement.view_to_image((view.x(), view.y()))

    def zoom_to_fit(self) -> None:
        """The whole image, as large as it goes."""
        self._navigation.fit()
        self._placed()

    def zoom_to_pixels(self) -> None:
        """One image pixel on one pixel of the screen."""
        self._navigation.zoom_to(1.0)
        self._placed()

    def zoom_in(self, factor: float) -> None:
        """Scale about the middle of the view."""
        self.zoom_by(factor, QPointF(self.width() / 2, self.height() / 2))

    # The tool.

    def set_tool(self, tool: Tool) -> None:
        """Take another tool; a stroke under way ends and is kept."""
        self._input.let_go()
        self._hand.take(tool)
        self._tell()

    def set_segment(self, value: int, name: str, layer: int = 0) -> None:
        """What is painted: a segment's value (0: none), its name for the edits, and the mask layer."""
        self._scene_kept = replace(self._scene_kept, segment=value, segment_name=name, layer=layer)
        self._mark_moved()

    def set_painting(self, *, overwrite: bool = False, pressure_sizes: bool = False, locked: str = "") -> None:
        """Whether painting may replace other segments, whether the pen's pressure sizes the brush, and why nothing
        may be painted (told to whoever tries; empty: it may).
        """
        kept = self._scene_kept
        self._scene_kept = replace(kept, overwrite=overwrite, pressure_sizes=pressure_sizes, locked=locked)

    def set_brush_size(self, diameter_px: float) -> None:
        """Diameter of brush and eraser in image pixels."""
        self._scene_kept = replace(self._scene_kept, brush_px=allowed_size(diameter_px))
        self.brush_size_changed.emit(self.brush_size)
        self._tell()

    @property
    def brush_size(self) -> float:
        """Diameter of brush and eraser in image pixels."""
        return self._scene_kept.brush_px

    @property
    def hints(self) -> Hints:
        """What keys and buttons do now."""
        hints = self._hand.hints()
        if not hints or self._hand.active:
            return hints
        return (*hints, ("Wheel", "frame" if self._wheel_steps else "zoom"), ("Right drag", "window/level"))

    @property
    def wheel_steps_frames(self) -> bool:
        """On loops the wheel steps frames, on stills it zooms."""
        return self._wheel_steps

    @wheel_steps_frames.setter
    def wheel_steps_frames(self, on: bool) -> None:
        self._wheel_steps = on
        self._tell()

    @property
    def gesture_active(self) -> bool:
        """True in the middle of a stroke or outline."""
        return self._hand.active

    # What the pointer and the keys do (called by `Input`).

    def use_tool(self, event: ToolEvent) -> None:
        """The tool gets an event."""
        self._hand.send(event)
        self._tell()

    def point_at(self, view: QPointF | None, modifiers: Modifiers) -> None:
        """The pointer is here (None: it left)."""
        self._mark.at, self._mark.modifiers = view, modifiers
        self._mark_moved()
        self.hovered.emit(None if view is None else self.view_to_image(view))
        if not self.gesture_active:
            self.update(self._stage.furniture.name_tag(view, 0))

    def modifiers_changed(self, modifiers: Modifiers) -> None:
        """Ctrl, Shift or Alt went down or up."""
        self._mark.modifiers = modifiers
        self._mark_moved()

    def pan_by(self, offset: QPointF) -> None:
        """Move the image by logical pixels."""
        self._navigation.pan_by((offset.x(), offset.y()))
        self._placed()

    def zoom_by(self, factor: float, about: QPointF) -> None:
        """Scale the image about a view point."""
        self._navigation.zoom_by(factor, (about.x(), about.y()))
        self._placed()

    def shift_window(self, offset: QPointF) -> None:
        """Across: window; up: level."""
        self.levels.shift(offset)

    def open_menu(self, global_at: QPoint, view: QPointF) -> None:
        """The context menu was asked for."""
        self.context_menu.emit(global_at, self.view_to_image(view))

    def step_frames(self, steps: int) -> None:
        """Frames on or back."""
        self.frame_step.emit(steps)

    def step_brush(self, steps: int) -> None:
        """A larger or smaller brush."""
        self.set_brush_size(stepped_size(self.brush_size, steps))

    def step_opacity(self, steps: int) -> None:
        """Overlays more or less opaque."""
        self.set_opacity(self.opacity + OPACITY_STEP * steps)

    def hold_hand(self, on: bool) -> None:
        """The key that moves the image is down or up."""
        self.hand_held = on
        self._mark_moved()

    def set_peek(self, on: bool) -> None:
        """Thin lines instead of overlays, while a key is held."""
        self._stage.peeking, self._stage.tags_stale = on, True
        self.update()

    def leave_tool(self) -> None:
        """Escape with nothing to cancel."""
        self.tool_left.emit()

    # Inside.

    def scene(self) -> Scene | None:
        """What a tool may look at now; None without a frame."""
        return self._scene()

    def take_answer(self, answer: Answer) -> None:
        """Show, and send out, an answer that came later than the event it belongs to."""
        self._answered(answer)

    def _scene(self) -> Scene | None:
        if self._stage.picture is None:
            return None
        return replace(self._scene_kept, reach_px=REACH / self.placement.scale)

    def _answered(self, answer: Answer) -> None:
        stage = self._stage
        match answer:
            case Preview():
                if answer.mask is not None:
                    stage.accepted.change(answer.mask, answer.box, also=self._scene_kept.segment)
                    stage.proposed.set_without(answer.adopted)
            case Commit():
                self._scene_kept = replace(self._scene_kept, mask=answer.mask)
                stage.accepted.change_to(answer.mask)
                self._calm.start()
                self.commits.emit(answer)
            case Nothing():
                stage.accepted.change_to(self._scene_kept.mask)
                stage.proposed.set_without(0)
                if answer.why:
                    self.refused.emit(answer.why)
            case Ask():
                self.asked.emit(answer.prompt)
            case Pick():
                self.picked.emit(answer.value, answer.proposed)
            case Grab() if self._mark.at is not None:
                self._navigation.hold(answer.xy, (self._mark.at.x(), self._mark.at.y()))
                self._placed()
        self._repaint_stale()

    def _arriving(self, share: float) -> None:
        self._stage.arrival = share
        self.update()

    def _end_gesture(self) -> None:
        self._hand.send(Finish())
        self._hand.gesture = None
        self._input.let_go()
        self._tell()

    def _tell(self) -> None:
        """Signals about the tool, each only when it has news."""
        active, hints = self._told
        if self._hand.active != active:
            self.gesture_changed.emit(self._hand.active)
        if self.hints != hints:
            self.hints_changed.emit(self.hints)
        self._told = (self._hand.active, self.hints)
        self._mark_moved()

    def _placed(self) -> None:
        """The image lies elsewhere, or another one is shown."""
        self._stage.tags_stale = True
        self._refresh()

    def _refresh(self) -> None:
        self._mark_moved()
        self.update()

    def _repaint_stale(self) -> None:
        """Repaint what the last answer changed, and nothing else."""
        region = self._stage.stale(self._navigation.grid)
        if not region.isEmpty():
            self.update(region)

    def _calmed(self) -> None:
        """After an edit has been painted: rims and tags follow what it made of the segments."""
        if not self._input.stroking:
            self._stage.accepted.settle()
            self._stage.tags_stale = True
            self.update(self._settle().united(self._stage.stale(self._navigation.grid)))

    def _settle(self) -> QRegion:
        shown = self.levels.window
        line = f"W {shown.window:.0f}  L {shown.level:.0f} · {100 * self.zoom:.0f} %"
        view = QRectF(self.rect())
        return self._stage.settle(self._navigation.grid, view, self._navigation.margins, line, self._mark.at)

    def _mark_moved(self) -> None:
        """The pointer's mark or the open outline may look different: repaint the old one and the new one."""
        held = "hand" if self.hand_held and not self._input.held else self._input.held
        cursor = self._hand.cursor(self._mark.modifiers)
        self.update(self._mark.follow(cursor, self._hand.preview, self.placement, held))
        if self._mark.qt_shape != self.cursor().shape():
            self.setCursor(self._mark.qt_shape)

    def _measure(self) -> None:
        """Tell the navigation how large the view is and where it lies on the screen's pixels."""
        ratio = self.devicePixelRatioF()
        self.half_pixel = 0.5 / ratio
        corner = self.mapTo(self.window(), QPoint(0, 0))
        self._navigation.view_is((self.width(), self.height()), ratio, grid_shift((corner.x(), corner.y()), ratio))

    # Qt.

    def event(self, event: QEvent) -> bool:
        """Input first; what it does not take goes Qt's way."""
        return (self._built and self._input.take(event)) or super().event(event)

    def sizeHint(self) -> QSize:
        """What the smallest supported window leaves for the canvas."""
        return QSize(944, 672)

    def resizeEvent(self, event: object) -> None:
        """Keep the image fitted, or its middle in the middle."""
        del event
        self._measure()
        self._placed()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Put the layers together where Qt asks."""
        self._measure()
        grid = self._navigation.grid
        self._stage.refresh(grid, self.levels.shown)
        if not self._input.stroking:
            beyond = self._settle().subtracted(event.region())
            if not beyond.isEmpty():
                self.update(beyond)
        painter = QPainter(self)
        self._stage.paint(painter, event.region(), grid)
        colour = QColor(style_of(self._stage.styles, max(1, self._scene_kept.segment)).colour)
        self._mark.draw(painter, event.region(), colour)
        painter.end()
