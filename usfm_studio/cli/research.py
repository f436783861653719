"""Commands for those who train and compare encoders. As in `commands`, a verb is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from usfm_studio.cli.common import Shared, perform, shared
from usfm_studio.cli.studio import studio

FOLDER = click.Path(path_type=Path)


@studio.command()
@click.argument("out", type=FOLDER)
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--size",
    "size_px",
    type=click.IntRange(32, 4096),
    default=256,
    show_default=True,
    metavar="PX",
    help="The long side in the corpus; smaller images stay as they are.",
)
@click.option("--organ", default=None, help="The organ of all these images; else their folder's, or the file's word.")
@click.option("--leave-fold", type=click.IntRange(0), default=None, help="Subjects of this fold stay out.")
@click.option("--folds", type=click.IntRange(2), default=None, help="Number of folds by subject.")
@click.option("--add", is_flag=True, help="Add to the corpus that is in OUT.")
@shared
def pack(call: Shared, out: Path, paths: tuple[str, ...], **rest: Any) -> int:
    """Build shards and an index for pre-training; masks and labels stay out.

    Example: usfm-studio pack corpus thyroid/ studies.zip --leave-fold 0 --folds 5
    """
    from usfm_studio.verbs.house import House
    from usfm_studio.verbs.pack import PackArguments, run

    house = House(call.options(), readers=2)
    return perform(call, house, run(PackArguments(out=out, paths=paths, **rest), house))
