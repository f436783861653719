"""The window as those parts see it that act upon it as a whole: its front and its messages."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtWidgets import QWidget

from usfm_studio.document.edit import Change
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell.action import Situation
from usfm_studio.ui.shell.bar import MessageBar
from usfm_studio.ui.shell.dispatch import Dispatcher
from usfm_studio.ui.shell.header import Header
from usfm_studio.ui.shell.keymap import Keymap
from usfm_studio.ui.shell.settings import Settings, SettingsStore
from usfm_studio.ui.shell.statusline import StatusLine
from usfm_studio.ui.shell.work_page import WorkPage


class Home(Protocol):
    """Made by `Window`. `room` is what overlays cover: all between header and status line."""

    session: Session
    store: SettingsStore
    room: QWidget
    header: Header
    messages: MessageBar
    status: StatusLine
    dispatcher: Dispatcher

    @property
    def page(self) -> str:
        """The page in view."""
        ...

    def show_page(self, name: str) -> None:
        """Go to a page."""
        ...

    def work_page(self) -> WorkPage:
        """Canvas, inspector and all that stands around them."""
        ...

    def situation(self) -> Situation:
        """What is so now."""
        ...

    def run(self, action: str) -> None:
        """Do what an action's id asks for."""
        ...

    def refresh(self) -> None:
        """Let everything that depends on the situation follow it."""
        ...

    def refresh_soon(self, change: Change | None = None) -> None:
        """The same, once for a burst of news."""
        ...

    def use_settings(self, settings: Settings) -> None:
        """Put settings into force and keep them."""
        ...

    def use_keymap(self, keymap: Keymap) -> None:
        """Put other keys into force and keep them."""
        ...

    def remember_project(self) -> None:
        """Put the open project on top of the recent ones."""
        ...

    def next_zone(self, by: int) -> None:
        """Move the keyboard to the next part of the window."""
        ...
