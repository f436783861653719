"""The worst frames of the new model, unflattering ones included: before, now, and what the person marked."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QGridLayout, QWidget

from usfm_studio.document.errors import StudioError
from usfm_studio.document.frame import FrameId
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts
from usfm_studio.ui.shell.controls import Card, ElidedLabel, Heading, Label, column, row
from usfm_studio.ui.state import Verdict, WorstFrame
from usfm_studio.ui.training.overlay_picture import (
    OverlayPicture,
    image_of,
    model_outlines,
    own_outlines,
    reference_outlines,
)

LINES = 3
AGAIN_MS = 700


class WorstFrames(Card):
    """Up to three frames in three columns. Pictures are drawn one a turn of the event loop. `opened`: a FrameId."""

    opened = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._session = session
        self._shown: Verdict | None = None
        self._frames: tuple[WorstFrame, ...] = ()
        self._to_draw: list[int] = []
        self._title = Heading("Worst frames")
        self._note = Label("lowest score first", size=fonts.SECONDARY, ink="muted")
        self._thin = Label("thin white: what you marked", size=fonts.SECONDARY, ink="muted")
        self._nothing = Label("", size=fonts.SECONDARY, ink="muted", wrap=True)
        self._heads = [Label("", size=fonts.SECONDARY, weight=500, ink="muted") for _ in range(3)]
        self._lines: list[tuple[QWidget, ElidedLabel, Label, list[OverlayPicture]]] = []
        self._grid = QGridLayout()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self._draw_one)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(AGAIN_MS)
        self._later.timeout.connect(self._ask_again)
        self._lay_out()
        session.navigation.pictures.arrived.connect(self._on_pixels)

    def _lay_out(self) -> None:
        self.body.addLayout(row(self._title, self._note, None, self._thin))
        self.body.addWidget(self._nothing)
        self._grid.setSpacing(8)
        for index, label in enumerate(self._heads):
            self._grid.addWidget(label, 0, index + 1)
            self._grid.setColumnStretch(index + 1, 1)
        for line in range(LINES):
            name, place = ElidedLabel("", weight=600), Label("", size=fonts.SECONDARY, ink="muted", wrap=True)
            holder = QWidget()
            holder.setLayout(column(name, place, None, spacing=2))
            holder.setFixedWidth(72)
            pictures = [OverlayPicture() for _ in range(3)]
            self._grid.addWidget(holder, line + 1, 0)
            for index, picture in enumerate(pictures):
                picture.opened.connect(self.opened)
                self._grid.addWidget(picture, line + 1, index + 1)
            self._lines.append((holder, name, place, pictures))
            self._grid.setRowStretch(line + 1, 1)
        self.body.addLayout(self._grid, 1)

    def show_verdict(self, verdict: Verdict) -> None:
        """Show the frames of a comparison."""
        if verdict is self._shown:
            return
        self._shown = verdict
        self._frames = verdict.worst[:LINES]
        before = any(frame.old_ids is not None for frame in self._frames)
        self._title.setText(f"Worst frames of {verdict.challenger.name}")
        for widget in (self._note, self._thin, *self._heads):
            widget.setVisible(bool(self._frames))
        self._nothing.setVisible(not self._frames)
        self._nothing.setText("No pictures were kept of this comparison." if not self._frames else "")
        old = f"{verdict.champion.name}, before" if verdict.champion else "Before"
        for label, words in zip(self._heads, (old, f"{verdict.challenger.name}, now", "Yours"), strict=True):
            label.setText(words)
        self._heads[0].setVisible(before)
        self._grid.setColumnStretch(1, 1 if before else 0)
        for index in range(LINES):
            self._show_line(index, before)
        self._to_draw = list(range(len(self._frames)))
        self._soon.start()

    def _show_line(self, index: int, before: bool) -> None:
        holder, name, place, pictures = self._lines[index]
        shown = index < len(self._frames)
        for widget in (holder, *pictures):
            widget.setVisible(shown)
        if not shown:
            return
        one = self._frames[index]
        pictures[0].setVisible(before)
        name.setText(one.subject)
        place.setText(one.title.capitalize())
        learned = "it learned from this one" if one.old_ids is None else ""
        scores = (_score(one.old_dice) or learned, _score(one.new_dice), "")
        kinds = ("before", "now", "yours")
        for picture, words, kind in zip(pictures, scores, kinds, strict=True):
            picture.show_frame(one.frame, words, f"{one.subject}, {one.title}, {kind} {words}".strip())

    # --- drawing -----------------------------------------------------------------------------------------------

    def _draw_one(self) -> None:
        if not self._to_draw:
            return
        index = self._to_draw.pop(0)
        if index < len(self._frames):
            self._draw(self._frames[index], self._lines[index][3])
        if self._to_draw:
            self._soon.start()

    def _draw(self, one: WorstFrame, pictures: list[OverlayPicture]) -> None:
        project = self._session.project
        if project is None:
            return
        try:
            frame = project.frame(one.frame)
        except StudioError:
            return  # its file has left the project; the scores stand
        pictures_of = self._session.navigation.pictures
        decoded = pictures_of.want(frame)
        if decoded is None and pictures_of.error(one.frame) is not None:
            return  # it cannot be read; the scores stand
        if decoded is None:
            self._later.start()  # drawn when it arrives; asked for again should the request be taken back
            return
        image = image_of(decoded.array, frame.instance.bits)
        schema = project.schema.for_exam(project.schema.exam_of(frame.instance))
        thin = reference_outlines(one.reference_ids)
        old = model_outlines(one.old_ids, schema) if one.old_ids is not None else []
        pictures[0].show_picture(image, [*thin, *old])
        pictures[1].show_picture(image, [*thin, *model_outlines(one.new_ids, schema)])
        pictures[2].show_picture(image, own_outlines(one.reference_ids, schema))

    def _ask_again(self) -> None:
        if not self.isVisible():
            return
        missing = [index for index in range(len(self._frames)) if not self._lines[index][3][1].has_picture]
        self._to_draw += [index for index in missing if index not in self._to_draw]
        if self._to_draw:
            self._soon.start()

    def _on_pixels(self, frame: FrameId) -> None:
        for index, one in enumerate(self._frames):
            if one.frame == frame and index not in self._to_draw:
                self._to_draw.append(index)
                self._soon.start()


def _score(value: float | None) -> str:
    return "" if value is None else f"Dice {value:.2f}"
