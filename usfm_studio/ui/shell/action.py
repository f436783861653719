"""What an action is, and the situation that decides whether it can be done now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from usfm_studio.ui.session import Session


class Context(StrEnum):
    """Where an action's keys work."""

    ALWAYS = "always"
    WORK = "work"  # on the image, whatever has the focus but a text field
    PAGE = "page"  # on the other pages: learning, the verdict, files coming in


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is so at the moment. Made by the window; fakes in tests need only what they are about."""

    page: str = "empty"  # empty, work, learn, verdict, import
    has_project: bool = False
    has_items: bool = False
    has_frame: bool = False
    has_proposal: bool = False
    proposals: int = 0
    is_loop: bool = False
    playing: bool = False
    read_only: bool = False
    undo_name: str = ""
    redo_name: str = ""
    training: bool = False
    interrupted_runs: int = 0
    has_verdict: bool = False
    has_model: bool = False
    can_roll_back: bool = False
    can_train: bool = False
    train_needs: str = ""  # what is missing for fine-tuning, in words
    importing: bool = False
    import_seen: bool = False
    state: str = "todo"
    segments: tuple[str, ...] = ()
    segment: int = 0
    labels: tuple[str, ...] = ()
    labels_on: tuple[str, ...] = ()
    tool: str = ""
    overlays: bool = True
    inverted: bool = False
    worklist_shown: bool = False
    panels_hidden: bool = False
    full_screen: bool = False

    @property
    def can_undo(self) -> bool:
        """Whether there is an act to take back."""
        return bool(self.undo_name)

    @property
    def can_redo(self) -> bool:
        """Whether an act was taken back."""
        return bool(self.redo_name)


class Stage(Protocol):
    """What actions ask of the canvas."""

    def zoom_by(self, factor: float) -> None:
        """Nearer (over 1) or farther, around the middle or the mouse."""
        ...

    def fit(self) -> None:
        """The whole image."""
        ...

    def actual_size(self) -> None:
        """One image pixel on one pixel of the screen."""
        ...

    def reset_levels(self) -> None:
        """Window and level as the file has them."""
        ...

    def auto_levels(self) -> None:
        """Window and level from what is in view."""
        ...

    def toggle_inverted(self) -> None:
        """Black for white, and back."""
        ...

    def set_tool(self, name: str) -> None:
        """Take up a tool: select, brush, eraser, polygon, lasso, smart."""
        ...

    def resize_brush(self, steps: int) -> None:
        """A larger or smaller brush."""
        ...

    def toggle_overlays(self) -> None:
        """Show or hide all outlines."""
        ...

    def set_peeking(self, on: bool) -> None:
        """Hide all but a hair of the outlines while a key is held."""
        ...

    def next_look(self) -> None:
        """Outline with rim, outline alone, and back."""
        ...

    def change_opacity(self, steps: int) -> None:
        """Stronger or fainter overlays."""
        ...

    def toggle_information(self) -> None:
        """The texts in the corners."""
        ...

    def set_panning(self, on: bool) -> None:
        """While on, dragging moves the image."""
        ...

    def set_zooming(self, on: bool) -> None:
        """While on, dragging zooms."""
        ...

    def cancel(self) -> None:
        """Let go of the stroke; with none, take up the select tool."""
        ...

    def take_key(self, name: str) -> bool:
        """Whether a gesture in progress takes Enter or Backspace for itself; then it has done so."""
        ...

    def next_segment(self, by: int) -> None:
        """Select the next marked or proposed segment in view."""
        ...


class Frontage(Protocol):
    """What actions ask of the window itself."""

    def open_study(self) -> None:
        """Ask for files."""
        ...

    def open_folder(self) -> None:
        """Ask for a folder of studies."""
        ...

    def open_sample(self) -> None:
        """Open the sample project."""
        ...

    def open_project(self) -> None:
        """Ask for a project's folder."""
        ...

    def close_project(self) -> None:
        """Back to the first page."""
        ...

    def export(self) -> None:
        """Ask for a format and write."""
        ...

    def show_saved(self) -> None:
        """Say when the last act was written."""
        ...

    def show_page(self, name: str) -> None:
        """Go to a page: work, learn, verdict, import."""
        ...

    def show_palette(self) -> None:
        """Search all actions."""
        ...

    def show_sheet(self) -> None:
        """All keys."""
        ...

    def show_keys(self) -> None:
        """Change keys."""
        ...

    def show_settings(self) -> None:
        """Settings."""
        ...

    def show_help(self, anchor: str = "") -> None:
        """The guide, at a place."""
        ...

    def toggle_worklist(self) -> None:
        """The list of items."""
        ...

    def toggle_panels(self) -> None:
        """All but the image."""
        ...

    def toggle_full_screen(self) -> None:
        """The whole screen, or a window."""
        ...

    def next_zone(self, by: int) -> None:
        """Move the keyboard to the next part of the window."""
        ...

    def quit(self) -> None:
        """Close the window."""
        ...


class Desk(Protocol):
    """What an action works on."""

    @property
    def session(self) -> Session:
        """What the person is doing."""
        ...

    @property
    def canvas(self) -> Stage:
        """The image."""
        ...

    @property
    def front(self) -> Frontage:
        """The window."""
        ...


Reason = str | None
Gate = Callable[[Situation], Reason]


def always(_: Situation) -> Reason:
    """Nothing stands against it."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that can be done. Menus, palette, sheet, editor and tool tips are made from these and nothing else.

    `keys` are written as in `keys.py`; the first is shown. `enabled` answers None or why it is off. `held` is called
    with True when its key is kept down for 250 ms and with False when it comes up; a shorter touch is `does`.
    `title` replaces `text` where words depend on the situation. `help` names a place in the guide.
    """

    id: str
    text: str
    does: Callable[[Desk], None]
    keys: tuple[str, ...] = ()
    icon: str = ""
    group: str
    hint: str
    help: str
    context: Context = Context.WORK
    enabled: Gate = always
    held: Callable[[Desk, bool], None] | None = None
    title: Callable[[Situation], str] | None = None
    checked: Callable[[Situation], bool] | None = None
    repeats: bool = False

    def words(self, situation: Situation) -> str:
        """What it is called now."""
        return self.title(situation) if self.title is not None else self.text
