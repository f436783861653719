"""Small strokes of the brush that all controls share: grounds, texts, key caps, blends."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPaintDevice, QPainter, QPen

from usfm_studio.ui.shell import fonts
from usfm_studio.ui.shell.theme import colour, tokens
from usfm_studio.ui.shell.tokens import RADIUS, RADIUS_SMALL

LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
CENTRE = Qt.AlignmentFlag.AlignCenter
KEY_CAP = 20


def painter_on(device: QPaintDevice) -> QPainter:
    """A painter with smooth edges. Call `end()` on it."""
    made = QPainter(device)
    made.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
    return made


def blend(first: str | QColor, second: str | QColor, part: float) -> QColor:
    """A colour between two (tokens or QColors): 0 is the first, 1 the second; alpha too."""
    a = colour(first) if isinstance(first, str) else first
    b = colour(second) if isinstance(second, str) else second
    return QColor.fromRgbF(
        a.redF() + (b.redF() - a.redF()) * part,
        a.greenF() + (b.greenF() - a.greenF()) * part,
        a.blueF() + (b.blueF() - a.blueF()) * part,
        a.alphaF() + (b.alphaF() - a.alphaF()) * part,
    )


def clear(name: str, alpha: float) -> QColor:
    """A token at some opacity, 0 to 1."""
    made = QColor(colour(name))
    made.setAlphaF(alpha)
    return made


def ground(
    painter: QPainter, rect: QRectF, radius: float = RADIUS, fill: QColor | None = None, border: QColor | None = None
) -> None:
    """A rounded rectangle; the border is one logical pixel and lies inside `rect`."""
    if fill is not None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawRoundedRect(rect, radius, radius)
    if border is not None:
        painter.setPen(QPen(border, 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), radius - 0.5, radius - 0.5)


def text(
    painter: QPainter,
    rect: QRectF,
    words: str,
    ink: QColor,
    size: int = fonts.BASE,
    weight: int = 400,
    align: Qt.AlignmentFlag = LEFT,
) -> None:
    """One line of text, cut with an ellipsis where it does not fit."""
    painter.setFont(fonts.font(size, weight))
    painter.setPen(ink)
    width = fonts.text_width(words, size, weight)
    if width > rect.width() + 1:
        words = fonts.metrics(size, weight).elidedText(words, Qt.TextElideMode.ElideRight, rect.width())
    painter.drawText(rect, int(align) | Qt.TextFlag.TextSingleLine, words)


def key_cap_width(keys: str) -> float:
    """Room that a key cap takes."""
    return max(float(KEY_CAP), fonts.text_width(keys, fonts.SMALL, 600) + 10)


def draw_key_cap(painter: QPainter, left: float, middle: float, keys: str, *, on_accent: bool, faint: bool) -> None:
    """A key cap whose left edge is at `left`, around the height `middle`."""
    rect = QRectF(left, round(middle - KEY_CAP / 2), key_cap_width(keys), KEY_CAP)
    if on_accent:
        ground(painter, rect, RADIUS_SMALL, clear("shadow", 0.18))
        ink = colour("on_accent")
    else:
        border = colour("line2") if tokens().framed else None
        ground(painter, rect, RADIUS_SMALL, colour("raised" if tokens().framed else "hover"), border)
        ink = colour("disabled" if faint else "muted")
    text(painter, rect, keys, ink, fonts.SMALL, 600, CENTRE)


def dot(painter: QPainter, centre: QPointF, radius: float, fill: QColor) -> None:
    """A filled circle."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(fill)
    painter.drawEllipse(centre, radius, radius)


def swatch(painter: QPainter, rect: QRectF, segment_colour: str, number: str, *, filled: bool = True) -> None:
    """The numbered square of a segment: filled where something is marked, else its outline."""
    ink = colour(segment_colour)
    small = fonts.SMALL if rect.height() <= 18 else fonts.SECONDARY
    if filled:
        ground(painter, rect, RADIUS_SMALL, ink)
        text(painter, rect, number, text_on(ink), small, 600, CENTRE)
    else:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(ink, 1.5))
        painter.drawRoundedRect(rect.adjusted(0.75, 0.75, -0.75, -0.75), RADIUS_SMALL - 0.5, RADIUS_SMALL - 0.5)
        text(painter, rect, number, ink, small, 600, CENTRE)


def luminance(ink: QColor) -> float:
    """Relative luminance, WCAG 2, 0 to 1."""
    values = (ink.redF(), ink.greenF(), ink.blueF())
    parts = [v / 12.92 if v <= 0.04045 else float(((v + 0.055) / 1.055) ** 2.4) for v in values]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(first: QColor, second: QColor) -> float:
    """Contrast ratio, WCAG 2, 1 to 21."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def text_on(fill: QColor) -> QColor:
    """Black where it reads well (4 : 1), else white."""
    dark, light = colour("#0B0D0F"), colour("#FFFFFF")
    return dark if contrast(dark, fill) >= 4 else light
