"""The canvas joined to the session: what the session has in view is shown, and what tools answer is committed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from PySide6.QtCore import QTimer

from usfm_studio.document.calibration import region_at
from usfm_studio.document.edit import Change
from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.document.schema import Schema
from usfm_studio.ui.canvas.coordinates import Margins
from usfm_studio.ui.canvas.styles import Overlay, SegmentStyle
from usfm_studio.ui.canvas.texts import CornerTexts
from usfm_studio.ui.canvas.view import CanvasView
from usfm_studio.ui.prompting import Prompting
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell.rooms import CanvasLink
from usfm_studio.ui.shell.zoom_drag import ZoomDrag
from usfm_studio.ui.state import Item
from usfm_studio.ui.tools.brush import Brush
from usfm_studio.ui.tools.eraser import ERASER
from usfm_studio.ui.tools.lasso import Lasso
from usfm_studio.ui.tools.polygon import Polygon
from usfm_studio.ui.tools.select import Select
from usfm_studio.ui.tools.smart import Smart
from usfm_studio.ui.tools.tool import Cancel, Commit, Key, Tool

TOOLS: dict[str, Tool] = {tool.name: tool for tool in (Select(), Brush(), ERASER, Polygon(), Lasso(), Smart())}
LOOKS = (Overlay.FULL, Overlay.OUTLINES)
PATIENCE_MS = 120
LOOP_PATIENCE_MS = 600
"""An image stays so long while the next one is decoded: shorter than a glance, longer than most decoding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What the canvas shows over the image."""

    accepted: Mask
    proposed: Mask | None
    styles: dict[int, SegmentStyle]
    confidences: Mapping[int, float]

    def looks_like(self, other: _Shown) -> bool:
        """Whether a repaint would change nothing."""
        return (
            self.proposed is other.proposed
            and self.styles == other.styles
            and self.confidences == other.confidences
            and (self.accepted is other.accepted or self.accepted.same_as(other.accepted))
        )


class WorkCanvas:
    """Keeps canvas and session in step. `link` is what the window sees of it; this object is its stage for actions."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.view = CanvasView()
        self.link = CanvasLink(self.view, self)
        self._zoom_drag = ZoomDrag(self.view, self.view.zoom_by)
        self._look = Overlay.FULL
        self._texts_on = True
        self._soon = QTimer(self.view)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.show_masks)
        self._late = False
        self._frame: FrameId | None = None
        self._shown: _Shown | None = None
        self._texts: tuple[CornerTexts, float | None, float] | None = None
        self._blank = QTimer(self.view)
        self._blank.setSingleShot(True)
        self._blank.timeout.connect(lambda: self._show_nothing(if_still_waiting=True))
        self.prompting = Prompting(
            session, self.view.scene, self.view.take_answer, self.view.refused.emit, parent=self.view
        )
        self._connect()
        self.show_frame()

    def _connect(self) -> None:
        session, view = self._session, self.view
        session.pixels_changed.connect(self.show_frame)
        session.current_changed.connect(self._soon.start)
        session.opened.connect(self.show_frame)
        session.closed.connect(self.show_frame)
        session.closing.connect(lambda: view.set_tool(TOOLS[self.link.tool]))  # a stroke under way ends and is kept
        session.changed.connect(self._on_changed)
        session.saved_changed.connect(self._soon.start)
        session.segment_changed.connect(self._soon.start)
        session.training_changed.connect(self._show_texts)
        view.commits.connect(self._on_commit)
        view.asked.connect(self.prompting.ask)
        view.picked.connect(lambda value, _proposed: session.select_segment(value) if value else None)
        view.frame_step.connect(session.navigation.step)
        view.hints_changed.connect(self.link.hints_changed)
        view.gesture_changed.connect(self.link.busy_changed)
        view.gesture_changed.connect(self._on_gesture)
        view.refused.connect(self.link.refused)
        view.context_menu.connect(lambda at, _xy: self.link.menu_wanted.emit(at))
        view.tool_left.connect(lambda: self.set_tool("select"))
        session.takes_undo = lambda: self.take_key("Backspace")

    # --- from the session to the canvas ------------------------------------------------------------------------

    def show_frame(self) -> None:
        """Show the frame in view; its masks come with its pixels. No image stays for long under another one's name."""
        frame, pixels = self._session.current, self._session.pixels
        if frame is None or (pixels is None and self._session.navigation.trouble is not None):
            self._show_nothing()
        elif pixels is None:
            if self._frame is not None and not self._blank.isActive():
                same_file = self._frame.source == frame.id.source
                self._blank.start(LOOP_PATIENCE_MS if same_file else PATIENCE_MS)
        else:
            self._blank.stop()
            if self._frame != frame.id:
                self.prompting.drop()
            self._frame = frame.id
            self._shown = None
            aspect = _pixel_aspect(frame.instance.spacing_mm_xy)
            self.view.show_frame(pixels, frame.id, aspect, bits=frame.instance.bits)
            self.view.wheel_steps_frames = frame.instance.frames > 1
            self.show_masks()
            self._prepare_prompts()

    def _show_nothing(self, *, if_still_waiting: bool = False) -> None:
        if if_still_waiting and self._session.pixels is not None:
            return
        self._blank.stop()
        self._frame = self._shown = None
        self.view.show_frame(None, None)

    def show_masks(self) -> None:
        """Show layers, styles and texts as they stand; what is shown already is not painted again."""
        session = self._session
        if session.current is None or session.current.id != self._frame:
            return
        segment = session.schema.segment(session.segment)
        self.view.set_segment(session.segment if segment else 0, segment.name if segment else "")
        self.view.set_painting(locked=_why_locked(session))
        if self.view.gesture_active:
            self._late = True
            return
        self._late = False
        waiting = session.proposed
        now = _Shown(
            accepted=session.mask(),
            proposed=waiting.mask if waiting is not None else None,
            styles=segment_styles(session.schema, session.hidden_segments),
            confidences=waiting.confidences if waiting is not None else {},
        )
        if self._shown is None or not now.looks_like(self._shown):
            self.view.set_masks(now.accepted, now.proposed, now.styles, now.confidences)
        self._shown = now
        self._show_texts()

    def _on_gesture(self, active: bool) -> None:
        if not active and self._late:
            self._soon.start()

    def _on_changed(self, change: Change) -> None:
        current = self._session.current
        if current is not None and (current.id in change.frames or change.kinds & {"schema", "champion"}):
            self._soon.start()

    def _show_texts(self) -> None:
        frame = self._session.current
        if frame is None or frame.id != self._frame:
            return
        row, items = self._session.navigation.item_index, self._session.navigation.items
        instance = frame.instance
        item = items[row] if 0 <= row < len(items) else None
        scale = instance.scale_at(instance.columns / 2, instance.rows / 2)
        waiting = self._session.proposed
        texts = CornerTexts(
            identity=" · ".join(part for part in (instance.patient_name, instance.patient_id) if part),
            place=_place(item, frame.index, instance.seconds, row, len(items)),
            proposal=f"proposal · {waiting.model_name}" if waiting is not None and waiting.values else "",
            accepted="accepted by reader" if self._session.mask().tiles else "",
            calibration=f"{scale.mm_per_px_xy[1]:.2g} mm/px · {scale.source}" if scale else "not calibrated: px",
        )
        now = (texts, scale.mm_per_px_xy[1] if scale else None, _top_row(self._session))
        if now != self._texts:
            self._texts = now
            self.view.set_texts(texts)
            self.view.set_scale(*now[1:])

    # --- from the canvas to the session ------------------------------------------------------------------------

    def _on_commit(self, answer: Commit) -> None:
        if self._session.reviewing.draw(answer.edit) is None:
            self._shown = None  # it was refused: show what the project has
            self._soon.start()
        elif self._shown is not None:
            self._shown = replace(self._shown, accepted=answer.mask)

    # --- what actions ask --------------------------------------------------------------------------------------

    def zoom_by(self, factor: float) -> None:
        """Nearer (over 1) or farther, around the middle."""
        self.view.zoom_in(factor)

    def fit(self) -> None:
        """The whole image."""
        self.view.zoom_to_fit()

    def actual_size(self) -> None:
        """One image pixel on one pixel of the screen."""
        self.view.zoom_to_pixels()

    def reset_levels(self) -> None:
        """Window and level as the file has them."""
        self.view.levels.reset()

    def auto_levels(self) -> None:
        """Window and level from what is in view."""
        self.view.auto_window_level()

    def set_inverted(self, on: bool) -> None:
        """Black for white."""
        self.link.inverted = on
        self.view.levels.set_inverted(on)
        self.link.view_changed.emit()

    def toggle_inverted(self) -> None:
        """Black for white, and back."""
        self.set_inverted(not self.link.inverted)

    def set_tool(self, name: str) -> None:
        """Take up a tool by its name."""
        if name in TOOLS:
            self.link.tool = name
            self.view.set_tool(TOOLS[name])
            self._prepare_prompts()
            self.link.view_changed.emit()

    def _prepare_prompts(self) -> None:
        if self.link.tool == "smart" and not self._session.read_only:
            self.prompting.prepare()

    def resize_brush(self, steps: int) -> None:
        """A larger or smaller brush."""
        self.view.step_brush(steps)

    def set_overlays(self, on: bool) -> None:
        """Show or hide all outlines."""
        self.link.overlays = on
        self.view.set_overlay(self._look if on else Overlay.NONE)
        self.link.view_changed.emit()

    def toggle_overlays(self) -> None:
        """Show or hide all outlines."""
        self.set_overlays(not self.link.overlays)

    def set_peeking(self, on: bool) -> None:
        """Hide all but a hair of the outlines while a key is held."""
        self.view.set_peek(on)

    def next_look(self) -> None:
        """Outline with rim, outline alone, and back."""
        self._look = LOOKS[(LOOKS.index(self._look) + 1) % len(LOOKS)]
        self.set_overlays(True)

    def change_opacity(self, steps: int) -> None:
        """Stronger or fainter overlays."""
        self.view.step_opacity(steps)

    def toggle_information(self) -> None:
        """The texts in the corners."""
        self._texts_on = not self._texts_on
        self.view.set_texts_visible(self._texts_on)

    def set_panning(self, on: bool) -> None:
        """While on, dragging moves the image."""
        self.view.hold_hand(on)

    def set_zooming(self, on: bool) -> None:
        """While on, dragging up and down zooms."""
        self._zoom_drag.set_on(on)

    def take_key(self, name: str) -> bool:
        """Whether a gesture in progress takes Enter or Backspace for itself; then it has done so."""
        if not self.view.gesture_active:
            return False
        self.view.use_tool(Key(name=name))
        return True

    def cancel(self) -> None:
        """Let go of the stroke; with none, take up the select tool."""
        if self.view.gesture_active:
            self.view.use_tool(Cancel())
        else:
            self.set_tool("select")

    def next_segment(self, by: int) -> None:
        """Select the next segment that is marked or proposed here; where there is none, the next of the schema."""
        waiting = self._session.proposed
        there = {*self._session.mask().values(), *(waiting.values if waiting is not None else ())}
        values = [s.value for s in self._session.schema.segments if not there or s.value in there]
        if values:
            at = values.index(self._session.segment) if self._session.segment in values else -1
            self._session.select_segment(values[(at + by) % len(values)])


