"""The pre-trainer's main: one child a rank, one run.

Started as `python -m usfm_studio.engine.pretrainer` by the process kit. Requests: `plan` (what a recipe comes to) and
`pretrain`, both a `PretrainingOrder`. It inherits RANK, WORLD_SIZE and MASTER_* from its parent. SIGTERM keeps the
state and ends the run.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: its threads would spin beside the loader's

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from usfm_studio.children.serve import Context, serve
from usfm_studio.document.errors import ChildDied, Interrupted, OutOfMemory, StudioError, WrongUsage
from usfm_studio.engine.device import is_out_of_memory
from usfm_studio.engine.models.encoder import Encoder
from usfm_studio.engine.pretrainer_client import LOST
from usfm_studio.engine.pretraining.batches import Batches, stream
from usfm_studio.engine.pretraining.loop import Probe, Run, Surroundings
from usfm_studio.engine.pretraining.ranks import Place, World, is_loss_of_a_rank, lost
from usfm_studio.engine.pretraining.recipe import PretrainRecipe, find_recipe, read_recipe
from usfm_studio.engine.pretraining.starting import device_of, run_folder, starting_encoder
from usfm_studio.engine.pretraining.step import Step
from usfm_studio.engine.pretraining_order import PretrainingOrder

ENDED = threading.Event()
"""Set by SIGTERM: the system wants this process to end."""


def plan(body: dict[str, Any], _context: Context) -> dict[str, Any]:
    """What a recipe comes to. Raises WrongUsage, NotFound."""
    order = PretrainingOrder.from_json(body)
    recipe = recipe_of_order(order)
    folder = run_folder(recipe, order.config)
    return {"out": str(folder), "probe": list(recipe.probe.data), "steps": recipe.steps}


def pretrain(body: dict[str, Any], context: Context) -> dict[str, Any]:
    """Do a run to its end; fields of the contract's `pretrain`. Raises StudioError."""
    order = PretrainingOrder.from_json(body)
    world = World(Place.from_environment())

    def stop() -> bool:
        return context.finish_early() or context.cancelled() or ENDED.is_set()

    def tell(kind: str, fields: dict[str, Any]) -> None:
        context.progress({"event": kind, **fields})

    def on_lost(error: StudioError) -> None:
        """The main thread may wait for the lost rank for ever: say why, and go."""
        tell(LOST, {"what": error.what, "why": error.why, "hint": error.hint})
        os._exit(1)

    try:
        return _run(order, world, Surroundings(tell=tell, stop=stop, probe=_prober(order, world)), on_lost)
    except StudioError:
        raise
    except Exception as error:
        raise _in_words(error, world) from error


def _run(
    order: PretrainingOrder, world: World, around: Surroundings, on_lost: Callable[[StudioError], None]
) -> dict[str, Any]:
    recipe = recipe_of_order(order)
    folder = run_folder(recipe, order.config)
    device = device_of(recipe, order.device, order.threads, world.place)
    batches = Batches(recipe, world.place)
    encoder, origin = starting_encoder(recipe)
    with world.join(gpu=device.kind.startswith("cuda"), on_lost=on_lost):
        step = Step(recipe, encoder, device, world)
        run = Run(recipe, folder, batches, origin, step, around)
        first = _begin(run, order, folder, world)
        try:
            pinned = device.kind.startswith("cuda")
            return run.go(stream(batches, first, workers=recipe.workers, pinned=pinned))
        except Interrupted:
            raise
        except Exception:
            world.give_up()
            raise


def _begin(run: Run, order: PretrainingOrder, folder: Path, world: World) -> int:
    """Make the run's folder, or take up what is in it; the number of steps that are done."""
    if order.resume:
        run.checkpoints.sweep()
        return run.resume()
    if run.checkpoints.steps():
        hint = "Give --resume to go on with it, or another --out."
        raise WrongUsage("The pre-training cannot start", f"{folder.name} holds a run already", hint)
    if world.chief:
        folder.mkdir(parents=True, exist_ok=True)
    world.sum([0.0])
    return 0


def recipe_of_order(order: PretrainingOrder) -> PretrainRecipe:
    """The recipe with all that the order changes. Raises WrongUsage, NotFound."""
    changes = [*order.changes]
    if order.out:
        changes.append(f"out={order.out}")
    if order.seed is not None:
        changes.append(f"seed={order.seed}")
    recipe = read_recipe(find_recipe(order.config), changes)
    if not recipe.data:
        hint = "Make a corpus with `usfm-studio pack`, and give data=FOLDER."
        raise WrongUsage("The recipe cannot be used", "it names no data", hint)
    return recipe


def _prober(order: PretrainingOrder, world: World) -> Probe | None:
    """The probe on the order's snapshots: on the first rank, read when it is first needed."""
    if not order.snapshots or not world.chief:
        return None
    held: list[Any] = []

    def probe(encoder: Encoder, check: Callable[[], None]) -> float:
        from usfm_studio.engine.probing.frames import STEER
        from usfm_studio.engine.probing.prober import Prober

        if not held:
            folders = {name: Path(place) for name, place in order.snapshots.items()}
            held.append(Prober(folders, role=STEER, quick=True, device=encoder_device(encoder, order)))
        return float(held[0].score(encoder, check=lambda _done, _total, _what: check()).score)

    return probe


def encoder_device(encoder: Encoder, order: PretrainingOrder) -> Any:
    """The device on which the run itself computes; choosing it again changes nothing."""
    from usfm_studio.engine.device import choose_device

    kind = str(next(encoder.parameters()).device)
    return choose_device(kind, order.threads)


def _in_words(error: Exception, world: World) -> StudioError:
    if is_out_of_memory(error):
        hint = "Use a smaller batch with more accumulate, activation_checkpointing=true or precision=bf16."
        return OutOfMemory("The pre-training stopped", "the memory was not enough", hint)
    if world.count > 1 and is_loss_of_a_rank(error):
        return lost(type(error).__name__)
    if "DataLoader worker" in str(error):
        hint = "Go on with --resume, with fewer workers if memory is short."
        return ChildDied("The pre-training stopped", "a process that reads images has ended", hint)
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" at {Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else ""
    return StudioError("The pre-training stopped", f"{type(error).__name__}{where}", "Go on with --resume.")


def main() -> int:
    """Answer until the parent says goodbye."""
    signal.signal(signal.SIGTERM, lambda _signal, _frame: ENDED.set())
    return serve({"plan": plan, "pretrain": pretrain})


if __name__ == "__main__":
    sys.exit(main())
