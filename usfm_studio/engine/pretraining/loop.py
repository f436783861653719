"""The run: steps from the first (or the one after the newest checkpoint) to the last, on one process or on many.

All ranks do the same steps and agree, before each batch is used, whether to go on. The first rank alone tells, probes
and writes. A run folder holds `checkpoints/`, `metrics.jsonl`, `pictures/`, and in the end `encoder/` (and `best/`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any

from torch import Tensor

from usfm_studio.document.errors import DiskFull, Interrupted, StudioError, WrongUsage
from usfm_studio.engine.models.encoder import Encoder
from usfm_studio.engine.pretraining.batches import REASONS, Batch, Batches, as_images
from usfm_studio.engine.pretraining.keeping import Checkpoints
from usfm_studio.engine.pretraining.outcome import BEST, ENCODER, Origin, card_of, finished, write_encoder
from usfm_studio.engine.pretraining.pictures import SHOWN, Board, panel, write_picture
from usfm_studio.engine.pretraining.recipe import PretrainRecipe, differences, recipe_of
from usfm_studio.engine.pretraining.record import Pace, Record, lines_of
from usfm_studio.engine.pretraining.standing import Drawn, Standing, crosses
from usfm_studio.engine.pretraining.state import facts_of_run, restore, shapes_of_run, tensors_of_run
from usfm_studio.engine.pretraining.step import Abandoned, Outcome, Step, stop_inside

UNWRITTEN_MOST = 3
"""Checkpoints in a row that could not be written after which the run stops."""
CLEAN_BATCHES, CLEAN_BATCHES_OF_PROBE = 200, 50

Probe = Callable[[Encoder, Callable[[], None]], float]
"""An encoder's score on the steering fold; calls the given function now and then, which may raise."""
MEASURES = ("loss", "spatial", "frequency", "feature", "energy_removed", "gradient_norm", "gradient_ratio",
            "frequency_weight")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a run talks to: who listens (kind, fields), who asks it to stop, who probes."""

    tell: Callable[[str, dict[str, Any]], None]
    stop: Callable[[], bool]
    probe: Probe | None = None


class Run:
    """One run in its folder: build it, `resume` it where wanted, then `go`."""

    def __init__(
        self, recipe: PretrainRecipe, folder: Path, batches: Batches, origin: Origin, step: Step, around: Surroundings
    ) -> None:
        self.recipe, self.folder, self.batches, self.origin = recipe, folder, batches, origin
        self.step, self.around, self.world = step, around, step.world
        self.at = Standing()
        self.checkpoints = Checkpoints(folder, recipe.keep.last)
        self._images_a_step = recipe.batch * recipe.accumulate * self.world.count
        self._drawn = Drawn()
        self._shown: Batch | None = None
        self._pace = Pace()
        self._begun = self._kept = monotonic()
        self._first, self._worked = 0, 0.0
        self._unwritten = 0

    def resume(self) -> int:
        """Take up the newest whole checkpoint, where there is one; the steps that are done. Raises WrongUsage."""
        saved = self.checkpoints.newest(shapes_of_run(self.step), self._note)
        if saved is not None:
            self._refuse_another(saved.facts)
            restore(self.step, saved.tensors, saved.facts)
            standing = dict(saved.facts["standing"])
            self.at = Standing(**{**standing, "drawn": Drawn(**standing["drawn"])})
            self.checkpoints.best = self.at.best_step
        if self.world.sum([float(self.at.steps)])[0] != self.at.steps * self.world.count:
            why = "the ranks find different checkpoints"
            raise WrongUsage("The run cannot go on", why, "Keep its folder on a disk that all machines share.")
        self._first, self._worked = self.at.steps, self.at.seconds
        return self.at.steps

    def go(self, batches: Iterator[Batch]) -> dict[str, Any]:
        """Do the steps that are left and write the encoder; fields of the result.

        Raises Interrupted (the state is kept), and StudioErrors that end a run.
        """
        self._begun = self._kept = monotonic()
        record = Record(self.folder, self.at.steps) if self.world.chief else None
        board = Board(self.folder, wanted=self.recipe.log.tensorboard and self.world.chief, first_step=self._first)
        if self.world.count == 1 and self.step.device.is_cpu and not self.recipe.compile:
            stop_inside(self.step.model.encoder, self.around.stop)
        try:
            self._steps(batches, record, board)
            return self._finish()
        except Abandoned:
            raise self._interrupted() from None
        finally:
            board.close()

    def _steps(self, batches: Iterator[Batch], record: Record | None, board: Board) -> None:
        recipe, at = self.recipe, self.at
        while True:
            if (at.steps == 0 or crosses(at.steps, recipe.steps, recipe.probe.every)) and at.probed != at.steps:
                self._probe(record)
            if at.steps >= recipe.steps or 0 < recipe.probe.patience <= at.without_gain:
                return
            number = at.steps
            logged = number == 0 or (number + 1) % recipe.log.every == 0 or number + 1 == recipe.steps
            self._drawn = Drawn()
            outcome = self.step.run(number, batches, self._check, logged)
            at.step(self._images_a_step, self._drawn, taken=outcome.taken)
            self._pace.add(self._images_a_step)
            if logged:
                self._say(outcome, record, board)
            if self.world.chief and crosses(at.steps, recipe.steps, recipe.log.pictures):
                self._picture(board)
            self._keep_if_due()

    def _check(self, batch: Batch) -> None:
        """Before each batch all ranks agree: to stop, or that too many images are of no use.

        Raises Abandoned, StudioError.
        """
        mine = [float(self.around.stop()), len(batch.rows_B), *(batch.skipped.get(reason, 0) for reason in REASONS)]
        stops, used, *skipped = self.world.sum(mine)
        if stops:
            raise Abandoned
        found = {reason: int(count) for reason, count in zip(REASONS, skipped, strict=True) if count}
        self._drawn = self._drawn.with_(Drawn(int(used), found))
        self.at.drawn.with_(self._drawn).refuse_too_many(self.recipe.skips_most)
        self._shown = batch

    # What is told

    def _say(self, outcome: Outcome, record: Record | None, board: Board) -> None:
        values = self.world.sum([float(getattr(outcome, name)) for name in MEASURES])
        numbers: dict[str, Any] = {"step": self.at.steps}
        numbers |= {name: value / self.world.count for name, value in zip(MEASURES, values, strict=True)}
        if not self.recipe.loss.feature_weight:
            del numbers["feature"]
        numbers |= {"rate": outcome.rate, "images_per_second": round(self._pace.take(), 2)}
        if record is None:
            return
        done, gone = self.at.steps - self._first, monotonic() - self._begun
        skipped = sum(self.at.drawn.skipped.values())
        record.add({**numbers, "taken": outcome.taken, "skipped": skipped, "seconds": round(self._worked + gone, 1)})
        board.numbers(self.at.steps, {k: v for k, v in numbers.items() if isinstance(v, float)})
        left = gone / done * (self.recipe.steps - self.at.steps)
        self.around.tell("step", {**numbers, "steps": self.recipe.steps, "left_s": round(left, 1), "skipped": skipped})

    def _note(self, text: str) -> None:
        if self.world.chief:
            self.around.tell("note", {"note": text})

    def _picture(self, board: Board) -> None:
        with self._pause():
            assert self._shown is not None
            picture = panel(self.step.look(self.at.steps - 1, self._shown, SHOWN))
            board.picture(self.at.steps, picture)
            try:
                write_picture(self.folder, self.at.steps, picture)
            except OSError as error:
                self._note(f"The picture of step {self.at.steps} was not written: {error.strerror}.")

    # The probe

    def _probe(self, record: Record | None) -> None:
        """The first rank scores the encoder as it would be kept; all learn the score. Raises Abandoned."""
        if self.around.probe is None and self.world.count == 1:
            return
        with self._pause():
            said = self.world.sum(self._scored(record) if self.world.chief else [0.0, 0.0, 0.0])
            has_score, score, stops = said
            if stops:
                raise Abandoned
            if has_score and self.at.probe(score):
                self.checkpoints.best = self.at.best_step
                if self.world.chief:
                    self._write_encoder(BEST)
                    self._keep()

    def _scored(self, record: Record | None) -> list[float]:
        """Whether there is a score, the score, and whether the run is to stop."""
        if self.around.probe is None:
            return [0.0, 0.0, 0.0]

        def check() -> None:
            if self.around.stop():
                raise Abandoned

        try:
            score = self.around.probe(self._made(CLEAN_BATCHES_OF_PROBE), check)
        except Abandoned:
            return [0.0, 0.0, 1.0]
        body = {"step": self.at.steps, "score": score}
        if record is not None:
            record.add(body)
        self.around.tell("probe", body)
        return [1.0, score, 0.0]

    def _made(self, clean_batches: int) -> Encoder:
        """The averaged encoder, its statistics those of clean images."""
        return finished(self.step.average, self._clean(clean_batches), self.recipe)

    def _clean(self, count: int) -> Iterator[Tensor]:
        """Clean batches, the first ones of the run."""
        for m in islice(range(len(self.batches)), count):
            batch = self.batches[m]
            if isinstance(batch, StudioError):
                raise batch
            yield as_images(batch, self.step.device.kind)[0]

    # What is kept

    def _keep_if_due(self) -> None:
        late = monotonic() - self._kept >= self.recipe.keep.minutes * 60
        many = bool(self.recipe.keep.steps) and self.at.steps % self.recipe.keep.steps == 0
        if (late or many) and self.world.chief and self.at.steps < self.recipe.steps:
            with self._pause():
                self._keep()

    def _keep(self) -> bool:
        """Write a checkpoint; False where that failed, which was told. Raises DiskFull after too many failures."""
        self.at.seconds = self._worked + monotonic() - self._begun
        facts = {
            "standing": asdict(self.at),
            "recipe": self.recipe.to_json(),
            "images_a_step": self._images_a_step,
            "corpus": self.batches.index.digest,
            "origin": self.origin.digest,
            **facts_of_run(self.step),
        }
        try:
            self.checkpoints.write(self.at.steps, facts, tensors_of_run(self.step))
        except OSError as error:
            self._unwritten += 1
            why = f"{error.strerror or type(error).__name__}".lower()
            if self._unwritten >= UNWRITTEN_MOST:
                raise DiskFull("The pre-training stopped", f"no checkpoint could be written: {why}", _AGAIN) from error
            self._note(f"The checkpoint of step {self.at.steps} was not written ({why}); the one before it stands.")
            return False
        finally:
            self._kept = monotonic()
        self._unwritten = 0
        return True

    def _interrupted(self) -> Interrupted:
        """Keep the state after the last whole step."""
        at, kept = self.at, True
        if self.world.chief and at.steps not in self.checkpoints.steps():
            kept = self._keep()
        self.world.sum([0.0])  # no rank leaves before the state is kept
        step = at.steps if kept else max(self.checkpoints.steps(), default=0)
        why = f"the state after step {step} of {self.recipe.steps} is kept"
        return Interrupted("The pre-training was interrupted", why, "Go on with --resume.")

    def _finish(self) -> dict[str, Any]:
        """The last checkpoint and the encoder; every rank stays until they are written."""
        if self.world.chief:
            if not self._keep():
                why = f"the checkpoint of step {max(self.checkpoints.steps(), default=0)} stands"
                raise DiskFull("The encoder could not be written", f"the disk takes no more; {why}", _AGAIN)
            self._write_encoder(ENCODER)
        self.world.sum([0.0])
        at = self.at
        best = at.best_step is not None
        return {
            "checkpoint": str(self.folder / (BEST if best else ENCODER)),
            "images": at.images,
            "seconds": round(self._worked + monotonic() - self._begun, 2),
            "steps": at.steps,
            "encoder": str(self.folder / ENCODER),
            "score": at.score,
            "first_score": at.first_score,
            "best_score": at.best_score,
            "best_step": at.best_step,
            "skipped": at.drawn.skipped,
            "steps_without_number": at.no_number,
            "data_digest": self.batches.index.digest,
            "seed": self.recipe.seed,
        }

    def _write_encoder(self, name: str) -> None:
        encoder = self._made(CLEAN_BATCHES)
        facts = {
            "steps": self.at.steps,
            "images": self.at.images,
            "skipped": self.at.drawn.skipped,
            "score": self.at.score,
            "first_score": self.at.first_score,
            "device": self.step.device.name,
            "ranks": self.world.count,
        }
        curves = lines_of(self.folder / "metrics.jsonl") if (self.folder / "metrics.jsonl").exists() else []
        card = card_of(self.recipe, self.batches.index, self.origin, curves, facts)
        try:
            write_encoder(self.folder / name, encoder, card)
        except OSError as error:
            why = f"{error.strerror or type(error).__name__}".lower()
            if name == ENCODER:
                raise DiskFull("The encoder could not be written", why, _AGAIN) from error
            self._note(f"The best encoder so far was not written ({why}).")

    def _refuse_another(self, facts: dict[str, Any]) -> None:
        """Raise WrongUsage unless a checkpoint is of this run."""
        what, hint = "The run cannot go on", "Give what it was started with, or another --out."
        changed = differences(recipe_of(facts["recipe"]), self.recipe)
        if changed:
            raise WrongUsage(what, f"the recipe has another {', '.join(changed[:3])}", hint)
        if facts["images_a_step"] != self._images_a_step:
            why = f"a step had {facts['images_a_step']} images and would have {self._images_a_step}"
            raise WrongUsage(what, why, "Batch times accumulate times the number of ranks must stay.")
        if facts["corpus"] != self.batches.index.digest:
            raise WrongUsage(what, "the corpus has changed", hint)
        if facts["origin"] != self.origin.digest:
            raise WrongUsage(what, "the starting weights are others", hint)

    def _pause(self) -> _Pause:
        return _Pause(self._pace)


_AGAIN = "Free some space, then go on with --resume."


class _Pause:
    """What happens inside does not count as learning."""

    def __init__(self, pace: Pace) -> None:
        self._pace, self._from = pace, monotonic()

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._pace.pause(monotonic() - self._from)
