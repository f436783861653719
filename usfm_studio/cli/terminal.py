"""Text for a terminal."""

from __future__ import annotations

import unicodedata


def one_line(text: str) -> str:
    """Text that may hold a stranger's words (a file's or a model's name), unable to move or colour the terminal."""
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in text)
