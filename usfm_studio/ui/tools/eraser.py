"""The eraser: the brush turned round, with the same size, straight strokes and Ctrl."""

from usfm_studio.ui.tools.brush import Brush

ERASER = Brush(name="eraser", erases=True)
"""Erases the chosen segment; any segment where none is chosen or overwriting is on."""
