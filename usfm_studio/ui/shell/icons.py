"""Icons: Tabler's outlines, drawn with a stroke of 1.5 px at every size, in any colour."""

from __future__ import annotations

import re
from functools import lru_cache

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from usfm_studio.document.resources import resource

STROKE_PX = 1.5
STROKE_CHECK_PX = 1.75
_GRID = 24


def names() -> tuple[str, ...]:
    """All icons that are in the package."""
    return tuple(sorted(path.stem for path in resource("icons").glob("*.svg")))


@lru_cache(maxsize=256)
def _source(name: str) -> str:
    return resource("icons", f"{name}.svg").read_text(encoding="utf-8")


@lru_cache(maxsize=512)
def _renderer(name: str, size: int, colour: str, stroke_px: float) -> QSvgRenderer:
    width = stroke_px * _GRID / size
    text = re.sub(r'stroke-width="[^"]*"', f'stroke-width="{width:.3f}"', _source(name))
    return QSvgRenderer(QByteArray(text.replace("currentColor", colour).encode()))


@lru_cache(maxsize=1024)
def _pixmap(name: str, size: int, colour: str, stroke_px: float, ratio: float) -> QPixmap:
    side = round(size * ratio)
    made = QPixmap(QSize(side, side))
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _renderer(name, size, colour, stroke_px).render(painter, QRectF(0, 0, side, side))
    painter.end()
    made.setDevicePixelRatio(ratio)
    return made


def stroke_of(name: str) -> float:
    """Width of an icon's stroke in logical pixels."""
    return STROKE_CHECK_PX if name == "check" else STROKE_PX


def pixmap(name: str, size: int, colour: str | QColor, ratio: float = 1.0) -> QPixmap:
    """An icon of `size` logical pixels for a screen with this device pixel ratio. Raises FileNotFoundError."""
    hexed = colour if isinstance(colour, str) else colour.name()
    return _pixmap(name, size, hexed, stroke_of(name), ratio)


def icon(name: str, size: int = 16, colour: str | QColor = "#A3ABB5", disabled: str | None = None) -> QIcon:
    """An icon for menus and Qt's own widgets, sharp at 1x and 2x."""
    made = QIcon()
    for ratio in (1.0, 2.0):
        made.addPixmap(pixmap(name, size, colour, ratio))
        if disabled is not None:
            made.addPixmap(pixmap(name, size, disabled, ratio), QIcon.Mode.Disabled)
    return made


def draw_icon(painter: QPainter, name: str, rect: QRectF, size: int, colour: str | QColor) -> None:
    """Draw an icon in the middle of `rect`, on whole device pixels."""
    device = painter.device()
    ratio = device.devicePixelRatioF() if device is not None else 1.0
    left = round((rect.x() + (rect.width() - size) / 2) * ratio) / ratio
    top = round((rect.y() + (rect.height() - size) / 2) * ratio) / ratio
    painter.drawPixmap(QRectF(left, top, size, size).topLeft(), pixmap(name, size, colour, ratio))
