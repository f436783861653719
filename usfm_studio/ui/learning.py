"""Runs, verdicts and models: what the learning pages show, and the acts they offer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer

from usfm_studio.document.annotation import State
from usfm_studio.document.edit import change_of
from usfm_studio.document.errors import Interrupted, StudioError
from usfm_studio.document.frame import FrameId
from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.schema import Schema
from usfm_studio.ui.job import Job
from usfm_studio.ui.state import STAGES, ModelRow, Notice, Readiness, TrainingState, Verdict, WorstFrame
from usfm_studio.verbs import models as shelf_verb
from usfm_studio.verbs.finetune import FinetuneArguments, FinetuneResult, Running, ready
from usfm_studio.verbs.finetune import run as finetune
from usfm_studio.verbs.propose import matched
from usfm_studio.verbs.shelf import read_card, starter_for
from usfm_studio.verbs.steps import Event

if TYPE_CHECKING:
    from usfm_studio.ui.session import Session

WORST = 3
TICK_MS = 1000
DEFAULT_MINUTES = 5.0


class Learning(QObject):
    """At most one run at a time. `training` stays after its end, until the next run, so that it can be looked at."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.training: TrainingState | None = None
        self.verdict: Verdict | None = None
        self.models: tuple[ModelRow, ...] = ()
        self.readiness = Readiness()
        self._values: dict[FrameId, tuple[int, ...]] = {}
        self._job: Job | None = None
        self._running = Running()
        self._began, self._minutes = 0.0, DEFAULT_MINUTES
        self._tick = QTimer(self)
        self._tick.setInterval(TICK_MS)
        self._tick.timeout.connect(self._on_tick)
        session.changed.connect(self._on_changed)
        session.current_changed.connect(self._on_current)

    # --- the shelf ---------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read the shelf anew."""
        project = self._session.project
        self.models = tuple(self._rows()) if project else ()
        self._count()
        self._session.training_changed.emit()

    def _rows(self) -> list[ModelRow]:
        project = self._session.project
        assert project is not None
        rows = []
        for card in project.models.cards():
            interval = card.comparison.get("interval")
            rows.append(
                ModelRow(
                    card=card,
                    champion=project.models.champion(card.exam) == card.digest,
                    shipped=False,
                    score=card.comparison.get("challenger"),
                    interval=tuple(interval) if interval else None,  # type: ignore[arg-type]
                )
            )
        rows.sort(key=lambda row: row.card.created, reverse=True)
        return rows

    @property
    def proposer(self) -> ModelCard | None:
        """Card of the model that proposes for the frame in view; None when none does."""
        project, instance = self._session.project, self._session.instance
        if project is None or instance is None:
            return None
        champion = project.models.champion(self._session.exam)
        if champion:
            return project.models.card(champion)
        starter = starter_for(instance, self._session.exam)
        return read_card(starter) if starter else None

    @property
    def proposer_name(self) -> str:
        """Name of the model that proposes for the frame in view; empty when none does."""
        card = self.proposer
        return card.name if card is not None else ""

    def promote(self, digest: str) -> None:
        """Let this model propose; its words replace the earlier one's on frames that nobody touched."""
        project = self._session.project
        if project is None:
            return
        try:
            edit = shelf_verb.promotion(project, project.models.card(digest))
        except StudioError as error:
            self._session.tell(error)
            return
        self._session.commit(edit)

    def rollback(self) -> None:
        """Back to the model before the one in use for this kind of image."""
        project = self._session.project
        if project is None:
            return
        try:
            edit = shelf_verb.going_back(project, self._session.exam)
        except StudioError as error:
            self._session.tell(error)
            return
        self._session.commit(edit)

    # --- counting ----------------------------------------------------------------------------------------------

    def _on_changed(self, change: Any) -> None:
        for frame in change.frames:
            self._values.pop(frame, None)
        if change.kinds & {"annotation", "masks", "schema", "instances"}:
            self._count()

    def _on_current(self) -> None:
        if self._session.exam != self.readiness.exam:
            self._count()

    def _count(self) -> None:
        project = self._session.project
        if project is None:
            self.readiness = Readiness()
            return
        exam = self._session.exam
        frames = ready(project, exam)
        segments: Counter[str] = Counter()
        labels: Counter[str] = Counter()
        empty = 0
        for frame in frames:
            annotation = project.annotation(frame.id)
            values = self._values_on(frame.id) if annotation.state is State.DONE else ()
            empty += not values
            segments.update(s.name for v in values if (s := project.schema.segment(v)))
            labels.update(annotation.labels)
        before, self.readiness = (
            self.readiness,
            Readiness(
                frames=len(frames),
                subjects=len({f.instance.subject for f in frames}),
                exam=exam,
                frames_empty=empty,
                segment_frames=tuple(segments.items()),
                label_frames=tuple(labels.items()),
            ),
        )
        if before != self.readiness:
            self._session.training_changed.emit()

    def _values_on(self, frame: FrameId) -> tuple[int, ...]:
        if frame not in self._values and self._session.project is not None:
            self._values[frame] = self._session.project.mask(frame).values()
        return self._values.get(frame, ())

    # --- a run -------------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """True while a run is on."""
        return self._job is not None and self._job.running

    def fine_tune(self, minutes: float | None = None) -> None:
        """Start a run on what is done for this kind of image; the window stays as usable as before."""
        project = self._session.project
        if project is None or self.running:
            return
        if not self.readiness.enough:
            self._session.notice.emit(
                Notice(kind="info", title="Too little to learn from yet", text=self._what_is_missing())
            )
            return
        exam = self.readiness.exam
        champion = project.models.champion(exam)
        card = project.models.card(champion) if champion else None
        self._minutes, self._began = minutes or DEFAULT_MINUTES, monotonic()
        self._running = Running()
        self.training = TrainingState(
            running=True,
            name=exam.capitalize() or "Model",
            exam=exam,
            started=f"{datetime.now():%H:%M}",
            left_s=self._minutes * 60,
            stages=_stages("reading"),
            champion_name=card.name if card else "",
            champion_score=card.comparison.get("challenger") if card else None,
            frames=self.readiness.frames,
            frames_empty=self.readiness.frames_empty,
            segment_frames=self.readiness.segment_frames,
            label_frames=self.readiness.label_frames,
        )
        arguments = FinetuneArguments(exam=exam, minutes=self._minutes)
        self._job = Job(
            finetune(arguments, self._session.house, self._running),
            event=self._on_event,
            done=self._on_done,
            failed=self._on_failed,
            parent=self,
        ).start()
        self._tick.start()
        self._session.training_changed.emit()

    def _what_is_missing(self) -> str:
        have = self.readiness
        frames, subjects = max(0, have.frames_needed - have.frames), max(0, have.subjects_needed - have.subjects)
        parts = []
        if frames:
            parts.append(f"{frames} more frame{'s' if frames > 1 else ''}")
        if subjects:
            parts.append(f"{subjects} more subject{'s' if subjects > 1 else ''}")
        return f"Finish {' of '.join(parts)} (Ctrl+Enter), then Ctrl+T."

    def stop(self) -> None:
        """Stop learning and go straight to the comparison with the best so far."""
        if self.running and self.training is not None:
            self._running.stop()
            self._set(replace(self.training, stopping=True, note="Stopping; the best so far is compared."))

    def cancel(self) -> None:
        """Give the run up; the model in use stays."""
        if self._job is not None and self._job.running:
            self._running.cancel()
            self._job.cancel()
            self._tick.stop()
            if self.training is not None:
                self._set(replace(self.training, running=False, left_s=None, note="Cancelled; nothing has changed."))

    def leave(self) -> None:
        """The project closes: the run ends, everything is forgotten."""
        self.cancel()
        self.training, self.verdict, self.models = None, None, ()
        self._values.clear()

    def _on_tick(self) -> None:
        if self.training is not None and self.running:
            spent = monotonic() - self._began
            total = self._minutes * 60
            self._set(replace(self.training, percent=min(99.0, 100 * spent / total), left_s=max(0.0, total - spent)))

    def _on_event(self, event: Event) -> None:
        state, body = self.training, event.body
        if state is None:
            return
        if event.kind == "applied":
            self._session.announce(change_of(body["edit"]))
        elif event.kind == "stage":
            stage = str(body.get("stage", state.stage))
            self._set(
                replace(
                    state,
                    stage=stage,
                    stages=_stages(stage),
                    steps=body.get("steps", state.steps),
                    train_subjects=tuple(body.get("train_subjects", state.train_subjects)),
                    holdout_subjects=tuple(body.get("holdout_subjects", state.holdout_subjects)),
                )
            )
        elif event.kind == "step":
            self._on_step(state, event)
        elif event.kind == "holdout":
            point = (int(body.get("step", state.step)), float(body["holdout"]))
            self._set(replace(state, holdout=(*state.holdout, point)))
        elif event.kind == "note":
            self._set(replace(state, note=str(body.get("note", ""))))

    def _on_step(self, state: TrainingState, event: Event) -> None:
        body = event.body
        step, loss = int(body["step"]), body.get("loss")
        losses = state.losses if loss is None else (*state.losses, (step, float(loss)))
        speed = body.get("steps_per_second", state.steps_per_second)
        self._set(
            replace(state, step=step, steps=body.get("steps", state.steps), losses=losses, steps_per_second=speed)
        )

    def _on_done(self, result: FinetuneResult) -> None:
        self._tick.stop()
        state = self.training
        if state is not None:
            self._set(replace(state, running=False, percent=100.0, left_s=None, stages=_stages("")))
        self.verdict = self._verdict(result)
        self.refresh()
        kind = "ok" if result.promoted else "info"
        self._session.notice.emit(
            Notice(
                kind=kind,
                title=self.verdict.title,
                text=self.verdict.sentence,
                button="See how",
                action="learn.verdict",
            )
        )
        self._session.proposing.fill()

    def _on_failed(self, error: StudioError) -> None:
        self._tick.stop()
        if self.training is not None:
            self._set(replace(self.training, running=False, left_s=None, note=str(error)))
        if not isinstance(error, Interrupted):
            self._session.tell(error)

    def _set(self, state: TrainingState) -> None:
        self.training = state
        self._session.training_changed.emit()

    # --- the verdict -------------------------------------------------------------------------------------------

    def _verdict(self, result: FinetuneResult) -> Verdict:
        project = self._session.project
        assert project is not None
        card = project.models.card(result.model)
        known = {c.digest: c for c in project.models.cards()}
        before = next((known[p] for p in card.parents if p in known), None)
        holdout = result.holdout
        interval = holdout.get("interval")
        return Verdict(
            title=verdict_title(card.name, before.name if before else "", result),
            sentence=result.reason,
            rule=str(holdout.get("rule", "")),
            promoted=result.promoted,
            champion=before,
            challenger=card,
            metric=str(holdout.get("metric", "dice_all")),
            per_subject=tuple(
                (str(subject), pair.get("champion"), float(pair["challenger"]))
                for subject, pair in result.comparison.get("per_subject", {}).items()
            ),
            interval=(float(interval[0]), float(interval[1])) if interval else None,
            champion_score=holdout.get("champion"),
            challenger_score=holdout.get("challenger"),
            kind=str(holdout.get("kind", "held-out")),
            worst=tuple(self._worst(result, card, before)),
            seconds=result.seconds,
        )

    def _worst(self, result: FinetuneResult, card: ModelCard, before: ModelCard | None) -> list[WorstFrame]:
        project = self._session.project
        assert project is not None
        found = []
        for row in result.comparison.get("worst", ())[:WORST]:
            try:
                frame = FrameId.parse(row["frame"])
                reference = project.mask(frame).to_array()
                new = _ids(row["new"], card, project.schema)
                old = _ids(row["old"], before, project.schema) if row.get("old") and before is not None else None
            except (KeyError, ValueError, OSError, StudioError):
                continue  # a picture that is gone is left out; the numbers stand
            found.append(
                WorstFrame(
                    frame=frame,
                    subject=str(row["subject"]),
                    title=self._session.navigation.place_of(frame).capitalize(),
                    old_dice=None if old is None else mean_dice(old, reference),
                    new_dice=float(row["dice"]),
                    old_ids=old,
                    new_ids=new,
                    reference_ids=reference,
                )
            )
        return found


