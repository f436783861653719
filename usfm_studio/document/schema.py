"""What can be marked: segments (areas) and labels (of the whole frame)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from usfm_studio.document.errors import WrongUsage
from usfm_studio.document.frame import Instance

SEGMENT_COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00", "#0072B2", "#FFFFFF")
"""Okabe-Ito, in an order chosen for dark images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A coded concept (DICOM code sequence item)."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """An area to mark. `value` is 1..255 in masks. `exam` limits it to images of that body part (empty: all)."""

    value: int
    name: str
    colour: str = ""
    code: Code | None = None
    exam: str = ""

    @property
    def shown_colour(self) -> str:
        """Its own colour, else the palette's."""
        return self.colour or SEGMENT_COLOURS[(self.value - 1) % len(SEGMENT_COLOURS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A word for the whole frame."""

    name: str
    code: Code | None = None
    exam: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Segments and labels of a project. Raises WrongUsage on equal names or values, naming them."""

    segments: tuple[Segment, ...] = ()
    labels: tuple[Label, ...] = ()
    exclusive_labels: bool = True

    def __post_init__(self) -> None:
        """Refuse what could not be told apart."""
        _refuse_equal("segment name", [f"{s.name.strip().casefold()}\0{s.exam}" for s in self.segments])
        _refuse_equal("segment value", [s.value for s in self.segments])
        _refuse_equal("label", [f"{label.name.strip().casefold()}\0{label.exam}" for label in self.labels])
        for segment in self.segments:
            if not 1 <= segment.value <= 255:
                raise WrongUsage("The label schema cannot be used", f"segment value {segment.value} is not 1 to 255")
            if not segment.name.strip():
                raise WrongUsage("The label schema cannot be used", f"segment {segment.value} has no name")

    def segment(self, value: int) -> Segment | None:
        """The segment with this value, or None."""
        return next((s for s in self.segments if s.value == value), None)

    def named(self, name: str) -> Segment | None:
        """The segment with this name, letter case apart, or None."""
        wanted = name.strip().casefold()
        return next((s for s in self.segments if s.name.strip().casefold() == wanted), None)

    def with_segment(self, name: str, exam: str = "", colour: str = "") -> Schema:
        """The schema with one more segment, at the lowest free value."""
        used = {s.value for s in self.segments}
        value = next((v for v in range(1, 256) if v not in used), None)
        if value is None:
            raise WrongUsage("No more segments can be added", "all 255 values are taken")
        return replace(self, segments=(*self.segments, Segment(value=value, name=name, exam=exam, colour=colour)))

    def with_label(self, name: str, exam: str = "") -> Schema:
        """The schema with one more label."""
        return replace(self, labels=(*self.labels, Label(name=name, exam=exam)))

    @property
    def exams(self) -> tuple[str, ...]:
        """Body parts that the schema tells apart, in order; empty when it tells none."""
        named = [s.exam for s in self.segments] + [label.exam for label in self.labels]
        return tuple(dict.fromkeys(exam for exam in named if exam))

    def exam_of(self, instance: Instance) -> str:
        """The group an image belongs to: its body part if the schema knows it, else the empty one."""
        wanted = instance.body_part.strip().casefold()
        return next((exam for exam in self.exams if exam.casefold() == wanted), "")

    def for_exam(self, exam: str) -> Schema:
        """What can be marked on images of one group."""
        return replace(
            self,
            segments=tuple(s for s in self.segments if s.exam in ("", exam)),
            labels=tuple(label for label in self.labels if label.exam in ("", exam)),
        )


def _refuse_equal(kind: str, items: list[str] | list[int]) -> None:
    seen: set[str | int] = set()
    for item in items:
        if item in seen:
            shown = str(item).partition("\0")[0]
            raise WrongUsage(
                "The label schema cannot be used", f'two entries have the {kind} "{shown}"', "Rename one of them."
            )
        seen.add(item)
