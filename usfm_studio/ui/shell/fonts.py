"""The typeface: Inter, bundled, with figures of equal width. Sizes are pixels at 100 %."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtGui import QFont, QFontDatabase, QFontMetricsF

from usfm_studio.document.resources import resource

FAMILY = "Inter Variable"
BASE, SECONDARY, SMALL, CARD_TITLE, TITLE, BIG = 13, 12, 11, 15, 20, 28


def load_fonts() -> tuple[str, ...]:
    """Register the bundled faces with Qt; the files that could not be used (none, as installed)."""
    refused = []
    for path in sorted(resource("theme", "fonts").glob("*.ttf")):
        if QFontDatabase.addApplicationFont(str(path)) < 0:
            refused.append(path.name)
    return tuple(refused)


class _Held:
    grade = 0


def set_dark(dark: bool) -> None:
    """Light letters on a dark ground look thinner than they are: there every weight is drawn a little heavier."""
    _Held.grade = 50 if dark else 0


def font(size: int = BASE, weight: int = 400) -> QFont:
    """A face of the interface. `weight` is 400, 500 or 600. Treat it as read-only: it is shared."""
    return _font(size, weight, _Held.grade)


def metrics(size: int = BASE, weight: int = 400) -> QFontMetricsF:
    """Metrics of `font(size, weight)`."""
    return _metrics(size, weight, _Held.grade)


def text_width(text: str, size: int = BASE, weight: int = 400) -> float:
    """Width of a text in logical pixels."""
    return _width(text, size, weight, _Held.grade)


@lru_cache(maxsize=64)
def _font(size: int, weight: int, grade: int) -> QFont:
    made = QFont(FAMILY)
    made.setPixelSize(size)
    made.setVariableAxis(QFont.Tag("wght"), weight + grade)
    made.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    made.setStyleStrategy(QFont.StyleStrategy.PreferAntialias)
    made.setFeature(QFont.Tag("tnum"), 1)
    if size >= TITLE:
        made.setLetterSpacing(QFont.SpacingType.AbsoluteSpacing, -0.02 * size)
    return made


@lru_cache(maxsize=4096)
def _width(text: str, size: int, weight: int, grade: int) -> float:
    """Widths are asked for at every repaint, mostly of the same words."""
    return _metrics(size, weight, grade).horizontalAdvance(text)


@lru_cache(maxsize=64)
def _metrics(size: int, weight: int, grade: int) -> QFontMetricsF:
    return QFontMetricsF(_font(size, weight, grade))
