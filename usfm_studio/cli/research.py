"""Commands for those who train, compare and measure. As in `commands`, a verb is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from usfm_studio.cli.common import Shared, perform, shared
from usfm_studio.cli.studio import studio

if TYPE_CHECKING:
    from usfm_studio.verbs.house import House
    from usfm_studio.verbs.steps import Steps

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


@studio.command()
@click.argument("config", metavar="CONFIG.toml")
@click.argument("changes", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--resume", is_flag=True, help="Go on after the newest checkpoint, where there is one.")
@click.option("--out", type=FOLDER, default=None, help="Folder of the run; else the recipe's, else ./pretrain-CONFIG.")
@shared
def pretrain(call: Shared, config: str, changes: tuple[str, ...], resume: bool, out: Path | None) -> int:
    """Pre-train an encoder with dual masks by a recipe; also under torchrun.

    CONFIG.toml is a file, or the name of a recipe that ships: usfm_base_3m, usfm_small, usfm_lite0_cpu.

    Example: usfm-studio pretrain usfm_lite0_cpu data=corpus steps=4000 --out run --resume
    """
    from click.core import ParameterSource

    from usfm_studio.verbs.house import House
    from usfm_studio.verbs.pretrain import PretrainArguments, is_first_rank, run

    given = click.get_current_context().get_parameter_source("seed") is not ParameterSource.DEFAULT
    seed = call.seed if given else None
    house = House(call.options())
    steps = run(PretrainArguments(config=config, changes=changes, out=out, resume=resume, seed=seed), house)
    if is_first_rank():
        return perform(call, house, steps)
    return _quietly(call, house, steps)


@studio.command()
@click.option("--encoder", required=True, help="An encoder's folder, digest or name; random:NAME is untrained.")
@click.option("--data", type=FOLDER, multiple=True, required=True, metavar="DATA...", help="Labelled DATA folders.")
@click.argument("more", type=FOLDER, nargs=-1)
@click.option("--against", default=None, help="The encoder that it started from: adds the verdict.")
@click.option(
    "--fold-role",
    type=click.Choice(["decide", "steer"]),
    default="decide",
    show_default=True,
    help="decide tests on fold 0; steer on fold 1, without looking at fold 0.",
)
@click.option("--quick", is_flag=True, help="At most 150 images a folder, and no hand-made filters beside.")
@shared
def probe(call: Shared, data: tuple[Path, ...], more: tuple[Path, ...], **rest: Any) -> int:
    """Evaluate a frozen encoder: k-NN, linear layer and few-shot masks, by subjects kept apart.

    Example: usfm-studio probe --encoder run/encoder --against usfm_lite0 --data heads breasts
    """
    from usfm_studio.verbs.house import House
    from usfm_studio.verbs.probe import ProbeArguments, run

    house = House(call.options())
    return perform(call, house, run(ProbeArguments(data=(*data, *more), **rest), house))


@studio.command()
@click.option("--data", type=FOLDER, required=True, help="A DATA folder with masks.")
@click.option("--model", default=None, help="A model for prompts; with --from-proposal, the one that proposes.")
@click.option(
    "--prompt",
    type=click.Choice(["click", "box", "scribble"]),
    default="click",
    show_default=True,
    help="The first interaction; after a box follow clicks.",
)
@click.option("--cap", type=click.IntRange(1, 200), default=20, show_default=True, help="Interactions at most.")
@click.option("--from-proposal", is_flag=True, help="Start from the masks that a model proposes.")
@click.option("--folds", type=click.IntRange(2), default=None, help="Number of folds by subject.")
@click.option("--fold", type=click.IntRange(0), default=None, help="Score only the subjects of this fold.")
@click.option("--jitter", type=click.IntRange(0), default=None, metavar="SEED", help="Click off the centre.")
@shared
def clicks(call: Shared, folds: int | None, fold: int | None, **rest: Any) -> int:
    """Measure smart prompts by a simulated person: how many clicks a good mask costs.

    Example: usfm-studio clicks --data breasts --folds 5 --fold 0
    """
    from usfm_studio.verbs.clicks import ClicksArguments, run
    from usfm_studio.verbs.house import House

    if (folds is None) != (fold is None):
        raise click.UsageError("--folds and --fold belong together.")
    if folds is not None and fold is not None and fold >= folds:
        raise click.UsageError("--fold counts from 0 and must be below --folds.")
    house = House(call.options())
    return perform(call, house, run(ClicksArguments(folds=folds, fold=fold, **rest), house))


def _quietly(call: Shared, house: House, steps: Steps[Any]) -> int:
    """Drive a verb on a rank that prints no result; its errors go to standard error."""
    from usfm_studio.verbs.drive import drive

    call.as_json = False
    with call.signals.driven() as interrupted, house:
        drive(steps, interrupted=interrupted)
    return 0


@studio.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--model", required=True, help="A model's or an encoder's folder or digest, or an encoder's name.")
@click.option("--out", type=FOLDER, required=True, help="The safetensors file; written whole or not at all.")
@click.option("--maps", is_flag=True, help="The maps too, not only their summary.")
@shared
def encode(call: Shared, paths: tuple[str, ...], model: str, out: Path, maps: bool) -> int:
    """Write what a frozen encoder makes of any files.

    Example: usfm-studio encode scans/ --model usfm_lite0 --out scans.safetensors
    """
    from usfm_studio.verbs.encode import EncodeArguments, run
    from usfm_studio.verbs.house import House

    house = House(call.options())
    return perform(call, house, run(EncodeArguments(paths=paths, model=model, out=out, maps=maps), house))
