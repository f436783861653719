"""The encoders by name; the door through which everything else gets one."""

from __future__ import annotations

from collections.abc import Callable

from usfm_studio.document.errors import BadModel
from usfm_studio.engine.models.features import MULTIPLE, Encoder, Features, check_input, pool_maps
from usfm_studio.engine.models.lite import LiteEncoder
from usfm_studio.engine.models.vit import VitEncoder

__all__ = ["ENCODERS", "MULTIPLE", "Encoder", "Features", "build_encoder", "check_input", "pool_maps"]

ENCODERS: dict[str, Callable[[], Encoder]] = {
    "usfm_lite0": lambda: LiteEncoder("usfm_lite0"),
    "usfm_lite2": lambda: LiteEncoder("usfm_lite2", width=1.1, depth=1.2),
    "usfm_tiny": lambda: VitEncoder("usfm_tiny", width=192, heads=3),
    "usfm_small": lambda: VitEncoder("usfm_small", width=384, heads=6),
    "usfm_base": lambda: VitEncoder("usfm_base", width=768, heads=12),
}


def build_encoder(name: str) -> Encoder:
    """The encoder of this name with random weights, in eval mode. Raises BadModel for a foreign name."""
    if name not in ENCODERS:
        raise BadModel(
            "The model cannot be used",
            f"it needs the encoder {ascii(name)[:40]}, which this program does not know",
            "Known are: " + ", ".join(ENCODERS) + ".",
        )
    return ENCODERS[name]().eval()
