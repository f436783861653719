"""What a model says of a snapshot's frames, held against what people said. The holdout and `evaluate` both ask here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.errors import NotFound
from usfm_studio.document.mask import Ids
from usfm_studio.document.schema import Schema
from usfm_studio.document.snapshot import Sample, Snapshot
from usfm_studio.engine.device import Device
from usfm_studio.engine.models.checkpoint import load_model
from usfm_studio.engine.models.predictor import Predictor
from usfm_studio.engine.scoring import LabelledImage, Scores, SegmentScore, score_image, summarise

MARGIN_STEP = 0.25


@dataclass(frozen=True, slots=True)
class Margin:
    """By how much each pixel is its likeliest segment: `best` values, `steps` (int8) of 0.25 between their logit and
    the background's, rounded up."""

    best: Ids
    steps: NDArray[np.int8]

    @staticmethod
    def of(p_KHW: NDArray[np.floating[Any]], table: Ids) -> Margin:
        """From probabilities, background first; `table` turns outputs into segment values."""
        segments = np.asarray(p_KHW[1:], np.float32)
        found = np.log(np.maximum(segments.max(0), 1e-6)) - np.log(np.maximum(np.asarray(p_KHW[0], np.float32), 1e-6))
        steps = np.clip(np.ceil(found / MARGIN_STEP), -127, 127).astype(np.int8)
        return Margin(table[segments.argmax(0) + 1], steps)

    def ids_at(self, bias: float) -> Ids:
        """The mask with `bias`, a multiple of 0.25, added to every segment's logit."""
        return np.where(self.steps > round(-bias / MARGIN_STEP), self.best, np.uint8(0))


@dataclass(slots=True)
class Answers:
    """What was said of some frames. By the frame's stem: its pairs, `ids` and `confidences` (by segment value).

    `margins`, where they were asked for, say how sure each pixel was, before any rule.
    """

    by_stem: dict[str, list[SegmentScore]] = field(default_factory=dict)
    labelled: list[LabelledImage] = field(default_factory=list)
    ids: dict[str, Ids] = field(default_factory=dict)
    confidences: dict[str, dict[int, float]] = field(default_factory=dict)
    margins: dict[str, Margin] = field(default_factory=dict)

    @property
    def pairs(self) -> list[SegmentScore]:
        """All (image, segment) pairs."""
        return [pair for pairs in self.by_stem.values() for pair in pairs]

    def extend(self, other: Answers) -> None:
        """Take in what was said of other frames."""
        self.by_stem |= other.by_stem
        self.labelled += other.labelled
        self.ids |= other.ids
        self.confidences |= other.confidences
        self.margins |= other.margins


def values_of(segments: Mapping[int, str], schema: Schema, values: Sequence[int] = ()) -> dict[int, int]:
    """Output value of a model -> value of the schema, by the segment's name (letter case apart).

    A name that the schema lacks: with a single output and a single value they are taken for the same; else the
    output's own number.
    """
    if len(segments) == 1 and len(values) == 1 and all(schema.named(n) is None for n in segments.values()):
        return {next(iter(segments)): values[0]}
    found = {}
    for output, name in segments.items():
        segment = schema.named(name)
        found[output] = segment.value if segment is not None else output
    return found


def occurring_values(snapshot: Snapshot, samples: Iterable[Sample]) -> tuple[int, ...]:
    """The schema's segment values, and those that the masks have beside."""
    found = {s.value for s in snapshot.schema.segments}
    for sample in samples:
        ids = snapshot.mask(sample)
        if ids is not None:
            found.update(int(v) for v in np.unique(np.asarray(ids)) if v)
    return tuple(sorted(found))


def ask(
    predictor: Predictor,
    snapshot: Snapshot,
    samples: Sequence[Sample],
    values: Sequence[int],
    classes: Sequence[str] = (),
    check: Callable[[int], None] = lambda _done: None,
    *,
    margins: bool = False,
) -> Answers:
    """Predict each frame and pair it with its reference. `values` are the segments that count, `classes` the labels.

    `check` is called after each frame with their number and may raise.
    """
    answers = Answers()
    outputs = values_of(predictor.card.segments, snapshot.schema, values)
    table = np.zeros(256, np.uint8)
    for output, value in outputs.items():
        table[output] = value
    for done, sample in enumerate(samples, 1):
        said = predictor.predict(np.asarray(snapshot.pixels(sample)), probabilities=margins)
        reference = snapshot.mask(sample)
        ids = table[said.ids]
        if predictor.card.segments and reference is not None:
            answers.by_stem[sample.stem] = pairs_of(ids, np.asarray(reference), sample, values)
            answers.ids[sample.stem] = ids
            if said.probabilities is not None:
                answers.margins[sample.stem] = Margin.of(said.probabilities, table)
            answers.confidences[sample.stem] = {outputs[v]: c for v, c in said.confidences.items()}
        if said.labels and sample.labels:
            answers.labelled.append(_labelled(said.labels, sample, classes))
        check(done)
    return answers


def evaluate(
    model: Path,
    snapshot: Snapshot,
    subjects: Iterable[str] | None = None,
    *,
    device: Device | None = None,
    check: Callable[[int], None] = lambda _done: None,
) -> Scores:
    """Scores of a model on a snapshot's own masks and labels. Raises BadModel, or NotFound where nothing can be scored.

    `subjects` limits it to some; None takes all.
    """
    wanted = set(snapshot.subjects if subjects is None else subjects)
    samples = [s for s in snapshot.samples if s.subject in wanted]
    predictor = Predictor(load_model(model), device)
    card = predictor.card
    useful = [s for s in samples if (card.segments and s.masked) or (card.labels and s.labels)]
    if not useful:
        raise NotFound("There is nothing to score", "no frame has masks or labels of the kind that the model gives")
    values = occurring_values(snapshot, useful) if card.segments else ()
    given = {name for s in useful for name in s.labels or ()}
    classes = (*card.labels, *sorted(given - set(card.labels))) if card.labels else ()
    answers = ask(predictor, snapshot, useful, values, classes, check)
    return summarise(answers.pairs, answers.labelled, classes, exclusive=card.exclusive_labels)


def pairs_of(ids: Ids, reference: NDArray[Any], sample: Sample, values: Sequence[int]) -> list[SegmentScore]:
    """The pairs of one frame."""
    return score_image(
        ids, reference, values, image=sample.name, subject=sample.subject, mm_per_px_xy=sample.mm_per_px_xy
    )


def _labelled(said: Mapping[str, float], sample: Sample, classes: Sequence[str]) -> LabelledImage:
    return LabelledImage(
        image=sample.name,
        subject=sample.subject,
        truth=tuple(sample.labels or ()),
        probabilities=tuple(said.get(name, 0.0) for name in classes),
    )
