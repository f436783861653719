"""The program as a command: a verb runs, a project opens."""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from usfm_studio import __version__
from usfm_studio.cli.common import Shared, guarded, signals_of_call
from usfm_studio.cli.window import open_window

PROGRAM = "usfm-studio"


class Studio(click.Group):
    """A known verb runs; anything else that exists is a project that the window opens."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word means. Fails on what is neither a verb nor there."""
        if args[0] in self.commands or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        if not Path(args[0]).exists():
            near = difflib.get_close_matches(args[0], [name for name in self.commands if name != "open"], n=1)
            did_you = f" Did you mean `{near[0]}`?" if near else ""
            ctx.fail(f"{args[0]!r} is neither a verb nor a project.{did_you}")
        return "open", self.commands["open"], args


@click.group(
    cls=Studio,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=f"{PROGRAM} [PROJECT] opens the window. Shell completion: see README.",
)
@click.version_option(__version__, prog_name=PROGRAM)
@click.pass_context
def studio(context: click.Context) -> int:
    """Annotate ultrasound with a model that learns from your corrections, on this machine alone."""
    if context.invoked_subcommand is not None:
        return 0
    call = Shared(signals=signals_of_call())
    return guarded(lambda: open_window(None, call), call)
