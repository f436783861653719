"""What the client and the host say to each other: bodies of requests and of answers, checked on both sides."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from usfm_studio.document.errors import StudioError
from usfm_studio.document.prompts import Box, Click, Prompt, Scribble

Share = Annotated[float, Meta(ge=0, le=1)]
Side = Annotated[int, Meta(ge=1)]
T = TypeVar("T")


class Array(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An `ArrayRef` as JSON."""

    handle: str
    shape: tuple[int, ...]
    dtype: str


class FrameIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frame: its pixels, and the arrays that take the answer."""

    pixels: Array
    digest: str = ""
    ids: Array | None = None
    probabilities: Array | None = None
    maps: tuple[Array, ...] = ()
    enhanced: Array | None = None


class FramesIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`propose`, `enhance`, `encode`, `embed`: frames, and the folder of a model (for the last two, or of an encoder).

    `cache`: where embeddings may be kept, the open project's own folder; empty: in memory alone. `placement`, for
    `encode`: another than the model's own.
    """

    frames: tuple[FrameIn, ...]
    model: str
    cache: str = ""
    placement: str = ""


class LessonIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An accepted frame to learn from. `revision` changes with its mask; `subject` is a code, no name.

    `pixels` and `ids` (rows, columns) uint8 are there where the host may not know the lesson yet.
    """

    key: str
    revision: str
    subject: str
    digest: str = ""
    pixels: Array | None = None
    ids: Array | None = None


class InstantIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`instant`: propose for frames by a head that has learned from exactly these lessons, in their order.

    `model`: the encoder's folder. `group`: whose head it is, so that the next request finds what this one has learned.
    """

    frames: tuple[FrameIn, ...]
    lessons: Annotated[tuple[LessonIn, ...], Meta(min_length=1)]
    model: str
    group: str
    cache: str = ""


class InstantOut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer: keys of `lacking` lessons, which must be sent whole (nothing was proposed then).

    `left_out`: by segment value, the mean Dice over lessons as answered without their subject.
    """

    lacking: tuple[str, ...] = ()
    left_out: dict[int, Share] = {}


class MarkIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A click (one point), a box (its two corners) or a scribble."""

    kind: Literal["click", "box", "scribble"]
    points_xy: Annotated[tuple[tuple[float, float], ...], Meta(min_length=1)]
    positive: bool = True


class PromptIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`prompt`: all prompts so far on a frame, and the mask that they refine; the answer goes into `mask`.

    Without prompts the frame is only embedded, and `mask` is left as it is.
    """

    pixels: Array
    mask: Array
    model: str
    prompts: tuple[MarkIn, ...] = ()
    last: Array | None = None
    digest: str = ""


class LayoutIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`layout`: what a model's encoder would make of frames of these sizes."""

    model: str
    sizes_rc: Annotated[tuple[tuple[Side, Side], ...], Meta(min_length=1)]
    placement: str = ""


class LayoutOut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Length of the summary; (channels, rows, columns) of the map at each stride, of a frame of the first size.

    `alike`: all the sizes give maps of these shapes.
    """

    pooled: int
    maps: dict[int, tuple[int, int, int]]
    alike: bool


class ModelIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`warm`: load a model and let it work once."""

    model: str


class ProposalOut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frame's answer, sent as progress; its arrays are filled by then."""

    index: int
    confidences: dict[int, Share] = {}
    predicted_dice: dict[int, Share] = {}
    labels: dict[str, Share] = {}


class EnhancedOut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frame was enhanced, sent as progress; its array is filled by then."""

    index: int


class EncodedOut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frame's summary, sent as progress."""

    index: int
    pooled: tuple[float, ...]


def mark_of(prompt: Prompt) -> MarkIn:
    """A prompt as the host takes it."""
    if isinstance(prompt, Box):
        return MarkIn(kind="box", points_xy=(prompt.first_xy, prompt.last_xy))
    if isinstance(prompt, Click):
        return MarkIn(kind="click", points_xy=(prompt.at_xy,), positive=prompt.positive)
    return MarkIn(kind="scribble", points_xy=prompt.points_xy, positive=prompt.positive)


def prompt_of(mark: MarkIn) -> Prompt:
    """Inverse of `mark_of`. Raises WrongUsage for what makes no prompt."""
    first, last = mark.points_xy[0], mark.points_xy[-1]
    if mark.kind == "box":
        return Box(first, last)
    return Click(first, mark.positive) if mark.kind == "click" else Scribble(mark.points_xy, mark.positive)


def to_body(message: msgspec.Struct) -> dict[str, Any]:
    """As JSON values."""
    body: dict[str, Any] = msgspec.to_builtins(message, str_keys=True)
    return body


def from_body(body: dict[str, Any], kind: type[T]) -> T:
    """Inverse of `to_body`. Raises StudioError: the other side is another program, or out of its mind."""
    try:
        return msgspec.convert(body, kind, strict=False)
    except msgspec.ValidationError as error:
        raise StudioError("The engine and the program do not understand each other", str(error)) from error
