"""The arrays of a request, as the host reaches them: lent by the client, read and filled here."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from usfm_studio.children.arrays import ArrayRef, attach
from usfm_studio.document.errors import Unreadable, WrongUsage
from usfm_studio.engine.requests import Array, to_body


def attached(array: Array) -> NDArray[Any]:
    """The array itself. Raises Unreadable where it is gone."""
    try:
        return attach(ArrayRef.from_json(to_body(array)))
    except ValueError as error:
        raise Unreadable("The frame's pixels cannot be reached", str(error), "Open the frame again.") from error


def fill(target: Array | None, values: NDArray[Any] | None) -> None:
    """Write an answer where the client wants it, if it wants it. Raises WrongUsage where it does not fit."""
    if target is None or values is None:
        return
    array = attached(target)
    if array.shape != values.shape or array.dtype != values.dtype:
        raise WrongUsage("The answer does not fit", f"it is {values.shape}, the place for it {array.shape}")
    array[...] = values
