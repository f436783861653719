"""The only door from the command line to Qt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from usfm_studio.cli.common import Shared
from usfm_studio.cli.signals import INTERRUPTED


def open_window(project: Path | None, call: Shared) -> int:
    """Open the window, on a project if one is named."""
    refuse_without_display()
    from usfm_studio.ui.shell.app import main as show

    return in_window(call, lambda: show(project))


def refuse_without_display() -> None:
    """Raise a StudioError with a hint where no window can open: Qt would abort the process."""
    from usfm_studio.document.errors import StudioError
    from usfm_studio.verbs.doctor import display

    found = display()
    if not found.ok:
        raise StudioError("The window cannot open", found.detail, found.hint)


def in_window(call: Shared, show: Callable[[], int]) -> int:
    """Run Qt's event loop; a signal closes the window as a person would."""
    from PySide6.QtCore import QCoreApplication, QMetaObject, Qt

    def leave() -> None:
        application = QCoreApplication.instance()
        if application is not None:
            QMetaObject.invokeMethod(application, "quit", Qt.ConnectionType.QueuedConnection)

    call.signals.on_first = leave
    with call.signals.driven() as asked:
        try:
            status = show()
        except Exception:
            if not asked():
                raise
    return INTERRUPTED if asked() else status
