"""One command a verb, with the options of docs/cli.md. A command imports its verb when it runs, not before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from usfm_studio.cli.common import Finite, Shared, perform, shared
from usfm_studio.cli.studio import studio
from usfm_studio.cli.window import brought_in, in_window, open_window, refuse_without_display

MOST_MINUTES = 7 * 24 * 60.0
FOLDER = click.Path(path_type=Path)


@studio.command("open", hidden=True)
@click.argument("project", type=FOLDER)
@shared
def open_(call: Shared, project: Path) -> int:
    """Open the window on a project.

    Example: usfm-studio heads.usfm
    """
    return open_window(project, call)


@studio.command()
@click.option(
    "--tour", type=FOLDER, default=None, help="Play the tour offscreen and write pictures and summary.json here."
)
@click.option("--keep", is_flag=True, help="Leave the tour's project in OUT/project.")
@shared
def demo(call: Shared, tour: Path | None, keep: bool) -> int:
    """Open the sample project, or play the tour on it.

    Example: usfm-studio demo --tour tour-out
    """
    from usfm_studio.cli.output import show_result

    if tour is None:
        refuse_without_display()
        with brought_in(call):
            from usfm_studio.ui.app import show_sample

        return in_window(call, show_sample)
    with brought_in(call):
        from usfm_studio.ui.tour import play

    return in_window(
        call,
        lambda: show_result(play(tour, keep=keep, seed=call.seed, device=call.device), as_json=call.as_json),
        at_once=True,
    )


@studio.command()
@shared
def doctor(call: Shared) -> int:
    """Tell what this machine has, what is missing and how to get it.

    Example: usfm-studio doctor --json
    """
    from usfm_studio.verbs.doctor import DoctorArguments, run
    from usfm_studio.verbs.house import House

    house = House(call.options())
    return perform(call, house, run(DoctorArguments(), house))


@studio.command()
@click.argument("paths", nargs=-1, required=True)
@shared
def info(call: Shared, paths: tuple[str, ...]) -> int:
    """Tell what each file holds: size, frames, timing, calibration, syntax; or why it cannot be read.

    Example: usfm-studio info /media/disc --json
    """
    from usfm_studio.verbs.house import House
    from usfm_studio.verbs.info import InfoArguments, run

    house = House(call.options(), readers=2)
    return perform(call, house, run(InfoArguments(paths=paths), house))


@studio.command("import")
@click.argument("project", type=FOLDER)
@click.argument("paths", nargs=-1)
@click.option(
    "--annotations",
    nargs=2,
    type=str,
    metavar="FORMAT PATH",
    default=None,
    help="Bring masks and labels back (png, nifti, nrrd, coco, csv, data).",
)
@shared
def import_(call: Shared, project: Path, paths: tuple[str, ...], annotations: tuple[str, str] | None) -> int:
    """Bring files into a project, which is made if absent. The same file twice is skipped.

    Example: usfm-studio import heads.usfm /media/disc
    """
    from usfm_studio.verbs.house import House
    from usfm_studio.verbs.import_files import ImportArguments, run

    if not paths and annotations is None:
        raise click.UsageError("Name at least one PATH, or --annotations FORMAT PATH.")
    house = House.at(project, call.options(), create=True)
    return perform(call, house, run(ImportArguments(paths=paths, annotations=annotations), house))


@studio.command()
@click.argument("project", type=FOLDER)
@click.option("--model", default=None, help="A model's path, digest or `champion`.")
@click.option("--all", "all_frames", is_flag=True, help="Frames with work on them too; annotations stay untouched.")
@shared
def propose(call: Shared, project: Path, model: str | None, all_frames: bool) -> int:
    """Let the model propose for every frame that nobody has worked on.

    Example: usfm-studio propose heads.usfm
    """
    from usfm_studio.verbs.house import House
    from usfm_studio.verbs.propose import ProposeArguments, run

    house = House.at(project, call.options())
    return perform(call, house, run(ProposeArguments(model=model, all_frames=all_frames), house))


@studio.command("next")
@click.argument("project", type=FOLDER)
@click.option("-n", "count", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many frames.")
@click.option(
    "--target",
    type=Finite(0, 1, min_open=True),
    default=None,
    help="The score to reach; by default the present one + 0.02.",
)
@click.option("--exam", default=None, help="Only images of this body part.")
@shared
def next_(call: Shared, project: Path, **rest: Any) -> int:
    """Tell which frames to annotate next and why, and how many more subjects a score would take.

    Example: usfm-studio next heads.usfm -n 10 --target 0.95
    """
    from usfm_studio.verbs.house import House
    from usfm_studio.verbs.next_frames import NextArguments, run

    house = House.at(project, call.options(), read_only=True)
    return perform(call, house, run(NextArguments(**rest), house))


@studio.command()
@click.argument("project", type=FOLDER, required=False)
@click.option("--data", type=FOLDER, default=None, help="A DATA folder instead of a project.")
@click.option("--fraction", type=Finite(0, 1, min_open=True), default=None, help="Share of the subjects to learn from.")
@click.option("--folds", type=click.IntRange(2), default=None, help="Number of folds by subject.")
@click.option("--fold", type=click.IntRange(0), default=None, help="The fold to leave out.")
@click.option(
    "--task", type=click.Choice(["segmentation", "labels", "enhancement", "auto"]), default="auto", show_default=True
)
@click.option(
    "--minutes",
    type=Finite(0, MOST_MINUTES, min_open=True),
    default=5.0,
    show_default=True,
    help="Wall time from start to written model.",
)
@click.option("--out", type=FOLDER, default=None, help="Where the model is written (with --data).")
@click.option("--exam", default=None, help="Learn only from images of this body part (with a PROJECT).")
@click.option("--encoder", default=None, help="Learn over this encoder: a folder, a digest or a name.")
@shared
def finetune(call: Shared, project: Path | None, data: Path | None, **rest: Any) -> int:
    """Learn from corrected frames; compare on subjects kept apart; promote only what is better.

    Example: usfm-studio finetune --data hc18 --fraction 0.2 --minutes 8 --out heads.model
    """
    from usfm_studio.verbs.finetune import FinetuneArguments, run
    from usfm_studio.verbs.house import House

    if (project is None) == (data is None):
        raise click.UsageError("Name either a PROJECT or --data DATA.")
    if (rest["folds"] is None) != (rest["fold"] is None):
        raise click.UsageError("--folds and --fold belong together.")
    if rest["folds"] is not None and rest["fold"] >= rest["folds"]:
        raise click.UsageError("--fold counts from 0 and must be below --folds.")
    house = House.at(project, call.options()) if project else House(call.options())
    return perform(
        call, house, run(FinetuneArguments(data=data, spent_s=call.signals.seconds_since_start(), **rest), house)
    )


@studio.command()
@click.argument("inputs", nargs=-1, required=True)
@click.option("--model", required=True, help="A model's path or digest.")
@click.option("--out", type=FOLDER, required=True, help="Folder for the results.")
@click.option("--kind", type=click.Choice(["masks", "labels", "probabilities", "enhanced"]), default=None)
@shared
def predict(call: Shared, inputs: tuple[str, ...], model: str, out: Path, kind: str | None) -> int:
    """Write masks, labels, probabilities or enhanced images for any files.

    Example: usfm-studio predict --model heads.model scans/ --out masks/
    """
    from usfm_studio.verbs.house import House
    from usfm_studio.verbs.predict import PredictArguments, run

    house = House(call.options())
    return perform(call, house, run(PredictArguments(model=model, inputs=inputs, out=out, kind=kind), house))


@studio.command()
@click.option("--model", required=True, help="A model's path or digest.")
@click.option("--data", type=FOLDER, required=True, help="A DATA folder with masks, labels or targets.")
@click.option("--folds", type=click.IntRange(2), default=None, help="Number of folds by subject.")
@click.option("--fold", type=click.IntRange(0), default=None, help="Score only the subjects of this fold.")
@shared
def evaluate(call: Shared, model: str, data: Path, folds: int | None, fold: int | None) -> int:
    """Score a model against a folder's own masks, labels or targets, with intervals over subjects.

    Example: usfm-studio evaluate --model heads.model --data hc18 --folds 5 --fold 0
    """
    from usfm_studio.verbs.evaluate import EvaluateArguments, run
    from usfm_studio.verbs.house import House

    if (folds is None) != (fold is None):
        raise click.UsageError("--folds and --fold belong together.")
    house = House(call.options())
    return perform(call, house, run(EvaluateArguments(model=model, data=data, folds=folds, fold=fold), house))


@studio.command()
@click.argument("input", metavar="INPUT")
@click.option(
    "--keyframe",
    "keyframes",
    multiple=True,
    required=True,
    metavar="N=MASK.png...",
    help="Marked frames, counted from 0, and their masks.",
)
@click.argument("more", nargs=-1, metavar="")
@click.option("--out", type=FOLDER, required=True, help="Folder for the masks, one PNG a frame.")
@click.option("--model", default=None, help="A fine-tuned model's path or digest: it helps with the border.")
@shared
def propagate(call: Shared, input: str, keyframes: tuple[str, ...], more: tuple[str, ...], **rest: Any) -> int:
    """Carry masks through a loop: a DICOM loop, or a folder of images in order.

    Example: usfm-studio propagate sweep/ --keyframe 0=first.png 40=last.png --out masks/
    """
    from usfm_studio.verbs.house import House
    from usfm_studio.verbs.propagate import PropagateArguments, run

    house = House(call.options())
    arguments = PropagateArguments(input=input, keyframes=(*keyframes, *more), **rest)
    return perform(call, house, run(arguments, house))


@studio.command()
@click.argument("act", type=click.Choice(["list", "show", "import", "export", "promote", "rollback", "remove"]))
@click.argument("model", required=False)
@click.option("--project", type=FOLDER, default=None, help="The project's shelf; without it, the shipped models.")
@click.option("--out", type=FOLDER, default=None, help="Where an exported (or, without --project, imported) one goes.")
@click.option("--exam", default=None, help="For promote and rollback: the body part that the model proposes for.")
@click.option("--licence", default="", metavar="TEXT", help="To import a checkpoint: its licence, for the card.")
@click.option("--heads", type=click.IntRange(1, 128), default=None, help="The same: a ViT's heads.")
@click.option(
    "--pixels",
    type=click.Choice(["imagenet", "half"]),
    default=None,
    help="The same: a ViT's pixels were scaled by ImageNet's mean and deviation, or (x - 0.5) / 0.5.",
)
@shared
def models(call: Shared, act: str, model: str | None, project: Path | None, **rest: Any) -> int:
    """List, show and move models, and choose which one proposes. `import` also takes checkpoints of encoders.

    Example: usfm-studio models import USFM_latest.pth --out usfm --licence "CC-BY-NC 4.0"
    """
    from usfm_studio.verbs.house import House
    from usfm_studio.verbs.models import ModelsArguments, run

    if project is None and act in ("promote", "rollback", "remove"):
        raise click.UsageError(f"`models {act}` needs --project PROJECT.")
    if model is None and act in ("show", "import", "promote", "remove"):
        raise click.UsageError(f"`models {act}` needs a MODEL.")
    choices = {name: value for name in ("heads", "pixels") if (value := rest.pop(name)) is not None}
    arguments = ModelsArguments(act=act, model=model, choices=choices, **rest)
    looks = act in ("list", "show", "export")
    house = House.at(project, call.options(), read_only=looks) if project else House(call.options())
    return perform(call, house, run(arguments, house))


@studio.command()
@click.argument("project", type=FOLDER)
@click.option("--format", "format_", required=True, metavar="FORMAT", help="png, nifti, nrrd, coco, csv, seg or data.")
@click.option("--out", type=FOLDER, required=True, help="Where the export goes; written whole or not at all.")
@click.option("--exam", default=None, help="Only images of this body part.")
@shared
def export(call: Shared, project: Path, format_: str, out: Path, exam: str | None) -> int:
    """Write accepted masks and labels in a format that other programs read.

    Example: usfm-studio export heads.usfm --format coco --out heads-coco
    """
    from usfm_studio.verbs.export import ExportArguments, run
    from usfm_studio.verbs.house import House

    house = House.at(project, call.options(), read_only=True)
    return perform(call, house, run(ExportArguments(format=format_, out=out, exam=exam), house))


@studio.command()
@click.argument("act", type=click.Choice(["check", "repair", "compact", "migrate"]))
@click.argument("project", type=FOLDER)
@shared
def project(call: Shared, act: str, project: Path) -> int:
    """Check a project's files, mend or compact them; never destroys.

    The exit status is 3 where problems are found (or left): they are listed in the result.

    Example: usfm-studio project check heads.usfm
    """
    from usfm_studio.verbs.care import CareArguments, run
    from usfm_studio.verbs.house import House

    house = House(call.options())
    return perform(call, house, run(CareArguments(act=act, folder=project), house))


NOT_YET = {
    "measure": "Measure from masks.",
    "report": "Write the page for a study.",
    "agreement": "Compare readers.",
    "deidentify": "Remove identity from headers and pixels.",
}


def _not_yet(name: str, words: str) -> click.Command:
    @click.pass_context
    def command(context: click.Context) -> int:
        from usfm_studio.cli.output import EXIT_USAGE, tell_error

        why = "this version does not have it"
        return tell_error(
            f"`{name}` is not there yet", why, "See CHANGELOG.md.", EXIT_USAGE, as_json="--json" in context.args
        )

    return click.Command(
        name,
        callback=command,
        help=f"{words} (Not there yet.)",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


for _name, _words in NOT_YET.items():
    studio.add_command(_not_yet(_name, _words))
