from __future__ import annotations

import pytest
from PySide6.QtGui import QColor

from usfm_studio.document.schema import SEGMENT_COLOURS
from usfm_studio.ui.shell.paint import contrast, text_on
from usfm_studio.ui.shell.tokens import THEMES

GROUNDS = ("panel", "raised", "card", "field", "hover", "selected")


def ratio(theme, ink: str, ground: str) -> float:
    return contrast(QColor(getattr(theme, ink)), QColor(getattr(theme, ground)))


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_texts_can_be_read_in_every_theme(theme):
    for ground in (*GROUNDS, "pressed"):
        assert ratio(theme, "text", ground) >= 7, ground
        assert ratio(theme, "muted", ground) >= 4.5, ground


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_signals_can_be_read_on_their_own_grounds(theme):
    for signal in ("ok", "warning", "error"):
        assert ratio(theme, signal, "panel") >= 4.5, signal
        assert ratio(theme, signal, f"{signal}_ground") >= 4.5, signal
        assert ratio(theme, "text", f"{signal}_ground") >= 7, signal
        assert ratio(theme, "on_signal", signal) >= 4.5, signal
    assert ratio(theme, "on_accent", "accent") >= 4.5
    assert ratio(theme, "on_accent", "accent_hover") >= 4.5
    assert ratio(theme, "on_accent", "accent_pressed") >= 4.5


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_the_focus_ring_stands_out_on_every_ground(theme):
    for ground in GROUNDS:
        assert ratio(theme, "focus", ground) >= 3, ground


def test_the_canvas_stays_dark_in_every_theme():
    assert all(QColor(theme.canvas).lightness() < 20 for theme in THEMES.values())


def test_numbers_can_be_read_on_every_segments_colour():
    for ink in SEGMENT_COLOURS:
        assert contrast(text_on(QColor(ink)), QColor(ink)) >= 4, ink
