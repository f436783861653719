"""The only door from the command line to Qt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from usfm_studio.cli.common import Shared
from usfm_studio.cli.signals import INTERRUPTED


def open_window(project: Path | None, call: Shared) -> int:
    """Open the window, on a project if one is named."""
    refuse_without_display()
    with brought_in(call):
        from usfm_studio.ui.app import main as show

    return in_window(call, lambda: show(project))


@contextmanager
def brought_in(call: Shared) -> Iterator[None]:
    """Import what needs Qt in the block: a signal is heeded after it, as Qt aborts when its import is broken off."""
    breaks_off, call.signals.breaks_off = call.signals.breaks_off, False
    with call.signals.driven() as asked:
        yield
    call.signals.breaks_off = breaks_off
    if asked():
        raise KeyboardInterrupt


def refuse_without_display() -> None:
    """Raise a StudioError with a hint where no window can open: Qt would abort the process."""
    from usfm_studio.document.errors import StudioError
    from usfm_studio.verbs.doctor import display

    found = display()
    if not found.ok:
        raise StudioError("The window cannot open", found.detail, found.hint)


def in_window(call: Shared, show: Callable[[], int], *, at_once: bool = False) -> int:
    """Run Qt's event loops; a signal closes the window as a person does, or (`at_once`) ends every loop."""
    from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal, Slot

    class Bell(QObject):
        """Rung on the thread that hears signals, answered on the window's."""

        rung = Signal()

        @Slot()
        def answer(self) -> None:
            QCoreApplication.exit(INTERRUPTED) if at_once else QCoreApplication.quit()

    bell = Bell()
    bell.rung.connect(bell.answer, Qt.ConnectionType.QueuedConnection)
    call.signals.on_first, call.signals.breaks_off = bell.rung.emit, False
    with call.signals.driven() as asked:
        try:
            status = show()
        except Exception:
            if not asked():
                raise
            raise KeyboardInterrupt from None
    return INTERRUPTED if asked() else status
