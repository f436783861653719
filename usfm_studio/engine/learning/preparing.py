"""What a run knows before its first step: its frames, its recipe, who trains and who tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from usfm_studio.document.errors import WrongUsage
from usfm_studio.document.snapshot import Sample, Snapshot
from usfm_studio.engine.learning.holdout import HELD_OUT, Sides, carried, chosen_subjects, joined, sides_of
from usfm_studio.engine.learning.making import Identity
from usfm_studio.engine.learning.origin import Origin, origin_of
from usfm_studio.engine.learning.plan import Recipe, fingerprint, plan
from usfm_studio.engine.training_order import TrainingOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """All that a run works on. `masked` and `labelled` are those of `samples` that the recipe learns from or tests.

    `standalone`: nothing will be registered, so the final model may learn from the holdout after it was scored.
    """

    snapshot: Snapshot
    samples: tuple[Sample, ...]
    masked: tuple[Sample, ...]
    labelled: tuple[Sample, ...]
    recipe: Recipe
    origin: Origin
    sides: Sides
    identity: Identity
    standalone: bool

    @property
    def tested(self) -> tuple[Sample, ...]:
        """Frames of the tested subjects."""
        wanted = set(self.sides.tested)
        return tuple(s for s in self.samples if s.subject in wanted)

    @property
    def everyone(self) -> tuple[str, ...]:
        """All subjects, trained or tested."""
        return tuple(dict.fromkeys((*self.sides.train, *self.sides.tested)))

    @property
    def refits(self) -> bool:
        """True where the final model learns from the holdout too, after it was scored."""
        return self.standalone and self.sides.kind == HELD_OUT

    @property
    def values(self) -> tuple[int, ...]:
        """The segment values that count."""
        return self.recipe.segments

    def of(self, samples: Iterable[Sample], subjects: Iterable[str]) -> tuple[Sample, ...]:
        """Those of `samples` that belong to these subjects."""
        wanted = set(subjects)
        return tuple(s for s in samples if s.subject in wanted)


def material(order: TrainingOrder, parents: Sequence[str] = ()) -> Material:
    """Read the snapshot and decide everything. Raises NothingToLearn, Damaged, BadModel, WrongUsage."""
    options = dict(order.options)
    standalone = bool(options.pop("standalone", False))
    snapshot = Snapshot.load(order.snapshot)
    useful = _useful(snapshot, order)
    marks = fingerprint(snapshot, useful)
    origin = origin_of(order.encoder)
    exclusive = snapshot.schema.exclusive_labels and all(len(s.labels or ()) <= 1 for s in useful)
    recipe = plan(
        marks,
        task=order.task,
        budget_s=order.budget_s,
        seed=order.seed,
        encoder=origin.encoder.name,
        label_encoder=origin.card.digest if origin.ships else "",
        exclusive_labels=exclusive,
        max_steps=options.pop("max_steps", None),
        options=options,
    )
    masked = tuple(s for s in useful if s.masked and recipe.masks)
    labelled = tuple(s for s in useful if s.labels and recipe.labels)
    used = {s.stem for s in (*masked, *labelled)}
    samples = tuple(s for s in useful if s.stem in used)
    decisive = masked if recipe.masks else labelled
    seen = origin.seen_among(s.subject for s in samples)
    sides = sides_of(decisive, (*order.trained_before, *seen), _carriers(snapshot, samples, recipe))
    sides = _unseen(joined(sides, (s.subject for s in samples)), seen)
    return Material(
        snapshot=snapshot,
        samples=samples,
        masked=masked,
        labelled=labelled,
        recipe=recipe,
        origin=origin,
        sides=sides,
        identity=_identity(order, snapshot, sides, parents, origin),
        standalone=standalone,
    )


def _unseen(sides: Sides, seen: Sequence[str]) -> Sides:
    """The sides, if nobody in them is tested whose marks the encoder knows. Raises WrongUsage."""
    known = set(sides.tested) & set(seen)
    if not known:
        return sides
    raise WrongUsage(
        "The fine-tuning cannot start over this encoder",
        f"it has learned from the marks of {len(known)} of the {len(sides.tested)} subjects that would test the model",
        "Name an encoder that no marks of these subjects taught, or annotate more subjects.",
    )


def _identity(
    order: TrainingOrder, snapshot: Snapshot, sides: Sides, parents: Sequence[str], origin: Origin
) -> Identity:
    """What the model's card will say beside the recipe."""
    return Identity(
        origin=origin,
        name=order.name,
        exam=order.exam,
        schema=snapshot.schema,
        data_digest=snapshot.digest,
        train_subjects=sides.train,
        holdout_subjects=sides.tested if sides.kind == HELD_OUT else (),
        parents=parents,
    )


def described(sides: Sides, marks: dict[str, Any]) -> str:
    """One sentence on who trains and who tests."""
    frames, subjects = marks["frames"], marks["subjects"]
    if sides.kind == HELD_OUT:
        return f"{frames} frames; {len(sides.train)} subjects teach, {len(sides.tested)} are kept apart as a test."
    if sides.tested:
        return f"{frames} frames of {subjects} subjects; each is tested by a model that has not seen it."
    return f"{frames} frames of a single subject; nothing is left to test on."


def _useful(snapshot: Snapshot, order: TrainingOrder) -> list[Sample]:
    """Frames that someone looked at, of the subjects that the run may look at."""
    looked_at = [s for s in snapshot.samples if s.masked or s.labels]
    subjects = set(
        chosen_subjects(looked_at, fraction=order.fraction, folds=order.folds, fold=order.fold, seed=order.seed)
    )
    return [s for s in looked_at if s.subject in subjects]


def _carriers(snapshot: Snapshot, samples: Sequence[Sample], recipe: Recipe) -> dict[str, set[str]]:
    """Subject -> the labels and segments that it carries: who alone carries one, trains."""
    found = carried(samples) if recipe.labels else {}
    for sample in samples:
        ids = snapshot.mask(sample) if recipe.masks else None
        if ids is not None:
            present = set(np.unique(np.asarray(ids)).tolist()) & set(recipe.segments)
            found.setdefault(sample.subject, set()).update(f"segment {v}" for v in present)
    return found
