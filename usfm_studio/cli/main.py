"""Entry point of `usfm-studio`. Nothing heavy is imported before it is needed: the help of a verb takes no time."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from usfm_studio.cli import commands, research
from usfm_studio.cli.signals import INTERRUPTED, Signals
from usfm_studio.cli.studio import PROGRAM, studio

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch, in every process: its threads must not spin

__all__ = ["commands", "main", "research", "run", "studio"]


def main() -> None:
    """Entry point of `usfm-studio`."""
    signals = Signals().install()
    status = run(sys.argv[1:], signals)
    signals.over()
    sys.exit(status)


def run(arguments: Sequence[str], signals: Signals) -> int:
    """One call of the command line; its exit status."""
    as_json = "--json" in arguments
    try:
        status = studio.main(list(arguments), prog_name=PROGRAM, standalone_mode=False, obj=signals)
    except click.ClickException as error:
        return wrong_usage(error, as_json=as_json)
    except (click.Abort, KeyboardInterrupt):
        return interrupted(as_json=as_json)
    return status if isinstance(status, int) else 0


def interrupted(*, as_json: bool) -> int:
    """Say that nothing was begun; exit status 130."""
    from usfm_studio.cli.output import tell_error

    return tell_error("Stopped", "you asked for it", "Nothing was begun.", INTERRUPTED, as_json=as_json)


def wrong_usage(error: click.ClickException, *, as_json: bool) -> int:
    """Say what could not be understood; exit status 2."""
    from usfm_studio.cli.output import EXIT_USAGE, tell_error

    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else PROGRAM
    what, why = "The command was not understood", " ".join(error.format_message().split()).rstrip(".")
    return tell_error(what, why[:1].lower() + why[1:], f"See `{path} --help`.", EXIT_USAGE, as_json=as_json)


if __name__ == "__main__":
    main()
