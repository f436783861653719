"""The controls as they were looked at and found good. To renew: python -m tests.ui.shell.test_golden, then look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from scripts.controls_gallery import Gallery
from usfm_studio.ui.shell.theme import apply_theme
from usfm_studio.ui.shell.tokens import THEMES

GOLDEN = Path(__file__).parent / "golden"
EQUAL_PART, LEVELS = 0.999, 1


def picture(application: QApplication) -> QImage:
    gallery = Gallery()
    gallery.resize(860, 800)
    gallery.show()
    for _ in range(5):
        application.processEvents()
    image = gallery.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    gallery.hide()
    gallery.deleteLater()
    return image


def pixels(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(np.int16)


@pytest.mark.parametrize("theme", THEMES)
def test_controls_look_as_they_were_found_good(themed, theme, tmp_path):
    apply_theme(themed, theme)
    actual = picture(themed)
    wanted = QImage(str(GOLDEN / f"controls-{theme}.png"))
    assert actual.size() == wanted.size()
    difference = np.abs(pixels(actual) - pixels(wanted)).max(axis=2)
    equal = float((difference <= LEVELS).mean())
    if equal < EQUAL_PART:
        actual.save(str(tmp_path / "actual.png"))
        wanted.save(str(tmp_path / "wanted.png"))
        shown = np.repeat(np.clip(difference * 8, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2).copy()
        QImage(shown.data, shown.shape[1], shown.shape[0], 3 * shown.shape[1], QImage.Format.Format_RGB888).save(
            str(tmp_path / "difference.png")
        )
    assert equal >= EQUAL_PART, f"see {tmp_path}"


def main() -> None:
    application = QApplication([])
    for theme in THEMES:
        apply_theme(application, theme)
        picture(application).save(str(GOLDEN / f"controls-{theme}.png"))


if __name__ == "__main__":
    main()
