"""A model at work: pixels in, a proposal out. The host, the holdout and the command line all predict here.

Shapes: B batch, K classes (background first), H rows, W columns of the network's input.
"""

from __future__ import annotations

import copy
import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from usfm_studio.document.errors import OutOfMemory
from usfm_studio.document.mask import Ids
from usfm_studio.engine.device import FULL, Device, choose_device, cpu_device, is_out_of_memory
from usfm_studio.engine.models.checkpoint import LoadedModel
from usfm_studio.engine.models.compiled import CannotCompile, CompiledDecoder, CompiledEncoder, GraphFailed
from usfm_studio.engine.models.components import biased, cleaned, soft_dice
from usfm_studio.engine.models.embeddings import EmbeddingCache, embedding_key, rounded, weights_digest
from usfm_studio.engine.models.features import Features
from usfm_studio.engine.models.fuse import Network, fused
from usfm_studio.engine.models.label_head import summarise
from usfm_studio.engine.models.placement import Placement, place

LOG = logging.getLogger(__name__)
EAGER = "torch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model says of one frame.

    `ids` are (rows, columns) with the card's output values, read-only; `probabilities` (K, rows, columns) float16 if
    asked for. `confidences` and `predicted_dice` (where the card can tell) are by segment value, of those that occur.
    `labels` has the probability of each label name.
    """

    ids: Ids
    probabilities: NDArray[np.float16] | None = None
    confidences: dict[int, float] = field(default_factory=dict)
    predicted_dice: dict[int, float] = field(default_factory=dict)
    labels: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A frame ready for the encoder. `x_CHW` float32 0..1; `digest` of the pixels, if known."""

    x_CHW: NDArray[np.float32]
    placement: Placement
    digest: str
    shape: tuple[int, ...]