def mean_dice(ids: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """Mean Dice over the segments of the reference; 1 where neither marks anything."""
    values = [v for v in np.unique(reference).tolist() if v]
    if not values:
        return float(not ids.any())
    both = [(ids == v, reference == v) for v in values]
    return float(np.mean([2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in both]))


def _ids(path: str, card: ModelCard, schema: Schema) -> NDArray[np.uint8]:
    """A model's label map in the project's own segment values."""
    _, value_of = matched(schema, card, card.exam)
    lut = np.zeros(256, np.uint8)
    for output, value in value_of.items():
        lut[output] = value
    ids: NDArray[np.uint8] = np.load(Path(path))
    return lut[ids]


def verdict_title(name: str, before: str, result: FinetuneResult) -> str:
    """One line: better, first, or kept the old one."""
    old, new = result.holdout.get("champion"), result.holdout.get("challenger")
    scores = f": {old:.2f} to {new:.2f}" if old is not None and new is not None else ""
    if result.promoted and before:
        return f"{name} is better{scores}"
    if result.promoted:
        return f"{name} proposes from now on" + (f": {new:.2f}" if new is not None else "")
    return f"Kept {before}{scores}" if before else f"{name} is not used yet{scores}"


def _stages(now: str) -> tuple[tuple[str, str], ...]:
    names = [key for key, _ in STAGES]
    at = names.index(now) if now in names else len(names) if now == "" else 0
    return tuple((words, "done" if i < at else "running" if i == at else "todo") for i, (_, words) in enumerate(STAGES))
