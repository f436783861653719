"""By which rule a new encoder is taken for the one that it started from. No torch here.

Paired by test subject, every folder with the same say: the redraws are of subjects within each folder, and each gives
the mean over folders of the mean difference of their subjects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.errors import WrongUsage
from usfm_studio.engine.probing.results import FolderResult, ProbeResult, image_weights, table_of, with_draws
from usfm_studio.engine.scoring.labels import macro_f1

Floats = NDArray[np.float64]

DECIDING_SIZE, GATE_SIZE = 10, 20
DRAWS_ABOVE = 0.8
MOST_FALL = 0.01
FEWEST_SUBJECTS = 6


class Difference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """New minus old of one figure: its mean, the middle 95 % of the redraws, and the part of them above 0."""

    mean: float
    low: float
    high: float
    share_above: float
    subjects: int


class Approval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`approved`, and why in one sentence. `differences` by figure: knn, linear, fewshot5 …, over all folders."""

    approved: bool
    reason: str
    differences: dict[str, Difference] = {}
    folders: dict[str, dict[str, Difference]] = {}

    def body(self) -> dict[str, Any]:
        """As results carry it."""
        body: dict[str, Any] = msgspec.to_builtins(self)
        return body


def approval(new: ProbeResult, old: ProbeResult, hand_made: Mapping[str, float] | None = None) -> Approval:
    """The verdict over the folders of both. `hand_made` is the few-shot Dice of filters at 20 subjects, by folder: the
    gate that comes first, where it was measured. Raises WrongUsage where the probes were not of the same kind."""
    if (new.role, new.quick) != (old.role, old.quick):
        raise WrongUsage("The encoders cannot be compared", "they were probed on other folds or frames", "Probe again.")
    pairs = [(new.folders[n], old.folders[n]) for n in new.folders if n in old.folders]
    each = {a.name: _differences(a, b) for a, b in pairs}
    differences: dict[str, Difference] = {}
    folders: dict[str, dict[str, Difference]] = {}
    for figure in sorted({figure for found in each.values() for figure in found}):
        parts = {name: found[figure] for name, found in each.items() if figure in found}
        differences[figure] = _summary([part for part, _ in parts.values()], sum(n for _, n in parts.values()))
        for name, (part, subjects) in parts.items():
            folders.setdefault(name, {})[figure] = _summary([part], subjects)
    reasons = [*_gate(new, hand_made), *_rule(differences)]
    if reasons:
        reason = f"Not approved: {', and '.join(reasons)}."
    else:
        said = _said(differences, f"fewshot{DECIDING_SIZE}")
        reason = f"Approved: with {DECIDING_SIZE} subjects its masks are better ({said}), and its labels are no worse."
    return Approval(approved=not reasons, reason=reason, differences=differences, folders=folders)


def gate_passed(new: ProbeResult, hand_made: Mapping[str, float]) -> bool:
    """True where few-shot masks from 20 subjects beat the ridge on hand-made filters, mean over folders."""
    return not _gate(new, hand_made)


def _gate(new: ProbeResult, hand_made: Mapping[str, float] | None) -> list[str]:
    if hand_made is None:
        return []
    both = [name for name, f in new.folders.items() if GATE_SIZE in f.fewshot and name in hand_made]
    if not both:
        return [f"no folder has {GATE_SIZE} subjects with masks to hold it against hand-made filters"]
    ours = float(np.mean([new.folders[n].fewshot[GATE_SIZE].dice for n in both]))
    theirs = float(np.mean([hand_made[n] for n in both]))
    return [] if ours > theirs else [f"hand-made filters do as well (Dice {theirs:.3f} against {ours:.3f})"]


def _rule(differences: Mapping[str, Difference]) -> list[str]:
    masks = differences.get(f"fewshot{DECIDING_SIZE}")
    if masks is None:
        return [f"no folder has {DECIDING_SIZE} subjects with masks to learn from"]
    if masks.subjects < FEWEST_SUBJECTS:
        return [f"{masks.subjects} test subjects are too few to tell"]
    reasons = []
    if masks.share_above < DRAWS_ABOVE:
        said = _said(differences, f"fewshot{DECIDING_SIZE}")
        reasons.append(f"with {DECIDING_SIZE} subjects its masks are not clearly better ({said})")
    for figure, words in (("linear", "a linear layer's labels"), ("knn", "the nearest neighbours' labels")):
        if figure in differences and differences[figure].mean < -MOST_FALL:
            reasons.append(f"{words} have become worse ({differences[figure].mean:+.3f} macro F1)")
    return reasons


def _said(differences: Mapping[str, Difference], figure: str) -> str:
    d = differences[figure]
    return f"{d.mean:+.3f} Dice, {d.share_above:.0%} of the redraws above 0, {d.subjects} subjects"


def _differences(new: FolderResult, old: FolderResult) -> dict[str, tuple[Floats, int]]:
    """By figure ((1 + draws,) differences, the first as measured; subjects)."""
    found = {}
    for size in (n for n in new.fewshot if n in old.fewshot):
        a, b = new.fewshot[size].per_subject, old.fewshot[size].per_subject
        subjects = [s for s in a if s in b]
        if subjects:
            d = np.array([a[s] - b[s] for s in subjects])
            found[f"fewshot{size}"] = with_draws(len(d)) @ d / len(d), len(d)
    for way in ("knn", "linear"):
        if getattr(new, way) is not None and getattr(old, way) is not None:
            found[way] = _label_differences(new, old, way)
    return found


def _label_differences(new: FolderResult, old: FolderResult, way: str) -> tuple[Floats, int]:
    images = [name for name in new.told if name in old.told]
    classes = tuple(sorted({*new.classes, *old.classes}))
    weights, subjects = image_weights([new.told[name].subject for name in images])
    f1 = [macro_f1(table_of(result, images, classes, way), weights) for result in (new, old)]
    return f1[0] - f1[1], subjects


def _summary(parts: Sequence[Floats], subjects: int) -> Difference:
    means = np.mean(parts, 0)
    low, high = np.nanpercentile(means[1:], [2.5, 97.5])
    return Difference(
        mean=float(means[0]),
        low=float(low),
        high=float(high),
        share_above=float(np.mean(means[1:] > 0)),
        subjects=subjects,
    )
