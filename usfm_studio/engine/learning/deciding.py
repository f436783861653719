"""From probabilities to masks: the rules that answers about unseen subjects show to pay.

A network trained on few subjects is too timid on one organ and too bold on the next, and leaves specks. What helps is
chosen on subjects that it never saw; and the answer for each of these is scored under rules that the other subjects
chose, so that the score stays that of a stranger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace

import cv2
import msgspec
import numpy as np

from usfm_studio.document.mask import Ids
from usfm_studio.document.snapshot import Sample, Snapshot
from usfm_studio.engine.learning.evaluation import Answers, Margin, pairs_of
from usfm_studio.engine.models.blueprint import Preparation
from usfm_studio.engine.models.components import cleaned
from usfm_studio.engine.scoring import dice

BIASES = (-1.0, -0.5, 0.5, 1.0, 1.5, 2.0)
LEAST_GAIN = 0.002
FEWEST_SUBJECTS = 3
FEWEST_FOR_BIAS = 5
SMALLEST = 0.5
"""Specks of less than this part of the smallest thing that a person marked may go."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How masks come out of probabilities; see `Preparation`."""

    mask_bias: float = 0.0
    min_area_px: int = 0
    keep_largest: bool = False
    fill_holes: bool = False

    def prepared(self, preparation: Preparation) -> Preparation:
        """A model's preparation with these rules."""
        return msgspec.structs.replace(preparation, **asdict(self))


@dataclass(slots=True)
class _Frame:
    sample: Sample
    reference: Ids
    ids: Ids
    margin: Margin | None
    scores: dict[Rules, float] = field(default_factory=dict)

    def under(self, rules: Rules) -> Ids:
        ids = self.ids if rules.mask_bias == 0 or self.margin is None else self.margin.ids_at(rules.mask_bias)
        return cleaned(ids, rules.prepared(Preparation()))

    def score(self, rules: Rules, values: Sequence[int]) -> float:
        if rules not in self.scores:
            ids = self.under(rules)
            self.scores[rules] = float(np.mean([dice(ids == v, self.reference == v) for v in values]))
        return self.scores[rules]


def decided(
    snapshot: Snapshot, samples: Sequence[Sample], answers: Answers, values: Sequence[int], *, biased: bool = True
) -> tuple[Rules, Answers]:
    """The rules for the model, and the answers under the rules that the subjects beside theirs chose.

    `samples` are all frames with masks: a rule must fit every one of them. `biased`: the answers come from the network
    that is kept, so how bold it is may be corrected too.
    """
    frames = [
        _Frame(s, np.asarray(snapshot.mask(s)), answers.ids[s.stem], answers.margins.get(s.stem))
        for s in samples
        if s.stem in answers.ids
    ]
    by_subject: dict[str, list[_Frame]] = {}
    for frame in frames:
        by_subject.setdefault(frame.sample.subject, []).append(frame)
    stages = _stages([np.asarray(snapshot.mask(s)) for s in samples], biased=biased)
    chosen = _chosen(by_subject, list(by_subject), stages, values)
    changed = replace(answers, by_stem=dict(answers.by_stem), ids=dict(answers.ids))
    for subject, own in by_subject.items():
        others = [name for name in by_subject if name != subject]
        rules = _chosen(by_subject, others, stages, values)
        for frame in own if rules != Rules() else ():
            stem = frame.sample.stem
            ids = changed.ids[stem] = frame.under(rules)
            counted = [pair.segment for pair in answers.by_stem[stem]]
            changed.by_stem[stem] = pairs_of(ids, frame.reference, frame.sample, counted)
    return chosen, changed


Stage = Sequence[Callable[[Rules], Rules]]


def _stages(references: Sequence[Ids], *, biased: bool) -> list[Stage]:
    """Changes to choose from, one stage after the other; only such as leave every mask of a person as it is."""
    stages: list[Stage] = []
    if biased:
        stages.append([lambda r, b=b: replace(r, mask_bias=b) for b in BIASES])  # type: ignore[misc]
    smallest = round(SMALLEST * _smallest_part(references))
    for change in (
        lambda r: replace(r, min_area_px=smallest),
        lambda r: replace(r, keep_largest=True),
        lambda r: replace(r, fill_holes=True),
    ):
        if all(_obeys(reference, change(Rules())) for reference in references):
            stages.append([change])
    return stages


def _chosen(
    by_subject: dict[str, list[_Frame]], subjects: Sequence[str], stages: Sequence[Stage], values: Sequence[int]
) -> Rules:
    """Stage by stage the best change, where it gains more than chance may give."""
    kept = Rules()
    if len(subjects) < FEWEST_SUBJECTS:
        return kept
    means = lambda rules: np.array(  # noqa: E731
        [np.mean([f.score(rules, values) for f in by_subject[s]]) for s in subjects]
    )
    for stage in stages:
        now = means(kept)
        options = [change(kept) for change in stage]
        if len(subjects) < FEWEST_FOR_BIAS:
            options = [o for o in options if o.mask_bias == kept.mask_bias]
        if not options:
            continue
        gain, best = max(((means(o) - now, o) for o in options), key=lambda found: float(found[0].mean()))
        if gain.mean() > max(LEAST_GAIN, float(gain.std(ddof=1)) / np.sqrt(len(gain))):
            kept = best
    return kept


def _smallest_part(references: Sequence[Ids]) -> int:
    """Pixels of the smallest connected part of any mask; 0 without one."""
    areas = [
        int(area)
        for reference in references
        for value in np.unique(reference[reference > 0]).tolist()
        for area in cv2.connectedComponentsWithStats((reference == value).astype(np.uint8), connectivity=4)[2][
            1:, cv2.CC_STAT_AREA
        ]
    ]
    return min(areas, default=0)


def _obeys(reference: Ids, rules: Rules) -> bool:
    """True where the rules change at most a hundredth of what is marked."""
    changed = int(np.count_nonzero(cleaned(reference, rules.prepared(Preparation())) != reference))
    return changed <= 0.01 * max(1, int(np.count_nonzero(reference)))
