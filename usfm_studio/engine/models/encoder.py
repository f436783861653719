"""The encoders by name; the door through which everything else gets one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from usfm_studio.document.errors import BadModel
from usfm_studio.engine.models.features import MULTIPLE, Encoder, Features, check_input, pool_maps
from usfm_studio.engine.models.lite import LiteEncoder
from usfm_studio.engine.models.vit import VitEncoder
from usfm_studio.engine.models.vit_plan import VITS, plan_of

__all__ = ["ENCODERS", "MULTIPLE", "Encoder", "Features", "build_encoder", "check_input", "pool_maps"]

ENCODERS: dict[str, Callable[[], Encoder]] = {
    "usfm_lite0": lambda: LiteEncoder("usfm_lite0"),
    "usfm_lite1": lambda: LiteEncoder("usfm_lite1", depth=1.1),
    "usfm_lite2": lambda: LiteEncoder("usfm_lite2", width=1.1, depth=1.2),
    **{name: partial(VitEncoder, name, plan) for name, plan in VITS.items()},
}
"""The catalogue."""


def build_encoder(name: str) -> Encoder:
    """The encoder of this name with random weights, in eval mode.

    A name is the catalogue's or a ViT's whole architecture (`vit_plan.VitPlan.name`). Raises BadModel for others.
    """
    if name in ENCODERS:
        return ENCODERS[name]().eval()
    plan = plan_of(name)
    if plan is not None:
        return VitEncoder(name, plan).eval()
    raise BadModel(
        "The model cannot be used",
        f"it needs the encoder {ascii(name)[:40]}, which this program does not know",
        "Known are: " + ", ".join(ENCODERS) + ".",
    )