def work_canvas(session: Session) -> CanvasLink:
    """The canvas of a session, as the window takes it."""
    canvas = WorkCanvas(session)
    canvas.link.set_covered = lambda left: canvas.view.set_margins(Margins(left=float(left)))  # type: ignore[method-assign]
    return canvas.link


def _why_locked(session: Session) -> str:
    """Why nothing can be painted now; empty where it can."""
    if not session.read_only:
        return ""
    project = session.project
    return "this project is open for reading only" if project is None or project.read_only else "the disk is full"


def segment_styles(schema: Schema, hidden: frozenset[int]) -> dict[int, SegmentStyle]:
    """How the schema's segments look on the canvas."""
    return {
        s.value: SegmentStyle(colour=s.shown_colour, name=s.name, number=number, visible=s.value not in hidden)
        for number, s in enumerate(schema.segments, start=1)
    }


def _pixel_aspect(spacing_mm_xy: tuple[float, float] | None) -> float:
    """Width of a pixel over its height; squares where nothing sound is stated."""
    if spacing_mm_xy is None or min(spacing_mm_xy) <= 0:
        return 1.0
    return spacing_mm_xy[0] / spacing_mm_xy[1]


def _place(item: Item | None, index: int, seconds: tuple[float, ...] | None, row: int, count: int) -> str:
    if item is None:
        return ""
    if item.instance.frames == 1:
        return f"Still {row + 1} of {count}"
    words = f"Loop · frame {index + 1} / {item.instance.frames}"
    return f"{words} · {seconds[index]:.2f} s" if seconds and index < len(seconds) else words


def _top_row(session: Session) -> float:
    """The image row at depth 0: the top of the region that counts in the middle."""
    frame = session.current
    if frame is None:
        return 0.0
    at = region_at(frame.instance.regions, frame.instance.columns / 2, frame.instance.rows / 2)
    return float(max(0, at[1].box[1])) if at is not None else 0.0