class Predictor:
    """A model made ready on a device; the model itself is left as it is.

    Embeddings go through `embeddings`, if given. On a CPU the networks are compiled (`compile`), where that is
    possible; a graph that fails is replaced by torch for good. A frame that does not fit into an accelerator's memory
    is computed on the CPU. Not for several threads at once.
    """

    def __init__(
        self,
        model: LoadedModel,
        device: Device | None = None,
        embeddings: EmbeddingCache | None = None,
        *,
        compile: bool = True,
    ) -> None:
        self.card = model.card
        self.preparation = model.preparation
        self.device = device or choose_device("cpu")
        self.embeddings = embeddings
        self._model = model
        self._compile = compile
        self._labeller = self._of_labels()
        self._ready()

    @property
    def channels(self) -> dict[int, int]:
        """Widths of the encoder's maps by stride."""
        return self._model.encoder.channels

    @cached_property
    def _encoder_digest(self) -> str:
        """Of the weights themselves: a card may name them wrongly, and a model may hold those of another's encoder."""
        return weights_digest(self._model.encoder)

    def without_embeddings(self) -> Predictor:
        """The same predictor, sharing its networks, that neither looks up nor keeps embeddings."""
        apart = copy.copy(self)
        apart.embeddings = None
        if apart._labeller is not None:
            apart._labeller = apart._labeller.without_embeddings()
        return apart

    def predict(self, pixels: NDArray[Any], digest: str = "", *, probabilities: bool = False) -> Prediction:
        """What the model says of one frame: (rows, columns[, 3]) uint8 or uint16. Raises OutOfMemory, WrongUsage."""
        return self.predict_all([pixels], [digest], probabilities=probabilities)[0]

    def predict_all(
        self, frames: Sequence[NDArray[Any]], digests: Sequence[str] | None = None, *, probabilities: bool = False
    ) -> list[Prediction]:
        """The same for several frames, which go through the network together where sizes and device allow."""
        prepared = [self.prepare(p, d) for p, d in zip(frames, digests or [""] * len(frames), strict=True)]
        answers: list[Prediction] = []
        for batch in _batches(prepared, self.device.batch):
            answers += self._within_memory(batch, probabilities)
        return answers

    def prepare(self, pixels: NDArray[Any], digest: str = "") -> Prepared:
        """Place a frame; its digest is computed if embeddings are kept and none is given."""
        if not digest and self.embeddings is not None:
            digest = hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()
        x_CHW, placement = place(pixels, self.card.input_px, self.preparation.placement)
        return Prepared(x_CHW, placement, digest, pixels.shape)

    def embed_all(self, frames: Sequence[Prepared]) -> Iterator[Features]:
        """The features (B = 1) of each frame, in order; together where sizes and device allow."""
        for batch in _batches(frames, self.device.batch):
            yield from _singles(self.embed(batch))

    def embed(self, frames: Sequence[Prepared], flipped: bool = False) -> Features:
        """Features (float32, rounded to half) of frames of one size; from the cache where they are there."""
        keys = [self._key(frame, flipped) for frame in frames]
        found = [self.embeddings.get(key) if self.embeddings else None for key in keys]
        missing = [i for i, features in enumerate(found) if features is None]
        if missing:
            x_BCHW = torch.from_numpy(np.stack([frames[i].x_CHW for i in missing]))
            fresh = self._encode(x_BCHW.flip(3) if flipped else x_BCHW)
            for i, one in zip(missing, _singles(fresh), strict=True):
                found[i] = one
                if self.embeddings is not None:
                    self.embeddings.put(self._key(frames[i], flipped), one)  # by what computed it at last
        whole = [features for features in found if features is not None]
        maps = {stride: torch.cat([f.maps[stride] for f in whole]) for stride in whole[0].maps}
        return Features(maps, torch.cat([f.pooled_BD for f in whole])).map(self._to_device)

    def _of_labels(self) -> Predictor | None:
        """What summarises frames for the label head, where that is not the model's own encoder."""
        model = self._model
        if model.label_encoder is None or model.label_head is None:
            return None
        alone = LoadedModel(model.card, model.preparation, model.label_encoder, None, None)
        return Predictor(alone, self.device, self.embeddings, compile=self._compile)

    def _ready(self) -> None:
        """Choose what computes, once: a graph on a CPU, else torch."""
        model = self._model
        self._label_head = None if model.label_head is None else self._at_work(model.label_head)
        self.engine = EAGER
        self._encoder: Callable[[Tensor], Features]
        self._decoder: Callable[[Features, Tensor], Tensor] | None
        if self.device.is_cpu and self._compile:
            try:
                self._compiled()
                return
            except CannotCompile as reason:
                LOG.info("a model runs in torch", exc_info=reason)
        self._eager()

    def _compiled(self) -> None:
        """The encoder as a graph; the decoder too, except where bfloat16 products make torch the faster one."""
        model, threads = self._model, self.device.threads
        encoder = CompiledEncoder(model.encoder, threads)
        if model.decoder is not None and self.device.precision == FULL:
            self._decoder = CompiledDecoder(model.decoder, model.encoder, threads)
        else:
            self._decoder = None if model.decoder is None else self._at_work(model.decoder)
        self._encoder, self.engine = encoder, encoder.engine

    def _eager(self) -> None:
        self.engine = EAGER
        self._encoder = self._at_work(self._model.encoder)
        self._decoder = None if self._model.decoder is None else self._at_work(self._model.decoder)

    def _give_up_graphs(self, failure: GraphFailed) -> None:
        LOG.warning("a model runs in torch from now on", exc_info=failure)
        self._eager()

    def _at_work(self, network: Network) -> Network:
        return fused(network).to(torch.device(self.device.kind)).to(memory_format=torch.channels_last)

    def _within_memory(self, batch: list[Prepared], probabilities: bool) -> list[Prediction]:
        """Predict; if memory lacks, in halves; a single frame on the CPU at last."""
        try:
            return self._predict(batch, probabilities)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._make_room(len(batch), error)
        half = max(1, len(batch) // 2)
        parts = [batch[:half], batch[half:]] if len(batch) > 1 else [batch]
        return [answer for part in parts for answer in self._within_memory(part, probabilities)]

    def _make_room(self, frames: int, error: BaseException) -> None:
        if self.embeddings is not None:
            self.embeddings.clear_memory()
        if self.device.kind.startswith("cuda"):
            torch.cuda.empty_cache()
        if frames > 1:
            return
        if self.device.is_cpu:
            raise OutOfMemory(
                "The model cannot look at this frame", "the machine's memory is not enough", "Close other programs."
            ) from error
        self.device = cpu_device(self.device.threads)
        self._labeller = self._of_labels()
        self._ready()

    @torch.inference_mode()
    def _predict(self, batch: list[Prepared], probabilities: bool) -> list[Prediction]:
        features = self.embed(batch)
        mirrored = self.embed(batch, flipped=True) if self.preparation.flip_average else None
        p_BKHW = self._segment(features, mirrored, batch) if self._decoder is not None else None
        seen = features if self._labeller is None else self._labeller.embed(batch)
        labels_BN = self._label(seen, p_BKHW)
        answers = []
        for i, frame in enumerate(batch):
            labels = {} if labels_BN is None else dict(zip(self.card.labels, labels_BN[i].tolist(), strict=True))
            if p_BKHW is None:
                answers.append(Prediction(ids=_read_only(np.zeros(frame.placement.native_rc, np.uint8)), labels=labels))
            else:
                native_KHW = frame.placement.back(p_BKHW[i].cpu().numpy())
                answers.append(self._proposal(native_KHW, labels, probabilities))
        return answers

    def _proposal(self, p_KHW: NDArray[np.float32], labels: dict[str, float], probabilities: bool) -> Prediction:
        p_KHW = biased(p_KHW, self.preparation.mask_bias)
        ids = cleaned(p_KHW.argmax(0).astype(np.uint8), self.preparation)
        confidences = {v: soft_dice(p_KHW[v], ids == v) for v in range(1, len(p_KHW)) if (ids == v).any()}
        lines = self.preparation.predicted_dice
        return Prediction(
            ids=_read_only(ids),
            probabilities=p_KHW.astype(np.float16) if probabilities else None,
            confidences=confidences,
            predicted_dice={v: lines[str(v)].at(c) for v, c in confidences.items() if str(v) in lines},
            labels=labels,
        )

    def _segment(self, features: Features, mirrored: Features | None, batch: list[Prepared]) -> Tensor:
        """Probabilities (B, K, H / 2, W / 2), the rim around the frame included."""
        x_BCHW = torch.from_numpy(np.stack([frame.x_CHW for frame in batch])).to(self.device.kind)
        p_BKHW = self._decode(features, x_BCHW)
        if mirrored is not None:
            p_BKHW = (p_BKHW + self._decode(mirrored, x_BCHW.flip(3)).flip(3)) / 2
        return p_BKHW

    def _decode(self, features: Features, x_BCHW: Tensor) -> Tensor:
        assert self._decoder is not None
        with self.device.autocast():
            try:
                logits = self._decoder(features, x_BCHW)
            except GraphFailed as failure:
                self._give_up_graphs(failure)
                logits = self._decoder(features, x_BCHW)
        return torch.softmax(logits.float() / self.preparation.mask_temperature, 1)

    def _label(self, features: Features, p_BKHW: Tensor | None) -> Tensor | None:
        if self._label_head is None:
            return None
        foreground = 1 - p_BKHW[:, 0] if p_BKHW is not None and self._label_head.masked else None
        logits = self._label_head(summarise(features, foreground)) / self.card.temperature
        return torch.softmax(logits, 1) if self.card.exclusive_labels else torch.sigmoid(logits)

    @torch.inference_mode()
    def _encode(self, x_BCHW: Tensor) -> Features:
        """Maps, rounded to half. On a CPU in single precision: bfloat16 would move masks by 0.008 Dice on average."""
        x_BCHW = x_BCHW.to(self.device.kind).contiguous(memory_format=torch.channels_last)
        with self.device.autocast_encoder():
            try:
                return rounded(self._encoder(x_BCHW))
            except GraphFailed as failure:
                self._give_up_graphs(failure)
                return rounded(self._encoder(x_BCHW))

    def _to_device(self, tensor: Tensor) -> Tensor:
        """As the decoder takes it: torch's convolutions are faster with channels last, a graph has them first."""
        tensor = tensor.to(self.device.kind).float()
        if tensor.ndim < 4 or isinstance(self._decoder, CompiledDecoder):
            return tensor
        return tensor.contiguous(memory_format=torch.channels_last)

    def _key(self, frame: Prepared, flipped: bool) -> str:
        settings = self.card.input_px, self.preparation.placement, flipped, self.engine, self.device.encoder_precision
        return embedding_key(frame.digest, frame.shape, self._encoder_digest, *settings)


def _singles(batch: Features) -> Iterator[Features]:
    for i in range(len(batch.pooled_BD)):
        maps = {stride: m[i : i + 1].clone() for stride, m in batch.maps.items()}
        yield Features(maps, batch.pooled_BD[i : i + 1].clone())


def _batches(frames: Sequence[Prepared], most: int) -> list[list[Prepared]]:
    """Frames in their order, cut where the size changes or a batch is full."""
    batches: list[list[Prepared]] = []
    for frame in frames:
        last = batches[-1] if batches else []
        if last and len(last) < most and last[0].x_CHW.shape == frame.x_CHW.shape:
            last.append(frame)
        else:
            batches.append([frame])
    return batches


def _read_only(ids: Ids) -> Ids:
    ids.flags.writeable = False
    return ids
