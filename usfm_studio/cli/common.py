"""What every verb of the command line shares: options, signals, errors and the exit status."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from usfm_studio.verbs.house import House, Options
    from usfm_studio.verbs.steps import Steps


@dataclass(slots=True)
class Shared:
    """The shared options of one call."""

    as_json: bool
    debug: bool
    device: str
    seed: int
    threads: int | None

    def options(self) -> Options:
        """As the verbs know them."""
        from usfm_studio.verbs.house import Options

        return Options(device=self.device, seed=self.seed, threads=self.threads)


def shared(command: Callable[..., int]) -> Callable[..., None]:
    """Add the shared options to a command; its answer becomes the exit status, its errors one message."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
    @click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
    @click.option("--seed", default=0, show_default=True, help="Seed of everything that is drawn.")
    @click.option("--threads", type=click.IntRange(1), default=None, help="Processor threads; all by default.")
    @click.option("--offline", is_flag=True, help="Accepted; no verb opens a network connection anyway.")
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @wraps(command)
    def wrapped(
        as_json: bool, device: str, seed: int, threads: int | None, offline: bool, debug: bool, **arguments: Any
    ) -> None:
        del offline
        call = Shared(as_json, debug, device, seed, threads)
        sys.exit(guarded(lambda: command(call, **arguments), call))

    return wrapped


def guarded(run: Callable[[], int], call: Shared) -> int:
    """The exit status of `run`; a StudioError becomes its message, anything else a short apology and the log."""
    from usfm_studio.cli.output import EXIT_FAILED, EXIT_INTERRUPTED, show_error
    from usfm_studio.document.errors import StudioError

    try:
        return run()
    except StudioError as error:
        if call.debug:
            raise
        return show_error(error, as_json=call.as_json)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return EXIT_FAILED
    except OSError as error:
        if call.debug:
            raise
        return show_error(from_os_error(error), as_json=call.as_json)
    except Exception as error:
        if call.debug:
            raise
        what = StudioError(
            "Something went wrong inside the program",
            type(error).__name__,
            "Run it again with --debug and report what it shows.",
        )
        return show_error(what, as_json=call.as_json)


def from_os_error(error: OSError) -> Any:
    """The error of the operating system in our words."""
    import errno

    from usfm_studio.document.errors import DiskFull, NotFound, ReadOnly, StudioError

    name = Path(str(error.filename or "")).name or "the file"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFull("The disk is full", f"{name} could not be written", "Free some space and try again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ReadOnly(f"{name} cannot be changed", "writing is not permitted there", "Choose another place.")
    if error.errno == errno.ENOENT:
        return NotFound(f"{name} is not there", "no such file or folder", "Check the name.")
    return StudioError(f"{name} could not be used", str(error.strerror or error), "")


class Signals:
    """SIGINT and SIGTERM ask the verb to stop with its state saved; the second one ends the process at once."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def __enter__(self) -> Signals:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on)
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)

    def _on(self, _number: int, _frame: object) -> None:
        if self.asked.is_set():
            os._exit(130)
        self.asked.set()


def perform(call: Shared, house: House, steps: Steps[Any]) -> int:
    """Drive a verb in a house, show what it says, and close the house."""
    from usfm_studio.cli.output import Progress, show_result
    from usfm_studio.verbs.drive import drive

    progress = Progress(as_json=call.as_json)
    try:
        with Signals() as signals, house:
            result = drive(steps, progress.show, signals.asked.is_set)
    finally:
        progress.close()
    return show_result(result, as_json=call.as_json)
