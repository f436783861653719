"""How the segments of the frame in view stand: proposed, accepted or not marked, and how large they are."""

from __future__ import annotations

from dataclasses import dataclass

from usfm_studio.document.frame import Instance
from usfm_studio.document.mask import Ids, Mask
from usfm_studio.document.schema import Segment
from usfm_studio.measuring.area import area_words
from usfm_studio.ui.session import Session
from usfm_studio.verbs.review import ProposedFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a segment stands on the frame: `confidence` while it is proposed, `accepted` once it is marked.

    `number` is its place in the list from 1: the digit that selects it.
    """

    number: int
    segment: Segment
    confidence: float | None = None
    accepted: bool = False
    area: str = ""
    hidden: bool = False


class Areas:
    """Sizes of segments in words. A mask that stays the same is not measured again."""

    def __init__(self) -> None:
        self._mask: Mask | None = None
        self._values: frozenset[int] = frozenset()
        self._ids: Ids | None = None
        self._words: dict[tuple[int, str], str] = {}

    def _take(self, mask: Mask) -> None:
        if self._mask is None or self._mask.tiles is not mask.tiles:
            self._mask, self._ids, self._values = mask, None, frozenset(mask.values())
            self._words.clear()

    def values(self, mask: Mask) -> frozenset[int]:
        """What is marked."""
        self._take(mask)
        return self._values

    def words(self, mask: Mask, value: int, instance: Instance) -> str:
        """`26.5 cm²`, or pixels where one scale does not hold for the whole segment."""
        self._take(mask)
        key = (value, instance.digest)
        if key not in self._words:
            if self._ids is None:
                self._ids = mask.to_array()
            self._words[key] = area_words(self._ids, value, instance)
        return self._words[key]


class Standings:
    """Reads the standings of a session's frame in view."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._accepted, self._proposed = Areas(), Areas()

    def read(self, waiting: ProposedFrame | None) -> list[Standing]:
        """One a segment of the schema, in its order; nothing where there is no image. `waiting` is undecided."""
        session = self._session
        if session.project is None or session.current is None:
            return []
        instance, mask = session.current.instance, session.mask()
        accepted = self._accepted.values(mask)
        proposal = session.project.proposal(session.current.id)
        found = []
        for number, segment in enumerate(session.schema.segments, 1):
            value = segment.value
            words = ""
            proposed = waiting is not None and value in waiting.values
            if proposed and proposal is not None:
                words = self._proposed.words(proposal.mask, value, instance)
            elif value in accepted:
                words = self._accepted.words(mask, value, instance)
            found.append(
                Standing(
                    number=number,
                    segment=segment,
                    confidence=waiting.confidences.get(value) if proposed and waiting else None,
                    accepted=value in accepted and not proposed,
                    area=words,
                    hidden=value in session.hidden_segments,
                )
            )
        return found
