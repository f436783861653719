"""F6: the keyboard goes from one part of the window to the next."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget

from usfm_studio.ui.shell.focus import focus_by_keys


def first_stop(zone: QWidget) -> QWidget | None:
    """The first thing in a zone that Tab would reach; the zone itself when it takes the keyboard."""
    if zone.focusPolicy() & Qt.FocusPolicy.TabFocus and zone.isEnabled():
        return zone
    step = zone.nextInFocusChain()
    while step is not None and step is not zone:
        reachable = step.isVisible() and step.isEnabled() and bool(step.focusPolicy() & Qt.FocusPolicy.TabFocus)
        if reachable and zone.isAncestorOf(step):
            return step
        step = step.nextInFocusChain()
    return None


def next_zone(zones: Sequence[QWidget | None], by: int) -> QWidget | None:
    """Move the keyboard on by one zone, leaving out those with nothing to stop at; where it went."""
    stops = [(zone, stop) for zone in zones if zone is not None and zone.isVisible() and (stop := first_stop(zone))]
    if not stops:
        return None
    focus = QApplication.focusWidget()
    here = next((n for n, (zone, _) in enumerate(stops) if focus is zone or (focus and zone.isAncestorOf(focus))), None)
    at = (-1 if by > 0 else 0) if here is None else here
    stop = stops[(at + by) % len(stops)][1]
    focus_by_keys(stop)
    return stop
