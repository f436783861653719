"""How sure the model in use is of frames: of what it has proposed, else it is asked now. Nothing is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from usfm_studio.document.frame import Frame
from usfm_studio.engine.doors import FramePixels
from usfm_studio.imaging.client import DecodedFrame
from usfm_studio.verbs import pixels
from usfm_studio.verbs.house import House
from usfm_studio.verbs.propose import ask
from usfm_studio.verbs.shelf import model_for, read_card
from usfm_studio.verbs.steps import Steps, progress

BATCH = 4


@dataclass(frozen=True, slots=True)
class Certainty:
    """0 to 1, and what it is, in words."""

    value: float
    words: str


def certainties(house: House, frames: Sequence[Frame], sources: pixels.Sources) -> Steps[dict[Frame, Certainty]]:
    """Of each frame for which a champion or a starter proposes; frames that cannot be read are left out."""
    project = house.project
    found: dict[Frame, Certainty] = {}
    asked: dict[Path, list[Frame]] = {}
    for frame in frames:
        model = model_for(project, frame.instance)
        if model is None:
            continue
        proposal = project.proposal(frame.id) if project.proposer(frame.id) == read_card(model).digest else None
        if proposal is not None:
            found[frame] = certainty_of(proposal.predicted_dice, proposal.confidences, proposal.labels)
        else:
            asked.setdefault(model, []).append(frame)
    total, done = sum(map(len, asked.values())), 0
    for model, some in asked.items():
        for start in range(0, len(some), BATCH):
            found |= yield from _ask(house, some[start : start + BATCH], model, sources)
            done += len(some[start : start + BATCH])
            yield progress(done, total, "Asking the model")
    return found


def certainty_of(
    predicted_dice: Mapping[int, float], confidences: Mapping[int, float], labels: Mapping[str, float]
) -> Certainty:
    """The mean over what is marked: predicted Dice where the model can tell, else its confidence; else of its label.

    A frame on which nothing is found is the least certain.
    """
    for values, words in ((predicted_dice, "predicted Dice"), (confidences, "confidence")):
        if values:
            mean = sum(values.values()) / len(values)
            return Certainty(mean, f"{words} {mean:.2f}")
    if labels:
        likely = max(labels.values())
        return Certainty(likely, f"its likeliest label has {likely:.2f}")
    return Certainty(0.0, "nothing is found here")


def _ask(house: House, frames: Sequence[Frame], model: Path, sources: pixels.Sources) -> Steps[dict[Frame, Certainty]]:
    outcomes = yield from pixels.read(house, frames, sources)
    by_key = {frame.id.key: frame for frame in frames}
    seen = [
        FramePixels(key=frame.id.key, digest=outcome.digest, ref=outcome.ref)
        for frame, outcome in zip(frames, outcomes, strict=True)
        if isinstance(outcome, DecodedFrame)
    ]
    if not seen:
        return {}
    found = yield from ask(house, seen, outcomes, model)
    return {by_key[p.key]: certainty_of(p.predicted_dice, p.confidences, p.labels) for p in found}
