"""One hierarchy of errors: each says what happened, why, and what to do, in words a clinician understands."""


class StudioError(Exception):
    """Something a person can react to. Never holds a patient's name; `what` may hold a file's name.

    Under it stands one class a *reaction*, not one a module.
    """

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        super().__init__(what, why, hint)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        """`WHAT: WHY. HINT`, the form of the command line's contract."""
        text = f"{self.what}: {self.why}" if self.why else self.what
        text = text.rstrip(".")
        return f"{text}. {self.hint}" if self.hint else f"{text}."


class Unreadable(StudioError):
    """A file cannot be read; the others can."""


class Unsupported(Unreadable):
    """A file is whole but of a kind that is not read (its name is in the message)."""


class WrongUsage(StudioError):
    """The request itself makes no sense; ask again (exit status 2)."""


class NotFound(StudioError):
    """A named thing (frame, model, study) is not there."""


class OutOfMemory(StudioError):
    """The machine lacks memory for this; smaller settings may do."""


class DiskFull(StudioError):
    """No space is left; free some and try again. Nothing is lost."""


class ReadOnly(StudioError):
    """The project can be looked at but not changed."""


class ProjectBusy(ReadOnly):
    """Another window or command has the project open."""


class WrongVersion(StudioError):
    """Made by another version of the program; migrate or update."""


class Damaged(StudioError):
    """The project's own files are not as they were written; repair."""


class ChildDied(StudioError):
    """A helper process ended before it answered."""


class Interrupted(StudioError):
    """A person or the system stopped the work; what was done is kept."""


class BadModel(StudioError):
    """A model cannot be used: wrong digest, missing tensor, foreign architecture."""


class NothingToLearn(StudioError):
    """The labels at hand cannot train a model; the message says what is missing."""


class NotCalibrated(StudioError):
    """No trustworthy physical scale at this place; lengths are in pixels."""


ERRORS: dict[str, type[StudioError]] = {
    kind.__name__: kind
    for kind in (
        StudioError, Unreadable, Unsupported, WrongUsage, NotFound, OutOfMemory, DiskFull, ReadOnly, ProjectBusy,
        WrongVersion, Damaged, ChildDied, Interrupted, BadModel, NothingToLearn, NotCalibrated,
    )
}  # fmt: skip
"""Error classes by name, so that a child's `Failed` message becomes the same error in the parent."""
