"""What every verb of the command line shares: options, errors and the exit status."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from usfm_studio.cli.signals import Signals

if TYPE_CHECKING:
    from usfm_studio.document.errors import StudioError
    from usfm_studio.verbs.house import House, Options
    from usfm_studio.verbs.steps import Steps

MOST_SEED = 2**31 - 1
OFFLINE = "Accepted; no verb opens a network connection anyway."


@dataclass(slots=True)
class Shared:
    """The shared options of one call."""

    as_json: bool = False
    debug: bool = False
    device: str = "auto"
    seed: int = 0
    threads: int | None = None
    signals: Signals = field(default_factory=Signals)

    def options(self) -> Options:
        """As the verbs know them."""
        from usfm_studio.verbs.house import Options

        return Options(device=self.device, seed=self.seed, threads=self.threads)


class Finite(click.FloatRange):
    """A number of a range; what is no number (nan) lies in none."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        """The number, refused where it is outside."""
        number = float(super().convert(value, parameter, context))
        if not math.isfinite(number):
            self.fail(f"{value} is not a number that can be used.", parameter, context)
        return number


def a_device(_context: click.Context, _option: click.Parameter, value: str) -> str:
    """The value, refused where it names no device."""
    kind, _, number = value.partition(":")
    if value in ("auto", "cpu", "cuda", "mps") or (kind == "cuda" and number.isdecimal()):
        return value
    raise click.BadParameter(f"{value!r} is none of auto, cpu, cuda, cuda:N and mps.")


def shared(command: Callable[..., int]) -> Callable[..., int]:
    """Add the shared options to a command; its answer becomes the exit status, its errors one message."""

    @click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, at the end.")
    @click.option(
        "--device", callback=a_device, default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps."
    )
    @click.option(
        "--seed",
        type=click.IntRange(0, MOST_SEED),
        default=0,
        show_default=True,
        help="Seed of everything that is drawn.",
    )
    @click.option("--threads", type=click.IntRange(1), default=None, help="Processor threads; all by default.")
    @click.option("--offline", is_flag=True, help=OFFLINE)
    @click.option("--debug", is_flag=True, help="Show tracebacks, and the log on standard error.")
    @wraps(command)
    def wrapped(
        as_json: bool,
        device: str,
        seed: int,
        threads: int | None,
        offline: bool,
        debug: bool,
        **arguments: Any,
    ) -> int:
        del offline
        call = Shared(as_json, debug, device, seed, threads, signals_of_call())
        return guarded(lambda: command(call, **arguments), call)

    return wrapped


def signals_of_call() -> Signals:
    """Those that `main` set up."""
    return click.get_current_context().ensure_object(Signals)


def guarded(run: Callable[[], int], call: Shared) -> int:
    """The exit status of `run`; a StudioError becomes its message, anything else a short apology."""
    from usfm_studio.children import log
    from usfm_studio.cli.output import EXIT_FAILED, show_error
    from usfm_studio.document.disk_trouble import told
    from usfm_studio.document.errors import Interrupted, StudioError

    log.configure("cli", None)
    if call.debug:
        _log_to_stderr()
    try:
        return run()
    except click.ClickException:
        raise
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_FAILED
    except KeyboardInterrupt:
        error: StudioError = Interrupted("Stopped", "you asked for it", "What was finished is kept.")
    except StudioError as known:
        error = known
        _show_trace(call)
    except OSError as failure:
        error = told(failure)
        _show_trace(call)
    except Exception as failure:  # noqa: BLE001 - the last place: nobody sees a traceback who did not ask for it
        what, hint = "Something went wrong inside the program", "Run it again with --debug and report what it shows."
        error = StudioError(what, type(failure).__name__, hint)
        _show_trace(call)
    return show_error(error, as_json=call.as_json)


def perform(call: Shared, house: House, steps: Steps[Any]) -> int:
    """Drive a verb in a house, show what it says, and close the house."""
    from usfm_studio.cli.output import show_result
    from usfm_studio.cli.progress import Progress
    from usfm_studio.verbs.drive import drive

    progress = Progress(as_json=call.as_json)
    with call.signals.driven() as interrupted:
        try:
            with house:
                result = drive(steps, progress.show, interrupted)
        finally:
            progress.close()
        return show_result(result, as_json=call.as_json)  # still driven: a signal must not cut the result in two


def _show_trace(call: Shared) -> None:
    if call.debug:
        import traceback

        traceback.print_exc()


def _log_to_stderr() -> None:
    import logging

    from usfm_studio.children.log import JsonLines

    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines("cli"))
    logging.getLogger().addHandler(handler)
